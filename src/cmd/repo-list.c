/* SPDX-License-Identifier: Apache-2.0 */
#include <dirent.h>
#include <fcntl.h>

#include "basic/fs.h"
#include "cmd/repo.h"
#include "repo/add.h"
#include "repo/workspace-lock.h"
#include "repo/rims-package.h"
#include "repo/store.h"

static void help(void) {
        printf("gn8v-tee-repo list [OPTION...] [RELEASE...]\n\n"
               "Show the releases' artifacts and how far each has come: its lock, whether it is\n"
               "in the store, whether its packages are built and published; then what was added.\n\n"
               "      --repo=DIR     the published repository (default: WORKSPACE/repo)\n"
               "      --json         one JSON array on standard output\n"
               "  -h, --help         this text\n\n"
               "LOCK is pinned (by the release file), the date of the first use, stale, or no;\n"
               "of a package that was added, that day.\n"
               "Exit codes: 0 listed; 1 there is no such workspace or repository, or it cannot\n"
               "be read; 6 a lock is damaged.\n");
}

/* What a column says where a thing cannot be: a key makes no package. */
typedef enum State { STATE_NONE, STATE_NO, STATE_YES } State;

typedef struct Row {
        const char *name, *kind, *version; /* of an artifact or a locked manifest; version may be NULL */
        char *release_name, *lock, *sha256;
        uint64_t size;
        State stored, built, published;
} Row;

typedef struct Rows {
        Row *rows;
        size_t n;
        Lock **locks; /* of each release, or NULL: manifests are named by them */
        size_t n_locks;
        AddedPackages added; /* the last rows are named by them */
} Rows;

static void rows_clear(Rows *v) {
        for (size_t i = 0; i < v->n; i++) {
                free(v->rows[i].release_name);
                free(v->rows[i].lock);
                free(v->rows[i].sha256);
        }
        for (size_t i = 0; i < v->n_locks; i++)
                (void) lock_free(v->locks[i]);
        added_packages_clear(&v->added);
        free(v->rows);
        free(v->locks);
}

static void dir_closep(DIR **d) {
        if (*d)
                (void) closedir(*d);
}

static int list_packages(const char *dir, char ***ret, Error *e) {
        _cleanup_(dir_closep) DIR *d = opendir(dir);
        _cleanup_strv_ char **v = NULL;

        if (!d && errno == ENOENT)
                return 0;
        if (!d)
                return error_errno(e, errno, "%s", dir);
        for (struct dirent *i; (i = readdir(d));)
                if (endswith(i->d_name, ".rpm") && strv_append(&v, i->d_name) < 0)
                        return error_oom(e);
        *ret = TAKE_PTR(v);
        return 0;
}

/* NAME-VERSION-RELEASE.ARCH.rpm, whatever the distribution's tag and the architecture. */
static State have_packages(char *const *files, char *const *names, const Artifact *a, Error *e) {
        STRV_FOREACH(name, names) {
                _cleanup_free_ char *prefix = format("%s-%s-%s.", *name, a->version, a->revision);
                bool found = false;

                STRV_FOREACH(f, files)
                        found = found || (prefix && startswith(*f, prefix));
                if (!found)
                        return STATE_NO;
        }
        return names ? STATE_YES : STATE_NONE;
}

/* A lock that is missing or of another release file is a state; one that cannot be read is an error. */
static int load_lock(const Repo *repo, const Release *r, Lock **ret, const char **ret_word, Error *e) {
        _cleanup_error_ Error why = ERROR_INIT;
        int k = workspace_lock_load(repo->workspace, r, ret, &why);

        if (k == -ENOENT || k == -ESTALE) {
                *ret_word = k == -ENOENT ? "no" : "stale";
                return 0;
        }
        if (k < 0) {
                (void) error_set(e, -k, why.code, "%s", why.message ? why.message : strerror(-k));
                return why.hint ? error_hint(e, k, "%s", why.hint) : k;
        }
        *ret_word = NULL;
        return 0;
}

static int fill_row(Row *row, const Store *store, const Artifact *a, const LockedArtifact *l, const char *word, char *const *built,
                    char *const *published, Error *e) {
        _cleanup_strv_ char **names = NULL;
        const char *sha256 = l ? l->sha256 : a->sha256;
        uint64_t size;
        int r;

        row->size = l ? l->size : a->size;
        row->lock = strdup(word ? word : l && l->first_use && l->date ? l->date : "pinned");
        row->sha256 = sha256 ? strdup(sha256) : NULL;
        if (!row->lock || (sha256 && !row->sha256))
                return error_oom(e);
        row->stored = STATE_NO;
        if (store && sha256 && store_size(store, sha256, &size) >= 0) {
                row->stored = STATE_YES;
                row->size = size;
        }
        r = artifact_packages(a, &names);
        if (r < 0)
                return error_oom(e);
        row->built = a->kind == ARTIFACT_RPM ? STATE_NONE : have_packages(built, names, a, e);
        row->published = have_packages(published, names, a, e);
        return 0;
}

/* Its package holds all of them: whether that is of this lock, verify finds out. */
static State have_rims(char *const *files) {
        STRV_FOREACH(f, files)
                if (startswith(*f, RIMS_PACKAGE "-"))
                        return STATE_YES;
        return STATE_NO;
}

static int fill_rim(Row *row, const Store *store, const LockedArtifact *l, char *const *built, char *const *published, Error *e) {
        row->name = l->name;
        row->kind = l->kind;
        row->version = l->version;
        row->size = l->size;
        row->lock = strdup(l->date);
        row->sha256 = strdup(l->sha256);
        row->stored = store && store_has(store, l->sha256) ? STATE_YES : STATE_NO;
        row->built = have_rims(built);
        row->published = have_rims(published);
        return row->lock && row->sha256 ? 0 : error_oom(e);
}

/* The next row, of a release or (NULL) of all; NULL: out of memory. */
static Row *add_row(Rows *v, const Release *release) {
        Row *grown = reallocarray(v->rows, v->n + 1, sizeof(Row));

        if (!grown)
                return NULL;
        v->rows = grown;
        grown[v->n] = (Row){ .release_name = release ? release_name(release) : strdup("all") };
        return grown[v->n++].release_name ? &grown[v->n - 1] : NULL;
}

static int collect_release(Rows *v, const Release *release, const Lock *lock, const char *word, const Store *store, char *const *built,
                           char *const *published, Error *e) {
        int r = 0;

        for (size_t i = 0; r >= 0 && i < release->n_artifacts; i++) {
                const Artifact *a = release->artifacts[i];
                Row *row = add_row(v, release);

                if (!row)
                        return error_oom(e);
                row->name = a->name;
                row->kind = artifact_kind_to_string(a->kind);
                row->version = a->version;
                r = fill_row(row, store, a, lock ? lock_find(lock, a->name) : NULL, word, built, published, e);
        }
        for (size_t i = 0; r >= 0 && lock && i < lock->n_artifacts; i++) {
                Row *row = locked_is_rim(lock->artifacts[i]) ? add_row(v, release) : NULL;

                if (row)
                        r = fill_rim(row, store, lock->artifacts[i], built, published, e);
                else if (locked_is_rim(lock->artifacts[i]))
                        return error_oom(e);
        }
        return r;
}

/* What `add` has brought belongs to all releases. */
static int collect_added(const Repo *repo, Rows *v, char *const *published, Error *e) {
        int r = packages_added(repo->workspace, &v->added, e);

        for (size_t i = 0; r >= 0 && i < v->added.n; i++) {
                const AddedPackage *p = &v->added.v[i];
                Row *row = add_row(v, NULL);

                if (!row || !(row->lock = strdup(p->date)) || !(row->sha256 = strdup(p->sha256)))
                        return error_oom(e);
                row->name = p->file;
                row->kind = "added";
                row->size = p->size;
                row->published = strv_contains(published, p->file) ? STATE_YES : STATE_NO;
        }
        return r;
}

static int collect(const Repo *repo, const char *repo_dir, Rows *v, Error *e) {
        _cleanup_free_ char *packages = path_join(repo->workspace, "packages"), *published_dir = path_join(repo_dir, "packages");
        _cleanup_strv_ char **built = NULL, **published = NULL;
        _cleanup_(store_freep) Store *store = NULL;
        int r;

        if (!packages || !published_dir || !(v->locks = calloc(repo->n_releases + 1, sizeof(Lock *))))
                return error_oom(e);
        r = list_packages(packages, &built, e);
        if (r >= 0)
                r = list_packages(published_dir, &published, e);
        if (r < 0)
                return r;
        (void) store_open(repo->workspace, false, &store, NULL); /* no store yet: nothing is in it */
        for (size_t i = 0; r >= 0 && i < repo->n_releases; i++) {
                const char *word = NULL;

                r = load_lock(repo, repo->releases[i], &v->locks[v->n_locks++], &word, e);
                if (r >= 0)
                        r = collect_release(v, repo->releases[i], v->locks[i], word, store, built, published, e);
        }
        return r < 0 ? r : collect_added(repo, v, published, e);
}

static char *size_text(uint64_t n) {
        static const char *const units[] = { "B", "KiB", "MiB", "GiB", "TiB" };
        double v = (double) n;
        size_t i = 0;

        if (n == 0)
                return strdup("-");
        for (; v >= 1024 && i + 1 < ELEMENTSOF(units); i++)
                v /= 1024;
        return i == 0 ? format("%ju B", (uintmax_t) n) : format("%.1f %s", v, units[i]);
}

static const char *state_text(State s) {
        static const char *const words[] = { [STATE_NONE] = "-", [STATE_NO] = "no", [STATE_YES] = "yes" };

        return words[s];
}

static int print_rows(const Rows *v, Error *e) {
        int release = 7, artifact = 8, version = 7;

        for (size_t i = 0; i < v->n; i++) {
                const Row *row = &v->rows[i];

                release = MAX(release, (int) strlen(row->release_name));
                artifact = MAX(artifact, (int) strlen(row->name));
                version = MAX(version, (int) strlen(row->version ? row->version : "-"));
        }
        printf("%-*s  %-*s  %-6s  %-*s  %9s  %-10s  %-5s  %-5s  %s\n", release, "RELEASE", artifact, "ARTIFACT", "KIND", version, "VERSION",
               "SIZE", "LOCK", "STORE", "BUILT", "REPO");
        for (size_t i = 0; i < v->n; i++) {
                const Row *row = &v->rows[i];
                _cleanup_free_ char *size = size_text(row->size);
                bool again = i > 0 && streq(v->rows[i - 1].release_name, row->release_name);

                if (!size)
                        return error_oom(e);
                printf("%-*s  %-*s  %-6s  %-*s  %9s  %-10s  %-5s  %-5s  %s\n", release, again ? "" : row->release_name, artifact, row->name,
                       row->kind, version, row->version ? row->version : "-", size, row->lock,
                       state_text(row->stored), state_text(row->built), state_text(row->published));
        }
        return 0;
}

static json_t *state_json(State s) {
        return s == STATE_NONE ? json_null() : json_boolean(s == STATE_YES);
}

static json_t *to_json(const Rows *v) {
        json_t *all = json_array();

        for (size_t i = 0; i < v->n; i++) {
                const Row *row = &v->rows[i];

                (void) json_array_append_new(all, json_pack("{s:s, s:s, s:s, s:o, s:o, s:o, s:s, s:o, s:o, s:o}", "release", row->release_name,
                                                            "artifact", row->name, "kind", row->kind, "version",
                                                            row->version ? json_string(row->version) : json_null(), "size",
                                                            row->size > 0 ? json_integer((json_int_t) row->size) : json_null(), "sha256",
                                                            row->sha256 ? json_string(row->sha256) : json_null(), "lock", row->lock,
                                                            "stored", state_json(row->stored), "built", state_json(row->built),
                                                            "published", state_json(row->published)));
        }
        return all;
}

/* Every other verb has nothing to do without a release; a list may be empty. */
static int load_releases(Repo *repo, int argc, char *argv[], Error *e) {
        int r = repo_load_releases(repo, argc, argv, e);

        if (r != -ENOENT || argc > 0 || access(repo->releases_dir, R_OK) < 0)
                return r;
        error_clear(e);
        return 0;
}

static bool has(const char *dir, const char *name) {
        _cleanup_free_ char *path = path_join(dir, name);

        return path && access(path, F_OK) == 0;
}

/* A new one has nothing in it yet; but one that is named, and has nothing of a workspace, is another directory than was meant. */
static int check_workspace(const Repo *repo, Error *e) {
        static const char *const parts[] = { "locks", "store", "packages", "repo" };
        int r;

        if (!repo->workspace_given)
                return 0;
        for (size_t i = 0; i < ELEMENTSOF(parts); i++)
                if (has(repo->workspace, parts[i]))
                        return 0;
        r = is_folder(AT_FDCWD, repo->workspace) ? error_set(e, ENOENT, EXIT_FAILED, "%s: it has neither locks, store, packages nor repo: there is no workspace", repo->workspace)
                                          : error_set(e, ENOENT, EXIT_FAILED, "%s: there is no such directory", repo->workspace);
        return error_hint(e, r, "-C names the workspace; 'gn8v-tee-repo -C DIR lock' makes a new one");
}

int verb_list(Repo *repo, int argc, char *argv[], Error *e) {
        enum { ARG_REPO = 256 };
        static const Option options[] = {
                { "repo", ARG_REPO, "DIR" },
                {}
        };
        _cleanup_(rows_clear) Rows v = {};
        _cleanup_free_ char *path = NULL;
        const char *dir = NULL;
        int c, r;

        while ((c = option_next(argc, argv, options)) >= 0)
                switch (c) {
                case ARG_REPO: dir = optarg; break;
                case 'h': help(); return EXIT_OK;
                default: return option_status();
                }
        if (dir && !has(dir, "repodata"))
                return error_hint(e, error_set(e, ENOENT, EXIT_FAILED, "%s: there is no repository", dir), "--repo names the directory that was published to, or copied");
        if ((r = check_workspace(repo, e)) < 0 || (r = repo_directory(repo, dir, false, &path, e)) < 0 ||
            (r = load_releases(repo, argc - optind, argv + optind, e)) < 0 || (r = collect(repo, path, &v, e)) < 0)
                return r;
        r = repo->json ? print_json(to_json(&v), e) : print_rows(&v, e);
        return r < 0 ? r : EXIT_OK;
}
