/* SPDX-License-Identifier: Apache-2.0 */
/* NVIDIA's wheels in Python environments: which cuBLAS a program in there would load. */
#include <fcntl.h>

#include "basic/clock.h"
#include "basic/fs.h"
#include "node/installed.h"

/* Home folders may hold anything: the search ends after so many folders, or so long, and leaves out what is too large to hold environments. */
#define ENVIRONMENTS_MAX 300
#define SEARCH_MS 200
#define FOLDER_MAX ((off_t) 256 * 1024)
#define FOUND_MAX 32

typedef struct Search {
        Node *node;
        char **remote; /* where file systems are mounted that may be slow, or not answer at all */
        unsigned looked_at;
        int64_t deadline;
        PythonLibrary *found;
        size_t n;
} Search;

void python_libraries_free(PythonLibrary *v, size_t n) {
        for (size_t i = 0; i < n; i++) {
                free(v[i].place);
                free(v[i].version);
        }
        free(v);
}

static bool is_remote(const char *type) {
        static const char *const types[] = { "nfs", "nfs4", "cifs", "smb3", "ceph", "lustre", "gpfs", "glusterfs", "afs", "9p", "autofs", "beegfs" };

        for (size_t i = 0; i < ELEMENTSOF(types); i++)
                if (streq(type, types[i]))
                        return true;
        return startswith(type, "fuse");
}

/* proc(5): DEVICE FOLDER TYPE OPTIONS 0 0. A folder with a blank in its name is written \\040, and found by nobody here. */
int remote_folders_parse(char *mounts, char ***ret) {
        char *save = NULL;

        for (char *line = strtok_r(mounts, "\n", &save); line; line = strtok_r(NULL, "\n", &save)) {
                char *words = NULL, *folder, *type;

                (void) strtok_r(line, " ", &words);
                folder = strtok_r(NULL, " ", &words);
                type = strtok_r(NULL, " ", &words);
                if (folder && type && is_remote(type) && strv_append(ret, folder) < 0)
                        return -ENOMEM;
        }
        return 0;
}

static int find_remote(Search *s) {
        _cleanup_free_ char *text = NULL;

        return read_file(AT_FDCWD, "/proc/self/mounts", NODE_FILE_MAX, &text, NULL) < 0 ? 0 : remote_folders_parse(text, &s->remote);
}

/* To be asked before the folder itself is: a server that is gone would keep us waiting. */
static bool may_look(Search *s, const char *path) {
        _cleanup_free_ char *full = s->node->root ? format("%s%s", s->node->root, path) : strdup(path);

        return full && s->looked_at < ENVIRONMENTS_MAX && clock_ms() < s->deadline && !strv_contains(s->remote, full);
}

/* nvidia_cublas_cu12-1.2.3.dist-info (PEP 376, PEP 427): the version between its dashes, owned by the caller. */
static char *wheel_version(Node *n, const char *site) {
        _cleanup_strv_ char **names = NULL;

        if (node_list(n, site, &names) < 0)
                return NULL;
        STRV_FOREACH(name, names) {
                const char *dash = startswith(*name, "nvidia_cublas") ? strchr(*name, '-') : NULL;

                if (dash && endswith(*name, ".dist-info"))
                        return strndup(dash + 1, strlen(dash + 1) - strlen(".dist-info"));
        }
        return NULL;
}

static int look_into_site(Search *s, const char *site) {
        _cleanup_free_ char *libraries = format("%s/nvidia/cublas/lib", site);
        PythonLibrary *grown;

        if (!libraries)
                return -ENOMEM;
        if (!node_exists(s->node, libraries) || s->n >= FOUND_MAX)
                return 0;
        grown = reallocarray(s->found, s->n + 1, sizeof(PythonLibrary));
        if (!grown)
                return -ENOMEM;
        s->found = grown;
        grown[s->n] = (PythonLibrary){ .place = strdup(site), .version = wheel_version(s->node, site) };
        return grown[s->n++].place ? 0 : -ENOMEM;
}

/* PREFIX/lib and lib64, python3*, site-packages or Debian's dist-packages. */
static int look_into(Search *s, const char *prefix) {
        static const char *const libraries[] = { "lib", "lib64" }, *const sites[] = { "site-packages", "dist-packages" };

        if (!may_look(s, prefix))
                return 0;
        s->looked_at++;
        for (size_t i = 0; i < ELEMENTSOF(libraries); i++) {
                _cleanup_free_ char *directory = format("%s/%s", prefix, libraries[i]), *link = NULL;
                _cleanup_strv_ char **names = NULL;

                if (!directory)
                        return -ENOMEM;
                /* A virtual environment's lib64 is a link to its lib. */
                if (node_readlink(s->node, directory, &link) >= 0 || node_list(s->node, directory, &names) < 0)
                        continue;
                STRV_FOREACH(name, names)
                        for (size_t k = 0; startswith(*name, "python3") && k < ELEMENTSOF(sites); k++) {
                                _cleanup_free_ char *site = format("%s/%s/%s", directory, *name, sites[k]);
                                int r = site ? look_into_site(s, site) : -ENOMEM;

                                if (r < 0)
                                        return r;
                        }
        }
        return 0;
}

static int look_below(Search *s, const char *directory, unsigned depth) {
        _cleanup_strv_ char **names = NULL;
        struct stat st;

        if (!may_look(s, directory) || node_stat(s->node, directory, &st) < 0 || st.st_size > FOLDER_MAX || node_list(s->node, directory, &names) < 0)
                return 0;
        STRV_FOREACH(name, names) {
                _cleanup_free_ char *path = format("%s/%s", directory, *name), *link = NULL;
                int r = path ? 0 : -ENOMEM;

                if (r == 0 && !may_look(s, path))
                        continue;
                if (r == 0 && (node_readlink(s->node, path, &link) >= 0 || node_stat(s->node, path, &st) < 0 || !S_ISDIR(st.st_mode)))
                        continue;
                if (r == 0)
                        r = look_into(s, path);
                /* conda keeps its environments in envs/ */
                if (r == 0 && (depth > 1 || streq(*name, "envs")))
                        r = look_below(s, path, depth > 1 ? depth - 1 : 1);
                if (r < 0)
                        return r;
        }
        return 0;
}

static int look_into_variable(Search *s, const char *name) {
        const char *value = s->node->root ? NULL : getenv(name);

        return value && value[0] == '/' && strlen(value) < 4096 ? look_into(s, value) : 0;
}

int python_cublas(Node *n, PythonLibrary **ret, size_t *ret_n) {
        static const struct {
                const char *path;
                unsigned depth;
        } below[] = { { "/opt", 3 }, { "/root", 2 }, { "/home", 3 }, { "/srv", 2 } };
        Search s = { .node = n, .deadline = clock_ms() + SEARCH_MS };
        int r;

        r = find_remote(&s);
        if (r >= 0)
                r = look_into_variable(&s, "VIRTUAL_ENV");
        if (r >= 0)
                r = look_into_variable(&s, "CONDA_PREFIX");
        if (r >= 0)
                r = look_into(&s, "/usr");
        if (r >= 0)
                r = look_into(&s, "/usr/local");
        for (size_t i = 0; i < ELEMENTSOF(below) && r >= 0; i++)
                r = look_below(&s, below[i].path, below[i].depth);
        strv_free(s.remote);
        if (r < 0)
                python_libraries_free(s.found, s.n);
        else {
                *ret = s.found;
                *ret_n = s.n;
        }
        return r;
}
