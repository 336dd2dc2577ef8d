/* SPDX-License-Identifier: Apache-2.0 */
#include "node/units.h"

#include "node/bus.h"
#include "node/unit-name.h"

#define UNIT_FILE_MAX ((size_t) 1024 * 1024)
#define SYSTEMCTL_TIMEOUT_SEC 120
#define IS_ACTIVE_TIMEOUT_SEC 2 /* asked by status, which must not hang */

/* What comes first hides a file of the same name in what comes later. The last one has units made of init scripts. */
const char *const unit_dirs[] = {
        "/etc/systemd/system",          "/run/systemd/transient",  "/run/systemd/system",         "/run/systemd/generator",
        "/usr/local/lib/systemd/system", "/usr/lib/systemd/system", "/lib/systemd/system", "/run/systemd/generator.late",
};
const size_t n_unit_dirs = ELEMENTSOF(unit_dirs);

const char *enablement_to_string(Enablement e) {
        static const char *const names[_ENABLEMENT_MAX] = {
                [UNIT_ABSENT] = "absent", [UNIT_MASKED] = "masked", [UNIT_DISABLED] = "disabled",
                [UNIT_ENABLED] = "enabled", [UNIT_STATIC] = "static",
        };
        return names[e];
}

bool enablement_is_valid(const char *word) {
        for (Enablement i = 0; word && i < _ENABLEMENT_MAX; i++)
                if (streq(word, enablement_to_string(i)))
                        return true;
        return false;
}

static void trim_end(char *s) {
        size_t n = strlen(s);

        while (n > 0 && strchr(" \t\r", s[n - 1]))
                s[--n] = '\0';
}

/* The grammar of systemd.syntax(7): sections, KEY=VALUE, comments, a backslash that continues a line. Changes the text. */
static int parse_unit(char *text, UnitAssignment on, void *userdata) {
        char *next, *section = NULL;

        for (char *line = text; line; line = next) {
                char *equals;
                int k;

                next = strchr(line, '\n');
                if (next)
                        *next++ = '\0';
                while (next && endswith(line, "\\")) {
                        char *joined = strchr(line, '\0');

                        joined[-1] = ' ';
                        *joined = ' ';
                        next = strchr(next, '\n');
                        if (next)
                                *next++ = '\0';
                }
                line += strspn(line, " \t");
                trim_end(line);
                if (*line == '#' || *line == ';' || !*line)
                        continue;
                if (*line == '[') {
                        line[strcspn(line, "]")] = '\0';
                        section = line + 1;
                        continue;
                }
                equals = strchr(line, '=');
                if (!equals || !section)
                        continue;
                *equals++ = '\0';
                trim_end(line);
                k = on(section, line, equals + strspn(equals, " \t"), userdata);
                if (k != 0)
                        return k;
        }
        return 0;
}

typedef struct WordSearch {
        const char *section, *key, *word; /* word NULL: any */
} WordSearch;

static int find_word(const char *section, const char *key, char *value, void *userdata) {
        const WordSearch *s = userdata;
        char *save = NULL;

        if (!streq(section, s->section) || (s->key && !streq(key, s->key)))
                return 0;
        if (!s->word)
                return 1;
        for (char *w = strtok_r(value, " \t", &save); w; w = strtok_r(NULL, " \t", &save))
                if (streq(w, s->word))
                        return 1;
        return 0;
}

/* 0 also when the file is not there, or masks (is empty). */
static int file_read(Node *n, const char *path, UnitAssignment on, void *userdata) {
        _cleanup_free_ char *text = NULL;
        int k = node_read(n, path, UNIT_FILE_MAX, &text, NULL);

        /* What is no file of a sane size is none for systemd either. */
        if (k == -ENOENT || k == -ENOTDIR || k == -ELOOP || k == -EISDIR || k == -EINVAL || k == -EFBIG)
                return 0;
        return k < 0 ? k : parse_unit(text, on, userdata);
}

int unit_path(Node *n, const char *unit, char **ret, bool *ret_masked) {
        for (size_t i = 0; i < n_unit_dirs; i++) {
                _cleanup_free_ char *path = format("%s/%s", unit_dirs[i], unit), *target = NULL;
                struct stat st;

                if (!path)
                        return -ENOMEM;
                if (node_readlink(n, path, &target) >= 0 && streq(target, "/dev/null"))
                        *ret_masked = true;
                else if (node_stat(n, path, &st) >= 0)
                        *ret_masked = S_ISREG(st.st_mode) && st.st_size == 0;
                else
                        continue;
                *ret = TAKE_PTR(path);
                return 0;
        }
        *ret = NULL;
        *ret_masked = false;
        return 0;
}

static int has_wants_link(Node *n, const char *unit) {
        for (size_t i = 0; i < n_unit_dirs; i++) {
                _cleanup_strv_ char **names = NULL;
                int k = node_list(n, unit_dirs[i], &names);

                if (k < 0)
                        return k;
                STRV_FOREACH(name, names) {
                        _cleanup_free_ char *path = NULL, *target = NULL;

                        if (!endswith(*name, ".wants") && !endswith(*name, ".requires"))
                                continue;
                        path = format("%s/%s/%s", unit_dirs[i], *name, unit);
                        if (!path)
                                return -ENOMEM;
                        k = node_readlink(n, path, &target);
                        if (k >= 0 || k == -EINVAL)
                                return 1;
                }
        }
        return 0;
}

int unit_enablement(Node *n, const char *unit, Enablement *ret) {
        static const WordSearch install = { .section = "Install" };
        _cleanup_free_ char *path = NULL, *template = unit_name_template(unit);
        bool masked;
        int k;

        k = unit_path(n, unit, &path, &masked);
        if (k >= 0 && !path && template)
                k = unit_path(n, template, &path, &masked);
        if (k < 0)
                return k;
        if (masked) {
                *ret = UNIT_MASKED;
                return 0;
        }
        k = has_wants_link(n, unit);
        if (k < 0)
                return k;
        if (k > 0)
                *ret = UNIT_ENABLED;
        else if (!path)
                *ret = UNIT_ABSENT;
        else {
                k = file_read(n, path, find_word, (void *) &install);
                if (k < 0)
                        return k;
                *ret = k > 0 ? UNIT_DISABLED : UNIT_STATIC;
        }
        return 0;
}

/* A drop-in is read where it is found first: the same name in /etc hides the packaged one. */
static int read_drop_ins(Node *n, const char *unit, char ***seen, UnitAssignment on, void *userdata) {
        for (size_t i = 0; i < n_unit_dirs; i++) {
                _cleanup_free_ char *directory = format("%s/%s.d", unit_dirs[i], unit);
                _cleanup_strv_ char **names = NULL;
                int k;

                if (!directory)
                        return -ENOMEM;
                k = node_list(n, directory, &names);
                if (k < 0)
                        return k;
                STRV_FOREACH(name, names) {
                        _cleanup_free_ char *path = NULL;

                        if (!endswith(*name, ".conf") || strv_contains(*seen, *name))
                                continue;
                        path = format("%s/%s", directory, *name);
                        if (!path || strv_append(seen, *name) < 0)
                                return -ENOMEM;
                        k = file_read(n, path, on, userdata);
                        if (k != 0)
                                return k;
                }
        }
        return 0;
}

int unit_read(Node *n, const char *unit, UnitAssignment on, void *userdata) {
        _cleanup_free_ char *path = NULL, *template = unit_name_template(unit);
        _cleanup_strv_ char **seen = NULL, **shared = NULL;
        bool masked;
        int k;

        k = unit_path(n, unit, &path, &masked);
        if (k >= 0 && !path && template)
                k = unit_path(n, template, &path, &masked);
        if (k >= 0 && path && !masked)
                k = file_read(n, path, on, userdata);
        if (k == 0)
                k = read_drop_ins(n, unit, &seen, on, userdata);
        /* Drop-ins that it shares: of its template, and of what has the beginning of its name (foo-.service.d). */
        if (k == 0)
                k = unit_name_shared(unit, &shared);
        STRV_FOREACH(name, shared)
                if (k == 0)
                        k = read_drop_ins(n, *name, &seen, on, userdata);
        return k;
}

static int unit_has(Node *n, const char *unit, const WordSearch *search) {
        return unit_read(n, unit, find_word, (void *) search);
}

int units_wanted(Node *n, char ***ret) {
        _cleanup_strv_ char **units = NULL;

        for (size_t i = 0; i < n_unit_dirs; i++) {
                _cleanup_strv_ char **names = NULL;
                int k = node_list(n, unit_dirs[i], &names);

                STRV_FOREACH(name, names) {
                        _cleanup_free_ char *directory = NULL;
                        _cleanup_strv_ char **wanted = NULL;

                        if (!endswith(*name, ".wants") && !endswith(*name, ".requires"))
                                continue;
                        directory = format("%s/%s", unit_dirs[i], *name);
                        k = directory ? node_list(n, directory, &wanted) : -ENOMEM;
                        STRV_FOREACH(unit, wanted)
                                if (k >= 0 && unit_name_is_valid(*unit) && !strv_contains(units, *unit))
                                        k = strv_append(&units, *unit);
                        if (k < 0)
                                return k;
                }
                if (k < 0)
                        return k;
        }
        *ret = TAKE_PTR(units);
        return 0;
}

int unit_is_ordered(Node *n, const char *unit, const char *after, bool *ret) {
        const WordSearch own = { .section = "Unit", .key = "After", .word = after };
        const WordSearch others = { .section = "Unit", .key = "Before", .word = unit };
        int k;

        k = unit_has(n, unit, &own);
        if (k == 0)
                k = unit_has(n, after, &others);
        if (k < 0)
                return k;
        *ret = k > 0;
        return 0;
}

/* The running system's manager; the connection stays for the next question. */
static int ask_manager(Node *n, const char *unit, UnitState *ret) {
        int k = n->root || !n->booted ? -ENOENT : n->bus_error;

        if (k >= 0 && !n->bus)
                k = bus_open(&n->bus);
        if (k >= 0)
                k = bus_unit_state(n->bus, unit, ret);
        /* Who did not answer once is not asked again: each time would cost its limit. */
        n->bus_error = MIN(k, 0);
        return k;
}

/* Where there is no bus: a root of its own, or a systemd that only its own tool reaches. */
static int ask_systemctl(Node *n, const char *unit, char **ret, Error *e) {
        const char *const argv[] = { "systemctl", "is-active", unit, NULL };
        _cleanup_free_ char *output = NULL;
        int k, status;

        k = n->run(n, argv, IS_ACTIVE_TIMEOUT_SEC, &status, &output, e);
        if (k < 0)
                return k;
        /* In a chroot it says something else, and exits 0: the word counts. */
        output[strcspn(output, "\n")] = '\0';
        *ret = TAKE_PTR(output);
        return 0;
}

int unit_active(Node *n, const char *unit, char **ret, Error *e) {
        static const char *const words[] = { "active", "activating", "reloading", "inactive", "deactivating", "failed" };
        _cleanup_unit_state_ UnitState state = {};
        _cleanup_free_ char *word = NULL;
        const char *found = "unknown";
        int k = ask_manager(n, unit, &state);

        if (k >= 0)
                word = TAKE_PTR(state.active);
        else if (k != -ETIMEDOUT)
                k = ask_systemctl(n, unit, &word, e);
        if (k < 0 && k != -ETIMEDOUT)
                return k;
        for (size_t i = 0; word && i < ELEMENTSOF(words); i++)
                if (streq(word, words[i]))
                        found = words[i];
        *ret = strdup(found);
        return *ret ? 0 : error_oom(e);
}

bool unit_is_starting(Node *n, const char *unit) {
        _cleanup_unit_state_ UnitState state = {};

        if (ask_manager(n, unit, &state) < 0)
                return false;
        return (state.active && streq(state.active, "activating")) ||
               (state.job && (streq(state.job, "start") || streq(state.job, "restart")) && state.active && !streq(state.active, "active"));
}

int unit_control(Node *n, const char *verb, const char *option, const char *unit, Error *e) {
        const char *const with[] = { "systemctl", verb, option, unit, NULL }, *const without[] = { "systemctl", verb, unit, NULL };

        return node_tool(n, option ? with : without, SYSTEMCTL_TIMEOUT_SEC, NULL, e);
}

int units_reload(Node *n, Error *e) {
        const char *const argv[] = { "systemctl", "daemon-reload", NULL };

        return node_tool(n, argv, SYSTEMCTL_TIMEOUT_SEC, NULL, e);
}

int units_sync(Node *n, Error *e) {
        _cleanup_strv_ char **names = NULL;
        int k = node_list(n, unit_dirs[0], &names);

        STRV_FOREACH(name, names) {
                _cleanup_free_ char *path = NULL;

                if (k < 0 || (!endswith(*name, ".wants") && !endswith(*name, ".requires")))
                        continue;
                path = format("%s/%s", unit_dirs[0], *name);
                k = path ? node_sync_directory(n, path) : -ENOMEM;
        }
        if (k >= 0)
                k = node_sync_directory(n, unit_dirs[0]);
        return k < 0 ? error_errno(e, -k, "%s: cannot be flushed to the disk", unit_dirs[0]) : 0;
}
