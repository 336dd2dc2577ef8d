/* SPDX-License-Identifier: Apache-2.0 */
/* Children: an argv and a clean environment, never a shell. */
#pragma once

#include "basic/error.h"

typedef struct Process {
        const char *const *argv; /* argv[0] is looked up in PATH unless it has a slash */
        const char *const *env;  /* NULL-terminated NAME=VALUE, or NULL: PATH, HOME, LANG=C.UTF-8 and what the caller cannot lose (TMPDIR) */
        const char *directory;   /* working directory, or NULL */
        const char *root;        /* chroot into this first, or NULL */
        int stdin_fd;            /* > 0: that descriptor; else /dev/null */
        int stdout_fd;           /* 0: captured if ret_output is given, else inherited as stderr; > 0: that descriptor */
        unsigned timeout_sec;    /* kill after; 0: no limit */
        size_t output_max;       /* bytes of output kept; 0: 1 MiB. More is read and dropped */
        /* Gets stdout and stderr as they come, and nothing is kept; anything but 0 ends the child, whose status is then 0. */
        int (*on_output)(const char *data, size_t size, void *userdata);
        void *userdata;
} Process;

/* Runs and waits. *ret_status is the exit status (128 + signal when killed, 124 on time-out, 127 when it cannot be run); ret_output (may be
 * NULL) gets stdout and stderr together, NUL-terminated. 0 when the child ran, whatever its status; -errno when it could not. */
int process_run(const Process *p, int *ret_status, char **ret_output, Error *e);

/* process_run() that takes any status but 0 for an error, with the last lines of its output in the message. */
int process_check(const Process *p, char **ret_output, Error *e);

/* What a child gets when Process.env is NULL (where programs and temporary files are, which root it may act on), and what of these names is set, too;
 * NULL-terminated, may be NULL. Owned by the caller; -ENOMEM. */
int process_environment(const char *const *also, char ***ret);

/* Where PATH (or /usr/sbin:/usr/bin:/sbin:/bin when unset) has the program, below root (NULL: /): true if there is one. */
bool program_exists(const char *root, const char *name);

/* To be called first in main(): a standard stream that the caller closed becomes /dev/null, so that no file that is opened later gets its number,
 * and with it what was meant for the terminal. */
void open_standard_streams(void);

/* For a child that loads somebody's library, before it does: a crash is to be seen as what it is and leaves no core, and whatever the library
 * prints is not the answer. Returns the descriptor to answer on, which was standard output; -errno. */
int process_quiet_child(void);
