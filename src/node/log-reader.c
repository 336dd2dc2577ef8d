/* SPDX-License-Identifier: Apache-2.0 */
/* Where the lines come from: the journal, the kernel's buffer, files of /var/log, and files that somebody saved. Memory is bounded, whatever
 * the size of the log: nothing is kept but the end of a line that is not complete yet. */
#include <fcntl.h>
#include <sys/stat.h>

#include "basic/fs.h"
#include "basic/process.h"
#include "node/clients.h"
#include "node/diagnose.h"
#include "node/journal.h"
#include "node/resource.h"
#include "node/tar.h"

#define TAIL_MAX    ((off_t) 4 * 1024 * 1024) /* of a file of /var/log, its end is read */
#define GUNZIP_SEC  60
#define BUNDLE_TOP  "gn8v-tee-support/"

typedef struct Lines {
        Diagnose *diagnose;
        size_t source;      /* its index: the array moves */
        const char *origin; /* of lines that do not say it themselves; or NULL */
        bool boots;         /* the log holds earlier boots, too */
        bool json_only;     /* other lines are the reading program's own words */
        char *words;        /* the last of those */
        Text partial;
        bool skipping; /* the rest of a line that was too long */
} Lines;

static void lines_free(Lines *l) {
        text_free(&l->partial);
        free(l->words);
}
#define _cleanup_lines_ _cleanup_(lines_free)

static int take_line(Lines *l, const char *line, size_t size) {
        if (l->json_only && (size == 0 || *line != '{')) {
                if (size > 0 && !startswith(line, "-- ")) {
                        free(l->words);
                        l->words = printable(line, MIN(size, (size_t) 300));
                }
                return 0;
        }
        l->diagnose->sources[l->source].lines++;
        if (l->boots && memmem(line, size, "kernel: ", 8) && memmem(line, size, "Linux version ", 14))
                diagnose_reset(l->diagnose);
        return diagnose_line(l->diagnose, line, size, l->origin);
}

static int feed(const char *data, size_t size, void *userdata) {
        Lines *l = userdata;
        int k = 0;

        while (size > 0 && k == 0) {
                const char *newline = memchr(data, '\n', size);
                size_t n = newline ? (size_t) (newline - data) : size;

                if (!newline || l->partial.size > 0) {
                        if (!l->skipping)
                                text_append_n(&l->partial, data, MIN(n, LOG_LINE_MAX - l->partial.size));
                        l->skipping = l->partial.size >= LOG_LINE_MAX && !newline;
                        if (l->partial.failed)
                                return -ENOMEM;
                        if (newline) {
                                k = take_line(l, l->partial.data, l->partial.size);
                                l->partial.size = 0;
                        }
                } else
                        k = take_line(l, data, MIN(n, LOG_LINE_MAX));
                data += n + (newline ? 1 : 0);
                size -= n + (newline ? 1 : 0);
        }
        return k;
}

static int feed_end(Lines *l) {
        int k = l->partial.size > 0 ? take_line(l, l->partial.data, l->partial.size) : 0;

        l->partial.size = 0;
        l->skipping = false;
        return k;
}

static int read_all(int fd, Lines *l) {
        _cleanup_free_ char *buffer = malloc(256 * 1024);

        if (!buffer)
                return -ENOMEM;
        for (;;) {
                ssize_t n = read(fd, buffer, 256 * 1024);
                int k;

                if (n < 0 && errno == EINTR)
                        continue;
                if (n < 0)
                        return -errno;
                if (n == 0)
                        return feed_end(l);
                k = feed(buffer, (size_t) n, l);
                if (k < 0)
                        return k;
        }
}

/* The units whose words matter: those that some diagnosis names, and the clients. */
static int list_units(Diagnose *d, Node *n, char ***ret) {
        _cleanup_strv_ char **units = NULL;
        _cleanup_clients_ Clients clients = {};

        for (size_t i = 0; i < d->known->n; i++)
                STRV_FOREACH(w, d->known->v[i].where)
                        if (endswith(*w, ".service") && !strv_contains(units, *w) && strv_append(&units, *w) < 0)
                                return -ENOMEM;
        STRV_FOREACH(w, n->release ? n->release->clients : NULL)
                if (!strv_contains(units, *w) && strv_append(&units, *w) < 0)
                        return -ENOMEM;
        /* What cannot be looked at is not needed here. */
        if (n->journal && clients_find(n, &clients, NULL) >= 0)
                for (size_t i = 0; i < clients.n; i++)
                        if (!strv_contains(units, clients.v[i].unit) && strv_append(&units, clients.v[i].unit) < 0)
                                return -ENOMEM;
        *ret = TAKE_PTR(units);
        return 0;
}

/* Identifiers that stand alone in Where=: programs without a unit of their own. */
static int list_programs(const Diagnose *d, char ***ret) {
        _cleanup_strv_ char **programs = NULL;
        static const char *const others[] = { "kernel", "clients", "any" };

        for (size_t i = 0; i < d->known->n; i++)
                STRV_FOREACH(w, d->known->v[i].where) {
                        bool other = **w == '/' || endswith(*w, ".service");

                        for (size_t j = 0; j < ELEMENTSOF(others); j++)
                                other = other || streq(*w, others[j]);
                        if (!other && !strv_contains(programs, *w) && strv_append(&programs, *w) < 0)
                                return -ENOMEM;
                }
        *ret = TAKE_PTR(programs);
        return 0;
}

static int append_matches(char ***argv, const char *field, char *const *values) {
        STRV_FOREACH(value, values) {
                _cleanup_free_ char *match = format("%s=%s", field, *value);

                if (!match || strv_append(argv, match) < 0)
                        return -ENOMEM;
        }
        return 0;
}

/* The journal finds by field, so that the size of the rest of it does not matter. _PID=1: systemd's own words about a unit. */
static int journal_command(Diagnose *d, Node *n, char ***ret) {
        static const char *const words[] = {
                "journalctl", "--boot", "--no-pager", "--output=json", "--output-fields=MESSAGE,_TRANSPORT,_SYSTEMD_UNIT,SYSLOG_IDENTIFIER,UNIT",
                "_TRANSPORT=kernel",
        };
        _cleanup_strv_ char **argv = NULL, **units = NULL, **programs = NULL;
        int k;

        k = list_units(d, n, &units);
        if (k >= 0)
                k = list_programs(d, &programs);
        for (size_t i = 0; i < ELEMENTSOF(words) && k >= 0; i++)
                k = strv_append(&argv, words[i]);
        if (k >= 0 && units) {
                k = strv_append(&argv, "+");
                if (k >= 0)
                        k = append_matches(&argv, "_SYSTEMD_UNIT", units);
                if (k >= 0)
                        k = strv_append_words(&argv, "+ _PID=1");
                if (k >= 0)
                        k = append_matches(&argv, "UNIT", units);
        }
        if (k >= 0 && programs) {
                k = strv_append(&argv, "+");
                if (k >= 0)
                        k = append_matches(&argv, "SYSLOG_IDENTIFIER", programs);
        }
        if (k < 0)
                return k;
        *ret = TAKE_PTR(argv);
        return 0;
}

/* journald keeps files of the system that only root and some groups can read; journalctl then shows less, and exits 0. */
static bool journal_is_hidden(Node *n) {
        static const char *const tops[] = { "/run/log/journal", "/var/log/journal" };

        for (size_t i = 0; i < ELEMENTSOF(tops); i++) {
                _cleanup_strv_ char **machines = NULL;

                if (node_list(n, tops[i], &machines) == -EACCES)
                        return true;
                STRV_FOREACH(machine, machines) {
                        _cleanup_free_ char *path = format("%s/%s/system.journal", tops[i], *machine);
                        _cleanup_close_ int fd = path ? open_in_root(n->root_fd, path, O_RDONLY | O_CLOEXEC) : -ENOMEM;

                        if (fd == -EACCES)
                                return true;
                }
        }
        return false;
}

static int run_journal(Diagnose *d, Node *n, char *const *argv, unsigned timeout_sec, size_t source, uint64_t *ret_lines, Error *e) {
        _cleanup_lines_ Lines l = { .diagnose = d, .source = source, .json_only = true };
        Process p = { .argv = (const char *const *) argv, .root = n->root, .timeout_sec = timeout_sec, .on_output = feed, .userdata = &l };
        LogSource *s = &d->sources[source];
        _cleanup_error_ Error why = ERROR_INIT;
        int status = 0, k;

        k = process_run(&p, &status, NULL, &why);
        if (k >= 0 && feed_end(&l) < 0)
                return error_oom(e);
        *ret_lines = s->lines;
        if (k < 0)
                k = source_note(s, "%s", why.message ? why.message : "cannot be run");
        else if (status == 124)
                k = source_note(s, "came to no end within %u seconds and was stopped: what came later was not read; give --timeout=SECONDS", timeout_sec);
        else if (status != 0)
                k = source_note(s, "exit status %d%s%s", status, l.words ? ": " : "", l.words ? l.words : "");
        else if (journal_is_hidden(n))
                k = source_note(s, "the system's own messages are not readable for this user: run as root, or as a member of the group systemd-journal");
        return k < 0 ? error_oom(e) : 0;
}

static int read_kmsg(Diagnose *d, Error *e) {
        _cleanup_close_ int fd = open("/dev/kmsg", O_RDONLY | O_NONBLOCK | O_CLOEXEC);
        LogSource *s = diagnose_source(d, "/dev/kmsg");
        char record[8192 + 1]; /* the kernel gives one whole record a read, at most this large (CONSOLE_EXT_LOG_MAX) */

        if (!s)
                return error_oom(e);
        if (fd < 0)
                return source_note(s, "%s%s", strerror(errno), errno == EPERM || errno == EACCES ? ": run as root" : "") < 0 ? error_oom(e) : 0;
        for (;;) {
                ssize_t size = read(fd, record, sizeof(record) - 1);

                if (size < 0 && (errno == EINTR || errno == EPIPE)) /* EPIPE: overwritten meanwhile */
                        continue;
                if (size <= 0)
                        break;
                record[size] = '\0';
                s->lines++;
                if (diagnose_line(d, record, strcspn(record, "\n"), NULL) < 0)
                        return error_oom(e);
        }
        if (errno != EAGAIN)
                return source_note(s, "%s", strerror(errno)) < 0 ? error_oom(e) : 0;
        return 0;
}

/* Seconds since the epoch when this boot began, or 0. */
static int64_t boot_time(Node *n) {
        _cleanup_free_ char *text = NULL;
        const char *line;

        if (node_read(n, "/proc/stat", NODE_FILE_MAX, &text, NULL) < 0 || !(line = strstr(text, "\nbtime ")))
                return 0;
        return strtoll(line + strlen("\nbtime "), NULL, 10);
}

/* The end of a file of this boot; one that is not there is no source. origin as in Lines. */
static int read_tail(Diagnose *d, Node *n, const char *path, const char *origin, bool boots, Error *e) {
        _cleanup_close_ int fd = open_in_root(n->root_fd, path, O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
        _cleanup_lines_ Lines l = { .diagnose = d, .origin = origin, .boots = boots };
        LogSource *s;
        struct stat st;
        int k;

        if (fd == -ENOENT || fd == -ENOTDIR)
                return 0;
        if (fd >= 0 && (fstat(fd, &st) < 0 || !S_ISREG(st.st_mode) || st.st_mtime < boot_time(n)))
                return 0;
        s = diagnose_source(d, path);
        if (!s)
                return error_oom(e);
        if (fd < 0)
                return source_note(s, "%s%s", strerror(-fd), fd == -EACCES ? ": run as root" : "") < 0 ? error_oom(e) : 0;
        l.source = d->n_sources - 1;
        if (st.st_size > TAIL_MAX)
                (void) lseek(fd, st.st_size - TAIL_MAX, SEEK_SET);
        k = read_all(fd, &l);
        if (k == -ENOMEM)
                return error_oom(e);
        return k < 0 && source_note(&d->sources[l.source], "%s", strerror(-k)) < 0 ? error_oom(e) : 0;
}

/* A path of Where=, in which one component may be "*". */
static int read_named(Diagnose *d, Node *n, const char *path, Error *e) {
        const char *star = strstr(path, "/*/");
        _cleanup_free_ char *directory = star ? strndup(path, (size_t) (star - path)) : NULL;
        _cleanup_strv_ char **names = NULL;
        int k = 0;

        if (!star)
                return read_tail(d, n, path, path, false, e);
        if (!directory)
                return error_oom(e);
        if (node_list(n, directory, &names) < 0)
                return 0;
        STRV_FOREACH(name, names) {
                _cleanup_free_ char *file = format("%s/%s%s", directory, *name, star + 2);

                if (k >= 0)
                        k = file ? read_tail(d, n, file, file, false, e) : error_oom(e);
        }
        return k;
}

static int read_named_files(Diagnose *d, Node *n, Error *e) {
        _cleanup_strv_ char **paths = NULL;
        int k = 0;

        for (size_t i = 0; i < d->known->n; i++)
                STRV_FOREACH(w, d->known->v[i].where)
                        if (**w == '/' && !strv_contains(paths, *w) && strv_append(&paths, *w) < 0)
                                return error_oom(e);
        STRV_FOREACH(path, paths)
                if (k >= 0)
                        k = read_named(d, n, *path, e);
        return k;
}

/* Where no journal answers: what syslog wrote, and the kernel's own buffer. */
static int read_without_journal(Diagnose *d, Node *n, Error *e) {
        static const char *const files[] = { "/var/log/messages", "/var/log/syslog", "/var/log/kern.log" };
        int k = 0;

        for (size_t i = 0; i < ELEMENTSOF(files) && k >= 0; i++) {
                size_t before = d->n_sources;

                k = read_tail(d, n, files[i], NULL, true, e);
                if (k >= 0 && d->n_sources > before && d->sources[before].complete)
                        return 0; /* the kernel's messages are in it, too */
        }
        if (k >= 0 && !n->root)
                k = read_kmsg(d, e);
        else if (k >= 0)
                k = read_tail(d, n, "/var/log/dmesg", NULL, false, e);
        return k;
}

int diagnose_machine(Diagnose *d, Node *n, unsigned timeout_sec, Error *e) {
        _cleanup_strv_ char **argv = NULL;
        uint64_t lines = 0;
        int k = 0;

        if (program_exists(n->root, "journalctl")) {
                if (journal_command(d, n, &argv) < 0 || !diagnose_source(d, "journal"))
                        return error_oom(e);
                k = run_journal(d, n, argv, timeout_sec, d->n_sources - 1, &lines, e);
        }
        if (k >= 0 && lines == 0)
                k = read_without_journal(d, n, e);
        if (k >= 0)
                k = read_named_files(d, n, e);
        if (k >= 0 && d->n_sources == 0) {
                LogSource *s = diagnose_source(d, "logs");

                k = !s || source_note(s, "there is no journal and no log here: give --file=FILE") < 0 ? error_oom(e) : 0;
        }
        return k;
}

/* A saved file: what it holds is seen by its first bytes. */
typedef struct Saved {
        Lines lines;
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

        return s->wanted ? feed(data, size, &s->lines) : 0;
}

static int member_end(void *userdata) {
        return feed_end(&((Saved *) userdata)->lines);
}

static int saved_pass(Saved *s, const char *data, size_t size) {
        return s->is_tar ? tar_reader_feed(&s->tar, data, size) : feed(data, size, &s->lines);
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

        return k == 0 ? feed_end(&s->lines) : k;
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
        uint64_t lines;

        return file ? run_journal(d, &here, argv, timeout_sec, d->n_sources - 1, &lines, e) : error_oom(e);
}

static int open_saved(const char *path, Error *e) {
        _cleanup_close_ int fd = streq(path, "-") ? fcntl(STDIN_FILENO, F_DUPFD_CLOEXEC, 3) : open(path, O_RDONLY | O_NOCTTY | O_NONBLOCK | O_CLOEXEC);
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
        static const struct { const char *magic, *name; } others[] = { { "\375" "7zXZ", "xz" }, { "BZh", "bzip2" }, { "\x28\xb5\x2f\xfd", "zstd" } };
        _cleanup_free_ Saved *s = calloc(1, sizeof(Saved));
        _cleanup_close_ int fd = open_saved(path, e);
        char magic[8] = "";
        int k;

        if (fd < 0)
                return fd;
        if (!s || !diagnose_source(d, path))
                return error_oom(e);
        s->lines = (Lines){ .diagnose = d, .source = d->n_sources - 1 };
        (void) !pread(fd, magic, sizeof(magic), 0); /* a pipe has no beginning to look at: it is text */
        for (size_t i = 0; i < ELEMENTSOF(others); i++)
                if (strncmp(magic, others[i].magic, strlen(others[i].magic)) == 0)
                        return error_hint(e, error_set(e, EBADMSG, EXIT_INVALID, "%s: compressed by %s", path, others[i].name), "decompress it first");
        if (memcmp(magic, "LPKSHHRH", 8) == 0)
                k = read_journal_file(d, path, timeout_sec, e);
        else if (memcmp(magic, "\x1f\x8b", 2) == 0)
                k = read_gzip(fd, path, s, e);
        else
                k = read_plain(fd, s);
        lines_free(&s->lines);
        if (k == -EBADMSG)
                return error_set(e, EBADMSG, EXIT_INVALID, "%s: a damaged tar archive", path);
        return k < 0 ? error_errno(e, -k, "%s", path) : 0;
}
