/* SPDX-License-Identifier: Apache-2.0 */
/* Files, safely: relative to a directory descriptor, links not followed where others may write, replaced atomically. */
#pragma once

#include <sys/types.h>

#include "basic/error.h"

/* Whether path is relative, not empty, and has no empty, "." or ".." component: fit to be joined to any directory. */
bool path_is_safe(const char *path);
/* dir/name, with one slash; NULL when out of memory. */
char *path_join(const char *dir, const char *name) _must_check_;
const char *path_basename(const char *path);

/* Opens path below the directory root_fd without ever leaving it: every component O_NOFOLLOW, so a symbolic link is -ELOOP.
 * path may begin with '/', meaning the root. Returns a descriptor or -errno. */
int open_beneath(int root_fd, const char *path, int flags, mode_t mode);

/* Opens path as a process chrooted to root_fd would: symbolic links are followed, but stay inside the root.
 * root_fd AT_FDCWD means the real root, where this is plain open(). Read only. Returns a descriptor or -errno. */
int open_in_root(int root_fd, const char *path, int flags);

/* Where a symbolic link leads, owned by the caller; name "" with an O_PATH descriptor: that link itself. -EINVAL when it is none. */
int read_link_at(int fd, const char *name, char **ret);

/* Reads a whole file of at most max bytes (-EFBIG if larger). *ret is NUL-terminated and owned by the caller; ret_size may be NULL.
 * Works on /proc and /sys, whose sizes lie. */
int read_file(int dir_fd, const char *path, size_t max, char **ret, size_t *ret_size);
/* read_file() of what a directory has by that name: nothing that could be waited for, such as a pipe (-ENOTSUP, -EISDIR). */
int read_regular_file(int dir_fd, const char *path, size_t max, char **ret, size_t *ret_size);
int read_fd(int fd, size_t max, char **ret, size_t *ret_size);
/* read_file() through open_in_root(). */
int read_file_in_root(int root_fd, const char *path, size_t max, char **ret, size_t *ret_size);

/* Maps a regular file of at most max bytes (-EFBIG if larger), to be read; of none it is NULL. For files that are replaced, and never written to: to be
 * unmapped by the caller. */
int map_fd(int fd, size_t max, void **ret, size_t *ret_size);

/* Exactly size bytes at offset, numbers that may be lies of the file itself: -EBADMSG when they are not all there. */
int read_exactly(int fd, void *data, uint64_t size, uint64_t offset);

int write_all(int fd, const void *data, size_t size);

/* A device, a pipe, a link of /dev such as /dev/stdout: what root would replace by a file of that name, for all programs of the machine. */
bool is_special(int dir_fd, const char *path);
/* A directory, or a link to one. */
bool is_folder(int dir_fd, const char *path);
/* Replaces (or makes) a file so that a reader, and a crash, see the old bytes or the new: temporary file in the same
 * directory, fsync, rename, fsync of the directory. The mode is exact, whatever the umask. -EEXIST: is_special(). -EISDIR: is_folder(). */
int write_file_atomic(int dir_fd, const char *path, const void *data, size_t size, mode_t mode);
/* The same, and the new file belongs to these before it takes its place ((uid_t) -1: whoever makes it). */
int write_file_atomic_as(int dir_fd, const char *path, const void *data, size_t size, mode_t mode, uid_t uid, gid_t gid);

/* Whether write_file_atomic() gives such names, .NAME.PID.tmp, to what it writes; name: of this file only, or NULL. */
bool is_temporary(const char *file, const char *name);
/* Removes what killed runs left of write_file_atomic() in a directory. For whoever holds the lock under which such files (those of that name,
 * or with NULL all) are written there. A directory that is not there is empty. */
int remove_temporaries(int dir_fd, const char *path, const char *name);

/* Makes a file that must not exist, with this mode exactly. Nothing is fsync'ed. */
int write_file_new(int dir_fd, const char *path, const void *data, size_t size, mode_t mode);

/* mkdir -p; existing directories are fine. Every made directory's parent is not fsync'ed: see fsync_path(). */
int mkdir_parents(int dir_fd, const char *path, mode_t mode);
/* Opens path's directory, and fsync()s it. */
int fsync_parent(int dir_fd, const char *path);
/* Removes a tree, or a file; -ENOENT is success. Symbolic links are removed, never followed. */
int remove_tree(int dir_fd, const char *path);
/* A new private directory below parent, its path owned by the caller. */
int make_temp_dir(const char *parent, const char *prefix, char **ret);
/* Copies bytes from in to out until the end (reflink or copy_file_range where the kernel can). */
int copy_bytes(int in, int out);
/* Free bytes for unprivileged users on path's file system. */
int free_space(const char *path, uint64_t *ret);
/* How long lock_file() waits for somebody else to end; seconds, 0 to begin with. To be set while there is one thread, and no other timer. */
void lock_set_timeout(unsigned seconds);
/* Takes a lock file, exclusively: a descriptor that holds it until closed, or -EWOULDBLOCK. */
int lock_file(int dir_fd, const char *path);
/* The same with a file that is open: 0 or -EWOULDBLOCK. */
int lock_fd(int fd);
