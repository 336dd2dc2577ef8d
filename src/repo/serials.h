/* SPDX-License-Identifier: Apache-2.0 */
/* What this workspace knows of the states that were published: see release/freshness.h. */
#pragma once

#include "basic/error.h"

/* The highest serial that this workspace has published to, or found good in, the directory repo by one of the keys; 0: none.
 * WORKSPACE/serials/FINGERPRINT-DIRECTORY, where DIRECTORY is a digest of its real path. */
int serial_known(const char *workspace, const char *repo, char *const *fingerprints, uint64_t *ret, Error *e);
/* For somebody who means to go back: this one is what is known now, of each key. */
int serial_go_back(const char *workspace, const char *repo, char *const *fingerprints, uint64_t serial, Error *e);
/* Whether serial_remember() could write this one: to be asked before it is published, and refused with the next action. */
int serial_check(const char *workspace, const char *repo, char *const *fingerprints, uint64_t serial, Error *e);
/* Remembers a higher one, for each key; a lower one changes nothing. */
int serial_remember(const char *workspace, const char *repo, char *const *fingerprints, uint64_t serial, Error *e);
