/* SPDX-License-Identifier: Apache-2.0 */
#include "repo/mirror-source.h"

#include <ctype.h>
#include <fcntl.h>

#include "basic/fs.h"
#include "basic/strings.h"
#include "release/repo-file.h"

#define METADATA_TOTAL_MAX (UINT64_C(2) << 30)

/* What came from one place. */
static void forget_place(MirrorSource *s) {
        free(TAKE_PTR(s->repomd_text));
        free(TAKE_PTR(s->signature));
        free(TAKE_PTR(s->key));
        s->has_repo_file = false;
        s->signers = strv_free(s->signers);
        s->signer = NULL;
        s->repomd = repomd_free(s->repomd);
}

void mirror_source_clear(MirrorSource *s) {
        for (size_t i = 0; i < s->n_files; i++)
                free(s->files[i].path);
        free(s->files);
        free(s->url);
        strv_free(s->places);
        forget_place(s);
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

char **mirror_source_urls(const MirrorSource *s, const char *path) {
        _cleanup_strv_ char **urls = NULL;

        STRV_FOREACH(place, s->places) {
                _cleanup_free_ char *url = mirror_url(*place, path);

                if (!url || strv_append(&urls, url) < 0)
                        return NULL;
        }
        return TAKE_PTR(urls);
}

/* A small file, whatever it is now. places: NULL, or what says what it has to be. */
static int fetch_small(const char *url, const char *label, uint64_t max, const MirrorPlaces *places, const MirrorOpening *with, char **ret, size_t *ret_size, Error *e) {
        _cleanup_free_ char *stored = NULL;
        char *urls[] = { (char *) url, NULL };
        FetchItem item = { .label = label, .filename = path_basename(label), .urls = urls, .size_max = max, .is_fleeting = true,
                           .absent_hint = places ? "Is it the URL of a repository? It is that of the directory with repodata/ in it" : NULL };
        FetchOptions quiet = with->o->fetch ? *with->o->fetch : (FetchOptions){};
        int r;

        if (places && places->sha256) {
                if (places->size > max)
                        return error_set(e, EFBIG, EXIT_INVALID, "%s: its metalink says %ju bytes, at most %ju are taken", url, (uintmax_t) places->size, (uintmax_t) max);
                item.sha256 = places->sha256;
                item.size = places->size;
                item.hint = "this place is behind, or ahead of its metalink";
        }
        quiet.done = NULL;
        if ((r = fetch_all(with->store, &item, 1, &quiet, e)) >= 0) {
                stored = store_path(with->store, item.ret_sha256 ? item.ret_sha256 : item.sha256);
                r = stored ? read_file(AT_FDCWD, stored, max, ret, ret_size) : -ENOMEM;
                if (r < 0)
                        r = error_errno(e, -r, "%s", label);
                if (stored)
                        (void) unlink(stored); /* it is another file tomorrow */
        }
        fetch_item_clear(&item);
        return r;
}

static int fetch_from(const char *place, const char *path, uint64_t max, const MirrorPlaces *places, const MirrorOpening *with, char **ret, size_t *ret_size, Error *e) {
        _cleanup_free_ char *url = mirror_url(place, path);
        return url ? fetch_small(url, path, max, places, with, ret, ret_size, e) : error_oom(e);
}

/* Absent is fine, unreachable is not told from it: what is missing then is judged by whoever needs it. */
static int fetch_optional(const char *place, const char *path, const MirrorOpening *with, char **ret, Error *e) {
        _cleanup_error_ Error why = ERROR_INIT;
        size_t size;
        int r = fetch_from(place, path, MIRROR_KEY_FILE_MAX, NULL, with, ret, &size, &why);

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
        /* All that have signed: clients of the copy are given their keys. */
        for (size_t i = 0; i < keys->n; i++) {
                _cleanup_error_ Error why = ERROR_INIT;
                _cleanup_strv_ char **signers = NULL;
                int r = keyring_verify(keys->v[i], s->repomd_text, s->repomd_size, s->signature, strlen(s->signature), name, &signers, NULL, &why);

                STRV_FOREACH(f, signers)
                        if (!strv_contains(s->signers, *f) && strv_append(&s->signers, *f) < 0)
                                return error_oom(e);
                if (i + 1 == keys->n && !s->signers)
                        return error_hint(e, error_set(e, -r, why.code, "%s", why.message), "do not trust this source before you know why");
        }
        s->signer = s->signers ? s->signers[0] : NULL;
        return s->signer ? 0 : mirror_keys_missing(keys, s->url, o->fingerprints, e);
}

/* Where repositories that this program publishes have their keys, and those of the vendors whose packages keep their signatures. */
static int take_keys_beside(const char *place, const MirrorOpening *with, Error *e) {
        static const char *const files[] = { REPO_KEY_FILE, VENDOR_KEY_FILE };
        int r = 0;

        for (size_t i = 0; r >= 0 && i < ELEMENTSOF(files) && !mirror_keys_have_all(with->keys, with->o->fingerprints); i++) {
                _cleanup_free_ char *text = NULL;

                if ((r = fetch_optional(place, files[i], with, &text, e)) >= 0 && text)
                        r = mirror_keys_offer(with->keys, text, files[i], with->o->fingerprints, e);
        }
        return r;
}

/* What a source's places are, and what is known of its repomd.xml before it is here. */
static int find_places(const char *source, const MirrorOpening *with, MirrorPlaces *ret, Error *e) {
        _cleanup_free_ char *text = NULL;
        const char *url;
        MirrorPlaceKind kind = mirror_place_kind(source, &url);
        size_t size = strlen(url);
        int r;

        if (kind != MIRROR_AT_URL)
                return (r = fetch_small(url, url, MIRROR_LIST_MAX, NULL, with, &text, &size, e)) < 0 ? r : mirror_places_parse(kind, text, size, url, ret, e);
        while (size > 0 && url[size - 1] == '/')
                size--;
        text = strndup(url, size);
        return text && strv_append(&ret->urls, text) >= 0 ? 0 : error_oom(e);
}

/* Of one of ours, which has a serial: whether it has one. What is in it is not used, and a copy that has one goes on having it. */
static int look_for_repo_file(MirrorSource *s, const char *place, const MirrorOpening *with, Error *e) {
        _cleanup_free_ char *here = path_join(with->o->dir, REPO_FILE), *text = NULL;
        int r = here ? 0 : error_oom(e);

        if (r >= 0 && access(here, F_OK) < 0)
                r = fetch_optional(place, REPO_FILE, with, &text, e);
        s->has_repo_file = r >= 0 && (text || access(here, F_OK) == 0);
        return r;
}

static int open_at(MirrorSource *s, const char *place, const MirrorPlaces *places, const MirrorOpening *with, Error *e) {
        _cleanup_free_ char *name = path_join(place, "repodata/repomd.xml");
        const MirrorOptions *o = with->o;
        int r;

        if (!name)
                return error_oom(e);
        if ((r = fetch_from(place, "repodata/repomd.xml", REPOMD_MAX, places, with, &s->repomd_text, &s->repomd_size, e)) < 0 ||
            (r = fetch_optional(place, "repodata/repomd.xml.asc", with, &s->signature, e)) < 0 ||
            (s->signature && (r = fetch_optional(place, "repodata/repomd.xml.key", with, &s->key, e)) < 0))
                return r;
        if (sha256_buffer(s->repomd_text, s->repomd_size, s->repomd_sha256) < 0)
                return error_oom(e);
        if ((s->key && (r = mirror_keys_offer(with->keys, s->key, "repomd.xml.key", o->fingerprints, e)) < 0) || (r = take_keys_beside(place, with, e)) < 0)
                return r;
        if ((r = judge(s, with->keys, o, name, e)) < 0 || (r = repomd_parse_foreign(s->repomd_text, s->repomd_size, name, &s->repomd, e)) < 0)
                return r;
        if (s->signer && s->repomd->freshness.serial > 0 && (r = look_for_repo_file(s, place, with, e)) < 0)
                return r;
        return places->urls[1] && with->judge ? with->judge(with->userdata, s, e) : 0;
}

/* Another place may be better than one that is down, behind, or not to be trusted; it is not for what is wrong here. */
static bool is_of_place(const Error *e) {
        return e->code == EXIT_UNREACHABLE || e->code == EXIT_UNTRUSTED || e->code == EXIT_INVALID || e->code == EXIT_DIFFERS;
}

static int warn_of(const MirrorOpening *with, const MirrorSource *s, const Text *reasons) {
        _cleanup_free_ char *warning = format("%s: places that were passed over:\n%s", s->url, reasons->data);

        return !warning || strv_append(with->warnings, warning) < 0 ? -ENOMEM : 0;
}

/* The places become the source's, the one at first before the others: what a place lacks, the next one may have. */
static void put_first(MirrorSource *s, MirrorPlaces *p, size_t first) {
        char *url = p->urls[first];

        memmove(p->urls + 1, p->urls, first * sizeof(*p->urls));
        p->urls[0] = url;
        s->places = TAKE_PTR(p->urls);
}

static int open_one_of(MirrorSource *s, MirrorPlaces *p, const MirrorOpening *with, Error *e) {
        _cleanup_text_ Text reasons = {};
        ExitCode worst = EXIT_OK;
        int error = 0;

        for (size_t i = 0; p->urls[i]; i++) {
                _cleanup_error_ Error why = ERROR_INIT;
                int r = open_at(s, p->urls[i], p, with, &why);

                if (r >= 0) {
                        put_first(s, p, i);
                        return reasons.size > 0 && warn_of(with, s, &reasons) < 0 ? error_oom(e) : 0;
                }
                if (!p->urls[1] || !is_of_place(&why)) {
                        *e = why;
                        why = ERROR_INIT;
                        return r;
                }
                forget_place(s);
                text_printf(&reasons, "%s  %s: %s", reasons.size > 0 ? "\n" : "", p->urls[i], why.message ? why.message : strerror(-r));
                if (worst == EXIT_OK || (worst != EXIT_UNTRUSTED && why.code == EXIT_UNTRUSTED)) {
                        worst = why.code;
                        error = -r;
                }
        }
        return error_hint(e, error_set(e, error, worst, "%s: none of its places will do\n%s", s->url, reasons.data ? reasons.data : ""),
                          worst == EXIT_UNTRUSTED ? "do not trust this source before you know why" : "try again later, or name one good place of the repository itself");
}

int mirror_source_open(MirrorSource *s, const char *url, const MirrorOpening *with, Error *e) {
        _cleanup_(mirror_places_clear) MirrorPlaces places = {};
        size_t n = strlen(url);
        int r;

        while (n > 0 && url[n - 1] == '/')
                n--;
        if (!(s->url = strndup(url, n)))
                return error_oom(e);
        return (r = find_places(url, with, &places, e)) < 0 ? r : open_one_of(s, &places, with, e);
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

                if (s->files[i].path || same_bytes(s, i) || n == ELEMENTSOF(urls))
                        continue;
                if (!(urls[n] = mirror_source_urls(s, f->href)))
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
        _cleanup_free_ char *name = path_join(s->places[0], f->f->href);

        if (!name)
                return error_oom(e);
        return fd < 0 ? error_errno(e, errno, "%s", f->path) : metadata_check_up_to(fd, name, f->f, max, ret, ret_size, e);
}

int mirror_file_text(const MirrorSource *s, const MirrorFile *f, uint64_t max, char **ret, size_t *ret_size, Error *e) {
        return check_file(s, f, max, ret, ret_size, e);
}

int mirror_source_load(MirrorSource *s, Store *store, int dir_fd, const char *dir, bool fragments, const MirrorOptions *o, Error *e) {
        _cleanup_free_ char *name = path_join(s->places[0], "primary.xml");
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
