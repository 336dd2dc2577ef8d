/* SPDX-License-Identifier: Apache-2.0 */
#include "repo/mirror-source.h"

#include <ctype.h>
#include <fcntl.h>

#include "basic/fs.h"
#include "basic/strings.h"
#include "release/repo-file.h"

#define METADATA_TOTAL_MAX (UINT64_C(2) << 30)

void mirror_source_clear(MirrorSource *s) {
        for (size_t i = 0; i < s->n_files; i++)
                free(s->files[i].path);
        free(s->files);
        free(s->url);
        free(s->repomd_text);
        free(s->signature);
        strv_free(s->signers);
        free(s->key);
        repomd_free(s->repomd);
        free(s->primary_text);
        primary_free(s->primary);
        free(s->fragments);
        *s = (MirrorSource){};
}

char *mirror_url(const char *url, const char *path) {
        _cleanup_text_ Text t = {};

        text_printf(&t, "%s/", url);
        for (const char *c = path; *c; c++)
                if (isalnum((unsigned char) *c) || strchr("-._~/+^:@!$&'()*,;=", *c))
                        text_append_n(&t, c, 1);
                else
                        text_printf(&t, "%%%02X", (unsigned char) *c);
        return text_take(&t);
}

/* A small file of the source, whatever it is now, and its digest. */
static int fetch_small(const MirrorSource *s, const char *path, uint64_t max, Store *store, const FetchOptions *options, char **ret, size_t *ret_size, Error *e) {
        _cleanup_free_ char *url = mirror_url(s->url, path), *stored = NULL;
        char *urls[] = { url, NULL };
        FetchItem item = { .label = path, .filename = path_basename(path), .urls = urls, .size_max = max,
                           .absent_hint = "Is it the URL of a repository? It is that of the directory with repodata/ in it" };
        FetchOptions quiet = options ? *options : (FetchOptions){};
        int r;

        if (!url)
                return error_oom(e);
        quiet.done = NULL;
        if ((r = fetch_all(store, &item, 1, &quiet, e)) >= 0) {
                stored = store_path(store, item.ret_sha256);
                r = stored ? read_file(AT_FDCWD, stored, max, ret, ret_size) : -ENOMEM;
                if (r < 0)
                        r = error_errno(e, -r, "%s", path);
                if (stored)
                        (void) unlink(stored); /* it is another file tomorrow */
        }
        fetch_item_clear(&item);
        return r;
}

/* Absent is fine, unreachable is not told from it: what is missing then is judged by whoever needs it. */
static int fetch_optional(const MirrorSource *s, const char *path, Store *store, const FetchOptions *options, char **ret, Error *e) {
        _cleanup_error_ Error why = ERROR_INIT;
        size_t size;
        int r = fetch_small(s, path, MIRROR_KEY_FILE_MAX, store, options, ret, &size, &why);

        if (r >= 0 || why.code == EXIT_UNREACHABLE)
                return 0;
        return error_set(e, -r, why.code, "%s", why.message ? why.message : path);
}

static int judge(MirrorSource *s, const MirrorKeys *keys, const MirrorOptions *o, const char *name, Error *e) {
        if (o->no_signatures || (!s->signature && o->no_repo_signature))
                return 0;
        if (!s->signature)
                return error_hint(e, error_set(e, EKEYREJECTED, EXIT_UNTRUSTED, "%s: it is not signed: there is no repomd.xml.asc", name),
                                  "of a repository that signs its packages only, this is accepted with --no-repo-signature");
        for (size_t i = 0; i < keys->n; i++) {
                _cleanup_error_ Error why = ERROR_INIT;
                int r = keyring_verify(keys->v[i], s->repomd_text, s->repomd_size, s->signature, strlen(s->signature), name, &s->signers, NULL, &why);

                if (r >= 0) {
                        s->signer = s->signers[0];
                        return 0;
                }
                if (i + 1 == keys->n)
                        return error_hint(e, error_set(e, -r, why.code, "%s", why.message), "do not trust this source before you know why");
        }
        return mirror_keys_missing(keys, s->url, o->fingerprints, e);
}

/* Where repositories that this program publishes have their keys, and those of the vendors whose packages keep their signatures. */
static int take_keys_beside(const MirrorSource *s, MirrorKeys *keys, Store *store, const MirrorOptions *o, Error *e) {
        static const char *const files[] = { REPO_KEY_FILE, VENDOR_KEY_FILE };
        int r = 0;

        for (size_t i = 0; r >= 0 && i < ELEMENTSOF(files) && !mirror_keys_have_all(keys, o->fingerprints); i++) {
                _cleanup_free_ char *text = NULL;

                if ((r = fetch_optional(s, files[i], store, o->fetch, &text, e)) >= 0 && text)
                        r = mirror_keys_offer(keys, text, files[i], o->fingerprints, e);
        }
        return r;
}

int mirror_source_open(MirrorSource *s, const char *url, Store *store, MirrorKeys *keys, const MirrorOptions *o, Error *e) {
        _cleanup_free_ char *name = NULL;
        size_t n = strlen(url);
        int r;

        while (n > 0 && url[n - 1] == '/')
                n--;
        s->url = strndup(url, n);
        if (!s->url || !(name = path_join(s->url, "repodata/repomd.xml")))
                return error_oom(e);
        if ((r = fetch_small(s, "repodata/repomd.xml", REPOMD_MAX, store, o->fetch, &s->repomd_text, &s->repomd_size, e)) < 0 ||
            (r = fetch_optional(s, "repodata/repomd.xml.asc", store, o->fetch, &s->signature, e)) < 0 ||
            (s->signature && (r = fetch_optional(s, "repodata/repomd.xml.key", store, o->fetch, &s->key, e)) < 0))
                return r;
        if (sha256_buffer(s->repomd_text, s->repomd_size, s->repomd_sha256) < 0)
                return error_oom(e);
        if (s->key && (r = mirror_keys_offer(keys, s->key, "repomd.xml.key", o->fingerprints, e)) < 0)
                return r;
        if ((r = take_keys_beside(s, keys, store, o, e)) < 0)
                return r;
        if ((r = judge(s, keys, o, name, e)) < 0)
                return r;
        return repomd_parse_foreign(s->repomd_text, s->repomd_size, name, &s->repomd, e);
}

bool mirror_type_is_whole(const char *type) {
        return !streq(type, "primary") && !streq(type, "filelists") && !streq(type, "other") && !endswith(type, "_db") && !endswith(type, "_zck") &&
               !startswith(type, "filelists-ext") && !streq(type, "prestodelta") && !streq(type, "deltainfo");
}

static bool is_wanted(const RepomdFile *f, bool fragments) {
        return !fragments || mirror_type_is_whole(f->type) || streq(f->type, "primary") || streq(f->type, "filelists") || streq(f->type, "other");
}

/* A digest that is not the store's. */
static int check_other_digest(FetchItem *item, const char *path, Error *e) {
        const RepomdFile *f = item->userdata;
        _cleanup_close_ int fd = open(path, O_RDONLY | O_CLOEXEC);

        return fd < 0 ? error_errno(e, errno, "%s", path) : metadata_check(fd, path, &(RepomdFile){ .digest = f->digest, .checksum = f->checksum, .size = f->size }, NULL, NULL, e);
}

static int collect_files(MirrorSource *s, int dir_fd, const char *dir, bool fragments, Error *e) {
        uint64_t total = 0;

        s->files = calloc(s->repomd->n_files + 1, sizeof(*s->files));
        if (!s->files)
                return error_oom(e);
        for (size_t i = 0; i < s->repomd->n_files; i++) {
                const RepomdFile *f = &s->repomd->files[i];
                _cleanup_close_ int fd = -1;
                _cleanup_error_ Error ignored = ERROR_INIT;

                if (!is_wanted(f, fragments))
                        continue;
                if (f->size > METADATA_MAX || __builtin_add_overflow(total, f->size, &total) || total > METADATA_TOTAL_MAX)
                        return error_set(e, EFBIG, EXIT_INVALID, "%s/%s: repomd.xml lists more metadata than is taken (512 MiB a file, 2 GiB together)", s->url, f->href);
                s->files[s->n_files++] = (MirrorFile){ .f = f };
                if (dir_fd < 0 || (fd = openat(dir_fd, path_basename(f->href), O_RDONLY | O_NOFOLLOW | O_CLOEXEC)) < 0)
                        continue;
                if (metadata_check(fd, f->href, &(RepomdFile){ .digest = f->digest, .checksum = f->checksum, .size = f->size }, NULL, NULL, &ignored) >= 0 &&
                    !(s->files[s->n_files - 1].path = path_join(dir, path_basename(f->href))))
                        return error_oom(e);
        }
        return 0;
}

static const MirrorFile *same_bytes(const MirrorSource *s, size_t before) {
        for (size_t i = 0; i < before; i++)
                if (streq(s->files[i].f->checksum, s->files[before].f->checksum))
                        return &s->files[i];
        return NULL;
}

static int fetch_files(MirrorSource *s, Store *store, const FetchOptions *options, Error *e) {
        _cleanup_free_ FetchItem *items = calloc(s->n_files + 1, sizeof(*items));
        _cleanup_free_ size_t *at = calloc(s->n_files + 1, sizeof(*at));
        char **urls[64] = {};
        size_t n = 0;
        int r = 0;

        if (!items || !at)
                return error_oom(e);
        for (size_t i = 0; r >= 0 && i < s->n_files; i++) {
                const RepomdFile *f = s->files[i].f;
                _cleanup_free_ char *url = NULL;

                if (s->files[i].path || same_bytes(s, i) || n == ELEMENTSOF(urls))
                        continue;
                url = mirror_url(s->url, f->href);
                if (!url || strv_append(&urls[n], url) < 0)
                        r = error_oom(e);
                items[n] = (FetchItem){ .label = f->href, .filename = path_basename(f->href), .urls = urls[n], .size = f->size, .size_max = METADATA_MAX,
                                        .sha256 = streq(f->digest, "sha256") ? f->checksum : NULL, .userdata = (void *) f,
                                        .check = streq(f->digest, "sha256") ? NULL : check_other_digest,
                                        .hint = MIRROR_CHANGING_HINT, .absent_hint = MIRROR_CHANGING_HINT };
                at[n++] = i;
        }
        if (r >= 0)
                r = fetch_all(store, items, n, options, e);
        for (size_t i = 0; i < n; i++) {
                if (r >= 0 && !(s->files[at[i]].path = store_path(store, items[i].ret_sha256 ? items[i].ret_sha256 : items[i].sha256)))
                        r = error_oom(e);
                fetch_item_clear(&items[i]);
                strv_free(urls[i]);
        }
        for (size_t i = 0; r >= 0 && i < s->n_files; i++)
                if (!s->files[i].path && !(s->files[i].path = strdup(same_bytes(s, i)->path)))
                        r = error_oom(e);
        return r;
}

const MirrorFile *mirror_source_find(const MirrorSource *s, const char *type) {
        for (size_t i = 0; i < s->n_files; i++)
                if (streq(s->files[i].f->type, type))
                        return &s->files[i];
        return NULL;
}

static int check_file(const MirrorSource *s, const MirrorFile *f, uint64_t max, char **ret, size_t *ret_size, Error *e) {
        _cleanup_close_ int fd = open(f->path, O_RDONLY | O_CLOEXEC);
        _cleanup_free_ char *name = path_join(s->url, f->f->href);

        if (!name)
                return error_oom(e);
        return fd < 0 ? error_errno(e, errno, "%s", f->path) : metadata_check_up_to(fd, name, f->f, max, ret, ret_size, e);
}

int mirror_file_text(const MirrorSource *s, const MirrorFile *f, uint64_t max, char **ret, size_t *ret_size, Error *e) {
        return check_file(s, f, max, ret, ret_size, e);
}

int mirror_source_load(MirrorSource *s, Store *store, int dir_fd, const char *dir, bool fragments, const MirrorOptions *o, Error *e) {
        _cleanup_free_ char *name = path_join(s->url, "primary.xml");
        const MirrorFile *primary;
        size_t size;
        int r;

        if (!name)
                return error_oom(e);
        if ((r = collect_files(s, dir_fd, dir, fragments, e)) < 0 || (r = fetch_files(s, store, o->fetch, e)) < 0)
                return r;
        primary = mirror_source_find(s, "primary");
        if (!primary)
                return error_set(e, EBADMSG, EXIT_INVALID, "%s: its repomd.xml names no primary", s->url);
        for (size_t i = 0; i < s->n_files; i++)
                if (&s->files[i] != primary && (!fragments || mirror_type_is_whole(s->files[i].f->type)) && (r = check_file(s, &s->files[i], METADATA_OPEN_MAX, NULL, NULL, e)) < 0)
                        return r;
        if ((r = mirror_file_text(s, primary, METADATA_TEXT_MAX, &s->primary_text, &size, e)) < 0)
                return r;
        return primary_parse_foreign(s->primary_text, size, name, &s->primary, fragments ? &s->fragments : NULL, e);
}
