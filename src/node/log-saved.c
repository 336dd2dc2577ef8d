/* SPDX-License-Identifier: Apache-2.0 */
/* diagnose_file(): a log that somebody saved. */
#include <fcntl.h>
#include <sys/stat.h>

#include "basic/process.h"
#include "node/log-feed.h"
#include "node/tar.h"

#define GUNZIP_SEC 60
#define BUNDLE_TOP "gn8v-tee-support/"

/* A saved file: what it holds is seen by its first bytes. */
typedef struct Saved {
        LogLines lines;
        TarReader tar;
        char first[512];
        size_t n_first;
        bool is_tar, bundle, wanted;
        int error; /* of the bytes, told when the program that gives them has ended */
} Saved;

static int member_begin(const char *name, void *userdata) {
        Saved *s = userdata;

        /* Our own archive says in other members, too, what was found then. */
        if (startswith(name, BUNDLE_TOP))
                s->bundle = true;
        s->wanted = !s->bundle || startswith(name, BUNDLE_TOP "logs/");
        return 0;
}

static int member_data(const char *data, size_t size, void *userdata) {
        Saved *s = userdata;

        return s->wanted ? log_feed(data, size, &s->lines) : 0;
}

static int member_end(void *userdata) {
        return log_feed_end(&((Saved *) userdata)->lines);
}

static int saved_pass(Saved *s, const char *data, size_t size) {
        return s->is_tar ? tar_reader_feed(&s->tar, data, size) : log_feed(data, size, &s->lines);
}

static int saved_begin(Saved *s) {
        s->is_tar = s->n_first == sizeof(s->first) && is_tar(s->first);
        s->tar = (TarReader){ .begin = member_begin, .data = member_data, .end = member_end, .userdata = s };
        return saved_pass(s, s->first, s->n_first);
}

static int saved_feed(const char *data, size_t size, void *userdata) {
        Saved *s = userdata;
        size_t more = MIN(sizeof(s->first) - s->n_first, size);
        int k = 0;

        if (s->n_first < sizeof(s->first)) {
                memcpy(s->first + s->n_first, data, more);
                s->n_first += more;
                data += more;
                size -= more;
                if (s->n_first == sizeof(s->first))
                        k = saved_begin(s);
        }
        if (k == 0 && size > 0)
                k = saved_pass(s, data, size);
        return s->error = k;
}

static int saved_end(Saved *s) {
        int k = s->n_first < sizeof(s->first) ? saved_begin(s) : 0;

        return k == 0 ? log_feed_end(&s->lines) : k;
}

static int read_plain(int fd, Saved *s) {
        _cleanup_free_ char *buffer = malloc(256 * 1024);

        if (!buffer)
                return -ENOMEM;
        for (;;) {
                ssize_t n = read(fd, buffer, 256 * 1024);
                int k;

                if (n < 0 && errno == EINTR)
                        continue;
                if (n <= 0)
                        return n < 0 ? -errno : saved_end(s);
                k = saved_feed(buffer, (size_t) n, s);
                if (k < 0)
                        return k;
        }
}

static int read_gzip(int fd, const char *path, Saved *s, Error *e) {
        static const char *const argv[] = { "gzip", "-dc", NULL };
        Process p = { .argv = argv, .stdin_fd = fd, .timeout_sec = GUNZIP_SEC, .on_output = saved_feed, .userdata = s };
        int status, k;

        k = process_run(&p, &status, NULL, e);
        if (k < 0)
                return error_hint(e, k, "decompress it first: gunzip %s", path);
        if (status != 0)
                return error_set(e, EBADMSG, EXIT_INVALID, "%s: %s", path,
                                 status == 124 ? "not decompressed within a minute" : "damaged: gzip cannot decompress it");
        return s->error < 0 ? s->error : saved_end(s);
}

static int read_journal_file(Diagnose *d, const char *path, unsigned timeout_sec, Error *e) {
        _cleanup_free_ char *file = format("--file=%s", path);
        char *argv[] = { (char *) "journalctl", file, (char *) "--no-pager", (char *) "--output=json", NULL };
        Node here = { .root_fd = AT_FDCWD };

        return file ? journal_run(d, &here, argv, timeout_sec, d->n_sources - 1, e) : error_oom(e);
}

static int open_saved(const char *path, Error *e) {
        _cleanup_close_ int fd =
                streq(path, "-") ? fcntl(STDIN_FILENO, F_DUPFD_CLOEXEC, 3) : open(path, O_RDONLY | O_NOCTTY | O_NONBLOCK | O_CLOEXEC);
        struct stat st;

        if (fd < 0 || fstat(fd, &st) < 0)
                return error_errno(e, errno, "%s", path);
        if (S_ISDIR(st.st_mode))
                return error_hint(e, error_errno(e, EISDIR, "%s", path), "name one file");
        if (!streq(path, "-") && !S_ISREG(st.st_mode))
                return error_hint(e, error_set(e, EINVAL, EXIT_FAILED, "%s: no regular file", path), "give it on standard input: --file=-");
        return TAKE_FD(fd);
}

int diagnose_file(Diagnose *d, const char *path, unsigned timeout_sec, Error *e) {
        static const struct {
                const char *magic, *name;
        } others[] = { { "\375"
                         "7zXZ",
                         "xz" },
                       { "BZh", "bzip2" },
                       { "\x28\xb5\x2f\xfd", "zstd" } };
        _cleanup_free_ Saved *s = calloc(1, sizeof(Saved));
        _cleanup_close_ int fd = open_saved(path, e);
        char magic[8] = "";
        int k;

        if (fd < 0)
                return fd;
        if (!s || !diagnose_source(d, path))
                return error_oom(e);
        s->lines = (LogLines){ .diagnose = d, .source = d->n_sources - 1 };
        (void) !pread(fd, magic, sizeof(magic), 0); /* a pipe has no beginning to look at: it is text */
        for (size_t i = 0; i < ELEMENTSOF(others); i++)
                if (strncmp(magic, others[i].magic, strlen(others[i].magic)) == 0)
                        return error_hint(e, error_set(e, EBADMSG, EXIT_INVALID, "%s: compressed by %s", path, others[i].name),
                                          "decompress it first");
        if (memcmp(magic, "LPKSHHRH", 8) == 0)
                k = read_journal_file(d, path, timeout_sec, e);
        else if (memcmp(magic, "\x1f\x8b", 2) == 0)
                k = read_gzip(fd, path, s, e);
        else
                k = read_plain(fd, s);
        log_lines_free(&s->lines);
        if (k == -EBADMSG)
                return error_set(e, EBADMSG, EXIT_INVALID, "%s: a damaged tar archive", path);
        return k < 0 ? error_errno(e, -k, "%s", path) : 0;
}
