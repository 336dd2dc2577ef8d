/* SPDX-License-Identifier: Apache-2.0 */
#include "repo/rollback.h"

#include <fcntl.h>
#include <inttypes.h>

#include "basic/fs.h"
#include "basic/strings.h"
#include "repo/metadata.h"
#include "repo/metalink.h"
#include "repo/rpmmd.h"
#include "repo/seal.h"
#include "repo/serials.h"
#include "repo/vendor-keys.h"
#include "repo/whole.h"

#define NO_METADATA "go back to another generation ('gn8v-tee-repo generations' lists them), or publish its packages again"

static int no_such(const Repository *r, uint64_t wanted, Error *e) {
        if (wanted == 0)
                return error_set(e, ENOENT, EXIT_FAILED, "%s: there is no generation before the published one", r->path);
        return error_hint(e, error_set(e, ENOENT, EXIT_FAILED, "%s: it has no generation %" PRIu64, r->path, wanted), "'gn8v-tee-repo generations' lists them");
}

static int find_target(const Repository *r, uint64_t wanted, const Generation **ret, Error *e) {
        *ret = NULL;
        for (size_t i = 0; i < r->n_generations; i++)
                if (wanted != 0 ? r->generations[i]->number == wanted : i + 1 < r->n_generations && r->generations[i + 1] == r->current)
                        *ret = r->generations[i];
        return *ret ? 0 : no_such(r, wanted, e);
}

/* Clients must find every package that the old metadata name, byte for byte. */
static int check_packages(const Repository *r, const Generation *g, Error *e) {
        for (size_t i = 0; i < g->n_packages; i++) {
                int k = whole_package(r, g, g->packages[i], e);

                if (k < 0)
                        return error_hint(e, k, "publish it again from a workspace that has it");
        }
        return 0;
}

static int copy_generation(const Generation *g, Generation **ret, Error *e) {
        _cleanup_free_ char *text = NULL;
        int r = generation_to_json(g, &text, e);

        return r < 0 ? r : generation_from_json(text, strlen(text), "generation", ret, e);
}

static int link_metadata(const Repository *r, const Generation *from, Error *e) {
        STRV_FOREACH(s, from->metadata) {
                _cleanup_free_ char *old = format("generations/%" PRIu64 "/%s", from->number, *s), *new = format(STAGE "/repodata/%s", *s);

                if (!old || !new)
                        return error_oom(e);
                if (linkat(r->fd, old, r->fd, new, 0) < 0)
                        return error_hint(e, error_errno(e, errno, "%s/%s", r->path, old), NO_METADATA);
        }
        return 0;
}

/* The old repomd.xml, whose signature must hold, with the new generation's serial. */
static int stage_repomd(Repository *r, const Generation *from, Generation *next, Keyring *keyring, char **ret, Error *e) {
        _cleanup_free_ char *path = format("generations/%" PRIu64 "/repomd.xml", from->number), *asc = path ? format("%s.asc", path) : NULL;
        _cleanup_free_ char *text = NULL, *signature = NULL, *rendered = NULL;
        _cleanup_(repomd_freep) Repomd *repomd = NULL;
        char hex[SHA256_HEX_SIZE];
        size_t size, signature_size;
        int k;

        if (!asc)
                return error_oom(e);
        if ((k = read_file(r->fd, path, REPOMD_MAX, &text, &size)) < 0)
                return error_hint(e, error_errno(e, -k, "%s/%s", r->path, path), NO_METADATA);
        if ((k = read_file(r->fd, asc, REPOMD_MAX, &signature, &signature_size)) < 0)
                return error_hint(e, error_errno(e, -k, "%s/%s", r->path, asc), NO_METADATA);
        if (sha256_buffer(text, size, hex) < 0)
                return error_oom(e);
        if (!streq(hex, from->repomd_sha256))
                return error_hint(e, error_set(e, EKEYREJECTED, EXIT_UNTRUSTED, "%s/%s: it is not the one that its manifest.json has", r->path, path), NO_METADATA);
        if ((k = keyring_verify(keyring, text, size, signature, signature_size, path, NULL, NULL, e)) < 0 || (k = repomd_parse(text, size, path, &repomd, e)) < 0)
                return k;
        if ((k = whole_metadata(r->fd, r->path, from, repomd, e)) < 0)
                return error_hint(e, k, NO_METADATA);
        repomd->freshness = next->freshness;
        if (!(rendered = repomd_render(repomd)))
                return error_oom(e);
        k = write_file_new(r->stage_fd, "repodata/repomd.xml", rendered, strlen(rendered), 0644);
        if (k < 0)
                return error_errno(e, -k, "%s/" STAGE "/repodata/repomd.xml", r->path);
        *ret = TAKE_PTR(rendered);
        return 0;
}

/* Its packages stay one key's; its metadata are signed by the other one as well, if there is one now. */
static int set_also(Generation *g, const Signers *s, Error *e) {
        free(g->also);
        g->also = NULL;
        for (size_t i = 0; i < s->n; i++)
                if (!streq(s->v[i]->fingerprint, g->key) && !(g->also = strdup(s->v[i]->fingerprint)))
                        return error_oom(e);
        return 0;
}

static int64_t valid_sec(const Repository *r, const RollbackOptions *o) {
        return o->valid_sec != 0 ? MAX(o->valid_sec, (int64_t) 0) : r->current->valid_sec;
}

static int make_next(Repository *r, const RollbackOptions *o, const Generation *from, Generation **ret, Error *e) {
        _cleanup_(generation_freep) Generation *next = NULL;
        int64_t now;
        int k;

        if (!signers_have(o->signers, from->key))
                return error_hint(e, error_set(e, EKEYREJECTED, EXIT_UNTRUSTED, "%s: generation %" PRIu64 " is of key %s, not %s%s%s", r->path, from->number,
                                               from->key, o->signers->v[0]->fingerprint, *signers_also(o->signers) ? " or " : "", signers_also(o->signers)),
                                  "publish its packages again instead; while both keys are published, --also-key names the other one");
        if ((k = check_packages(r, from, e)) < 0 || (k = vendor_keys_cover(r->fd, r->path, from, e)) < 0 || (k = copy_generation(from, &next, e)) < 0)
                return k;
        if ((k = set_also(next, o->signers, e)) < 0)
                return k;
        next->number = r->generations[r->n_generations - 1]->number + 1;
        next->freshness = (Freshness){ .serial = next->number };
        if ((next->valid_sec = valid_sec(r, o)) > 0) {
                if ((k = freshness_now(&now, e)) < 0)
                        return k;
                next->freshness.expires = now + next->valid_sec;
        }
        free(next->repomd_sha256);
        next->repomd_sha256 = NULL;
        *ret = TAKE_PTR(next);
        return 0;
}

/* Whether it was published again already: the same packages, and a date of expiry that need not be set anew. */
static int is_done(const Repository *r, const RollbackOptions *o, const Generation *from, bool *ret, Error *e) {
        _cleanup_(generation_freep) Generation *like = NULL;
        const Generation *c = r->current;
        int64_t now;
        int k;

        if ((k = copy_generation(from, &like, e)) < 0 || (k = set_also(like, o->signers, e)) < 0)
                return k;
        *ret = o->generation != 0 && generation_same(c, like) && strv_length(c->metadata) == strv_length(from->metadata) &&
               valid_sec(r, o) == c->valid_sec;
        for (size_t i = 0; *ret && from->metadata && from->metadata[i]; i++)
                *ret = streq(c->metadata[i], from->metadata[i]);
        if (!*ret || c->valid_sec == 0)
                return 0;
        if ((k = freshness_now(&now, e)) < 0)
                return k;
        *ret = c->freshness.expires >= now + c->valid_sec / 2;
        return 0;
}

static int stage_next(Repository *r, const RollbackOptions *o, const Generation *from, Generation **ret, Error *e) {
        _cleanup_(generation_freep) Generation *next = NULL;
        _cleanup_(keyring_freep) Keyring *keyring = NULL;
        _cleanup_free_ char *repomd = NULL;
        int k;

        if ((k = keyring_new_own(o->signers, &keyring, e)) < 0 ||
            (k = make_next(r, o, from, &next, e)) < 0 || (k = link_metadata(r, from, e)) < 0 || (k = stage_repomd(r, from, next, keyring, &repomd, e)) < 0 ||
            (k = seal_all(r, next, o->signers, keyring, repomd, e)) < 0 || (k = metalink_stage(r, repomd, next->revision, o->mirror_urls, e)) < 0 ||
            (k = repository_sync(r, e)) < 0 || (k = repository_link_metadata(r, o->keep, e)) < 0)
                return k;
        *ret = TAKE_PTR(next);
        return 0;
}

int rollback(const RollbackOptions *o, Generation **ret, Error *e) {
        _cleanup_(repository_freep) Repository *r = NULL;
        _cleanup_(generation_freep) Generation *next = NULL;
        const Generation *from;
        size_t removed;
        bool done;
        int k;

        if ((k = repository_open_published(o->repo, &r, e)) < 0 || (k = find_target(r, o->generation, &from, e)) < 0)
                return k;
        if (from == r->current)
                return error_set(e, EALREADY, EXIT_USAGE, "%s: generation %" PRIu64 " is the published one", o->repo, from->number);
        if ((k = is_done(r, o, from, &done, e)) < 0 || (k = done ? copy_generation(r->current, &next, e) : stage_next(r, o, from, &next, e)) < 0 ||
            (k = serial_check(o->workspace, o->repo, (char *[]){ next->key, next->also, NULL }, next->number, e)) < 0 ||
            (k = done ? metalink_refresh(r, next->revision, o->mirror_urls, e) : repository_switch(r, next, e)) < 0 ||
            (k = serial_remember(o->workspace, o->repo, (char *[]){ next->key, next->also, NULL }, next->number, e)) < 0 || (k = repository_clean(r, next, o->keep, &removed, e)) < 0)
                return k;
        *ret = TAKE_PTR(next);
        return 0;
}
