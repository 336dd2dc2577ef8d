/* SPDX-License-Identifier: Apache-2.0 */
/* Clients that are between repomd.xml and its signature. They ask for both one after the other, and no server ties the two requests; but one on
 * this machine opens the files, and whoever publishes can see that and let it come to its end. */
#pragma once

/* Begins to watch the published state of the repository that repo_fd is; what this process itself opens counts, too. A descriptor, or -1: then
 * (nothing is published, or the kernel does not tell) nobody is waited for. */
int readers_watch(int repo_fd);

/* Returns when every client that was seen to open repomd.xml has opened its signature, too, or after a fifth of a second in which none did anything,
 * or after two seconds. */
void readers_wait(int fd);
