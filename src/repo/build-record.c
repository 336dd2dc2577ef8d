/* SPDX-License-Identifier: Apache-2.0 */
#include "repo/build-record.h"

#include <dirent.h>
#include <fcntl.h>
#include <jansson.h>
#include <sys/stat.h>

#include "basic/fs.h"

#define RECORD_MAX ((size_t) 64 * 1024)
#define LIST_MAX   1000u

static void json_cleanup(json_t **j) {
        json_decref(*j);
}
#define _cleanup_json_ _cleanup_(json_cleanup)

BuildRecord *build_record_free(BuildRecord *r) {
        if (!r)
                return NULL;
        free(r->package);
        free(r->artifact);
        strv_free(r->releases);
        strv_free(r->together);
        free(r);
        return NULL;
}

static int get_digest(const json_t *root, const char *key, char ret[static SHA256_HEX_SIZE]) {
        const char *s = json_string_value(json_object_get(root, key));

        if (!s || !sha256_is_valid(s))
                return -EBADMSG;
        memcpy(ret, s, SHA256_HEX_SIZE);
        return 0;
}

static int get_list(const json_t *root, const char *key, char ***ret) {
        const json_t *list = json_object_get(root, key);

        if (!json_is_array(list) || json_array_size(list) > LIST_MAX)
                return -EBADMSG;
        for (size_t i = 0; i < json_array_size(list); i++) {
                const char *s = json_string_value(json_array_get(list, i));

                if (!s || !path_is_safe(s) || strchr(s, '/'))
                        return -EBADMSG;
                if (strv_append(ret, s) < 0)
                        return -ENOMEM;
        }
        return 0;
}

static int parse_seal(const json_t *root, uint64_t size, FileId *ret) {
        const json_t *seal = json_object_get(root, "seal");
        json_int_t inode, mtime, ctime;

        if (!seal)
                return 0;
        if (json_unpack((json_t *) seal, "{s:I, s:I, s:I}", "inode", &inode, "mtime_ns", &mtime, "ctime_ns", &ctime) < 0 || inode <= 0)
                return -EBADMSG;
        *ret = (FileId){ .ino = (uint64_t) inode, .size = size, .mtime_ns = mtime, .ctime_ns = ctime };
        return 0;
}

static int parse(const json_t *root, BuildRecord *r) {
        const char *package = json_string_value(json_object_get(root, "package"));
        const json_t *artifact = json_object_get(root, "artifact"), *size = json_object_get(root, "size");
        int k;

        if (!package || !path_is_safe(package) || strchr(package, '/') || !endswith(package, ".rpm") || !json_is_integer(size) ||
            json_integer_value(size) < 0)
                return -EBADMSG;
        r->size = (uint64_t) json_integer_value(size);
        r->package = strdup(package);
        if (!r->package)
                return -ENOMEM;
        if (json_is_string(artifact)) {
                r->artifact = strdup(json_string_value(artifact));
                if (!r->artifact)
                        return -ENOMEM;
                if (get_digest(root, "artifact_sha256", r->artifact_sha256) < 0)
                        return -EBADMSG;
        } else if (!json_is_null(artifact))
                return -EBADMSG;
        if (parse_seal(root, r->size, &r->seal) < 0 || get_digest(root, "sha256", r->sha256) < 0 || get_digest(root, "inputs", r->inputs) < 0)
                return -EBADMSG;
        k = get_list(root, "releases", &r->releases);
        return k < 0 ? k : get_list(root, "together", &r->together);
}

int build_record_load(const char *dir, const char *file, BuildRecord **ret, Error *e) {
        _cleanup_(build_record_freep) BuildRecord *r = calloc(1, sizeof(BuildRecord));
        _cleanup_free_ char *path = path_join(dir, file), *text = NULL;
        _cleanup_json_ json_t *root = NULL;
        size_t size;
        int k;

        if (!r || !path)
                return error_oom(e);
        k = read_file(AT_FDCWD, path, RECORD_MAX, &text, &size);
        if (k < 0)
                return error_errno(e, -k, "%s", path);
        root = json_loadb(text, size, JSON_REJECT_DUPLICATES, NULL);
        k = json_is_object(root) ? parse(root, r) : -EBADMSG;
        if (k == -ENOMEM)
                return error_oom(e);
        if (k < 0)
                return error_hint(e, error_set(e, EBADMSG, EXIT_INVALID, "%s: is no build record", path), "build again with --force");
        *ret = TAKE_PTR(r);
        return 0;
}

static json_t *list_to_json(char *const *v) {
        json_t *list = json_array();

        STRV_FOREACH(s, v)
                if (json_array_append_new(list, json_string(*s)) < 0) {
                        json_decref(list);
                        return NULL;
                }
        return list;
}

int build_record_save(const char *dir, const BuildRecord *r, Error *e) {
        _cleanup_json_ json_t *root = NULL;
        _cleanup_free_ char *path = format("%s/%s.json", dir, r->package), *text = NULL, *line = NULL;
        int k;

        if (!path)
                return error_oom(e);
        root = json_pack("{s:s, s:I, s:s, s:s?, s:s?, s:s, s:o, s:o}", "package", r->package, "size", (json_int_t) r->size, "sha256", r->sha256,
                         "artifact", r->artifact, "artifact_sha256", r->artifact ? r->artifact_sha256 : NULL, "inputs", r->inputs,
                         "releases", list_to_json(r->releases), "together", list_to_json(r->together));
        if (root && r->seal.ino > 0 && r->seal.ino <= INT64_MAX &&
            json_object_set_new(root, "seal", json_pack("{s:I, s:I, s:I}", "inode", (json_int_t) r->seal.ino, "mtime_ns", (json_int_t) r->seal.mtime_ns,
                                                        "ctime_ns", (json_int_t) r->seal.ctime_ns)) < 0)
                return error_oom(e);
        text = root ? json_dumps(root, JSON_SORT_KEYS | JSON_INDENT(2)) : NULL;
        line = text ? format("%s\n", text) : NULL;
        if (!line)
                return error_oom(e);
        k = write_file_atomic(AT_FDCWD, path, line, strlen(line), 0644);
        return k < 0 ? error_errno(e, -k, "%s", path) : 0;
}

/* Whether every package of the same build is there, with the size its record says. */
static bool complete(const char *dir, const BuildRecord *first, const BuildJob *job) {
        size_t found = 0;

        if (strv_length(first->together) < strv_length(job->packages))
                return false;
        STRV_FOREACH(file, first->together) {
                _cleanup_free_ char *path = path_join(dir, *file), *name = format("%s.json", *file);
                _cleanup_(build_record_freep) BuildRecord *r = NULL;
                _cleanup_error_ Error ignored = ERROR_INIT;
                struct stat st;

                if (!path || !name || build_record_load(dir, name, &r, &ignored) < 0 || !streq(r->inputs, job->inputs) ||
                    !streq(r->package, *file) || stat(path, &st) < 0 || !S_ISREG(st.st_mode) || (uint64_t) st.st_size != r->size)
                        return false;
                found++;
        }
        return found > 0;
}

static int update_releases(const char *dir, char *const *files, const BuildJob *job, Error *e) {
        STRV_FOREACH(file, files) {
                _cleanup_free_ char *name = format("%s.json", *file), *before = NULL, *after = NULL;
                _cleanup_(build_record_freep) BuildRecord *r = NULL;
                int k;

                if (!name)
                        return error_oom(e);
                k = build_record_load(dir, name, &r, e);
                if (k < 0)
                        return k;
                before = strv_join(r->releases, " ");
                after = strv_join(job->releases, " ");
                if (!before || !after)
                        return error_oom(e);
                if (streq(before, after))
                        continue;
                r->releases = strv_free(r->releases);
                if (strv_append_words(&r->releases, after) < 0)
                        return error_oom(e);
                k = build_record_save(dir, r, e);
                if (k < 0)
                        return k;
        }
        return 0;
}

static int find_first(const char *dir, const BuildJob *job, BuildRecord **ret) {
        DIR *d = opendir(dir);
        struct dirent *entry;

        while (d && (entry = readdir(d))) {
                _cleanup_(build_record_freep) BuildRecord *r = NULL;
                _cleanup_error_ Error ignored = ERROR_INIT;

                if (!endswith(entry->d_name, ".rpm.json") || build_record_load(dir, entry->d_name, &r, &ignored) < 0 ||
                    !streq(r->inputs, job->inputs) || !complete(dir, r, job))
                        continue;
                *ret = TAKE_PTR(r);
                (void) closedir(d);
                return 1;
        }
        if (d)
                (void) closedir(d);
        return 0;
}

int build_record_find(const char *dir, const BuildJob *job, char ***ret, Error *e) {
        _cleanup_(build_record_freep) BuildRecord *r = NULL;
        int k;

        if (find_first(dir, job, &r) == 0)
                return 0;
        k = update_releases(dir, r->together, job, e);
        if (k < 0)
                return k;
        *ret = TAKE_PTR(r->together);
        return 1;
}
