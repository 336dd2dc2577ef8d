/* SPDX-License-Identifier: Apache-2.0 */
/* verify: key, signature, repomd.xml and the files that it names. */
#include "repo/verify-chain.h"

#include <fcntl.h>
#include <inttypes.h>
#include <sys/stat.h>

#include "basic/fs.h"
#include "basic/strings.h"
#include "repo/gzip.h"
#include "repo/metadata.h"
#include "repo/openpgp-read.h"
#include "repo/repo-file.h"
#include "repo/serials.h"
#include "repo/signer.h"

#define KEY_FILE_MAX (1024 * 1024)

int verify_open(Verify *v, const char *path, int *ret_fd) {
        _cleanup_close_ int fd = open_beneath(v->repo_fd, path, O_RDONLY | O_NONBLOCK | O_NOCTTY, 0);
        struct stat st;

        if (fd < 0)
                return error_errno(verify_why(v), -fd, "%s/%s", v->o->repo, path);
        if (fstat(fd, &st) < 0 || !S_ISREG(st.st_mode))
                return error_set(verify_why(v), EBADMSG, EXIT_INVALID, "%s/%s: not a regular file", v->o->repo, path);
        *ret_fd = TAKE_FD(fd);
        return 0;
}

int verify_read(Verify *v, const char *path, size_t max, char **ret, size_t *ret_size) {
        _cleanup_close_ int fd = -1;
        int r = verify_open(v, path, &fd);

        if (r < 0)
                return r;
        r = read_fd(fd, max, ret, ret_size);
        return r == -EFBIG ? error_set(verify_why(v), EFBIG, EXIT_INVALID, "%s/%s: more than %zu bytes", v->o->repo, path, max)
             : r < 0       ? error_errno(verify_why(v), -r, "%s/%s", v->o->repo, path) : 0;
}

/* A key or a signature: if it is armored, then so that every client can read it. */
static int read_armored(Verify *v, const char *path, char **ret, size_t *ret_size) {
        _cleanup_free_ unsigned char *packets = NULL;
        _cleanup_free_ char *text = NULL;
        size_t size;
        int r = verify_read(v, path, KEY_FILE_MAX, &text, ret_size);

        if (r < 0)
                return r == -ENOENT ? error_hint(verify_why(v), r, v->copy ? "copy it again: `gn8v-tee-repo mirror`" : "publish first, or again") : r;
        if (startswith(text, "-----BEGIN") && openpgp_read_blocks(text, *ret_size, &packets, &size) < 0)
                return error_set(verify_why(v), EBADMSG, EXIT_INVALID, "%s/%s: it is damaged: what its lines hold and their sum differ", v->o->repo, path);
        *ret = TAKE_PTR(text);
        return 0;
}

static int read_keys(Verify *v, const char *path, char **ret_text, Keyring **ret) {
        size_t size;
        int r = read_armored(v, path, ret_text, &size);

        return r < 0 ? r : keyring_new(*ret_text, size, path, ret, verify_why(v));
}

static int take_pins(Verify *v, char ***ret) {
        STRV_FOREACH(s, v->o->keys) {
                _cleanup_free_ char *pin = NULL;
                int r = fingerprint_normalize(*s, &pin, verify_why(v));

                if (r < 0)
                        return r;
                if (strv_append(ret, pin) < 0)
                        return error_oom(verify_why(v));
        }
        return 0;
}

/* All of the keys in a file are among those. */
static int check_keys(Verify *v, const char *path, const Keyring *k, char *const *wanted) {
        _cleanup_free_ char *names = strv_join(wanted, " or ");

        if (!names)
                return error_oom(verify_why(v));
        STRV_FOREACH(s, keyring_fingerprints(k))
                if (!strv_contains(wanted, *s))
                        return verify_untrusted(v, "%s/%s: it is key %s, not %s", v->o->repo, path, *s, names);
        return 0;
}

/* A copy of what nobody had signed, or was to have signed: its packages may be signed all the same. */
static bool is_unsigned_copy(const Verify *v) {
        return v->copy && streq(v->copy->key, "none") && faccessat(v->repo_fd, REPO_KEY_FILE, F_OK, AT_SYMLINK_NOFOLLOW) < 0;
}

/* The fingerprints, which are all that has to be known beforehand. */
int verify_key(Verify *v) {
        _cleanup_(keyring_freep) Keyring *beside = NULL;
        _cleanup_free_ char *names = NULL, *text = NULL;
        bool has_beside;
        int r;

        (void) verify_begin(v, "key", "%s", REPO_KEY_FILE);
        if ((r = take_pins(v, &v->pins)) < 0)
                return r;
        if (is_unsigned_copy(v))
                return verify_unchecked(v, "nobody's signature on the metadata was asked for when they were copied");
        if ((r = read_keys(v, REPO_KEY_FILE, &text, &v->keyring)) < 0)
                return r;
        STRV_FOREACH(s, keyring_fingerprints(v->keyring))
                if (strv_append(&v->report->keys, *s) < 0)
                        return error_oom(verify_why(v));
        if (v->pins && (r = check_keys(v, REPO_KEY_FILE, v->keyring, v->pins)) < 0)
                return r;
        /* Not everybody's repository has it. */
        has_beside = !v->copy || faccessat(v->repo_fd, "repodata/repomd.xml.key", F_OK, AT_SYMLINK_NOFOLLOW) == 0;
        if (has_beside && ((r = read_keys(v, "repodata/repomd.xml.key", &v->key_text, &beside)) < 0 ||
                           (r = check_keys(v, "repodata/repomd.xml.key", beside, v->report->keys)) < 0 ||
                           (r = check_keys(v, REPO_KEY_FILE, v->keyring, keyring_fingerprints(beside))) < 0))
                return r;
        names = strv_join(v->report->keys, " and ");
        (void) verify_begin(v, "key", "%s%s", names ? names : "", v->pins || v->copy ? "" : " (" VERIFY_FOUND_BESIDE ")");
        return v->pins || !v->copy ? verify_passed(v) : verify_unchecked(v, VERIFY_FOUND_BESIDE);
}

/* Signed by every key that clients are given: who has only one of them has to be able to go on. */
int verify_signature(Verify *v) {
        _cleanup_strv_ char **signers = NULL, **unknown = NULL;
        _cleanup_free_ char *signature = NULL;
        size_t size;
        int r;

        (void) verify_begin(v, "signature", "repomd.xml");
        if ((r = verify_read(v, "repodata/repomd.xml", REPOMD_MAX, &v->repomd_text, &v->repomd_size)) < 0 || !v->keyring)
                return r;
        if ((r = read_armored(v, "repodata/repomd.xml.asc", &signature, &size)) < 0 ||
            (r = keyring_verify(v->keyring, v->repomd_text, v->repomd_size, signature, size, "repomd.xml", &signers, &unknown, verify_why(v))) < 0)
                return r;
        /* Of those that signed what was copied, not all need have been pinned. */
        if (unknown && !v->copy)
                return verify_untrusted(v, "repomd.xml: key %s signed it, too, which is not in %s", unknown[0], REPO_KEY_FILE);
        STRV_FOREACH(s, v->report->keys)
                if (!strv_contains(signers, *s))
                        return verify_untrusted(v, "repomd.xml: key %s did not sign it, though clients are given that key", *s);
        return verify_passed(v);
}

/* As publish writes it: one gzip stream that ends where the file ends. What others read of more than that, nobody knows. */
static int unpack_stream(Verify *v, int fd, const char *name, const RepomdFile *f, char **ret, size_t *ret_size) {
        _cleanup_free_ char *packed = NULL, *text = NULL;
        char hex[SHA256_HEX_SIZE];
        size_t packed_size, size;
        int r;

        if (lseek(fd, 0, SEEK_SET) < 0 || (r = read_fd(fd, METADATA_MAX, &packed, &packed_size)) < 0)
                return error_set(verify_why(v), EIO, EXIT_FAILED, "%s: cannot be read", name);
        if (f->open_size > metadata_text_max(packed_size))
                return error_set(verify_why(v), EFBIG, EXIT_INVALID, "%s: it says that it unpacks to %" PRIu64 " bytes, which is too much", name, f->open_size);
        r = gzip_unpack(packed, packed_size, f->open_size, &text, &size);
        if (r == -ENOMEM)
                return error_oom(verify_why(v));
        if (r < 0)
                return error_set(verify_why(v), -r, EXIT_INVALID, "%s: %s", name, r == -EFBIG ? "it unpacks to more than repomd.xml says" :
                                 "it is not one gzip stream with nothing behind it");
        if (size != f->open_size)
                return verify_untrusted(v, "%s: its size, unpacked, is not what repomd.xml says", name);
        if (sha256_buffer(text, size, hex) < 0)
                return error_oom(verify_why(v));
        if (!streq(hex, f->open_checksum))
                return verify_untrusted(v, "%s: its content is not what repomd.xml says", name);
        *ret = TAKE_PTR(text);
        *ret_size = size;
        return 0;
}

/* One whose metadata this program did not write. */
static bool is_foreign_copy(const Verify *v) {
        return v->copy && v->repomd->freshness.serial == 0;
}

/* One metadata file: digest and size, packed and unpacked. With ret the text is kept. */
static int check_metadata_file(Verify *v, const RepomdFile *f, char **ret, size_t *ret_size) {
        bool strict = ret && endswith(f->href, ".xml.gz") && v->repomd->freshness.serial > 0 && f->open_checksum;
        _cleanup_free_ char *name = path_join(v->o->repo, f->href);
        RepomdFile packed = *f;
        _cleanup_close_ int fd = -1;
        int r;

        (void) verify_begin(v, "repomd", "%s", f->href);
        if (!name)
                return error_oom(verify_why(v));
        if (strict)
                packed.open_checksum = NULL; /* nothing is unpacked */
        if ((r = verify_open(v, f->href, &fd)) < 0 ||
            (r = metadata_check_up_to(fd, name, &packed, !v->copy ? metadata_text_max(f->size) : ret ? METADATA_TEXT_MAX : METADATA_OPEN_MAX, strict ? NULL : ret, ret_size,
                                      verify_why(v))) < 0 ||
            (strict && (r = unpack_stream(v, fd, name, f, ret, ret_size)) < 0))
                return r;
        return verify_passed(v);
}

/* That a file of metadata tells of the packages of primary.xml, of each once, in the same order. */
static int take_others(Verify *v, size_t stream, size_t size) {
        static const char *const roots[] = { [INDEX_FILELISTS] = "filelists", [INDEX_OTHER] = "otherdata" };
        static const char *const names[] = { [INDEX_FILELISTS] = "filelists.xml", [INDEX_OTHER] = "other.xml" };
        size_t n;
        int r;

        (void) verify_begin(v, "primary", "%s", names[stream]);
        if ((r = xml_packages_parse(v->texts[stream], size, names[stream], roots[stream], &v->others[stream], &n, verify_why(v))) < 0)
                return r;
        for (size_t i = 0; i < n && i < v->primary->n_packages; i++)
                if (!streq(v->others[stream][i].pkgid, v->primary->packages[i]->checksum)) {
                        xml_packages_free(v->others[stream], n);
                        v->others[stream] = NULL;
                        return verify_untrusted(v, "%s: where primary.xml has %s it has another package", names[stream], v->primary->packages[i]->nevra);
                }
        if (n != v->primary->n_packages) {
                xml_packages_free(v->others[stream], n);
                v->others[stream] = NULL;
                return verify_untrusted(v, "%s: it has %zu packages, primary.xml has %zu", names[stream], n, v->primary->n_packages);
        }
        v->n_others = n;
        return 0;
}

static int take_packages(Verify *v, const size_t sizes[static INDEX_STREAMS]) {
        bool ours = v->repomd->freshness.serial > 0;
        int r;

        (void) verify_begin(v, "primary", "primary.xml");
        r = (v->copy ? primary_parse_foreign : primary_parse)(v->texts[INDEX_PRIMARY], sizes[INDEX_PRIMARY], "primary.xml", &v->primary, ours ? &v->fragments : NULL, verify_why(v));
        if (r < 0)
                return r;
        v->header_sha256 = calloc(v->primary->n_packages + 1, sizeof(*v->header_sha256));
        if (!v->header_sha256)
                return error_oom(verify_why(v));
        index_setup();
        return !ours ? 0 : (r = take_others(v, INDEX_FILELISTS, sizes[INDEX_FILELISTS])) < 0 ? r : take_others(v, INDEX_OTHER, sizes[INDEX_OTHER]);
}

int verify_metadata(Verify *v) {
        static const char *const types[INDEX_STREAMS] = { "primary", "filelists", "other" };
        size_t sizes[INDEX_STREAMS] = {};
        int r;

        (void) verify_begin(v, "repomd", "repomd.xml");
        r = (v->copy ? repomd_parse_foreign : repomd_parse)(v->repomd_text, v->repomd_size, "repomd.xml", &v->repomd, verify_why(v));
        if (r < 0)
                return r;
        if (!repomd_find(v->repomd, "primary") || (!is_foreign_copy(v) && (!repomd_find(v->repomd, "filelists") || !repomd_find(v->repomd, "other"))))
                return error_set(verify_why(v), EBADMSG, EXIT_INVALID, "repomd.xml: it names no primary, filelists or other");
        for (size_t i = 0; i < v->repomd->n_files; i++) {
                const RepomdFile *f = &v->repomd->files[i];
                size_t stream = 0;

                while (stream < INDEX_STREAMS && !streq(f->type, types[stream]))
                        stream++;
                /* Of somebody else's, only the packages are read. */
                if (stream != INDEX_PRIMARY && v->repomd->freshness.serial == 0)
                        stream = INDEX_STREAMS;
                r = check_metadata_file(v, f, stream < INDEX_STREAMS ? &v->texts[stream] : NULL, &sizes[MIN(stream, (size_t) INDEX_OTHER)]);
                if (r < 0)
                        return r;
        }
        return take_packages(v, sizes);
}

/* That it is no older state than what was here before, and has not expired. */
int verify_freshness(Verify *v) {
        uint64_t known = 0, published = 0;
        int64_t now;
        int r;

        if (is_foreign_copy(v))
                return 0; /* there is none to be checked */
        (void) verify_begin(v, "freshness", "serial %" PRIu64, v->repomd->freshness.serial);
        if (v->has_workspace && (r = serial_known(v->o->workspace, v->o->repo, v->report->keys, &known, verify_why(v))) < 0)
                return r;
        if ((r = freshness_clock(&now, verify_why(v))) < 0 ||
            (r = freshness_check(&v->repomd->freshness, MAX(known, v->o->at_least), now, "repomd.xml", verify_why(v))) < 0)
                return r;
        if (v->repomd->freshness.serial == 0 && v->has_workspace && v->o->all)
                return error_set(verify_why(v), EBADMSG, EXIT_INVALID, "%s/repodata/repomd.xml: it has no serial, and publish always writes one", v->o->repo);
        /* Its revision is the time of its newest package: a clock that is behind that cannot tell what has expired. */
        if (v->repomd->freshness.expires > 0 && v->repomd->revision && parse_u64(v->repomd->revision, &published) == 0 && (uint64_t) now < published)
                return verify_unchecked(v, "this machine's clock is behind the time at which it was made: set the clock");
        return v->repomd->freshness.serial > 0 ? verify_passed(v) : verify_unchecked(v, "repomd.xml has no serial");
}
