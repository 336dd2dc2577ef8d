/* SPDX-License-Identifier: Apache-2.0 */
#include "release/lock.h"

#include <fcntl.h>
#include <jansson.h>

#include "basic/fs.h"

#define LOCK_VERSION   1
#define LOCK_MAX_BYTES ((size_t) 1 << 20)

Lock *lock_new(void) {
        return calloc(1, sizeof(Lock));
}

static void locked_artifact_free(LockedArtifact *a) {
        free(a->name);
        free(a->kind);
        free(a->version);
        free(a->filename);
        (void) strv_free(a->urls);
        free(a->sha256);
        free(a->date);
        free(a->signer);
        free(a->expires);
        free(a->licence);
        free(a);
}

Lock *lock_free(Lock *l) {
        if (!l)
                return NULL;
        for (size_t i = 0; i < l->n_artifacts; i++)
                locked_artifact_free(l->artifacts[i]);
        free(l->artifacts);
        free(l->path);
        free(l->release);
        free(l->release_sha256);
        free(l);
        return NULL;
}

LockedArtifact *lock_find(const Lock *l, const char *name) {
        for (size_t i = 0; i < l->n_artifacts; i++)
                if (streq(l->artifacts[i]->name, name))
                        return l->artifacts[i];
        return NULL;
}

bool locked_is_rim(const LockedArtifact *a) {
        return streq(a->kind, LOCKED_RIM);
}

LockedArtifact *lock_add(Lock *l, const char *name) {
        LockedArtifact **grown, *a;

        grown = reallocarray(l->artifacts, l->n_artifacts + 1, sizeof(LockedArtifact *));
        if (!grown)
                return NULL;
        l->artifacts = grown;
        a = calloc(1, sizeof(LockedArtifact));
        if (!a)
                return NULL;
        a->name = strdup(name);
        if (!a->name) {
                free(a);
                return NULL;
        }
        l->artifacts[l->n_artifacts++] = a;
        return a;
}

/* Takes an optional or required string; a wrong type or a control character is -EBADMSG. */
static int take_string(const json_t *object, const char *key, bool required, char **ret) {
        const json_t *v = json_object_get(object, key);
        const char *s;

        if (!v || json_is_null(v))
                return required ? -EBADMSG : 0;
        s = json_string_value(v);
        if (!s || strlen(s) != json_string_length(v))
                return -EBADMSG;
        for (const char *c = s; *c; c++)
                if ((unsigned char) *c < ' ')
                        return -EBADMSG;
        *ret = strdup(s);
        return *ret ? 0 : -ENOMEM;
}

/* A manifest's file is called by its id, and so is a word of a spec. */
static bool is_whole_rim(const LockedArtifact *a) {
        const char *end = startswith(a->filename, a->name);

        return release_rim_id_is_valid(a->name) && end && streq(end, ".xml");
}

static int parse_artifact(Lock *l, const char *name, const json_t *object, const char **ret_bad) {
        LockedArtifact *a = lock_add(l, name);
        const json_t *urls = json_object_get(object, "urls"), *size = json_object_get(object, "size"),
                     *redistributable = json_object_get(object, "redistributable");
        _cleanup_free_ char *checksum = NULL;
        const json_t *url;
        const char *hex;
        size_t i;
        int r;

        if (!a)
                return -ENOMEM;
        struct { const char *key; bool required; char **p; } strings[] = {
                { "kind", true, &a->kind }, { "version", false, &a->version }, { "filename", true, &a->filename },
                { "checksum", true, &checksum }, { "first_use", false, &a->date }, { "signer", false, &a->signer },
                { "licence", true, &a->licence }, { "expires", false, &a->expires },
        };
        for (i = 0; i < ELEMENTSOF(strings); i++) {
                *ret_bad = strings[i].key;
                r = take_string(object, strings[i].key, strings[i].required, strings[i].p);
                if (r < 0)
                        return r;
        }
        *ret_bad = "checksum";
        hex = startswith(checksum, "sha256:");
        if (!hex || strlen(hex) != 64 || strspn(hex, "0123456789abcdef") != 64)
                return -EBADMSG;
        a->sha256 = strdup(hex);
        if (!a->sha256)
                return -ENOMEM;
        *ret_bad = "filename";
        if (!path_is_safe(a->filename) || strchr(a->filename, '/') || (locked_is_rim(a) && !is_whole_rim(a)))
                return -EBADMSG;
        *ret_bad = "size";
        if (!json_is_integer(size) || json_integer_value(size) < 0)
                return -EBADMSG;
        a->size = (uint64_t) json_integer_value(size);
        *ret_bad = "redistributable";
        if (!json_is_boolean(redistributable))
                return -EBADMSG;
        a->redistributable = json_is_true(redistributable);
        a->first_use = a->date != NULL;
        *ret_bad = "first_use";
        if (locked_is_rim(a) && !a->first_use)
                return -EBADMSG;
        *ret_bad = "urls";
        if (!json_is_array(urls) || json_array_size(urls) == 0)
                return -EBADMSG;
        json_array_foreach(urls, i, url)
                if (!json_is_string(url) || strv_append(&a->urls, json_string_value(url)) < 0)
                        return -EBADMSG;
        return 0;
}

static int parse(Lock *l, const json_t *root, Error *e) {
        json_t *artifacts = json_object_get(root, "artifacts"), *object;
        const char *name, *bad = NULL;
        int r;

        if (json_integer_value(json_object_get(root, "version")) != LOCK_VERSION)
                return error_set(e, EBADMSG, EXIT_INVALID, "%s: not a lock of version %d", l->path, LOCK_VERSION);
        if (take_string(root, "release", true, &l->release) < 0 || take_string(root, "release_sha256", true, &l->release_sha256) < 0 ||
            !json_is_object(artifacts))
                return error_set(e, EBADMSG, EXIT_INVALID, "%s: release, release_sha256 or artifacts is missing", l->path);
        l->without_rims = json_is_true(json_object_get(root, "without_rims"));
        json_object_foreach(artifacts, name, object) {
                r = parse_artifact(l, name, object, &bad);
                if (r == -ENOMEM)
                        return error_oom(e);
                if (r < 0)
                        return error_set(e, EBADMSG, EXIT_INVALID, "%s: artifact %s: \"%s\" is missing or not valid", l->path, name, bad);
        }
        return 0;
}

int lock_load(const char *path, Lock **ret, Error *e) {
        _cleanup_(lock_freep) Lock *l = lock_new();
        _cleanup_free_ char *data = NULL;
        json_error_t error;
        json_t *root;
        size_t size;
        int r;

        if (!l || !(l->path = strdup(path)))
                return error_oom(e);
        r = read_file(AT_FDCWD, path, LOCK_MAX_BYTES, &data, &size);
        if (r < 0)
                return error_unreadable(e, -r, path);
        root = json_loadb(data, size, JSON_REJECT_DUPLICATES, &error);
        if (!root)
                r = error_set(e, EBADMSG, EXIT_INVALID, "%s:%d: %s", path, error.line, error.text);
        else
                r = parse(l, root, e);
        json_decref(root);
        if (r < 0)
                return error_hint(e, r, "write it anew: gn8v-tee-repo lock");
        *ret = TAKE_PTR(l);
        return 0;
}

static json_t *optional_string(const char *s) {
        return s ? json_string(s) : json_null();
}

static json_t *artifact_to_json(const LockedArtifact *a) {
        _cleanup_free_ char *checksum = format("sha256:%s", a->sha256);
        json_t *urls = json_array(), *object;

        if (!checksum || !urls)
                return NULL;
        STRV_FOREACH(u, a->urls)
                (void) json_array_append_new(urls, json_string(*u));
        object = json_pack("{s:s, s:s, s:o, s:s, s:o, s:I, s:o, s:o, s:s, s:b}",
                           "checksum", checksum, "kind", a->kind, "version", optional_string(a->version), "filename", a->filename,
                           "urls", urls, "size", (json_int_t) a->size, "first_use", optional_string(a->date),
                           "signer", optional_string(a->signer), "licence", a->licence, "redistributable", (int) a->redistributable);
        if (object && a->expires && json_object_set_new(object, "expires", json_string(a->expires)) < 0) {
                json_decref(object);
                return NULL;
        }
        return object;
}

int lock_save(const Lock *l, Error *e) {
        _cleanup_free_ char *text = NULL, *line = NULL, *dir = NULL;
        json_t *artifacts = json_object(), *root;
        int r = 0;

        for (size_t i = 0; r == 0 && i < l->n_artifacts; i++)
                if (json_object_set_new(artifacts, l->artifacts[i]->name, artifact_to_json(l->artifacts[i])) < 0)
                        r = -ENOMEM;
        root = json_pack("{s:i, s:s, s:s, s:o}", "version", LOCK_VERSION, "release", l->release,
                         "release_sha256", l->release_sha256, "artifacts", artifacts);
        if (root && l->without_rims && json_object_set_new(root, "without_rims", json_true()) < 0)
                r = -ENOMEM;
        text = root && r == 0 ? json_dumps(root, JSON_INDENT(2) | JSON_SORT_KEYS) : NULL;
        json_decref(root);
        line = text ? format("%s\n", text) : NULL;
        if (!line)
                return error_oom(e);
        dir = strndup(l->path, (size_t) (path_basename(l->path) - l->path));
        if (!dir)
                return error_oom(e);
        if ((r = remove_temporaries(AT_FDCWD, *dir ? dir : ".", path_basename(l->path))) >= 0)
                r = write_file_atomic(AT_FDCWD, l->path, line, strlen(line), 0644);
        return r < 0 ? error_errno(e, -r, "%s", l->path) : 0;
}

static int stale(const Lock *l, Error *e, const char *what) {
        return error_hint(e, error_set(e, ESTALE, EXIT_DIFFERS, "%s: the lock is stale: %s", l->path, what),
                          "write it anew: gn8v-tee-repo lock %s", l->release);
}

static int check_rims(const Lock *l, const Release *r, Error *e) {
        _cleanup_strv_ char **ids = NULL;

        if (l->without_rims)
                return 0;
        if (release_rims(r, &ids) < 0)
                return error_oom(e);
        STRV_FOREACH(id, ids) {
                const LockedArtifact *locked = lock_find(l, *id);
                _cleanup_free_ char *what = locked && locked_is_rim(locked) ? NULL : format("reference manifest %s is new", *id);

                if (what)
                        return stale(l, e, what);
        }
        return 0;
}

int lock_check(const Lock *l, const Release *r, const char *release_sha256, Error *e) {
        _cleanup_free_ char *name = release_name(r);

        if (!name)
                return error_oom(e);
        if (!streq(l->release, name))
                return error_set(e, EBADMSG, EXIT_INVALID, "%s: it is the lock of %s, not of %s", l->path, l->release, name);
        for (size_t i = 0; i < r->n_artifacts; i++) {
                const Artifact *a = r->artifacts[i];
                const LockedArtifact *locked = lock_find(l, a->name);
                _cleanup_free_ char *what = NULL;

                if (!locked)
                        what = format("artifact %s is new", a->name);
                else if (a->sha256 && !streq(a->sha256, locked->sha256))
                        what = format("artifact %s is pinned to another digest", a->name);
                else if (a->size > 0 && a->size != locked->size)
                        what = format("artifact %s has another size", a->name);
                if (what)
                        return stale(l, e, what);
        }
        if (check_rims(l, r, e) < 0)
                return -ESTALE;
        return streq(l->release_sha256, release_sha256) ? 0 : stale(l, e, "the release file has changed since");
}
