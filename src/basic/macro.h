/* SPDX-License-Identifier: Apache-2.0 */
/* Cleanup attributes and small macros, after systemd's conventions: every owned pointer is released on every path. */
#pragma once

#include <errno.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define _cleanup_(f)     __attribute__((cleanup(f)))
#define _printf_(a, b)   __attribute__((format(printf, a, b)))
#define _unused_         __attribute__((unused))
#define _must_check_     __attribute__((warn_unused_result))

#define ELEMENTSOF(x) (sizeof(x) / sizeof((x)[0]))

/* Hands an owned pointer (or file descriptor) on: the variable is emptied, so that its cleanup does nothing. */
#define TAKE_PTR(p)                         \
        ({                                  \
                __typeof__(p) _taken = (p); \
                (p) = NULL;                 \
                _taken;                     \
        })
#define TAKE_FD(fd)              \
        ({                       \
                int _fd = (fd);  \
                (fd) = -1;       \
                _fd;             \
        })

static inline void freep(void *p) {
        free(*(void **) p);
}

/* Closes, keeps errno, returns -1, so that `fd = safe_close(fd)` reads well. */
static inline int safe_close(int fd) {
        if (fd >= 0) {
                int saved = errno;
                (void) close(fd);
                errno = saved;
        }
        return -1;
}

static inline void closep(int *fd) {
        (void) safe_close(*fd);
}

static inline void fclosep(FILE **f) {
        if (*f)
                (void) fclose(*f);
}

#define _cleanup_free_   _cleanup_(freep)
#define _cleanup_close_  _cleanup_(closep)
#define _cleanup_fclose_ _cleanup_(fclosep)

/* Defines NAMEp() for _cleanup_(NAMEp) from a NAME(type*) that accepts NULL. */
#define DEFINE_CLEANUP(type, func)                 \
        static inline void func##p(type **p) {     \
                if (*p)                            \
                        func(*p);                  \
        }                                          \
        struct _unused_swallow_semicolon_##func

#define MIN(a, b) ((a) < (b) ? (a) : (b))
#define MAX(a, b) ((a) > (b) ? (a) : (b))
