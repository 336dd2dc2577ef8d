/* SPDX-License-Identifier: Apache-2.0 */
/* Everything that was staged, on the disk, before it becomes what clients see. */
#pragma once

#include "basic/error.h"

/* fsync()s every file and directory below, and the directory itself (name: for messages). All are on their way before the first one is
 * waited for, and many are waited for at once, because the kernel makes one flush of the disk's cache out of those that come together.
 * Symbolic links are -ELOOP. */
int sync_tree(int dir_fd, const char *name, Error *e);
/* Has the kernel begin with one file of them now, so that there is less to wait for then. */
void sync_begin(int fd);
