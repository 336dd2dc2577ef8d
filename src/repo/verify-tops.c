/* SPDX-License-Identifier: Apache-2.0 */
/* verify: what lies beside repomd.xml and nothing signs: the .repo file, the vendors' keys, the metalink. And what publish alone decides. */
#include "repo/verify-chain.h"

#include <fcntl.h>
#include <strings.h>
#include <sys/stat.h>

#include "basic/fs.h"
#include "basic/strings.h"
#include "release/ini.h"
#include "repo/comps.h"
#include "repo/metalink.h"
#include "repo/repo-file.h"
#include "repo/vendor-keys.h"

#define TOP_MAX (1024 * 1024)

/* Whether the workspace says all that this repository was published from. */
static bool is_all_known(const Verify *v) {
        return v->has_workspace && v->o->all;
}

/* 1: read, 0: it is not there, and need not be. */
static int read_top(Verify *v, const char *path, bool needed, char **ret, size_t *ret_size) {
        struct stat st;
        int r;

        (void) verify_begin(v, "beside", "%s", path);
        if (!needed && fstatat(v->repo_fd, path, &st, AT_SYMLINK_NOFOLLOW) < 0 && errno == ENOENT)
                return 0;
        r = verify_read(v, path, TOP_MAX, ret, ret_size);
        return r < 0 ? r : 1;
}

typedef struct RepoFileCheck {
        char *baseurl, *gpgkey, *section;
        bool gpgcheck, repo_gpgcheck;
} RepoFileCheck;

static void repo_file_check_clear(RepoFileCheck *c) {
        free(c->baseurl);
        free(c->gpgkey);
        free(c->section);
}

static bool is_yes(const char *s) {
        return streq(s, "1") || strcasecmp(s, "yes") == 0 || strcasecmp(s, "true") == 0 || strcasecmp(s, "on") == 0;
}

/* dnf.conf(5): what our template has, and what a site may add without weakening it. */
static int take_setting(void *userdata, const char *section, const char *key, const char *value, unsigned line, Error *e) {
        static const char *const harmless[] = { "name", "enabled", "priority", "module_hotfixes", "metadata_expire", "cost", "type", "autorefresh", "countme",
                                                "keepcache", "skip_if_unavailable", "sslcacert", "sslclientcert", "sslclientkey", "retries", "timeout" };
        RepoFileCheck *c = userdata;
        bool *check = streq(key, "gpgcheck") ? &c->gpgcheck : streq(key, "repo_gpgcheck") ? &c->repo_gpgcheck : NULL;
        char **text = streq(key, "baseurl") ? &c->baseurl : streq(key, "gpgkey") ? &c->gpgkey : NULL;

        if (!c->section && !(c->section = strdup(section)))
                return error_oom(e);
        if (!streq(c->section, section))
                return error_set(e, EKEYREJECTED, EXIT_UNTRUSTED, REPO_FILE ":%u: it names a second repository", line);
        if (check || streq(key, "sslverify")) {
                if (!is_yes(value))
                        return error_set(e, EKEYREJECTED, EXIT_UNTRUSTED, REPO_FILE ":%u: it turns %s off", line, key);
                if (check)
                        *check = true;
                return 0;
        }
        if (text) {
                if (*text)
                        return error_set(e, EKEYREJECTED, EXIT_UNTRUSTED, REPO_FILE ":%u: %s is there twice", line, key);
                return (*text = strdup(value)) ? 0 : error_oom(e);
        }
        for (size_t i = 0; i < ELEMENTSOF(harmless); i++)
                if (streq(key, harmless[i]))
                        return 0;
        return error_set(e, EKEYREJECTED, EXIT_UNTRUSTED, REPO_FILE ":%u: %s is nothing that publish writes there", line, key);
}

/* A client's keys come from this repository, or from the package gn8v-tee-release. */
static int check_key_urls(Verify *v, const RepoFileCheck *c) {
        static const char *const names[] = { REPO_KEY_FILE, VENDOR_KEY_FILE };
        _cleanup_strv_ char **urls = NULL;
        size_t n = strlen(c->baseurl);

        if (strv_append_words(&urls, c->gpgkey) < 0)
                return error_oom(verify_why(v));
        while (n > 0 && c->baseurl[n - 1] == '/')
                n--;
        STRV_FOREACH(url, urls) {
                const char *name = strrchr(*url, '/');
                size_t at = name ? (size_t) (name - *url) : 0;
                bool known = streq(*url, REPO_KEY_INSTALLED_URL) || streq(*url, VENDOR_KEY_INSTALLED_URL);

                for (size_t i = 0; !known && i < ELEMENTSOF(names); i++)
                        known = at == n && strncmp(*url, c->baseurl, n) == 0 && streq(*url + at + 1, names[i]);
                if (!known)
                        return verify_untrusted(v, "%s/" REPO_FILE ": its key %s is not this repository's", v->o->repo, *url);
        }
        return 0;
}

static int check_repo_file(Verify *v) {
        _cleanup_(repo_file_check_clear) RepoFileCheck c = {};
        _cleanup_free_ char *text = NULL;
        size_t size;
        int r = read_top(v, REPO_FILE, is_all_known(v), &text, &size);

        if (r <= 0)
                return r;
        if ((r = ini_parse(REPO_FILE, text, size, take_setting, &c, verify_why(v))) < 0)
                return r;
        if (!c.gpgcheck || !c.repo_gpgcheck || !c.gpgkey || !c.baseurl)
                return verify_untrusted(v, "%s/" REPO_FILE ": it has no %s", v->o->repo,
                                        !c.gpgcheck ? "gpgcheck=1" : !c.repo_gpgcheck ? "repo_gpgcheck=1" : !c.gpgkey ? "gpgkey=" : "baseurl=");
        if ((r = repo_url_check(REPO_FILE ": baseurl", c.baseurl, verify_why(v))) < 0)
                return r;
        return (r = check_key_urls(v, &c)) < 0 ? r : verify_passed(v);
}

/* Whose signature dnf is to believe on the vendors' packages: no key that no release locks. */
static bool is_vendors(const Verify *v, const char *fingerprint) {
        for (size_t i = 0; i < v->inputs->n_packages; i++)
                if (v->inputs->packages[i]->signer && streq(v->inputs->packages[i]->signer, fingerprint))
                        return true;
        return false;
}

static int check_vendor_keys(Verify *v) {
        _cleanup_strv_ char **fingerprints = NULL;
        _cleanup_free_ char *text = NULL, *name = path_join(v->o->repo, VENDOR_KEY_FILE);
        size_t size;
        int r;

        if (v->copy && !is_all_known(v))
                return 0; /* looked at already: see verify-copy.c */
        r = name ? read_top(v, VENDOR_KEY_FILE, false, &text, &size) : error_oom(verify_why(v));
        if (r <= 0)
                return r;
        if (!is_all_known(v))
                return verify_unchecked(v, "no lock says which keys there have to be");
        if ((r = vendor_keys_fingerprints(text, name, &fingerprints, verify_why(v))) < 0)
                return r;
        STRV_FOREACH(s, fingerprints)
                if (!is_vendors(v, *s))
                        return verify_untrusted(v, "%s: key %s signs nothing that a release locks", name, *s);
        return verify_passed(v);
}

static int check_metalink(Verify *v) {
        _cleanup_free_ char *text = NULL;
        size_t size;
        int r = read_top(v, "repodata/" METALINK_FILE, false, &text, &size);

        if (r <= 0)
                return r;
        r = metalink_check(text, size, "repodata/" METALINK_FILE, v->repomd_text, v->repomd_size, verify_why(v));
        return r < 0 ? r : verify_passed(v);
}

/* Signed, but nothing that publish writes: other kinds of metadata hide or replace packages (modules), or describe them (updateinfo). */
static int check_types(Verify *v) {
        static const char *const types[] = { "primary", "filelists", "other", "group" };

        if (!is_all_known(v))
                return 0;
        (void) verify_begin(v, "repomd", "repomd.xml");
        for (size_t i = 0; i < v->repomd->n_files; i++) {
                size_t k = 0;

                while (k < ELEMENTSOF(types) && !streq(v->repomd->files[i].type, types[k]))
                        k++;
                if (k == ELEMENTSOF(types))
                        return verify_untrusted(v, "%s/repodata/repomd.xml: it names %s, which publish does not write", v->o->repo, v->repomd->files[i].type);
        }
        return 0;
}

static bool has_package(const void *data, const char *name) {
        const Verify *v = data;

        for (size_t i = 0; i < v->primary->n_packages; i++)
                if (streq(v->primary->packages[i]->name, name))
                        return true;
        return false;
}

/* The groups are made from the names of releases and packages. */
static int check_group(Verify *v) {
        const RepomdFile *f = repomd_find(v->repomd, "group");
        _cleanup_free_ char *text = NULL, *expected = NULL;
        _cleanup_strv_ char **metapackages = NULL;
        size_t size;
        int r;

        if (!f || !is_all_known(v))
                return 0;
        (void) verify_begin(v, "repomd", "%s", f->href);
        for (size_t i = 0; i < v->o->n_releases; i++) {
                _cleanup_free_ char *name = release_metapackage(v->o->releases[i]);

                if (!name || (!strv_contains(metapackages, name) && strv_append(&metapackages, name) < 0))
                        return error_oom(verify_why(v));
        }
        if ((r = verify_read(v, f->href, TOP_MAX, &text, &size)) < 0)
                return r;
        if (!(expected = comps_render(has_package, v, metapackages)))
                return error_oom(verify_why(v));
        return streq(text, expected) ? 0 : verify_untrusted(v, "%s/%s: its groups are not the ones that publish makes of these packages", v->o->repo, f->href);
}

int verify_tops(Verify *v) {
        int r;

        return (r = check_types(v)) < 0 || (r = check_group(v)) < 0 || (r = check_repo_file(v)) < 0 || (r = check_vendor_keys(v)) < 0 ? r : check_metalink(v);
}
