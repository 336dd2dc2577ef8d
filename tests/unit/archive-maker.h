/* SPDX-License-Identifier: Apache-2.0 */
/* Small archives for tests: self-extracting in each of the header's forms, and zip. */
#pragma once

#include <archive.h>
#include <archive_entry.h>
#include <check.h>
#include <fcntl.h>
#include <sys/stat.h>

#include "basic/fs.h"
#include "basic/strings.h"

typedef struct MadeMember {
        const char *name, *content; /* content NULL and no link: a directory */
        mode_t mode;
        const char *link, *hard_link;
        char type;                  /* 'p': a FIFO */
        size_t size;                /* 0: strlen(content) */
} MadeMember;

typedef enum HeaderForm { HEADER_NVIDIA_SKIP, HEADER_SKIP, HEADER_OFFSET, HEADER_NONE } HeaderForm;

/* The shell header; what it would do if it were run is visible. */
static inline char *made_header(HeaderForm form, size_t payload) {
        const char *trap = "touch /tmp/gn8v-tee-header-was-run\n";

        switch (form) {
        case HEADER_NVIDIA_SKIP:
                return format("#!/bin/sh\nskip=6\n%s# 4\n# 5\n", trap);
        case HEADER_SKIP:
                return format("#!/bin/sh\nfilesizes=\"%zu\"\nskip=\"6\"\n%s# 5\noffset=`head -n \"$skip\" \"$0\" | wc -c`\n", payload, trap);
        case HEADER_OFFSET:
                return format("#!/bin/sh\n%sfilesizes=\"%zu\"\noffset=`head -n 5 \"$0\" | wc -c | tr -d \" \"`\nexit 1\n", trap, payload);
        default:
                return strdup("");
        }
}

/* filter: "xz", "zstd", "gzip", "bzip2", "none"; "zip": a zip archive. Returns the bytes, owned by the caller. */
static inline char *made_payload(const char *filter, const MadeMember *m, size_t n, size_t *ret_size) {
        struct archive *a = archive_write_new();
        size_t allocated = 32 * 1024 * 1024, used = 0;
        char *buffer = malloc(allocated);

        ck_assert_ptr_nonnull(buffer);
        if (streq(filter, "zip"))
                ck_assert_int_eq(archive_write_set_format_zip(a), ARCHIVE_OK);
        else {
                ck_assert_int_eq(archive_write_set_format_gnutar(a), ARCHIVE_OK);
                ck_assert_int_eq(streq(filter, "none") ? archive_write_add_filter_none(a) : archive_write_add_filter_by_name(a, filter), ARCHIVE_OK);
        }
        ck_assert_int_eq(archive_write_open_memory(a, buffer, allocated, &used), ARCHIVE_OK);
        for (size_t i = 0; i < n; i++) {
                struct archive_entry *e = archive_entry_new();
                size_t size = m[i].size ? m[i].size : m[i].content ? strlen(m[i].content) : 0;

                archive_entry_set_pathname(e, m[i].name);
                archive_entry_set_perm(e, m[i].mode ? m[i].mode : 0644);
                archive_entry_set_mtime(e, 1, 0);
                archive_entry_set_filetype(e, m[i].type == 'p' ? AE_IFIFO : m[i].link ? AE_IFLNK : m[i].content || m[i].hard_link ? AE_IFREG : AE_IFDIR);
                if (m[i].link)
                        archive_entry_set_symlink(e, m[i].link);
                else if (m[i].hard_link)
                        archive_entry_set_hardlink(e, m[i].hard_link);
                else
                        archive_entry_set_size(e, (la_int64_t) size);
                ck_assert_msg(archive_write_header(a, e) >= ARCHIVE_WARN, "%s", archive_error_string(a));
                if (m[i].content && size > 0)
                        ck_assert_int_eq(archive_write_data(a, m[i].content, size), (la_ssize_t) size);
                archive_entry_free(e);
        }
        ck_assert_int_eq(archive_write_close(a), ARCHIVE_OK);
        archive_write_free(a);
        *ret_size = used;
        return buffer;
}

/* Writes dir/name; cut bytes are left away at the end. Returns the path, owned by the caller. */
static inline char *made_archive(const char *dir, const char *name, HeaderForm form, const char *filter, const MadeMember *m, size_t n, size_t cut) {
        size_t size;
        _cleanup_free_ char *payload = made_payload(filter, m, n, &size), *header = made_header(form, size);
        char *path = path_join(dir, name);
        int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);

        ck_assert_int_ge(fd, 0);
        ck_assert_int_eq(write_all(fd, header, strlen(header)), 0);
        ck_assert_int_eq(write_all(fd, payload, size - cut), 0);
        close(fd);
        return path;
}
