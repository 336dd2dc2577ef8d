/* SPDX-License-Identifier: Apache-2.0 */
#include "repo/verify.h"

#include <fcntl.h>
#include <inttypes.h>
#include <pthread.h>
#include <stdarg.h>
#include <sys/stat.h>

#include "basic/fs.h"
#include "basic/strings.h"
#include "repo/gzip.h"
#include "repo/inputs.h"
#include "repo/keyring.h"
#include "repo/parallel.h"
#include "repo/payload.h"
#include "repo/repo-file.h"
#include "repo/rpmmd.h"
#include "repo/serials.h"
#include "repo/signer.h"
#include "repo/vendor-rpm.h"

#define KEY_FILE_MAX  (1024 * 1024)
#define REPOMD_MAX    (4 * 1024 * 1024)
#define METADATA_MAX  (512 * 1024 * 1024) /* unpacked: 100 times what ours will ever be */
#define CHUNK         (1024 * 1024)
#define WINDOW        512 /* packages that are looked at before what was found is told */

/* Archives that were described: a driver's is asked for twice. */
typedef struct Archives {
        pthread_mutex_t lock;
        WrapList **lists;
        char **lists_of; /* digests, in the same order */
} Archives;

typedef struct Verify {
        const VerifyOptions *o;
        VerifyReport *report;
        const char *link; /* that is being checked */
        char *subject;
        int repo_fd;
        Inputs *inputs;
        bool has_workspace;
        Keyring *keyring;
        char *repomd_text;
        size_t repomd_size;
        Repomd *repomd;
        Primary *primary;
        Archives *archives;
        pthread_mutex_t *vendor; /* librpm's messages are one for all */
} Verify;

VerifyReport *verify_report_free(VerifyReport *r) {
        if (!r)
                return NULL;
        for (size_t i = 0; i < r->n_links; i++) {
                free(r->links[i].subject);
                free(r->links[i].detail);
        }
        free(r->links);
        error_clear(&r->error);
        free(r->fingerprint);
        free(r);
        return NULL;
}

static void verify_done(Verify *v) {
        verify_report_free(v->report);
        free(v->subject);
        safe_close(v->repo_fd);
        inputs_free(v->inputs);
        keyring_free(v->keyring);
        free(v->repomd_text);
        repomd_free(v->repomd);
        primary_free(v->primary);
        for (size_t i = 0, n = strv_length(v->archives->lists_of); i < n; i++)
                wrap_list_free(v->archives->lists[i]);
        free(v->archives->lists);
        strv_free(v->archives->lists_of);
}

/* What follows is about this link. */
static int begin(Verify *v, const char *link, const char *fmt, ...) _printf_(3, 4);
static int begin(Verify *v, const char *link, const char *fmt, ...) {
        va_list ap;

        free(v->subject);
        va_start(ap, fmt);
        v->subject = format_va(fmt, ap);
        va_end(ap);
        v->link = link;
        return v->subject ? 0 : -ENOMEM;
}

/* Takes detail. */
static int conclude(Verify *v, VerifyState state, char *detail) {
        VerifyLink *grown = reallocarray(v->report->links, v->report->n_links + 1, sizeof(*grown)), *l;

        if (!grown || !v->subject) {
                free(detail);
                return -ENOMEM;
        }
        v->report->links = grown;
        l = &grown[v->report->n_links++];
        *l = (VerifyLink){ .link = v->link, .subject = TAKE_PTR(v->subject), .state = state, .detail = detail };
        v->report->n_unchecked += state == VERIFY_UNCHECKED;
        if (v->o->tell)
                v->o->tell(v->o->data, l);
        return 0;
}

static int passed(Verify *v) {
        return conclude(v, VERIFY_OK, NULL);
}

static int unchecked(Verify *v, const char *why) {
        char *detail = strdup(why);
        return detail ? conclude(v, VERIFY_UNCHECKED, detail) : -ENOMEM;
}

static Error *why(Verify *v) {
        return &v->report->error;
}

/* For most of what can be found. */
#define untrusted(v, ...) error_set(why(v), EKEYREJECTED, EXIT_UNTRUSTED, __VA_ARGS__)

/* That each lock that is there can be read: inputs_load() reads them again, but what it cannot read need not be a lock. */
static int read_locks(Verify *v) {
        for (size_t i = 0; i < v->o->n_releases; i++) {
                _cleanup_free_ char *name = release_name(v->o->releases[i]), *path = name ? format("%s/locks/%s.lock", v->o->workspace, name) : NULL;
                _cleanup_(lock_freep) Lock *lock = NULL;
                int r;

                if (!path || begin(v, "lock", "%s", name) < 0)
                        return error_oom(why(v));
                if (access(path, F_OK) == 0 && (r = lock_load(path, &lock, why(v))) < 0)
                        return r;
        }
        return 0;
}

/* Release file to lock, and the records, which have to be readable. */
static int check_locks(Verify *v) {
        int r = read_locks(v);

        if (r < 0)
                return r;
        (void) begin(v, "lock", "%s", v->o->workspace);
        r = inputs_load(v->o->workspace, v->o->releases, v->o->n_releases, false, &v->inputs, why(v));
        if (r < 0) {
                if (r != -ESTALE)
                        v->link = "record";
                return r;
        }
        for (size_t i = 0; i < v->inputs->n_releases; i++) {
                const InputRelease *ir = &v->inputs->releases[i];

                (void) begin(v, "lock", "%s", ir->name);
                r = ir->lock ? passed(v) : unchecked(v, "its lock is not here");
                if (r < 0)
                        return r;
                v->has_workspace = v->has_workspace || ir->lock;
        }
        v->has_workspace = v->has_workspace || v->inputs->n_packages > 0;
        return 0;
}

static int hash_stored(Verify *v, const char *path, const char *sha256) {
        char hex[SHA256_HEX_SIZE];
        int r = sha256_file(AT_FDCWD, path, hex);

        if (r == -ENOENT)
                return unchecked(v, "it is not in the store");
        if (r < 0)
                return error_errno(why(v), -r, "%s", path);
        if (!streq(hex, sha256))
                return error_hint(why(v), untrusted(v, "%s: its SHA-256 is %s, not the one its lock has", path, hex),
                                  "remove it, and fetch again");
        return passed(v);
}

/* Lock to stored artifact: every one is read again. */
static int check_store(Verify *v) {
        _cleanup_strv_ char **seen = NULL;
        int r;

        for (size_t i = 0; i < v->inputs->n_releases; i++) {
                const InputRelease *ir = &v->inputs->releases[i];

                for (size_t j = 0; ir->lock && j < ir->lock->n_artifacts; j++) {
                        const LockedArtifact *a = ir->lock->artifacts[j];
                        _cleanup_free_ char *path = format("%s/store/sha256/%.2s/%s", v->o->workspace, a->sha256, a->sha256);

                        if (!path)
                                return error_oom(why(v));
                        if (strv_contains(seen, a->sha256))
                                continue;
                        (void) begin(v, "store", "%s", a->filename);
                        if ((r = hash_stored(v, path, a->sha256)) < 0)
                                return r;
                        if (strv_append(&seen, a->sha256) < 0)
                                return error_oom(why(v));
                }
        }
        return 0;
}

/* The first one of its record: what several releases share was built with that one's file. */
static const InputRelease *release_of(const Verify *v, const InputPackage *p) {
        STRV_FOREACH(s, p->releases)
                for (size_t i = 0; i < v->inputs->n_releases; i++)
                        if (streq(v->inputs->releases[i].name, *s))
                                return &v->inputs->releases[i];
        return NULL;
}

/* Stored artifact to build record: the package was made from the very file that each of its releases locks. */
static int check_record_artifact(Verify *v, const InputPackage *p) {
        if (!p->artifact)
                return 0;
        for (size_t i = 0; i < v->inputs->n_releases; i++) {
                const InputRelease *ir = &v->inputs->releases[i];
                const LockedArtifact *a;

                if (!ir->lock || !strv_contains(p->releases, ir->name))
                        continue;
                a = lock_find(ir->lock, p->artifact);
                if (!a || !p->artifact_sha256 || !streq(a->sha256, p->artifact_sha256))
                        return error_hint(why(v), untrusted(v, "%s.json: %s was made from another file than %s locks", p->path,
                                                            p->file, ir->name), "build it again");
        }
        return 0;
}

static int check_records(Verify *v) {
        for (size_t i = 0; i < v->inputs->n_packages; i++) {
                const InputPackage *p = v->inputs->packages[i];
                char hex[SHA256_HEX_SIZE];
                int r;

                if (p->signer)
                        continue;
                (void) begin(v, "record", "%s", p->file);
                if ((r = check_record_artifact(v, p)) < 0)
                        return r;
                r = sha256_file(AT_FDCWD, p->path, hex);
                if (r < 0)
                        return error_errno(why(v), -r, "%s", p->path);
                if (!streq(hex, p->sha256))
                        return error_hint(why(v), untrusted(v, "%s: its SHA-256 is %s, not the one its build record has", p->path, hex),
                                          "build it again");
                if ((r = passed(v)) < 0)
                        return r;
        }
        return 0;
}

/* A small file of the repository; hostile. */
static int read_repo_file(Verify *v, const char *path, size_t max, char **ret, size_t *ret_size) {
        _cleanup_close_ int fd = open_beneath(v->repo_fd, path, O_RDONLY | O_NONBLOCK | O_NOCTTY, 0);
        struct stat st;
        int r;

        if (fd < 0)
                return error_errno(why(v), -fd, "%s/%s", v->o->repo, path);
        if (fstat(fd, &st) < 0 || !S_ISREG(st.st_mode))
                return error_set(why(v), EBADMSG, EXIT_INVALID, "%s/%s: not a regular file", v->o->repo, path);
        r = read_fd(fd, max, ret, ret_size);
        return r == -EFBIG ? error_set(why(v), EFBIG, EXIT_INVALID, "%s/%s: more than %zu bytes", v->o->repo, path, max)
             : r < 0       ? error_errno(why(v), -r, "%s/%s", v->o->repo, path) : 0;
}

/* A key or a signature: if it is armored, then so that every client can read it. */
static int read_armored(Verify *v, const char *path, char **ret, size_t *ret_size) {
        _cleanup_free_ char *text = NULL;
        int r = read_repo_file(v, path, KEY_FILE_MAX, &text, ret_size);

        if (r < 0)
                return r == -ENOENT ? error_hint(why(v), r, "publish first, or again") : r;
        if (startswith(text, "-----BEGIN") && !openpgp_armor_is_whole(text))
                return error_set(why(v), EBADMSG, EXIT_INVALID, "%s/%s: it is damaged: what its lines hold and their sum differ", v->o->repo, path);
        *ret = TAKE_PTR(text);
        return 0;
}

/* The fingerprint, which is all that has to be known beforehand. */
static int check_key(Verify *v) {
        _cleanup_free_ char *text = NULL, *wanted = NULL, *again = NULL;
        _cleanup_(keyring_freep) Keyring *beside = NULL;
        size_t size;
        int r;

        (void) begin(v, "key", "%s", REPO_KEY_FILE);
        if (v->o->key && (r = fingerprint_normalize(v->o->key, &wanted, why(v))) < 0)
                return r;
        if ((r = read_armored(v, REPO_KEY_FILE, &text, &size)) < 0 || (r = keyring_new(text, size, REPO_KEY_FILE, &v->keyring, why(v))) < 0)
                return r;
        v->report->fingerprint = strdup(keyring_fingerprint(v->keyring));
        if (!v->report->fingerprint)
                return error_oom(why(v));
        if (wanted && !streq(wanted, v->report->fingerprint))
                return untrusted(v, "%s/%s: it is key %s, not %s", v->o->repo, REPO_KEY_FILE, v->report->fingerprint, wanted);
        if ((r = read_armored(v, "repodata/repomd.xml.key", &again, &size)) < 0 ||
            (r = keyring_new(again, size, "repodata/repomd.xml.key", &beside, why(v))) < 0)
                return r;
        if (!streq(keyring_fingerprint(beside), v->report->fingerprint))
                return untrusted(v, "%s/repodata/repomd.xml.key: it is key %s, not %s", v->o->repo, keyring_fingerprint(beside),
                                 v->report->fingerprint);
        (void) begin(v, "key", "%s%s", v->report->fingerprint, wanted ? "" : " (found beside the repository: compare it, or give --key)");
        return passed(v);
}

static int check_signature(Verify *v) {
        _cleanup_free_ char *signature = NULL;
        size_t size;
        int r;

        (void) begin(v, "signature", "repomd.xml");
        if ((r = read_repo_file(v, "repodata/repomd.xml", REPOMD_MAX, &v->repomd_text, &v->repomd_size)) < 0 ||
            (r = read_armored(v, "repodata/repomd.xml.asc", &signature, &size)) < 0 ||
            (r = keyring_verify(v->keyring, v->repomd_text, v->repomd_size, signature, size, "repomd.xml", why(v))) < 0)
                return r;
        return passed(v);
}

static int metadata_differs(Verify *v, const RepomdFile *f, const char *what) {
        return untrusted(v, "%s/%s: %s is not what repomd.xml says", v->o->repo, f->href, what);
}

/* One metadata file: digest and size, packed and unpacked. The text is kept for whoever needs it. */
static int check_metadata_file(Verify *v, const RepomdFile *f, char **ret, size_t *ret_size) {
        _cleanup_free_ char *packed = NULL, *open = NULL;
        char hex[SHA256_HEX_SIZE];
        size_t size, open_size = 0;
        int r;

        (void) begin(v, "repomd", "%s", f->href);
        r = read_repo_file(v, f->href, METADATA_MAX, &packed, &size);
        if (r < 0)
                return r;
        if (size != f->size)
                return metadata_differs(v, f, "its size");
        if (sha256_buffer(packed, size, hex) < 0 || !streq(hex, f->checksum))
                return metadata_differs(v, f, "its SHA-256");
        if (f->open_checksum) {
                if (f->open_size > METADATA_MAX)
                        return error_set(why(v), EFBIG, EXIT_INVALID, "%s/%s: it is too large", v->o->repo, f->href);
                r = gzip_unpack(packed, size, (size_t) f->open_size, &open, &open_size);
                if (r < 0)
                        return error_set(why(v), -r, EXIT_INVALID, "%s/%s: it cannot be unpacked to the size repomd.xml says", v->o->repo, f->href);
                if (open_size != f->open_size || sha256_buffer(open, open_size, hex) < 0 || !streq(hex, f->open_checksum))
                        return metadata_differs(v, f, "its content");
        }
        if (ret) {
                *ret = f->open_checksum ? TAKE_PTR(open) : TAKE_PTR(packed);
                *ret_size = f->open_checksum ? open_size : size;
        }
        return passed(v);
}

static int check_metadata(Verify *v) {
        _cleanup_free_ char *text = NULL;
        size_t size = 0;
        int r;

        (void) begin(v, "repomd", "repomd.xml");
        r = repomd_parse(v->repomd_text, v->repomd_size, "repomd.xml", &v->repomd, why(v));
        if (r < 0)
                return r;
        if (!repomd_find(v->repomd, "primary") || !repomd_find(v->repomd, "filelists") || !repomd_find(v->repomd, "other"))
                return error_set(why(v), EBADMSG, EXIT_INVALID, "repomd.xml: it names no primary, filelists or other");
        for (size_t i = 0; i < v->repomd->n_files; i++) {
                const RepomdFile *f = &v->repomd->files[i];
                bool primary = streq(f->type, "primary");

                r = check_metadata_file(v, f, primary ? &text : NULL, &size);
                if (r < 0)
                        return r;
        }
        (void) begin(v, "primary", "primary.xml");
        return primary_parse(text, size, "primary.xml", &v->primary, why(v));
}

/* That it is no older state than what was here before, and has not expired. */
static int check_freshness(Verify *v) {
        uint64_t known = 0;
        int64_t now;
        int r;

        (void) begin(v, "freshness", "serial %" PRIu64, v->repomd->freshness.serial);
        if (v->has_workspace && (r = serial_known(v->o->workspace, v->o->repo, v->report->fingerprint, &known, why(v))) < 0)
                return r;
        if ((r = freshness_now(&now, why(v))) < 0 ||
            (r = freshness_check(&v->repomd->freshness, MAX(known, v->o->at_least), now, "repomd.xml", why(v))) < 0)
                return r;
        return v->repomd->freshness.serial > 0 ? passed(v) : unchecked(v, "repomd.xml has no serial");
}

static const InputPackage *input_of(const Verify *v, const PrimaryPackage *p) {
        return inputs_find(v->inputs, path_basename(p->href));
}

static bool is_published(const Verify *v, const InputPackage *in) {
        for (size_t i = 0; i < v->primary->n_packages; i++)
                if (streq(path_basename(v->primary->packages[i]->href), in->file))
                        return true;
        return false;
}

static bool is_release_published(const Verify *v, const InputRelease *ir) {
        _cleanup_free_ char *meta = release_metapackage(ir->release), *start = meta ? format("%s-%s-%s.", meta, ir->release->version, ir->release->revision) : NULL;

        for (size_t i = 0; start && i < v->primary->n_packages; i++)
                if (startswith(path_basename(v->primary->packages[i]->href), start))
                        return true;
        return false;
}

/* Whether a package has to be there: one of its releases is, or it belongs to all. */
static bool is_due(const Verify *v, const InputPackage *in) {
        if (strv_length(in->releases) == 0)
                return true;
        for (size_t i = 0; i < v->inputs->n_releases; i++)
                if (strv_contains(in->releases, v->inputs->releases[i].name) && is_release_published(v, &v->inputs->releases[i]))
                        return true;
        return false;
}

/* A repository may hold some releases only: the others are named. */
static int check_releases(Verify *v) {
        for (size_t i = 0; i < v->inputs->n_releases; i++) {
                int r;

                if (!v->has_workspace || is_release_published(v, &v->inputs->releases[i]))
                        continue;
                (void) begin(v, "primary", "%s", v->inputs->releases[i].name);
                r = unchecked(v, "this release is not published");
                if (r < 0)
                        return r;
        }
        return 0;
}

/* None missing, none too many. */
static int check_complete(Verify *v) {
        (void) begin(v, "primary", "%zu packages", v->primary->n_packages);
        if (!v->has_workspace)
                return unchecked(v, "no lock and no build record says which there have to be");
        for (size_t i = 0; i < v->inputs->n_packages; i++)
                if (is_due(v, v->inputs->packages[i]) && !is_published(v, v->inputs->packages[i]))
                        return error_hint(why(v), error_set(why(v), ENOENT, EXIT_UNTRUSTED, "primary.xml: %s is not in it", v->inputs->packages[i]->file),
                                          "if it was built since: publish");
        for (size_t i = 0; v->o->all && i < v->primary->n_packages; i++)
                if (!input_of(v, v->primary->packages[i]))
                        return error_set(why(v), EEXIST, EXIT_UNTRUSTED, "primary.xml: no lock and no build record has %s", v->primary->packages[i]->href);
        return passed(v);
}

/* The digest of the whole file and that of its payload, in one reading. */
static int digest_package(Verify *v, const RpmFile *f, char whole[static SHA256_HEX_SIZE], char payload[static SHA256_HEX_SIZE]) {
        _cleanup_(digest_freep) Digest *a = digest_new("sha256"), *b = digest_new("sha256");
        _cleanup_free_ unsigned char *buffer = malloc(CHUNK);
        _cleanup_free_ char *hex_a = NULL, *hex_b = NULL;
        uint64_t offset = 0;

        if (!a || !b || !buffer)
                return error_oom(why(v));
        for (;;) {
                /* A chunk never straddles the payload's beginning. */
                size_t want = offset < f->header_end ? (size_t) MIN((uint64_t) CHUNK, f->header_end - offset) : CHUNK;
                ssize_t n = pread(f->fd, buffer, want, (off_t) offset);

                if (n < 0 && errno == EINTR)
                        continue;
                if (n < 0)
                        return error_errno(why(v), errno, "%s", f->path);
                if (n == 0)
                        break;
                if (digest_update(a, buffer, (size_t) n) < 0 || (offset >= f->header_end && digest_update(b, buffer, (size_t) n) < 0))
                        return error_set(why(v), EIO, EXIT_FAILED, "SHA-256");
                offset += (uint64_t) n;
                progress_step(v->o->progress, (uint64_t) n);
        }
        hex_a = digest_hex(a);
        hex_b = digest_hex(b);
        if (!hex_a || !hex_b)
                return error_oom(why(v));
        memcpy(whole, hex_a, SHA256_HEX_SIZE);
        memcpy(payload, hex_b, SHA256_HEX_SIZE);
        return 0;
}

static int package_differs(Verify *v, const RpmFile *f, const char *what) {
        return untrusted(v, "%s/%s: %s", v->o->repo, f->path, what);
}

static int check_against_primary(Verify *v, const PrimaryPackage *p, const RpmFile *f) {
        char whole[SHA256_HEX_SIZE], payload[SHA256_HEX_SIZE];
        int r;

        if (f->size != p->size)
                return package_differs(v, f, "its size is not the one in primary.xml");
        if (!streq(f->nevra, p->nevra))
                return package_differs(v, f, "its name, version or architecture is not the one in primary.xml");
        if (f->header_start != p->header_start || f->header_end != p->header_end)
                return package_differs(v, f, "its header range is not the one in primary.xml");
        r = digest_package(v, f, whole, payload);
        if (r < 0)
                return r;
        if (f->payload_sha256 && !streq(payload, f->payload_sha256))
                return package_differs(v, f, "its payload is not the one that its header describes");
        return streq(whole, p->checksum) ? 0 : package_differs(v, f, "its SHA-256 is not the one in primary.xml");
}

static int check_vendor(Verify *v, const PrimaryPackage *p, const InputPackage *in) {
        _cleanup_free_ char *path = path_join(v->o->repo, p->href);
        int r;

        if (!path)
                return error_oom(why(v));
        if (!streq(p->checksum, in->sha256))
                return untrusted(v, "%s: it is not the vendor's file that the lock has", path);
        if (!in->signer_key || access(in->signer_key, R_OK) < 0)
                return unchecked(v, "the vendor's key is not in the store");
        (void) pthread_mutex_lock(v->vendor);
        r = vendor_rpm_check(path, in->signer_key, in->signer, NULL, why(v));
        (void) pthread_mutex_unlock(v->vendor);
        return r < 0 ? -EKEYREJECTED : passed(v);
}

/* Build record to signed package: the same header, which covers all the rest; and who signed it. */
static int check_own(Verify *v, const RpmFile *f, const InputPackage *in) {
        _cleanup_(rpm_file_freep) RpmFile *built = NULL;
        _cleanup_error_ Error ignored = ERROR_INIT;
        int r;

        if (!in && !v->has_workspace && keyring_verify_package(v->keyring, f, &ignored) < 0)
                return unchecked(v, "another key signed it, and no lock says which it has to be");
        if ((r = keyring_verify_package(v->keyring, f, why(v))) < 0)
                return r;
        if (!f->payload_sha256)
                return package_differs(v, f, "its header has no SHA-256 of the payload");
        if (!in)
                return unchecked(v, "its build record is not here");
        if ((r = rpm_file_open(AT_FDCWD, in->path, &built, why(v))) < 0)
                return r;
        if (!streq(built->header_sha256, f->header_sha256))
                return package_differs(v, f, "it is not the package that was built, signed");
        return passed(v);
}

static int describe_locked(Verify *v, const Release *release, const Artifact *a, const char *sha256, const WrapList **ret) {
        _cleanup_free_ char *path = format("%s/store/sha256/%.2s/%s", v->o->workspace, sha256, sha256);
        Archives *known = v->archives;
        size_t n = strv_length(known->lists_of);
        WrapList **grown;
        int r;

        if (!path)
                return error_oom(why(v));
        for (size_t i = 0; i < n; i++)
                if (streq(known->lists_of[i], sha256)) {
                        *ret = known->lists[i];
                        return 0;
                }
        if (access(path, R_OK) < 0)
                return -ENOENT;
        grown = reallocarray(known->lists, n + 1, sizeof(*grown));
        if (!grown)
                return error_oom(why(v));
        known->lists = grown;
        r = wrap_describe(release, a, path, &(WrapOptions){}, &known->lists[n], why(v));
        if (r < 0)
                return r;
        if (strv_append(&known->lists_of, sha256) < 0) {
                wrap_list_free(known->lists[n]);
                return error_oom(why(v));
        }
        *ret = known->lists[n];
        return 0;
}

/* *ret is owned by v. -ENOENT without an error: the archive is not here. */
static int describe_archive(Verify *v, const Release *release, const Artifact *a, const char *sha256, const WrapList **ret) {
        int r;

        (void) pthread_mutex_lock(&v->archives->lock);
        r = describe_locked(v, release, a, sha256, ret);
        (void) pthread_mutex_unlock(&v->archives->lock);
        return r;
}

static const char *package_kind(const Artifact *a, const char *name) {
        switch (a->kind) {
        case ARTIFACT_DRIVER: return endswith(name, "-dkms") ? PACKAGE_KMOD : PACKAGE_DRIVER;
        case ARTIFACT_CUDA: return PACKAGE_CUDA;
        case ARTIFACT_CUBLAS: return PACKAGE_CUBLAS;
        default: return NULL;
        }
}

/* Package to artifact: its files are those that wrapping the archive gives. The signed header has their digests, and its own payload digest
 * was compared above: nothing has to be unpacked. */
static int check_payload(Verify *v, const RpmFile *f, const InputPackage *in) {
        const InputRelease *ir = release_of(v, in);
        const Artifact *a = ir && in->artifact ? release_artifact(ir->release, in->artifact) : NULL;
        _cleanup_free_ char *meta = ir ? release_metapackage(ir->release) : NULL;
        const WrapList *archive = NULL;
        const char *kind;
        int r;

        if (!a && meta && streq(meta, f->name)) {
                _cleanup_(wrap_list_freep) WrapList *list = NULL;

                (void) begin(v, "payload", "%s, from %s", in->file, ir->release->path);
                if ((r = render_describe(ir->release, &list, why(v))) < 0 || (r = payload_compare(f, list, PACKAGE_META, why(v))) < 0)
                        return r;
                return passed(v);
        }
        if (!in->artifact)
                return 0; /* made from the project's own source */
        kind = a ? package_kind(a, f->name) : NULL;
        if (!kind) {
                (void) begin(v, "payload", "%s", in->file);
                return unchecked(v, "its release file is not here");
        }
        (void) begin(v, "payload", "%s, from %s", in->file, a->filename);
        r = describe_archive(v, ir->release, a, in->artifact_sha256, &archive);
        if (r == -ENOENT && !why(v)->message)
                return unchecked(v, "its archive is not in the store");
        if (r < 0 || (r = payload_compare(f, archive, kind, why(v))) < 0)
                return r;
        return passed(v);
}

static int check_package(Verify *v, const PrimaryPackage *p) {
        const InputPackage *in = input_of(v, p);
        _cleanup_(rpm_file_freep) RpmFile *f = NULL;
        int r;

        (void) begin(v, "package", "%s", path_basename(p->href));
        if ((r = rpm_file_open(v->repo_fd, p->href, &f, why(v))) < 0 || (r = check_against_primary(v, p, f)) < 0)
                return r;
        if (!in && !v->o->all)
                return passed(v); /* of a release that was not asked for: it is the one that the signed metadata names */
        r = in && in->signer ? check_vendor(v, p, in) : check_own(v, f, in);
        return r < 0 || !in || in->signer ? r : check_payload(v, f, in);
}

/* Some packages, each with a report of its own. */
typedef struct Window {
        Verify *v;
        VerifyOptions quiet;
        size_t first;
        Verify each[WINDOW];
        VerifyReport reports[WINDOW];
        int results[WINDOW];
} Window;

static int check_in_window(void *data, size_t i, Error *e) {
        Window *w = data;
        Verify *v = &w->each[i];

        *v = *w->v;
        v->o = &w->quiet;
        v->report = &w->reports[i];
        v->subject = NULL;
        w->results[i] = check_package(v, v->primary->packages[w->first + i]);
        return w->results[i];
}

/* Tells in order what was found: a package behind a broken link is as if it had not been looked at. */
static int tell_window(Window *w, size_t n) {
        int r = 0;

        for (size_t i = 0; r >= 0 && i < n; i++) {
                VerifyReport *report = &w->reports[i];

                for (size_t k = 0; r >= 0 && k < report->n_links; k++) {
                        VerifyLink *l = &report->links[k];

                        free(w->v->subject);
                        w->v->subject = TAKE_PTR(l->subject);
                        w->v->link = l->link;
                        r = conclude(w->v, l->state, TAKE_PTR(l->detail));
                }
                if (r < 0 || w->results[i] >= 0)
                        continue;
                r = w->results[i];
                free(w->v->subject);
                w->v->subject = TAKE_PTR(w->each[i].subject);
                w->v->link = w->each[i].link;
                w->v->report->error = report->error;
                report->error = ERROR_INIT;
        }
        return r;
}

static void clear_window(Window *w, size_t n) {
        for (size_t i = 0; i < n; i++) {
                for (size_t k = 0; k < w->reports[i].n_links; k++) {
                        free(w->reports[i].links[k].subject);
                        free(w->reports[i].links[k].detail);
                }
                free(w->reports[i].links);
                free(w->each[i].subject);
                error_clear(&w->reports[i].error);
        }
}

static int check_window(Verify *v, size_t first, size_t n) {
        _cleanup_free_ Window *w = calloc(1, sizeof(*w));
        int r;

        if (!w)
                return error_oom(why(v));
        w->v = v;
        w->quiet = *v->o;
        w->quiet.tell = NULL;
        w->first = first;
        (void) parallel_run(n, check_in_window, w, NULL);
        r = tell_window(w, n);
        clear_window(w, n);
        return r;
}

static int check_packages(Verify *v) {
        uint64_t total = 0;
        int r = 0;

        for (size_t i = 0; i < v->primary->n_packages; i++)
                if (__builtin_add_overflow(total, v->primary->packages[i]->size, &total))
                        total = 0;
        if (v->o->progress)
                progress_begin(v->o->progress, "verify", total, true);
        for (size_t i = 0; r >= 0 && i < v->primary->n_packages; i += WINDOW)
                r = check_window(v, i, MIN(v->primary->n_packages - i, (size_t) WINDOW));
        progress_end(v->o->progress);
        return r;
}

static int follow(Verify *v) {
        int r;

        if ((r = check_locks(v)) < 0 || (r = check_store(v)) < 0 || (r = check_records(v)) < 0 || (r = check_key(v)) < 0 ||
            (r = check_signature(v)) < 0 || (r = check_metadata(v)) < 0 || (r = check_freshness(v)) < 0 || (r = check_releases(v)) < 0 ||
            (r = check_complete(v)) < 0 || (r = check_packages(v)) < 0 || !v->has_workspace)
                return r;
        /* A workspace that cannot be written to verifies all the same. */
        (void) serial_remember(v->o->workspace, v->o->repo, v->report->fingerprint, v->repomd->freshness.serial, NULL);
        return 0;
}

int verify(const VerifyOptions *o, VerifyReport **ret, Error *e) {
        pthread_mutex_t vendor = PTHREAD_MUTEX_INITIALIZER;
        Archives archives = { .lock = PTHREAD_MUTEX_INITIALIZER };
        _cleanup_(verify_done) Verify v = { .o = o, .repo_fd = -1, .archives = &archives, .vendor = &vendor };
        int r;

        v.report = calloc(1, sizeof(*v.report));
        if (!v.report)
                return error_oom(e);
        v.repo_fd = open(o->repo, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        if (v.repo_fd < 0)
                return error_hint(e, error_errno(e, errno, "%s", o->repo), "publish first, or name the repository: --repo");
        r = follow(&v);
        if (r < 0) {
                char *detail;

                if (r == -ENOMEM)
                        return error_oom(e);
                if (!v.report->error.message)
                        (void) error_errno(why(&v), -r, "%s", v.subject ? v.subject : v.link);
                /* What is not there breaks the chain as well as what is wrong. */
                if (v.report->error.code == EXIT_FAILED && (r == -ENOENT || r == -ELOOP))
                        v.report->error.code = EXIT_UNTRUSTED;
                v.report->broken = true;
                detail = strdup(v.report->error.message);
                if (!detail || conclude(&v, VERIFY_BROKEN, detail) < 0)
                        return error_oom(e);
        }
        *ret = TAKE_PTR(v.report);
        return 0;
}
