/* SPDX-License-Identifier: Apache-2.0 */
/* The parent's side: starts the child, bounds it, reads its lines. */
#include "basic/library-child.h"
#include "basic/process.h"
#include "basic/strings.h"

const char *library_outcome_to_string(LibraryOutcome o) {
        static const char *const names[_LIBRARY_OUTCOME_MAX] = {
                [LIBRARY_ANSWERED] = "answered", [LIBRARY_REFUSED] = "refused", [LIBRARY_MISSING] = "no library",
                [LIBRARY_CRASHED] = "crashed", [LIBRARY_HUNG] = "hung", [LIBRARY_GARBAGE] = "garbage",
        };
        return names[o];
}

void library_answer_free(LibraryAnswer *a) {
        free(a->reason);
        free(a->at);
        *a = (LibraryAnswer){};
}

int library_put(char **where, const char *value) {
        char *copy = strdup(value);

        if (!copy)
                return -ENOMEM;
        free(*where);
        *where = copy;
        return 0;
}

static int take_number(const char *value, int64_t max, int64_t *ret) {
        uint64_t u;

        if (parse_u64(value, &u) < 0 || u > (uint64_t) max)
                return -EBADMSG;
        *ret = (int64_t) u;
        return 0;
}

int library_take(const LibraryKey *keys, size_t n, void *into, const char *key, const char *value) {
        for (size_t i = 0; i < n; i++) {
                void *where = (char *) into + keys[i].offset;
                int r = 0;

                if (!streq(keys[i].name, key))
                        continue;
                if (keys[i].max > 0)
                        r = take_number(value, keys[i].max, where);
                else if (!keys[i].check || (r = keys[i].check(value)) == 0)
                        r = library_put(where, value);
                return r < 0 ? r : 1;
        }
        return 0;
}

/* One line, changed. 1: it was the last; 0. */
static int take_line(const LibraryFormat *f, LibraryAnswer *a, char *line) {
        char *value = strchr(line, ' ');

        if (streq(line, "end"))
                return 1;
        if (!value)
                return -EBADMSG;
        *value++ = '\0';
        if (streq(line, "at"))
                return library_put(&a->at, value);
        if (!streq(line, "missing"))
                return f->take(a, line, value);
        a->outcome = LIBRARY_MISSING;
        return library_put(&a->reason, value);
}

int library_parse(const LibraryFormat *f, const char *answer, size_t size, LibraryAnswer *a) {
        const char *p = answer, *end = answer + size;
        bool first = true;
        int k = 0;

        if (size > f->answer_max)
                return -EBADMSG;
        for (const char *newline; k == 0 && (newline = memchr(p, '\n', (size_t) (end - p))); p = newline + 1) {
                _cleanup_free_ char *line = NULL;
                size_t length = (size_t) (newline - p);

                if (length >= f->line_max)
                        return -EBADMSG;
                for (size_t i = 0; i < length; i++)
                        if ((unsigned char) p[i] < ' ' || (unsigned char) p[i] > '~')
                                return -EBADMSG;
                line = strndup(p, length);
                if (!line)
                        return -ENOMEM;
                if (first && !streq(line, f->greeting))
                        return -EBADMSG;
                k = first ? 0 : take_line(f, a, line);
                first = false;
        }
        /* Nothing comes after the end; half a line may, before it. */
        return k == 1 && p != end ? -EBADMSG : k;
}

/* What became of a child whose answer was parsed as k. */
static int conclude(const LibraryFormat *f, LibraryAnswer *a, int status, int k) {
        const char *at = a->at ? a->at : "its start";

        if (k == 1 && status == 0)
                return 0;
        free(a->reason);
        if (status == 124) {
                a->outcome = LIBRARY_HUNG;
                a->reason = format("no answer within %u s, stopped in %s", f->timeout_sec, at);
        } else if (status > 128) {
                a->outcome = LIBRARY_CRASHED;
                a->reason = format("crashed in %s: %s", at, strsignal(status - 128));
        } else {
                a->outcome = LIBRARY_GARBAGE;
                a->reason = k < 0 ? format("answered nonsense at %s", at) : format("ended without an answer in %s (status %d)", at, status);
        }
        return a->reason ? 0 : -ENOMEM;
}

int library_ask(const LibraryFormat *f, const char **argv, LibraryAnswer *a, Error *e) {
        const char *path = getenv("LD_LIBRARY_PATH"); /* the loader has let us have it: where a driver outside the usual folders is */
        _cleanup_free_ char *libraries = path ? format("LD_LIBRARY_PATH=%s", path) : NULL, *answer = NULL;
        const char *const env[] = { "PATH=/usr/sbin:/usr/bin:/sbin:/bin", "LANG=C.UTF-8", libraries, NULL };
        const Process p = { .argv = argv, .env = env, .timeout_sec = f->timeout_sec, .output_max = f->answer_max + 1 };
        int status, k;

        if (path && !libraries)
                return error_oom(e);
        if (!argv[0])
                argv[0] = "/proc/self/exe";
        k = process_run(&p, &status, &answer, e);
        if (k < 0)
                return k;
        k = library_parse(f, answer, strlen(answer), a);
        return k == -ENOMEM || conclude(f, a, status, k) < 0 ? error_oom(e) : 0;
}
