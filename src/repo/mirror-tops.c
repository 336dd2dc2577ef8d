/* SPDX-License-Identifier: Apache-2.0 */
#include "repo/mirror-tops.h"

#include "basic/strings.h"
#include "repo/openpgp-read.h"
#include "repo/repo-file.h"
#include "repo/seal.h"

void mirror_tops_clear(MirrorTops *t) {
        free(t->key);
        *t = (MirrorTops){};
}

/* Whether the source's own file has these very keys, and no packet more: subkeys that nothing binds are believed by older tools. */
static bool is_same_keys(const char *a, const char *b) {
        _cleanup_free_ unsigned char *x = NULL, *y = NULL;
        size_t n, m;

        return openpgp_read_blocks(a, strlen(a), &x, &n) >= 0 && openpgp_read_blocks(b, strlen(b), &y, &m) >= 0 && n == m && memcmp(x, y, n) == 0;
}

int mirror_tops_prepare(MirrorTops *t, Error *e) {
        _cleanup_text_ Text text = {};

        if (!t->source) {
                t->key = t->o->signers ? signers_public_keys(t->o->signers) : NULL;
                return t->key || !t->o->signers ? 0 : error_oom(e);
        }
        STRV_FOREACH(s, t->source->signers) {
                _cleanup_free_ char *armored = mirror_keys_armor(t->keys, *s);

                if (!armored)
                        return error_oom(e);
                text_append(&text, armored);
        }
        if (text.size > 0 && !(t->key = text_take(&text)))
                return error_oom(e);
        if (t->key && t->source->key && is_same_keys(t->source->key, t->key)) {
                free(t->key);
                t->key = strdup(t->source->key);
                return t->key ? 0 : error_oom(e);
        }
        return 0;
}

static bool signs_metadata(const MirrorTops *t, const char *fingerprint) {
        return t->source ? strv_contains(t->source->signers, fingerprint) : t->o->signers && signers_have(t->o->signers, fingerprint);
}

/* *ret_all: false if one of the keys was not pinned this time: it was when its packages came, and what is there stays. */
static int make_vendors(const MirrorTops *t, const Generation *g, char **ret, bool *ret_all, Error *e) {
        _cleanup_strv_ char **seen = NULL;
        _cleanup_text_ Text text = {};

        *ret_all = true;
        for (size_t i = 0; i < g->n_packages; i++) {
                const char *signer = g->packages[i]->signer;
                _cleanup_free_ char *armored = NULL;

                if (streq(signer, "none") || strv_contains(seen, signer) || signs_metadata(t, signer))
                        continue;
                if (strv_append(&seen, signer) < 0)
                        return error_oom(e);
                if (!mirror_keys_have(t->keys, signer))
                        *ret_all = false;
                else if (!(armored = mirror_keys_armor(t->keys, signer)))
                        return error_oom(e);
                else
                        text_append(&text, armored);
        }
        return text.size == 0 || (*ret = text_take(&text)) ? 0 : error_oom(e);
}

static int write_repo_file(const MirrorTops *t, bool vendors, char ***warnings, Error *e) {
        _cleanup_free_ char *url = NULL, *text = NULL, *warning = NULL;
        _cleanup_error_ Error why = ERROR_INIT;
        int r = repo_file_place(t->repo->fd, t->o->dir, t->o->baseurl, &url, e);

        if (r < 0)
                return r;
        if (repo_file_fill(REPO_FILE, repo_file_template, url, NULL, vendors, &text, &why) >= 0)
                return seal_top(t->repo, REPO_FILE, text, e);
        /* Its path need not be fit for a URL, as long as nobody wants one. */
        warning = format("%s/" REPO_FILE " is not written: %s: give --baseurl", t->o->dir, why.message ? why.message : "no URL");
        return warning && strv_append(warnings, warning) >= 0 ? 0 : error_oom(e);
}

int mirror_tops_write(const MirrorTops *t, const Generation *g, char ***warnings, Error *e) {
        _cleanup_free_ char *vendors = NULL;
        bool all;
        int r;

        if ((r = seal_top(t->repo, REPO_KEY_FILE, t->key, e)) < 0 || (r = make_vendors(t, g, &vendors, &all, e)) < 0 ||
            (all && (r = seal_top(t->repo, VENDOR_KEY_FILE, vendors, e)) < 0))
                return r;
        return t->source && t->source->has_repo_file ? write_repo_file(t, vendors || !all, warnings, e) : 0;
}
