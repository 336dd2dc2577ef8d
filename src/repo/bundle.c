/* SPDX-License-Identifier: Apache-2.0 */
#include "repo/bundle.h"

#include <inttypes.h>
#include <jansson.h>

#include "basic/fs.h"
#include "basic/strings.h"
#include "repo/repo-file.h"
#include "repo/vendor-keys.h"

#define FORMAT    1
#define FILES_MAX 150000

static void jsonp(json_t **j) {
        json_decref(*j);
}

BundleManifest *bundle_manifest_free(BundleManifest *m) {
        if (!m)
                return NULL;
        for (size_t i = 0; i < m->n_files; i++)
                free(m->files[i].path);
        free(m->files);
        free(m->key);
        free(m);
        return NULL;
}

int bundle_manifest_add(BundleManifest *m, const char *path, uint64_t size, const char *sha256, Error *e) {
        BundleFile *f;

        if ((m->n_files & (m->n_files - 1)) == 0) {
                BundleFile *grown = reallocarray(m->files, m->n_files ? m->n_files * 2 : 1, sizeof(*grown));

                if (!grown)
                        return error_oom(e);
                m->files = grown;
        }
        f = &m->files[m->n_files];
        *f = (BundleFile){ .path = strdup(path), .size = size };
        if (!f->path)
                return error_oom(e);
        memcpy(f->sha256, sha256, SHA256_HEX_SIZE);
        m->n_files++;
        return 0;
}

int bundle_manifest_to_json(const BundleManifest *m, char **ret, Error *e) {
        _cleanup_(jsonp) json_t *files = json_array(), *j = NULL;
        _cleanup_free_ char *text = NULL;

        for (size_t i = 0; i < m->n_files; i++)
                if (json_array_append_new(files, json_pack("{s:s,s:I,s:s}", "path", m->files[i].path, "size", (json_int_t) m->files[i].size,
                                                           "sha256", m->files[i].sha256)) < 0)
                        return error_oom(e);
        j = json_pack("{s:i,s:I,s:I,s:s,s:s,s:O}", "format", FORMAT, "generation", (json_int_t) m->generation, "since", (json_int_t) m->since,
                      "key", m->key, "repomd_sha256", m->repomd_sha256, "files", files);
        text = j ? json_dumps(j, JSON_INDENT(1) | JSON_SORT_KEYS) : NULL;
        *ret = text ? format("%s\n", text) : NULL;
        return *ret ? 0 : error_oom(e);
}

static int bad(const char *name, const char *what, Error *e) {
        return error_hint(e, error_set(e, EBADMSG, EXIT_INVALID, "%s: not the manifest of an exported repository: %s", name, what),
                          "export again, and carry the file over whole");
}

static bool is_known_path(const char *path) {
        static const char *const tops[] = { BUNDLE_KEY, REPO_KEY_FILE, VENDOR_KEY_FILE, REPO_FILE, BUNDLE_GENERATION };
        const char *behind;

        for (size_t i = 0; i < ELEMENTSOF(tops); i++)
                if (streq(path, tops[i]))
                        return true;
        if (!path_is_safe(path))
                return false;
        if ((behind = startswith(path, "repodata/")))
                return !strchr(behind, '/') && behind[0] != '.';
        return startswith(path, "packages/") && endswith(path, ".rpm");
}

static int by_path(const void *a, const void *b) {
        return strcmp(*(const char *const *) a, *(const char *const *) b);
}

static int check_unique(const BundleManifest *m, const char *name, Error *e) {
        _cleanup_free_ const char **paths = calloc(m->n_files + 1, sizeof(*paths));

        if (!paths)
                return error_oom(e);
        for (size_t i = 0; i < m->n_files; i++)
                paths[i] = m->files[i].path;
        qsort(paths, m->n_files, sizeof(*paths), by_path);
        for (size_t i = 1; i < m->n_files; i++)
                if (streq(paths[i - 1], paths[i]))
                        return bad(name, "a path is in it twice", e);
        return 0;
}

static int take_file(BundleManifest *m, const json_t *j, const char *name, Error *e) {
        const char *path = json_string_value(json_object_get(j, "path")), *sha256 = json_string_value(json_object_get(j, "sha256"));
        const json_t *size = json_object_get(j, "size");

        if (!path || !is_known_path(path))
                return bad(name, "a path that does not belong there", e);
        if (!sha256 || !sha256_is_valid(sha256) || !json_is_integer(size) || json_integer_value(size) < 0)
                return bad(name, "a file without a digest or a size", e);
        return bundle_manifest_add(m, path, (uint64_t) json_integer_value(size), sha256, e);
}

int bundle_manifest_from_json(const char *text, size_t size, const char *name, BundleManifest **ret, Error *e) {
        _cleanup_(jsonp) json_t *j = json_loadb(text, size, JSON_REJECT_DUPLICATES, NULL);
        _cleanup_(bundle_manifest_freep) BundleManifest *m = calloc(1, sizeof(*m));
        json_int_t number = json_integer_value(json_object_get(j, "generation")), since = json_integer_value(json_object_get(j, "since"));
        const char *key = json_string_value(json_object_get(j, "key")), *repomd = json_string_value(json_object_get(j, "repomd_sha256"));
        const json_t *files = json_object_get(j, "files"), *item;
        size_t i;
        int r;

        if (!m)
                return error_oom(e);
        if (!json_is_object(j) || json_integer_value(json_object_get(j, "format")) != FORMAT)
                return bad(name, "its format is not the one of this program", e);
        if (number <= 0 || since < 0 || !key || !repomd || !sha256_is_valid(repomd) || !json_is_array(files))
                return bad(name, "generation, since, key, repomd_sha256 or files", e);
        if (json_array_size(files) == 0 || json_array_size(files) > FILES_MAX)
                return bad(name, "no files, or too many", e);
        m->generation = (uint64_t) number;
        m->since = (uint64_t) since;
        memcpy(m->repomd_sha256, repomd, SHA256_HEX_SIZE);
        if (!(m->key = strdup(key)))
                return error_oom(e);
        json_array_foreach(files, i, item)
                if ((r = take_file(m, item, name, e)) < 0)
                        return r;
        if (!streq(m->files[0].path, BUNDLE_KEY))
                return bad(name, "its first file is not " BUNDLE_KEY, e);
        if ((r = check_unique(m, name, e)) < 0)
                return r;
        *ret = TAKE_PTR(m);
        return 0;
}
