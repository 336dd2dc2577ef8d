/* SPDX-License-Identifier: Apache-2.0 */
/* publish: whether what is published is whole, so that a publish of nothing new mends what was damaged. */
#include <fcntl.h>
#include <inttypes.h>
#include <sys/stat.h>

#include "basic/fs.h"
#include "repo/parallel.h"
#include "repo/publish-run.h"
#include "repo/rpmmd.h"

#define REPOMD_MAX (4 * 1024 * 1024)

/* The published repomd.xml and its signature, by every signer, or (any) by one of them. */
static bool is_signed(const Publish *p, bool any, char **ret, size_t *ret_size) {
        _cleanup_free_ char *text = NULL, *signature = NULL;
        _cleanup_strv_ char **signed_by = NULL;
        _cleanup_error_ Error ignored = ERROR_INIT;
        size_t size, signature_size;

        if (read_regular_file(p->repo->fd, "repodata/repomd.xml", REPOMD_MAX, &text, &size) < 0 ||
            read_regular_file(p->repo->fd, "repodata/repomd.xml.asc", REPOMD_MAX, &signature, &signature_size) < 0 ||
            keyring_verify(p->keyring, text, size, signature, signature_size, "repomd.xml", &signed_by, NULL, &ignored) < 0)
                return false;
        for (size_t i = 0; !any && i < p->o->signers->n; i++)
                if (!strv_contains(signed_by, p->o->signers->v[i]->fingerprint))
                        return false;
        *ret = TAKE_PTR(text);
        *ret_size = size;
        return true;
}

int publish_claim(Publish *p, Error *e) {
        _cleanup_(repomd_freep) Repomd *repomd = NULL;
        _cleanup_error_ Error ignored = ERROR_INIT;
        _cleanup_free_ char *text = NULL;
        size_t size;

        if (!is_signed(p, true, &text, &size) || repomd_parse(text, size, "repomd.xml", &repomd, &ignored) < 0)
                return repository_refuse_unknown(p->repo, e);
        p->found = repomd->freshness;
        return 0;
}

static bool has_key(const Publish *p) {
        _cleanup_free_ char *key = signers_public_keys(p->o->signers), *there = NULL;

        return key && read_regular_file(p->repo->fd, "repodata/repomd.xml.key", REPOMD_MAX, &there, NULL) >= 0 && streq(there, key);
}

/* The generation's own link of it, which a rollback needs; a copy is as good. */
static bool is_kept(const Publish *p, const char *name) {
        _cleanup_free_ char *kept = format("generations/%" PRIu64 "/%s", p->repo->current->number, name), *live = format("repodata/%s", name);
        struct stat a, b;

        return kept && live && fstatat(p->repo->fd, kept, &a, AT_SYMLINK_NOFOLLOW) == 0 && fstatat(p->repo->fd, live, &b, AT_SYMLINK_NOFOLLOW) == 0 &&
               S_ISREG(a.st_mode) && S_ISREG(b.st_mode) && a.st_size == b.st_size;
}

typedef struct Look {
        const Publish *p;
        const Repomd *repomd;
        bool damaged;
} Look;

static int look_at_file(void *data, size_t i, Error *e) {
        Look *l = data;
        const RepomdFile *f = &l->repomd->files[i];
        char hex[SHA256_HEX_SIZE];

        (void) e;
        if (!is_kept(l->p, path_basename(f->href)) || sha256_file(l->p->repo->fd, f->href, hex) < 0 || !streq(hex, f->checksum))
                __atomic_store_n(&l->damaged, true, __ATOMIC_RELAXED);
        return 0;
}

static bool is_whole(const Publish *p) {
        static const char *const fixed[] = { "repomd.xml", "repomd.xml.asc", "repomd.xml.key" };
        _cleanup_(repomd_freep) Repomd *repomd = NULL;
        _cleanup_error_ Error ignored = ERROR_INIT;
        _cleanup_free_ char *text = NULL;
        size_t size;
        Look l = { .p = p };

        if (!is_signed(p, false, &text, &size) || repomd_parse(text, size, "repomd.xml", &repomd, &ignored) < 0 || !has_key(p))
                return false;
        for (size_t i = 0; i < ELEMENTSOF(fixed); i++)
                if (!is_kept(p, fixed[i]))
                        return false;
        l.repomd = repomd;
        return parallel_run(repomd->n_files, look_at_file, &l, &ignored) >= 0 && !l.damaged;
}

void publish_look(Publish *p) {
        const Generation *current = p->repo->current;

        for (size_t i = 0; current && i < p->next->n_packages; i++) {
                const PublishedPackage *q = p->next->packages[i], *old = q->staged ? generation_find_href(current, q->href) : NULL;

                p->report.repaired_packages += old && streq(old->sha256, q->sha256);
        }
        p->report.changed |= p->report.repaired_packages > 0;
        p->report.repaired_metadata = !p->report.changed && !is_whole(p);
        p->report.changed |= p->repo->broken = p->report.repaired_metadata;
}
