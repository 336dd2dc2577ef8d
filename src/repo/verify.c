/* SPDX-License-Identifier: Apache-2.0 */
#include "repo/verify-chain.h"

#include <fcntl.h>
#include <stdarg.h>

#include "repo/repository.h"
#include "repo/serials.h"

VerifyReport *verify_report_free(VerifyReport *r) {
        if (!r)
                return NULL;
        for (size_t i = 0; i < r->n_links; i++) {
                free(r->links[i].subject);
                free(r->links[i].detail);
        }
        free(r->links);
        error_clear(&r->error);
        strv_free(r->keys);
        free(r);
        return NULL;
}

static void verify_done(Verify *v) {
        verify_report_free(v->report);
        free(v->subject);
        safe_close(v->repo_fd);
        inputs_free(v->inputs);
        generation_free(v->copy);
        keyring_free(v->keyring);
        mirror_keys_clear(&v->vendors);
        strv_free(v->pins);
        free(v->key_text);
        free(v->repomd_text);
        repomd_free(v->repomd);
        primary_free(v->primary);
        for (size_t i = 0; i < INDEX_STREAMS; i++) {
                if (v->others[i])
                        xml_packages_free(v->others[i], v->n_others);
                free(v->texts[i]);
        }
        free(v->fragments);
        free(v->header_sha256);
        for (size_t i = 0, n = strv_length(v->archives->lists_of); i < n; i++)
                wrap_list_free(v->archives->lists[i]);
        free(v->archives->lists);
        strv_free(v->archives->lists_of);
}

int verify_begin(Verify *v, const char *link, const char *fmt, ...) {
        va_list ap;

        free(v->subject);
        va_start(ap, fmt);
        v->subject = format_va(fmt, ap);
        va_end(ap);
        v->link = link;
        return v->subject ? 0 : -ENOMEM;
}

int verify_conclude(Verify *v, VerifyState state, char *detail) {
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

int verify_passed(Verify *v) {
        return verify_conclude(v, VERIFY_OK, NULL);
}

int verify_unchecked(Verify *v, const char *why) {
        char *detail = strdup(why);
        return detail ? verify_conclude(v, VERIFY_UNCHECKED, detail) : -ENOMEM;
}

Error *verify_why(Verify *v) {
        return &v->report->error;
}

/* The next action, where whoever found the break had none that is better. */
static const char *next_action(const char *link) {
        static const struct {
                const char *link, *action;
        } actions[] = {
                { "lock", "find out what changed; then run `gn8v-tee-repo lock`, `fetch` and `build` again" },
                { "store", "remove it, and run `gn8v-tee-repo fetch` again" },
                { "record", "build it again: `gn8v-tee-repo build`" },
                { "payload", "do not install it: find out who built it and who signed it; then build and publish again" },
                { "key", "do not use this repository before its key's fingerprint was compared with the publisher's own" },
        };

        for (size_t i = 0; i < ELEMENTSOF(actions); i++)
                if (streq(actions[i].link, link))
                        return actions[i].action;
        return "do not use this copy: get it from its publisher again; if you are the publisher, find out who changed it, then publish again";
}

static int follow(Verify *v) {
        int r;

        if ((r = verify_copy(v)) < 0 || (r = verify_locks(v)) < 0 || (r = verify_copy_workspace(v)) < 0 || (r = verify_store(v)) < 0 || (r = verify_records(v)) < 0 ||
            (r = verify_key(v)) < 0 || (r = verify_copy_keys(v)) < 0 || (r = verify_signature(v)) < 0 || (r = verify_metadata(v)) < 0 || (r = verify_freshness(v)) < 0 || (r = verify_tops(v)) < 0 ||
            (r = verify_releases(v)) < 0 || (r = verify_complete(v)) < 0 || (r = verify_packages(v)) < 0 || (r = verify_generations(v)) < 0 || !v->has_workspace)
                return r;
        /* A workspace that cannot be written to verifies all the same. */
        (void) serial_remember(v->o->workspace, v->o->repo, v->report->keys, v->repomd->freshness.serial, NULL);
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
        if (faccessat(v.repo_fd, "repodata", F_OK, 0) < 0 && faccessat(v.repo_fd, "generations", F_OK, 0) < 0)
                return repository_is_empty(o->repo, e);
        r = follow(&v);
        if (r < 0) {
                char *detail;

                if (r == -ENOMEM)
                        return error_oom(e);
                if (!v.report->error.message)
                        (void) error_errno(verify_why(&v), -r, "%s", v.subject ? v.subject : v.link);
                /* What is not there breaks the chain as well as what is wrong. */
                if (v.report->error.code == EXIT_FAILED && (r == -ENOENT || r == -ELOOP))
                        v.report->error.code = EXIT_UNTRUSTED;
                (void) error_hint(verify_why(&v), r, "%s", next_action(v.link));
                v.report->broken = true;
                detail = strdup(v.report->error.message);
                if (!detail || verify_conclude(&v, VERIFY_BROKEN, detail) < 0)
                        return error_oom(e);
        }
        *ret = TAKE_PTR(v.report);
        return 0;
}
