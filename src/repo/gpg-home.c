/* SPDX-License-Identifier: Apache-2.0 */
#include "repo/gpg-home.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>

#include "basic/fs.h"
#include "basic/strings.h"

#define PREFIX     "gn8v-keys"
#define SETTINGS   "gpg.conf"
#define MAKING_SEC 60 /* more than the time between a directory and its lock */

/* Public keys need no agent; one that gpg starts by itself would outlive us, and hold an inotify instance of which there are few. */
static const char settings[] = "no-autostart\n";

/* Whoever uses one holds its lock. */
static int lock_home(int dir_fd, const char *name, int how, struct stat *ret) {
        _cleanup_close_ int fd = openat(dir_fd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);

        if (fd < 0 || fstat(fd, ret) < 0 || flock(fd, how) < 0)
                return -errno;
        return TAKE_FD(fd);
}

/* What killed runs left. One without settings may just be made, and not be locked yet. */
static void remove_left(const char *parent) {
        DIR *d = opendir(parent);
        struct dirent *entry;

        while (d && (entry = readdir(d))) {
                _cleanup_close_ int fd = -1;
                struct stat st;

                if (startswith(entry->d_name, PREFIX) && (fd = lock_home(dirfd(d), entry->d_name, LOCK_EX | LOCK_NB, &st)) >= 0 && st.st_uid == geteuid() &&
                    (faccessat(fd, SETTINGS, F_OK, 0) == 0 || st.st_ctime < time(NULL) - MAKING_SEC))
                        (void) remove_tree(dirfd(d), entry->d_name);
        }
        if (d)
                (void) closedir(d);
}

int gpg_home_new(GpgHome **ret, Error *e) {
        const char *tmp = getenv("TMPDIR");
        const char *parent = tmp && *tmp ? tmp : "/tmp";
        _cleanup_(gpg_home_freep) GpgHome *home = calloc(1, sizeof(*home));
        struct stat st;
        int r;

        if (!home)
                return error_oom(e);
        home->lock_fd = -1;
        remove_left(parent);
        if ((r = make_temp_dir(parent, PREFIX, &home->path)) < 0)
                return error_errno(e, -r, "%s: cannot make a directory for a keyring", parent);
        home->lock_fd = lock_home(AT_FDCWD, home->path, LOCK_EX, &st); /* another run may just be looking at it */
        if (home->lock_fd < 0)
                return error_errno(e, -home->lock_fd, "%s", home->path);
        if ((r = write_file_atomic(home->lock_fd, SETTINGS, settings, strlen(settings), 0600)) < 0)
                return error_errno(e, -r, "%s/" SETTINGS, home->path);
        *ret = TAKE_PTR(home);
        return 0;
}

GpgHome *gpg_home_free(GpgHome *home) {
        if (!home)
                return NULL;
        if (home->path)
                (void) remove_tree(AT_FDCWD, home->path);
        safe_close(home->lock_fd);
        free(home->path);
        free(home);
        return NULL;
}
