/* SPDX-License-Identifier: Apache-2.0 */
/* The repository as this machine last saw it: the repomd.xml that dnf checked and keeps, and the highest serial among those. */
#pragma once

#include "node/node.h"
#include "release/freshness.h"

#define NODE_SERIAL_PATH NODE_STATE_DIR "/serial"

/* Of the newest repomd.xml of our repository in dnf's cache; serial 0: there is none, or it has no serial. -EBADMSG/EXIT_INVALID. */
int repository_freshness(Node *n, Freshness *ret, Error *e);
/* The highest serial that was remembered here; 0: none. */
uint64_t repository_known(Node *n);
/* Remembers the newest repomd.xml's serial when it is higher. */
int repository_remember(Node *n, Error *e);
