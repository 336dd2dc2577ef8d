/* SPDX-License-Identifier: Apache-2.0 */
#include "repo/mirror-newer.h"

#include <inttypes.h>

#include "basic/fs.h"
#include "basic/strings.h"

int64_t mirror_revision(const Repomd *r) {
        uint64_t n;
        return r->revision && parse_u64(r->revision, &n) >= 0 && n <= INT64_MAX ? (int64_t) n : 0;
}

/* Its serial is the source's then, and not ours. */
static bool is_whole_copy(const Generation *g) {
        return g && strv_length(g->locks) == 2;
}

/* Of a whole copy whose key is one of the pinned ones, as is the source's: what it may take the place of does not hang on where it comes from. */
static bool is_of_pinned(const Repository *repo, const MirrorKeys *keys, const MirrorSource *s) {
        return is_whole_copy(repo->current) && s->signer && mirror_keys_have(keys, repo->current->key);
}

/* Whether revisions can be compared: those of the same place, or of one signer who counts nothing else. */
static bool has_revisions(const Generation *g, const MirrorSource *s, bool selection, bool same_place, uint64_t old_serial) {
        return g && (same_place || (old_serial == 0 && s->repomd->freshness.serial == 0 && !selection && is_whole_copy(g) && strv_contains(s->signers, g->key)));
}

int mirror_check_newer(const MirrorOptions *o, const Repository *repo, const MirrorKeys *keys, const MirrorSource *s, bool selection, Error *e) {
        const Generation *g = repo->current;
        _cleanup_(repomd_freep) Repomd *old = NULL;
        /* Not by the name that clients open: see readers.h. */
        _cleanup_free_ char *path = g ? format("generations/%" PRIu64 "/repomd.xml", g->number) : NULL, *text = NULL;
        size_t size;
        bool same_place = g && streq(g->locks[0] + strlen(MIRROR_LOCK), s->url), has_serials;
        uint64_t old_serial;
        int64_t now;
        int r;

        if (o->allow_older)
                return 0;
        if ((r = freshness_clock(&now, e)) < 0)
                return r;
        if (g && !path)
                return error_oom(e);
        has_serials = is_whole_copy(g) && !selection && (same_place || is_of_pinned(repo, keys, s));
        if (has_serials && read_file(repo->fd, path, REPOMD_MAX, &text, &size) >= 0)
                (void) repomd_parse_foreign(text, size, "repomd.xml", &old, NULL);
        /* Without the file its manifest still knows. */
        old_serial = old ? old->freshness.serial : has_serials ? g->freshness.serial : 0;
        if (s->repomd->freshness.serial < old_serial)
                return error_hint(e, error_set(e, ESTALE, EXIT_DIFFERS, "%s: its serial is %" PRIu64 ", and %" PRIu64 " was seen before, in %s: an older state is served again", s->url,
                                               s->repomd->freshness.serial, old_serial, o->dir), "find out who put it there; if you mean to go back, or to another repository: --allow-older");
        if ((r = freshness_check(&s->repomd->freshness, 0, now, s->url, e)) < 0)
                return r;
        if (!has_revisions(g, s, selection, same_place, old_serial) || mirror_revision(s->repomd) >= g->revision)
                return 0;
        return error_hint(e, error_set(e, ESTALE, EXIT_DIFFERS, "%s: its revision %" PRIi64 " is older than %" PRIi64 ", which %s has", s->url, mirror_revision(s->repomd),
                                       g->revision, o->dir), "the source is behind, or an older state is served again; if you mean to go back: --allow-older");
}
