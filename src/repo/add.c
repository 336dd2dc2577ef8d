/* SPDX-License-Identifier: Apache-2.0 */
#include "repo/added.h"

#include <fcntl.h>
#include <jansson.h>
#include <sys/stat.h>

#include "basic/armor.h"
#include "basic/fs.h"
#include "basic/strings.h"
#include "release/freshness.h"
#include "repo/index.h"
#include "repo/json-scan.h"
#include "repo/keyring.h"
#include "repo/store.h"
#include "repo/vendor-rpm.h"

#define CHUNK   (1024 * 1024)
#define KEY_MAX ((size_t) 1024 * 1024)

static void jsonp(json_t **j) {
        json_decref(*j);
}

/* A key that may have signed, and whose it is. */
typedef struct Key {
        char *fingerprint;
        const char *path;
        OpenpgpKey *key;
} Key;

typedef struct Adding {
        const AddOptions *o;
        Key *keys;
        size_t n_keys;
        AddedPackages packages, ended;
        char **sources; /* a file of each package */
        Store *store;
        char *folder;
} Adding;

static void adding_done(Adding *a) {
        for (size_t i = 0; i < a->n_keys; i++) {
                free(a->keys[i].fingerprint);
                openpgp_key_free(a->keys[i].key);
        }
        free(a->keys);
        added_packages_clear(&a->packages);
        added_packages_clear(&a->ended);
        strv_free(a->sources);
        store_free(a->store);
        free(a->folder);
}

static int load_key(Adding *a, const char *path, Error *e) {
        _cleanup_(keyring_freep) Keyring *keyring = NULL;
        _cleanup_free_ char *text = NULL;
        Key *k = &a->keys[a->n_keys];
        size_t size;
        int r = read_file(AT_FDCWD, path, KEY_MAX, &text, &size);

        if (r < 0)
                return error_unreadable(e, -r, path);
        if ((r = keyring_new(text, size, path, &keyring, e)) < 0)
                return r;
        if (a->o->fingerprints && !strv_contains(a->o->fingerprints, keyring_fingerprint(keyring)))
                return error_set(e, EKEYREJECTED, EXIT_UNTRUSTED, "%s: it has key %s, which is none of those that --key names", path, keyring_fingerprint(keyring));
        k->path = path;
        k->fingerprint = strdup(keyring_fingerprint(keyring));
        a->n_keys++;
        return k->fingerprint ? openpgp_key_load(path, k->fingerprint, &k->key, e) : error_oom(e);
}

static int load_keys(Adding *a, Error *e) {
        int r = 0;

        if (!(a->keys = calloc(strv_length(a->o->key_files) + 1, sizeof(*a->keys))))
                return error_oom(e);
        STRV_FOREACH(path, a->o->key_files)
                if (r >= 0)
                        r = load_key(a, *path, e);
        return r;
}

/* Of the whole file, and of its payload, which the header has to have described. */
static int take_digest(const RpmFile *f, char **ret, Error *e) {
        _cleanup_(digest_freep) Digest *whole = digest_new("sha256"), *payload = digest_new("sha256");
        _cleanup_free_ unsigned char *buffer = malloc(CHUNK);
        _cleanup_free_ char *hex = NULL, *payload_hex = NULL;

        if (!whole || !payload || !buffer)
                return error_oom(e);
        for (uint64_t at = 0;;) {
                size_t want = at < f->header_end ? (size_t) MIN((uint64_t) CHUNK, f->header_end - at) : CHUNK;
                ssize_t n = pread(f->fd, buffer, want, (off_t) at);

                if (n < 0 && errno == EINTR)
                        continue;
                if (n < 0)
                        return error_errno(e, errno, "%s", f->path);
                if (n == 0)
                        break;
                if (digest_update(whole, buffer, (size_t) n) < 0 || (at >= f->header_end && digest_update(payload, buffer, (size_t) n) < 0))
                        return error_set(e, EIO, EXIT_FAILED, "SHA-256");
                at += (uint64_t) n;
        }
        if (!(hex = digest_hex(whole)) || !(payload_hex = digest_hex(payload)))
                return error_oom(e);
        if (!f->payload_sha256)
                return error_hint(e, error_set(e, EBADMSG, EXIT_INVALID, "%s: its header has no SHA-256 of the payload, so that no signature covers it", f->path),
                                  "build it again with rpm 4.14 or newer");
        if (!streq(payload_hex, f->payload_sha256))
                return error_hint(e, error_set(e, EKEYREJECTED, EXIT_UNTRUSTED, "%s: its payload is not the one that its header describes", f->path),
                                  "it is damaged: get it again from whoever made it");
        *ret = TAKE_PTR(hex);
        return 0;
}

/* Of an unsigned package nothing else says that its header is whole. */
static int check_header(const RpmFile *f, Error *e) {
        const char *hex = headerGetString(f->signature, RPMTAG_SHA256HEADER);

        if (hex && streq(hex, f->header_sha256))
                return 0;
        return error_hint(e, error_set(e, EKEYREJECTED, EXIT_UNTRUSTED, "%s: its header %s", f->path, hex ? "is not the one that its digest was taken of" : "has no SHA-256"),
                          "it is damaged, or of a very old rpm: get it again from whoever made it");
}

static bool is_signed(const RpmFile *f) {
        return f->signature_packet || headerIsEntry(f->signature, RPMTAG_RSAHEADER) || headerIsEntry(f->signature, RPMTAG_DSAHEADER) ||
                headerIsEntry(f->signature, RPMTAG_SIGPGP) || headerIsEntry(f->signature, RPMTAG_SIGGPG);
}

/* A signature that is there has to be good, by one of the keys that were named: it stays, and clients are given the key. */
static int check_signature(const Adding *a, const RpmFile *f, AddedPackage *p, Error *e) {
        int r = 0;

        if (!is_signed(f))
                return 0;
        if (a->n_keys == 0)
                return error_hint(e, error_set(e, ENOKEY, EXIT_UNTRUSTED, "%s: it is signed, and whose key that is was not said", f->path),
                                  "name the file of that public key: --key-file; the signature stays, and clients are given the key");
        for (size_t i = 0; i < a->n_keys; i++) {
                _cleanup_error_ Error why = ERROR_INIT;

                r = vendor_rpm_check(f->path, a->keys[i].path, a->keys[i].fingerprint, NULL, &why);
                if (r >= 0) {
                        p->signer = strdup(a->keys[i].fingerprint);
                        return p->signer ? 0 : error_oom(e);
                }
                if (i + 1 == a->n_keys)
                        return error_hint(e, error_set(e, -r, why.code, "%s", why.message), "name the key that signed it: --key-file");
        }
        return r;
}

/* Where it will lie, and that neither that name nor its metadata can hurt anybody. */
static int check_name(const RpmFile *f, AddedPackage *p, Error *e) {
        _cleanup_(index_entry_clear) IndexEntry entry = {};
        _cleanup_free_ char *href = NULL;

        if (!(p->file = rpm_file_canonical_name(f)) || !(href = format("packages/%s", p->file)))
                return error_oom(e);
        if (!path_is_safe(p->file) || strchr(p->file, '/') || p->file[0] == '.' || !scan_is_plain(p->file))
                return error_set(e, EBADMSG, EXIT_INVALID, "%s: its name, version or release cannot be part of a file's name", f->path);
        return index_describe(f, href, p->sha256, &entry, e);
}

static int check_file(Adding *a, const char *path, Error *e) {
        _cleanup_(added_package_clear) AddedPackage p = {};
        _cleanup_(rpm_file_freep) RpmFile *f = NULL;
        int r;

        if ((r = rpm_file_open(AT_FDCWD, path, &f, e)) < 0 || (r = check_header(f, e)) < 0 || (r = take_digest(f, &p.sha256, e)) < 0 || (r = check_name(f, &p, e)) < 0 ||
            (r = check_signature(a, f, &p, e)) < 0)
                return r;
        p.size = f->size;
        if (!(p.origin = strdup(path_basename(path))))
                return error_oom(e);
        text_clean(p.origin, 255);
        for (size_t i = 0; i < a->packages.n; i++)
                if (streq(a->packages.v[i].file, p.file))
                        return streq(a->packages.v[i].sha256, p.sha256) ? 0 :
                               error_set(e, EEXIST, EXIT_DIFFERS, "%s: another file of these is %s, too, with other bytes", path, p.file);
        return strv_append(&a->sources, path) < 0 ? error_oom(e) : added_append(&a->packages, &p, e);
}

/* Whether its name is free, or its own already. */
static int check_place(const Adding *a, AddedPackage *p, Error *e) {
        _cleanup_(added_package_clear) AddedPackage there = {};
        _cleanup_free_ char *path = path_join(a->folder, p->file);
        char hex[SHA256_HEX_SIZE];
        int r;

        if (!path)
                return error_oom(e);
        r = sha256_file(AT_FDCWD, path, hex);
        if (r < 0 && r != -ENOENT)
                return error_unreadable(e, -r, path);
        p->changed = p->is_new = r < 0;
        if (r < 0)
                return 0;
        if ((r = added_load(a->folder, p->file, &there, e)) < 0)
                return r;
        if (r == 0 || !streq(hex, p->sha256))
                return error_hint(e, error_set(e, EEXIST, EXIT_DIFFERS, "%s: %s is there already%s", path, p->file, r == 0 ? ", and was built here" : ", with other bytes"),
                                  r == 0 ? "give the package another name, version or release" : "to replace it: gn8v-tee-repo remove %s", p->file);
        p->changed = !streq(there.sha256, p->sha256) || !streq(there.signer ? there.signer : "", p->signer ? p->signer : "");
        return 0;
}

static int write_key(const Adding *a, const char *fingerprint, Error *e) {
        _cleanup_free_ char *path = format("%s/" ADDED_KEY "%s", a->folder, fingerprint), *text = NULL;
        const OpenpgpKey *key = NULL;
        int r;

        for (size_t i = 0; i < a->n_keys; i++)
                if (streq(a->keys[i].fingerprint, fingerprint))
                        key = a->keys[i].key;
        text = key ? openpgp_armor("PUBLIC KEY BLOCK", key->packets, key->size) : NULL;
        if (!path || !text)
                return error_oom(e);
        r = write_file_atomic(AT_FDCWD, path, text, strlen(text), 0644);
        return r < 0 ? error_errno(e, -r, "%s", path) : 0;
}

static int write_record(const Adding *a, const AddedPackage *p, Error *e) {
        _cleanup_free_ char *path = format("%s/%s.json", a->folder, p->file), *text = NULL, *line = NULL;
        _cleanup_(jsonp) json_t *j = added_record(p);
        int r;

        text = j ? json_dumps(j, JSON_SORT_KEYS | JSON_INDENT(2)) : NULL;
        line = text ? format("%s\n", text) : NULL;
        if (!path || !line)
                return error_oom(e);
        r = write_file_atomic(AT_FDCWD, path, line, strlen(line), 0644);
        return r < 0 ? error_errno(e, -r, "%s", path) : 0;
}

/* The very bytes that were checked. */
static int copy_file(const Adding *a, const char *from, const AddedPackage *p, Error *e) {
        _cleanup_free_ char *to = path_join(a->folder, p->file), *temporary = format("%s/.%s.%d.tmp", a->folder, p->file, (int) getpid());
        _cleanup_close_ int in = open(from, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY), out = -1;
        char hex[SHA256_HEX_SIZE];
        int r;

        if (!to || !temporary)
                return error_oom(e);
        if (in < 0)
                return error_errno(e, errno, "%s", from);
        out = open(temporary, O_RDWR | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC, 0644);
        if (out < 0)
                return error_errno(e, errno, "%s", temporary);
        if ((r = copy_bytes(in, out)) < 0 || (r = lseek(out, 0, SEEK_SET) < 0 ? -errno : sha256_fd(out, hex)) < 0 || (r = fchmod(out, 0644) < 0 || fsync(out) < 0 ? -errno : 0) < 0)
                r = error_errno(e, -r, "%s", to);
        else if (!streq(hex, p->sha256))
                r = error_set(e, EBUSY, EXIT_FAILED, "%s: it changed while it was read", from);
        else if (rename(temporary, to) < 0 || (r = fsync_parent(AT_FDCWD, to)) < 0)
                r = error_errno(e, r < 0 ? -r : errno, "%s", to);
        if (r < 0)
                (void) unlink(temporary);
        return r;
}

/* Key and record first: a package without them would be refused by publish, and they without a package are nothing. */
static int place(const Adding *a, const char *from, AddedPackage *p, const char *date, Error *e) {
        int r;

        if (!p->changed)
                return 0;
        if (!(p->date = strndup(date, 10)))
                return error_oom(e);
        if ((p->signer && (r = write_key(a, p->signer, e)) < 0) || (r = write_record(a, p, e)) < 0)
                return r;
        return p->is_new ? copy_file(a, from, p, e) : 0;
}

static int place_all(Adding *a, const char *date, Error *e) {
        int r = 0;

        for (size_t i = 0; r >= 0 && i < a->packages.n; i++)
                r = place(a, a->sources[i], &a->packages.v[i], date, e);
        /* None of them, then. */
        if (r < 0)
                (void) added_take_back(a->o->workspace, a->folder, &a->packages, NULL);
        return r;
}

int packages_add(const AddOptions *o, AddedPackages *ret, Error *e) {
        _cleanup_(adding_done) Adding a = { .o = o };
        _cleanup_free_ char *date = NULL;
        int64_t now;
        int r;

        index_setup();
        if ((r = load_keys(&a, e)) < 0)
                return r;
        STRV_FOREACH(file, o->files)
                if ((r = check_file(&a, *file, e)) < 0)
                        return r;
        if ((r = freshness_now(&now, e)) < 0)
                return r;
        if (!(date = freshness_date(now)))
                return error_oom(e);
        if ((r = added_open(o->workspace, &a.store, &a.folder, &a.ended, e)) < 0)
                return r;
        for (size_t i = 0; i < a.packages.n; i++)
                if ((r = check_place(&a, &a.packages.v[i], e)) < 0)
                        return r;
        if ((r = place_all(&a, date, e)) < 0)
                return r;
        *ret = a.packages;
        a.packages = (AddedPackages){};
        return 0;
}
