/* SPDX-License-Identifier: Apache-2.0 */
#include "repo/platform.h"

#include <fcntl.h>

#include "basic/fs.h"
#include "basic/strings.h"

#define PLATFORM_MAX (1024 * 1024)
#define BLANKS       " \t\r"

Platform *platform_free(Platform *p) {
        if (!p)
                return NULL;
        for (size_t i = 0; i < p->n_capabilities; i++) {
                free(p->capabilities[i].name);
                free(p->capabilities[i].evr);
        }
        free(p->capabilities);
        free(p);
        return NULL;
}

static int add(Platform *p, const char *name, const char *evr, Error *e) {
        Capability *grown = reallocarray(p->capabilities, p->n_capabilities + 1, sizeof(*grown)), *c;

        if (!grown)
                return error_oom(e);
        p->capabilities = grown;
        c = &grown[p->n_capabilities++];
        c->name = strdup(name);
        c->evr = evr ? strdup(evr) : NULL;
        return c->name && (!evr || c->evr) ? 0 : error_oom(e);
}

/* One line, cut into words in place. */
static int parse_line(Platform *p, const char *path, size_t number, char *line, Error *e) {
        char *save = NULL, *words[4];
        size_t n = 0;

        line[strcspn(line, "#")] = '\0';
        for (char *w = strtok_r(line, BLANKS, &save); w; w = strtok_r(NULL, BLANKS, &save))
                if (n < ELEMENTSOF(words))
                        words[n++] = w;
        if (n == 0)
                return 0;
        if (n == 1)
                return add(p, words[0], NULL, e);
        if (n == 3 && streq(words[1], "="))
                return add(p, words[0], words[2], e);
        return error_set(e, EBADMSG, EXIT_INVALID, "%s: line %zu: not NAME or NAME = VERSION", path, number);
}

int platform_parse(const char *path, const char *text, Platform **ret, Error *e) {
        _cleanup_(platform_freep) Platform *p = calloc(1, sizeof(*p));
        size_t number = 1;

        if (!p)
                return error_oom(e);
        for (const char *s = text; *s; number++) {
                size_t n = strcspn(s, "\n");
                _cleanup_free_ char *line = strndup(s, n);
                int r;

                if (!line)
                        return error_oom(e);
                r = parse_line(p, path, number, line, e);
                if (r < 0)
                        return r;
                s += n + (s[n] == '\n');
        }
        if (p->n_capabilities == 0)
                return error_set(e, EBADMSG, EXIT_INVALID, "%s: a platform that provides nothing", path);
        *ret = TAKE_PTR(p);
        return 0;
}

int platform_load(const char *path, Platform **ret, Error *e) {
        _cleanup_free_ char *text = NULL;
        size_t size;
        int r;

        r = read_file(AT_FDCWD, path, PLATFORM_MAX, &text, &size);
        if (r < 0)
                return error_errno(e, -r, "%s", path);
        if (strlen(text) != size)
                return error_set(e, EBADMSG, EXIT_INVALID, "%s: a NUL byte in it", path);
        return platform_parse(path, text, ret, e);
}
