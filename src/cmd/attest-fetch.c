/* SPDX-License-Identifier: Apache-2.0 */
#include <fcntl.h>
#include <time.h>

#include "basic/fs.h"
#include "basic/log.h"
#include "cmd/attest-judge.h"

static void help(void) {
        printf("gn8v-tee-attest fetch [OPTION...] DIR [EVIDENCE.json...]\n\n"
               "Put what a verdict without a network needs into DIR: the reference manifests\n"
               "that the evidence, or a release's driver, wants, and the responder's answers on\n"
               "revocation. Then: verify --bundle=DIR.\n\n"
               "      --release=FILE     the manifests that this release names, too\n"
               "      --rim-dir=DIR      take manifests from there if they are there\n"
               "      --timeout=SECONDS  for everything that servers are asked (default: 30)\n"
               "      --config=FILE      instead of /etc/gn8v-tee/attest.conf\n"
               "      --json             one JSON document on standard output\n"
               "  -h, --help             this text\n\n"
               "Exit codes: 0 all of it is there; 1 failed; 5 something is not to be trusted; 6\n"
               "malformed; 8 no space; 11 not all could be had.\n");
}

/* What was fetched: told line by line, or all together as JSON. */
typedef struct Telling {
        const char *dir;
        json_t *manifests; /* NULL: not as JSON */
        bool quiet;
} Telling;

/* row gets where it came from, and what was written; NULL: nobody wants to know. */
static int store_manifest(const char *dir, RimSource *source, const WantedRim *w, json_t *row, Error *e) {
        _cleanup_free_ char *name = NULL, *data = NULL, *path = format("%s/%s.xml", dir, w->id);
        char sha256[SHA256_HEX_SIZE];
        size_t size;
        int r;

        if (!path)
                return error_oom(e);
        r = source->get(source->userdata, w->id, &name, &data, &size, e);
        if (r < 0)
                return r;
        r = write_file_atomic(AT_FDCWD, path, data, size, 0644);
        if (r < 0)
                return error_errno(e, -r, "%s", path);
        if (sha256_buffer(data, size, sha256) < 0)
                return error_set(e, EIO, EXIT_FAILED, "SHA-256");
        (void) json_object_set_new(row, "source", json_text(name));
        (void) json_object_set_new(row, "file", json_text(path));
        (void) json_object_set_new(row, "sha256", json_string(sha256));
        return 0;
}

static void tell_manifest(const Telling *telling, const WantedRim *w, CheckState sum, const char *why, json_t *row) {
        _cleanup_free_ char *until = w->rim && sum != CHECK_FAILED ? time_to_text(w->rim->chain->not_after) : NULL;
        const char *state = w->not_found == -ENOENT ? "missing" : w->not_found == -EBADMSG ? "malformed" : w->not_found < 0 ? "unreachable" : sum == CHECK_FAILED ? "untrusted" : sum == CHECK_UNCHECKED ? "unchecked" : "trusted";

        if (row) {
                (void) json_object_set_new(row, "state", json_string(state));
                (void) json_object_set_new(row, "not_after", json_text(until));
                (void) json_object_set_new(row, "reason", json_text(sum == CHECK_FAILED || sum == CHECK_UNCHECKED ? why : NULL));
        } else if (!telling->quiet)
                printf("%-48s  %s%s\n", w->id, w->not_found == -ENOENT ? "not there" : w->not_found < 0 && sum != CHECK_FAILED ? "could not be asked for" : sum == CHECK_FAILED ? "NOT TRUSTED" : "signed until ", or_empty(until));
}

/* Those that are not right are not kept. The worst of what was wrong is in e. */
static int store_manifests(const Telling *telling, RimSource *source, const RimSet *set, Error *e) {
        int result = 0;

        for (size_t i = 0; i < set->n; i++) {
                const WantedRim *w = set->rims[i];
                json_t *row = telling->manifests ? json_pack("{s:s, s:n, s:n, s:n}", "id", w->id, "source", "file", "sha256") : NULL;
                CheckState sum = checks_sum(w->checks, 0, _RIM_CHECK_MAX);
                const char *why = NULL;
                int r = 0;

                if (telling->manifests && json_array_append_new(telling->manifests, row) < 0)
                        return error_oom(e);
                for (unsigned k = 0; k < _RIM_CHECK_MAX && !why; k++)
                        if (w->checks[k].state == (sum == CHECK_FAILED ? CHECK_FAILED : CHECK_UNCHECKED))
                                why = w->checks[k].detail;
                if (w->rim && sum != CHECK_FAILED && (r = store_manifest(telling->dir, source, w, row, e)) < 0)
                        return r;
                tell_manifest(telling, w, sum, why, row);
                if (sum == CHECK_FAILED)
                        result = error_set(e, EKEYREJECTED, EXIT_UNTRUSTED, "%s: %s", w->id, why ? why : "not trusted");
                else if (sum == CHECK_UNCHECKED && result == 0)
                        result = error_set(e, ENODATA, EXIT_UNCHECKED, "%s: %s", w->id, why ? why : "could not be had");
        }
        return result;
}

static int tell_answers(const Telling *telling, const Collateral *c, Error *e) {
        _cleanup_free_ char *until = NULL;
        OcspSummary s;
        int r;

        ocsp_client_summary(c->ocsp, &s);
        until = s.next_update ? time_to_text(s.next_update) : NULL;
        if (telling->manifests) {
                r = print_json(json_pack("{s:o, s:O, s:{s:I, s:I, s:I, s:o}}", "dir", json_text(telling->dir), "manifests", telling->manifests, "revocation", "asked",
                                         (json_int_t) s.asked, "answered", (json_int_t) s.answered, "stored", (json_int_t) s.stored, "good_until",
                                         json_text(until)), e);
                if (r < 0)
                        return r;
        } else if (!telling->quiet)
                printf("%-48s  %zu of %zu%s%s\n", "answers on revocation", s.answered, s.asked, until ? ", good until " : "", until ? until : "");
        if (s.answered == s.asked)
                return 0;
        return error_set(e, ENODATA, EXIT_UNCHECKED, "%zu of %zu certificates could not be asked about", s.asked - s.answered, s.asked);
}

/* Chains that are right are asked about, as a verdict does. */
static int ask_about(RimSet *set, OcspSource *ocsp, Error *e) {
        _cleanup_free_ OcspQuery *queries = NULL;
        size_t n = 0;

        for (size_t i = 0; i < set->n; i++)
                if (set->rims[i]->rim && set->rims[i]->checks[RIM_CHAIN].state == CHECK_OK &&
                    ocsp_collect(set->rims[i]->rim->chain, OCSP_RIM_FIRST, &queries, &n) < 0)
                        return error_oom(e);
        if (n > 0)
                ocsp->prepare(ocsp->userdata, queries, n);
        for (size_t i = 0; i < set->n; i++)
                if (set->rims[i]->rim && set->rims[i]->checks[RIM_CHAIN].state == CHECK_OK)
                        ocsp_check_chain(ocsp, set->rims[i]->rim->chain, OCSP_RIM_FIRST, set->rims[i]->checks, (CheckId) RIM_STATUS, &set->rims[i]->ocsp);
        return 0;
}

static int fetch_for_release(const Attest *attest, const JudgeArguments *a, const Telling *telling, RimSource *rims, OcspSource *ocsp, Error *e) {
        _cleanup_(release_freep) Release *release = NULL;
        _cleanup_strv_ char **ids = NULL;
        CertPool *pool = NULL;
        RimSet set = {};
        int r;

        r = release_load(a->release, &release, e);
        if (r < 0)
                return r;
        if (release_rims(release, &ids) < 0)
                return error_oom(e);
        if (!ids)
                return error_set(e, ENODATA, EXIT_INVALID, "%s: [Attestation] wants no reference manifest", a->release);
        pool = cert_pool_new();
        r = pool ? 0 : error_oom(e);
        STRV_FOREACH(id, ids)
                if (r == 0 && !rim_set_want(&set, *id))
                        r = error_oom(e);
        if (r == 0)
                r = rim_set_load(&set, rims, pool, attest->roots, a->o.at, e);
        if (r == 0)
                r = ask_about(&set, ocsp, e);
        if (r == 0)
                r = store_manifests(telling, rims, &set, e);
        rim_set_free(&set);
        (void) cert_pool_free(pool);
        return r;
}

static int fetch_for_evidence(const Attest *attest, const JudgeArguments *a, const Telling *telling, RimSource *rims, OcspSource *ocsp, char *files[], int n,
                              Error *e) {
        _cleanup_(evidence_freep) Evidence *evidence = evidence_new();
        _cleanup_(verdict_freep) Verdict *v = NULL;
        VerdictOptions o = a->o;
        int r = evidence ? 0 : error_oom(e);

        for (int i = 0; r == 0 && i < n; i++)
                r = evidence_load_json(evidence, files[i], e);
        if (r < 0)
                return r;
        o.roots = attest->roots;
        o.rims = rims;
        o.ocsp = ocsp;
        r = verdict_make(evidence, &o, &v, e);
        if (r < 0)
                return r;
        for (size_t i = 0; i < v->n; i++)
                if (v->devices[i].checks[CHECK_CHAIN].state == CHECK_FAILED)
                        return error_set(e, EKEYREJECTED, EXIT_UNTRUSTED, "%s: %s", v->devices[i].name, v->devices[i].checks[CHECK_CHAIN].detail);
        return store_manifests(telling, rims, &v->rims, e);
}

static int run(Attest *attest, const JudgeArguments *a, const Telling *telling, char *files[], int n, Error *e) {
        _cleanup_free_ char *answers = path_join(telling->dir, OCSP_BUNDLE_DIR);
        _cleanup_collateral_ Collateral c = {};
        OcspSummary asked;
        RimSource rims;
        OcspSource ocsp;
        int r, k = 0;

        if (!answers)
                return error_oom(e);
        r = mkdir_parents(AT_FDCWD, answers, 0755);
        if (r < 0)
                return error_errno(e, -r, "%s", answers);
        r = collateral_open(a, OCSP_ONLINE, answers, &c, e);
        if (r < 0)
                return r;
        rims = rim_client_source(c.rims);
        ocsp = ocsp_client_source(c.ocsp);
        if (n > 0)
                r = fetch_for_evidence(attest, a, telling, &rims, &ocsp, files, n, e);
        if (a->release && (r == 0 || r == -ENODATA))
                k = fetch_for_release(attest, a, telling, &rims, &ocsp, e);
        r = r < 0 ? r : k;
        /* What went wrong before there was anything to tell is the error alone. */
        ocsp_client_summary(c.ocsp, &asked);
        if (r < 0 && asked.asked == 0 && json_array_size(telling->manifests) == 0)
                return r;
        k = tell_answers(telling, &c, e);
        return r < 0 ? r : k;
}

int verb_attest_fetch(Attest *attest, int argc, char *argv[], Error *e) {
        static const Option options[] = {
                { "release", ARG_JUDGE_RELEASE, "FILE" },
                { "rim-dir", ARG_JUDGE_RIM_DIR, "DIR" },
                { "timeout", ARG_JUDGE_TIMEOUT, "SECONDS" },
                { "config", ARG_JUDGE_CONFIG, "FILE" },
                {}
        };
        _cleanup_(judge_arguments_free) JudgeArguments a = JUDGE_ARGUMENTS;
        Telling telling;
        int c, r;

        while ((c = option_next(argc, argv, options)) >= 0) {
                if (c == 'h') {
                        help();
                        return EXIT_OK;
                }
                if ((r = judge_take_option(&a, c, optarg)) != EXIT_OK || c == '?')
                        return r;
        }
        if (optind >= argc)
                return verb_usage("fetch", "into which directory?");
        if (optind + 1 == argc && !a.release)
                return verb_usage("fetch", "for which evidence, or --release?");
        telling = (Telling) { .dir = argv[optind], .manifests = attest->json ? json_array() : NULL, .quiet = attest->quiet };
        r = run(attest, &a, &telling, argv + optind + 1, argc - optind - 1, e);
        json_decref(telling.manifests);
        return r;
}
