/* SPDX-License-Identifier: Apache-2.0 */
/* The instance, or a root that will become one: where it is, what kind of place it is, and its files and tools. */
#pragma once

#include <sys/stat.h>

#include "basic/error.h"
#include "release/release.h"

#define NODE_STATE_DIR "/var/lib/gn8v-tee"
#define NODE_LOCK_PATH NODE_STATE_DIR "/lock"
#define NODE_PENDING_PATH NODE_STATE_DIR "/pending"
#define NODE_JOURNAL_PATH NODE_STATE_DIR "/journal.json"
#define NODE_FILE_MAX ((size_t) 4 * 1024 * 1024) /* no file that we read whole is near this size */

/* What may be touched. Only on a machine are boot entries, services, modules and the initramfs ours to change. */
typedef enum Environment {
        ENVIRONMENT_MACHINE,
        ENVIRONMENT_CHROOT,
        ENVIRONMENT_CONTAINER,
        ENVIRONMENT_IMAGE, /* no /proc or /sys, or systemd does not run here: a root being built */
        ENVIRONMENT_OSTREE,
        _ENVIRONMENT_MAX,
} Environment;

const char *environment_to_string(Environment e);

typedef struct Journal Journal;
typedef struct Node Node;
typedef int (*NodeRun)(Node *n, const char *const *argv, unsigned timeout_sec, int *ret_status, char **ret_output, Error *e);

struct Node {
        char *root;  /* NULL: the real root */
        int root_fd; /* AT_FDCWD: the real root */
        Environment environment;
        bool booted;      /* systemd runs here, so that units can be stopped and started */
        char *boot_id;    /* of this boot, or NULL */
        Release *release; /* of RELEASE_INSTALLED_PATH; NULL: none installed */
        Journal *journal;
        const char *kernel; /* one that was installed just now, and gets its module even if another boots by default; or NULL */
        struct Bus *bus; /* to the running systemd, once it was needed; or NULL */
        int bus_error;   /* -errno: it did not answer */
        NodeRun run;    /* runs a tool inside the root; a unit test puts its own here */
        void *userdata; /* of that test */
};

/* Opens the root and finds out what it is; GN8V_TEE_ENVIRONMENT (one of the words above) overrides that, for image builders that own
 * the boot entries, and for tests. root NULL or "/": the real one. */
int node_open(Node *n, const char *root, Error *e);
/* Loads the installed release, if there is one. */
int node_load_release(Node *n, Error *e);
void node_close(Node *n);
#define _cleanup_node_ _cleanup_(node_close)

/* Takes the lock, waiting at most that long: a descriptor to close, or -EWOULDBLOCK with EXIT_LOCKED. */
int node_lock(Node *n, unsigned wait_sec, Error *e);

/* Files, by absolute path, links followed as inside the root. -errno without a message: the caller knows what it means. */
int node_read(Node *n, const char *path, size_t max, char **ret, size_t *ret_size);
/* The file's first bytes, at most max, NUL-terminated: for files of which the beginning says it. */
int node_read_head(Node *n, const char *path, size_t max, char **ret, size_t *ret_size);
/* A descriptor for reading; a pipe or socket is -EINVAL, for nobody may make us wait. */
int node_open_file(Node *n, const char *path);
int node_stat(Node *n, const char *path, struct stat *ret);
bool node_exists(Node *n, const char *path);
/* Target of the symbolic link itself; -EINVAL when it is none. */
int node_readlink(Node *n, const char *path, char **ret);
/* Names in a directory, sorted, without "." and ".."; a missing directory is an empty list. */
int node_list(Node *n, const char *path, char ***ret);
/* Replaces atomically what path names in the end, keeping the mode and owner that it has; mode is for a new file. Makes directories. */
int node_write(Node *n, const char *path, const void *data, size_t size, mode_t mode);
/* Opens for reading and writing, and makes if it is not there, a file that is never replaced: a descriptor. Makes directories. */
int node_make_file(Node *n, const char *path, mode_t mode);
/* What a tool has written to a file, or to all files of a directory, is on the disk when these return: tools do not fsync(), and the
 * journal must never be ahead of them. What is not there needs nothing. */
int node_sync(Node *n, const char *path);
int node_sync_directory(Node *n, const char *path);
/* Removes what a run that was killed in the middle of node_write() left beside name (NULL: beside anything) in the directory. */
int node_sweep(Node *n, const char *directory, const char *name);
int node_remove(Node *n, const char *path);
int node_remove_directory(Node *n, const char *path); /* if empty */
int node_rename(Node *n, const char *from, const char *to); /* in one directory */

/* Runs a tool in the root; any status but 0 is an error that carries the tool's last words. */
int node_tool(Node *n, const char *const *argv, unsigned timeout_sec, char **ret_output, Error *e);
