/* SPDX-License-Identifier: Apache-2.0 */
/* diagnose_machine(): the journal, the kernel's buffer, files of /var/log. */
#include <fcntl.h>
#include <sys/stat.h>
#include <time.h>

#include "basic/fs.h"
#include "basic/process.h"
#include "node/clients.h"
#include "node/log-feed.h"

#define TAIL_MAX ((off_t) 4 * 1024 * 1024) /* of a file of /var/log, its end is read */

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

#define JOURNAL_WORDS                                        \
        "journalctl --boot --no-pager --output=json " \
        "--output-fields=MESSAGE,_TRANSPORT,_SYSTEMD_UNIT,SYSLOG_IDENTIFIER,UNIT"

/* The journal finds by field, so that the size of the rest of it does not matter. _PID=1: systemd's own words about a unit. */
static int journal_command(char *const *units, char *const *programs, char ***ret) {
        _cleanup_strv_ char **argv = NULL;
        int k;

        k = strv_append_words(&argv, JOURNAL_WORDS " _TRANSPORT=kernel");
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

/* What any program may say is looked for in all of the journal, by journalctl itself (PCRE): only lines that may matter are passed on. */
static int search_command(const Diagnose *d, char ***ret) {
        _cleanup_strv_ char **argv = NULL;
        _cleanup_free_ char *words = NULL;
        _cleanup_text_ Text t = {};

        for (size_t i = 0; i < d->known->n_patterns; i++) {
                const Pattern *p = &d->known->patterns[i];
                char *const *where = d->known->v[p->diagnosis].where;
                _cleanup_free_ char *literal = NULL;
                const char *reason;

                if (p->role == PATTERN_NOT || !(strv_contains(where, "any") || strv_contains(where, "clients")) ||
                    pattern_literal(p->text, &literal, &reason) < 0 || strstr(literal, "\\E"))
                        continue;
                text_printf(&t, "%s\\Q%s\\E", t.size == 0 ? "--grep=" : "|", literal);
        }
        if (t.size == 0 && !t.failed) {
                *ret = NULL;
                return 0;
        }
        words = text_take(&t);
        if (!words || strv_append_words(&argv, JOURNAL_WORDS) < 0 || strv_append(&argv, words) < 0)
                return -ENOMEM;
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

int journal_run(Diagnose *d, Node *n, char *const *argv, unsigned timeout_sec, size_t source, Error *e) {
        _cleanup_log_lines_ LogLines l = { .diagnose = d, .source = source, .json_only = true };
        Process p = {
                .argv = (const char *const *)argv, .root = n->root, .timeout_sec = timeout_sec, .on_output = log_feed, .userdata = &l
        };
        LogSource *s = &d->sources[source];
        _cleanup_error_ Error why = ERROR_INIT;
        int status = 0, k;

        k = process_run(&p, &status, NULL, &why);
        if (k >= 0 && log_feed_end(&l) < 0)
                return error_oom(e);
        if (k < 0)
                k = source_note(s, "%s", why.message ? why.message : "cannot be run");
        else if (status == 124)
                k = source_note(s, "came to no end within %u seconds and was stopped: what came later was not read; give --timeout=SECONDS",
                                timeout_sec);
        else if (status != 0)
                k = source_note(s, "exit status %d%s%s", status, l.words ? ": " : "", l.words ? l.words : "");
        else if (journal_is_hidden(n))
                k = source_note(s, "the system's own messages are not readable for this user: run as root, or as a member of the group "
                                   "systemd-journal");
        return k < 0 ? error_oom(e) : 0;
}

static int read_kmsg(Diagnose *d, Error *e) {
        _cleanup_close_ int fd = open("/dev/kmsg", O_RDONLY | O_NONBLOCK | O_CLOEXEC);
        LogSource *s = diagnose_source(d, "/dev/kmsg");
        char record[8192 + 1]; /* the kernel gives one whole record a read, at most this large (CONSOLE_EXT_LOG_MAX) */

        if (!s)
                return error_oom(e);
        if (fd < 0)
                return source_note(s, "%s%s", strerror(errno), errno == EPERM || errno == EACCES ? ": run as root" : "") < 0 ? error_oom(e)
                                                                                                                             : 0;
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

/* The end of a file of this boot; one that is not there is no source. origin as in LogLines. */
static int read_tail(Diagnose *d, Node *n, const char *path, const char *origin, bool boots, Error *e) {
        _cleanup_close_ int fd = open_in_root(n->root_fd, path, O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
        _cleanup_log_lines_ LogLines l = { .diagnose = d, .origin = origin, .boots = boots };
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
        k = log_feed_all(fd, &l);
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

/* The second pass: programs that were not asked for by name. */
static int search_journal(Diagnose *d, Node *n, unsigned timeout_sec, Error *e) {
        _cleanup_strv_ char **argv = NULL;
        LogSource *s;
        int k;

        if (search_command(d, &argv) < 0)
                return error_oom(e);
        if (!argv)
                return 0;
        s = diagnose_source(d, "journal, other programs");
        if (!s)
                return error_oom(e);
        k = journal_run(d, n, argv, timeout_sec, d->n_sources - 1, e);
        s = &d->sources[d->n_sources - 1];
        /* A newer journalctl exits 1 when it found nothing; an older one may not be able to search. */
        if (k >= 0 && s->lines == 0 && s->note && startswith(s->note, "exit status 1") && !strstr(s->note, "pattern")) {
                s->complete = true;
                freep(&s->note);
                s->note = NULL;
        }
        return k;
}

static int read_journal(Diagnose *d, Node *n, unsigned timeout_sec, Error *e) {
        _cleanup_strv_ char **argv = NULL, **units = NULL, **programs = NULL;
        time_t begun = time(NULL), spent;
        int k;

        if (list_units(d, n, &units) < 0 || list_programs(d, &programs) < 0 || journal_command(units, programs, &argv) < 0 ||
            !diagnose_source(d, "journal"))
                return error_oom(e);
        k = journal_run(d, n, argv, timeout_sec, 0, e);
        if (k < 0 || !d->sources[0].complete || d->sources[0].lines == 0)
                return k;
        STRV_FOREACH(program, programs)
                if (strv_append(&units, *program) < 0)
                        return error_oom(e);
        d->already = TAKE_PTR(units);
        spent = time(NULL) - begun;
        k = search_journal(d, n, spent >= 0 && spent < (time_t) timeout_sec ? timeout_sec - (unsigned) spent : 1, e);
        d->already = strv_free(d->already);
        return k;
}

int diagnose_machine(Diagnose *d, Node *n, unsigned timeout_sec, Error *e) {
        int k = 0;

        if (program_exists(n->root, "journalctl"))
                k = read_journal(d, n, timeout_sec, e);
        if (k >= 0 && (d->n_sources == 0 || d->sources[0].lines == 0))
                k = read_without_journal(d, n, e);
        if (k >= 0)
                k = read_named_files(d, n, e);
        if (k >= 0 && d->n_sources == 0) {
                LogSource *s = diagnose_source(d, "logs");

                k = !s || source_note(s, "there is no journal and no log here: give --file=FILE") < 0 ? error_oom(e) : 0;
        }
        return k;
}

