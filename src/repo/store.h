/* SPDX-License-Identifier: Apache-2.0 */
/* Files by content: WORKSPACE/store/sha256/ab/HEX, read-only, put there whole or not at all. The name is the digest, taken while the
 * bytes were written; nothing here reads a payload again. */
#pragma once

#include "basic/error.h"

typedef struct Store {
        char *path;  /* WORKSPACE/store */
        int fd;      /* that directory */
        int lock_fd; /* see store_lock(), or -1 */
        bool is_scratch; /* see store_scratch() */
} Store;

/* Opens the store of a workspace; create: makes it where it is missing, else -ENOENT is an error that names `fetch`. */
int store_open(const char *workspace, bool create, Store **ret, Error *e);
Store *store_free(Store *s);
DEFINE_CLEANUP(Store, store_free);

/* Takes the workspace for writing, until store_free(): -EWOULDBLOCK/EXIT_LOCKED when another run has it. */
int store_lock(Store *s, Error *e);

/* What comes from now on is not waited for to be on the disk one by one: for a store that lives no longer than a copy of what it has, which syncs that itself.
 * Files that were stored before the machine's last boot are read again, and those that are not whole are gone. Locked. */
int store_scratch(Store *s, Error *e);

/* The full path of a stored file, whether it is there or not, owned by the caller; hex is 64 lower-case digits. NULL: out of memory. */
char *store_path(const Store *s, const char *hex) _must_check_;
bool store_has(const Store *s, const char *hex);
/* Size in bytes of a stored file: 0 or -ENOENT. */
int store_size(const Store *s, const char *hex, uint64_t *ret);
/* Opens a stored file for reading: a descriptor, or -ENOENT with an error that says to fetch. */
int store_open_file(const Store *s, const char *hex, Error *e);

/* Opens (creating) partial/NAME for reading and writing, its position at the end, which is its size. A descriptor or -errno. */
int store_partial_open(Store *s, const char *name, uint64_t *ret_size, Error *e);
char *store_partial_path(const Store *s, const char *name) _must_check_;
int store_partial_remove(Store *s, const char *name);
/* Size of partial/NAME, 0 when there is none. */
uint64_t store_partial_size(const Store *s, const char *name);

/* Moves partial/NAME, open as fd and written in full, to its place: mode 0444, fsync, rename, fsync of the directories (of a
 * scratch store without the fsyncs). */
int store_insert(Store *s, const char *name, int fd, const char *hex, Error *e);
/* Moves partial/NAME to rejected/FILENAME.HEX, for somebody to look at; *ret_path (may be NULL) is where, owned by the caller. */
int store_reject(Store *s, const char *name, const char *filename, const char *hex, char **ret_path, Error *e);
