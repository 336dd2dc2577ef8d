/* SPDX-License-Identifier: Apache-2.0 */
/* The project's own tarball: version and date are read from it, so that neither is told twice. */
#include <archive.h>
#include <archive_entry.h>
#include <fcntl.h>

#include "basic/fs.h"
#include "repo/build-plan.h"

#define MEMBERS_MAX 20000u
#define TOP         "gn8v-tee-"

static void archive_closep(struct archive **a) {
        if (*a)
                (void) archive_read_free(*a);
}

/* The VERSION of "gn8v-tee-VERSION/..." into *version, which must stay the same for every member. */
static int top_version(const char *name, char **version) {
        const char *start = name ? startswith(name, TOP) : NULL;
        size_t n = start ? strcspn(start, "/") : 0;

        if (n == 0 || n > 64 || strspn(start, "0123456789.abcdefghijklmnopqrstuvwxyz~+") != n)
                return -EBADMSG;
        if (!*version)
                return (*version = strndup(start, n)) ? 0 : -ENOMEM;
        return strlen(*version) == n && strncmp(*version, start, n) == 0 ? 0 : -EBADMSG;
}

int build_source_inspect(const char *path, char **ret_version, int64_t *ret_date, Error *e) {
        _cleanup_(archive_closep) struct archive *a = archive_read_new();
        _cleanup_close_ int fd = open(path, O_RDONLY | O_CLOEXEC);
        _cleanup_free_ char *version = NULL;
        struct archive_entry *entry;
        int64_t date = 0;
        unsigned members = 0;
        int r;

        if (fd < 0)
                return error_errno(e, errno, "%s", path);
        if (!a)
                return error_oom(e);
        (void) archive_read_support_filter_gzip(a);
        (void) archive_read_support_filter_xz(a);
        (void) archive_read_support_format_tar(a);
        if (archive_read_open_fd(a, fd, 65536) != ARCHIVE_OK)
                goto bad;
        while ((r = archive_read_next_header(a, &entry)) == ARCHIVE_OK) {
                if (++members > MEMBERS_MAX)
                        goto bad;
                r = top_version(archive_entry_pathname(entry), &version);
                if (r == -ENOMEM)
                        return error_oom(e);
                if (r < 0)
                        goto bad;
                date = MAX(date, (int64_t) archive_entry_mtime(entry));
        }
        if (r != ARCHIVE_EOF || !version)
                goto bad;
        *ret_version = TAKE_PTR(version);
        *ret_date = date;
        return 0;
bad:
        return error_hint(e, error_set(e, EBADMSG, EXIT_INVALID, "%s: is no tarball with everything below " TOP "VERSION/", path),
                          "make one with 'make dist'");
}
