/* SPDX-License-Identifier: Apache-2.0 */
/* A key's passphrase, or a token's PIN. It is never an argument: everybody can read those of a process. */
#pragma once

#include "basic/error.h"

/* Where one comes from: the first of these that is there. */
typedef struct SecretSource {
        const char *file; /* its first line, of a file or a pipe; NULL: no file */
        int fd;           /* the same of an open file, if fd_given */
        bool fd_given;
        int (*ask)(const char *what, char **ret, Error *e); /* somebody at a terminal; NULL: there is nobody */
} SecretSource;

/* Whether there is any. */
bool secret_is_there(const SecretSource *s);

/* *ret is owned by the caller and ends with secret_free(); NULL: there is no source. what says whose it is, for people. Empty, or longer than 4 KiB:
 * -EBADMSG/EXIT_INVALID. *ret_warning, which may be NULL, is what is wrong with the file but does not hinder; owned by the caller. */
int secret_read(const SecretSource *s, const char *what, char **ret, char **ret_warning, Error *e);

/* Overwrites it, too. */
char *secret_free(char *s);
DEFINE_CLEANUP(char, secret_free);

/* "FILE: others than its owner can read it", owned by the caller, if so; else NULL. */
char *secret_file_warning(int fd, const char *path);
