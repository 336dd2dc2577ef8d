/* SPDX-License-Identifier: Apache-2.0 */
#include "cmd/attest-judge.h"

#include <fcntl.h>
#include <time.h>

#include "attest/policy.h"
#include "attest/token.h"
#include "basic/fs.h"
#include "basic/log.h"

const char judge_help[] =
        "      --nonce=HEX        every report must have this nonce (64 digits)\n"
        "      --rim-dir=DIR      reference manifests: DIR/ID.xml, before other places\n"
        "      --bundle=DIR       manifests and answers as fetch has put them there;\n"
        "                         no server is asked\n"
        "      --at=TIME          judge as of then (2024-06-01T00:00:00Z; default: now)\n"
        "      --gpus=N           as many GPUs must be there\n"
        "      --switches=N       as many NVSwitches must be there\n"
        "      --mode=MODE        confidential-computing or protected-pcie\n"
        "      --release=FILE     demand what this release file expects\n"
        "      --ocsp=MODE        were certificates revoked? online: ask; cache: ask\n"
        "                         unless a stored answer holds; off: do not ask\n"
        "      --offline          ask no server\n"
        "      --allow-hold       a certificate may be on hold\n"
        "      --timeout=SECONDS  for everything that servers are asked (default: 30)\n"
        "      --config=FILE      instead of /etc/gn8v-tee/attest.conf\n"
        "      --policy=FILE      claims must be as in this policy; may repeat\n"
        "      --claims=VERSION   print NVIDIA's claims, 2.0 or 3.0, instead of the table\n"
        "      --token=FILE       write them as a detached EAT, too (-: standard output)\n"
        "      --sign-key=FILE    sign the token: ES384, PEM key on P-384\n"
        "      --json             one JSON document on standard output\n"
        "  -v, --verbose          every check, not only those that are not right\n"
        "  -h, --help             this text\n\n"
        "Exit codes: 0 trusted; 1 failed; 5 not trusted; 6 a report, chain, evidence,\n"
        "manifest or policy is malformed; 11 could not be checked; 12 a policy refuses\n"
        "it.\n";

void judge_arguments_free(JudgeArguments *a) {
        free(a->nonce);
        (void) strv_free(a->policies);
}

static int take_count(const char *s, int *ret) {
        uint64_t n;
        int r = option_number(s, 0, EVIDENCE_DEVICES_MAX, &n);

        if (r == EXIT_OK)
                *ret = (int) n;
        return r;
}

static int parse_nonce(const char *s, uint8_t **ret) {
        _cleanup_free_ uint8_t *bytes = NULL;
        size_t n;

        if (hex_decode(s, strlen(s), false, &bytes, &n) < 0 || n != NONCE_SIZE)
                return -EINVAL;
        free(*ret);
        *ret = TAKE_PTR(bytes);
        return 0;
}

int judge_take_option(JudgeArguments *a, int option, const char *value) {
        uint64_t n;
        int r;

        switch (option) {
        case ARG_JUDGE_RIM_DIR: a->rim_dir = value; return EXIT_OK;
        case ARG_JUDGE_BUNDLE: a->bundle = value; return EXIT_OK;
        case ARG_JUDGE_RELEASE: a->release = value; return EXIT_OK;
        case ARG_JUDGE_CONFIG: a->config = value; return EXIT_OK;
        case ARG_JUDGE_OFFLINE: a->offline = true; return EXIT_OK;
        case ARG_JUDGE_ALLOW_HOLD: a->allow_hold = true; return EXIT_OK;
        case ARG_JUDGE_TOKEN: a->token = value; return EXIT_OK;
        case ARG_JUDGE_SIGN_KEY: a->sign_key = value; return EXIT_OK;
        case ARG_JUDGE_OCSP: return (a->ocsp = ocsp_mode_from_string(value)) < 0 ? option_refuse("neither online, cache nor off") : EXIT_OK;
        case ARG_JUDGE_POLICY: return strv_append(&a->policies, value) < 0 ? option_refuse("out of memory") : EXIT_OK;
        case ARG_JUDGE_CLAIMS: return (a->claims = claims_version_from_string(value)) < 0 ? option_refuse("neither 2.0 nor 3.0") : EXIT_OK;
        case ARG_JUDGE_NONCE: return parse_nonce(value, &a->nonce) < 0 ? option_refuse("not 64 hexadecimal digits") : EXIT_OK;
        case ARG_JUDGE_AT: a->at_given = true; return attest_take_time(value, &a->o.at);
        case ARG_JUDGE_TIMEOUT:
                if ((r = option_number(value, 1, ATTEST_TIMEOUT_MAX, &n)) == EXIT_OK)
                        a->timeout_sec = (unsigned) n;
                return r;
        case ARG_JUDGE_GPUS: return take_count(value, &a->o.gpus);
        case ARG_JUDGE_SWITCHES: return take_count(value, &a->o.switches);
        case ARG_JUDGE_MODE: return (a->o.mode = mode_from_string(value)) < 0 ? option_refuse("neither confidential-computing nor protected-pcie") : EXIT_OK;
        default: return option_status();
        }
}

const char *judge_check_options(const JudgeArguments *a, bool json) {
        if (a->sign_key && !a->token)
                return "--sign-key is for --token";
        if (a->token && streq(a->token, "-") && json)
                return "--token=- and --json: only one of them gets standard output; name a file for the token";
        if ((a->bundle || a->offline) && a->ocsp == OCSP_ONLINE)
                return "--bundle and --offline are for where no server is asked: --ocsp=online is not";
        return NULL;
}

/* Asked for unless it makes no sense: answers are of now, so a verdict of another time has none; and who brings manifests in a directory is
 * taken to have no network. */
static OcspMode ocsp_mode(const JudgeArguments *a) {
        if (a->ocsp >= 0)
                return (OcspMode) a->ocsp;
        if (a->bundle)
                return OCSP_CACHE;
        return a->at_given || a->rim_dir || a->offline ? OCSP_OFF : OCSP_ONLINE;
}

void collateral_close(Collateral *c) {
        (void) rim_client_free(c->rims);
        (void) ocsp_client_free(c->ocsp);
        (void) http_free(c->http);
        collateral_settings_free(&c->settings);
}

int collateral_open(const JudgeArguments *a, OcspMode ocsp, const char *ocsp_store, Collateral *ret, Error *e) {
        _cleanup_collateral_ Collateral c = {};
        _cleanup_strv_ char **directories = NULL;
        int r;

        r = collateral_settings_load(a->config, &c.settings, e);
        if (r < 0)
                return r;
        c.settings.allow_hold = c.settings.allow_hold || a->allow_hold;
        if (a->timeout_sec > 0)
                c.settings.timeout_sec = a->timeout_sec;
        if ((a->rim_dir && strv_append(&directories, a->rim_dir) < 0) || (a->bundle && strv_append(&directories, a->bundle) < 0) ||
            strv_append(&directories, RIM_PACKAGE_DIR) < 0)
                return error_oom(e);
        if (!a->offline && !a->bundle)
                r = http_new((int64_t) c.settings.timeout_sec * 1000, &c.http, e);
        *ret = c;
        c = (Collateral) {};
        if (r == 0)
                r = rim_client_new(&ret->settings, ret->http, directories, &ret->rims, e);
        if (r == 0 && ocsp != OCSP_OFF)
                r = ocsp_client_new(&ret->settings, ocsp, ret->http, ocsp_store ? ocsp_store : ret->settings.ocsp_cache, a->o.at, &ret->ocsp, e);
        return r;
}

/* What the release expects; an option that says it, too, says it last. */
static int demand_release(JudgeArguments *a, Error *e) {
        _cleanup_(release_freep) Release *release = NULL;
        int r;

        if (!a->release)
                return 0;
        r = release_load(a->release, &release, e);
        if (r < 0)
                return r;
        if (a->o.gpus < 0)
                a->o.gpus = (int) release->gpus;
        if (a->o.switches < 0)
                a->o.switches = (int) release->nvswitches;
        if (a->o.mode < 0)
                a->o.mode = (int) release->mode;
        return 0;
}

/* Input that cannot be read comes first, whatever follows from it: its code is that of evidence that cannot be read at all. */
static int malformed_to_error(const Verdict *v, Error *e) {
        for (size_t i = 0; i < v->n; i++)
                for (unsigned id = 0; id < _CHECK_DEVICE_MAX; id++) {
                        const Check *c = &v->devices[i].checks[id];

                        if (!c->malformed)
                                continue;
                        return error_hint(e, error_set(e, EBADMSG, EXIT_INVALID, "not trusted: %s: %s: %s", v->devices[i].name, check_name((CheckId) id), c->detail),
                                          id == CHECK_REPORT  ? "a report is the device's whole answer to one request, no byte more or less"
                                          : id == CHECK_CHAIN ? "a chain is PEM, leaf first; DER to PEM: openssl x509 -inform DER"
                                                              : "take it anew from NVIDIA's RIM service");
                }
        return 0;
}

/* The first thing that is wrong, as the one line of the error; the table has them all. */
static int verdict_to_error(const Verdict *v, Error *e) {
        int r = malformed_to_error(v, e);

        if (r < 0)
                return r;
        for (CheckState state = CHECK_FAILED;; state = CHECK_UNCHECKED) {
                ExitCode code = state == CHECK_FAILED ? EXIT_UNTRUSTED : EXIT_UNCHECKED;
                const char *what = state == CHECK_FAILED ? "not trusted" : "could not be checked";

                for (size_t i = 0; i < v->n; i++)
                        for (unsigned id = 0; id < _CHECK_DEVICE_MAX; id++)
                                /* What a chain in the wrong order says of the kind of device is no news. */
                                if (v->devices[i].checks[id].state == state && v->devices[i].checks[id].detail &&
                                    (id != CHECK_ARCH || v->devices[i].checks[CHECK_CHAIN].state != CHECK_FAILED))
                                        return error_set(e, EKEYREJECTED, code, "%s: %s: %s: %s", what, v->devices[i].name, check_name((CheckId) id),
                                                         v->devices[i].checks[id].detail ? v->devices[i].checks[id].detail : "");
                for (unsigned id = _CHECK_DEVICE_MAX; id < _CHECK_MAX; id++)
                        if (v->checks[id].state == state && v->checks[id].detail)
                                return error_set(e, EKEYREJECTED, code, "%s: %s: %s", what, check_name((CheckId) id),
                                                 v->checks[id].detail ? v->checks[id].detail : "");
                if (state == CHECK_UNCHECKED)
                        return error_set(e, EKEYREJECTED, EXIT_UNCHECKED, "could not be checked");
        }
}

typedef struct Policies {
        size_t n;
        Policy *list[];
} Policies;

static Policies *policies_free(Policies *p) {
        for (size_t i = 0; i < p->n; i++)
                (void) policy_free(p->list[i]);
        free(p);
        return NULL;
}
DEFINE_CLEANUP(Policies, policies_free);

/* Before anything is judged: a policy that cannot be read is told first. */
static int policies_load(char *const *paths, Policies **ret, Error *e) {
        _cleanup_(policies_freep) Policies *p = calloc(1, sizeof(Policies) + strv_length(paths) * sizeof(Policy *));

        if (!p)
                return error_oom(e);
        STRV_FOREACH(path, paths) {
                int r = policy_load(*path, &p->list[p->n], e);

                if (r < 0)
                        return r;
                p->n++;
        }
        *ret = TAKE_PTR(p);
        return 0;
}

static int write_token(const JudgeArguments *a, const Verdict *v, Error *e) {
        _cleanup_free_ char *token = NULL;
        EVP_PKEY *key = NULL;
        int r;

        if (a->sign_key && (r = token_key_load(a->sign_key, &key, e)) < 0)
                return r;
        r = token_make(v, a->claims < 0 ? CLAIMS_2_0 : (ClaimsVersion) a->claims, (int64_t) time(NULL), key, &token, e);
        EVP_PKEY_free(key);
        if (r < 0)
                return r;
        if (streq(a->token, "-"))
                return puts(token) == EOF || fflush(stdout) != 0 ? error_errno(e, errno, "standard output") : 0;
        return write_output(a->token, token, e);
}

/* What stands on standard output: the table, or one document. A token is written whatever the verdict: it says what it is. */
static int print(const Attest *attest, const JudgeArguments *a, const Verdict *v, const char *refused, Error *e) {
        bool to_stdout = a->token && streq(a->token, "-");
        int r = 0;

        if (attest->json || a->claims >= 0) {
                if (!to_stdout)
                        r = attest_print_json(v, refused, attest->json, a->claims, e);
        } else if (!attest->quiet && !to_stdout)
                attest_print_table(v, attest->verbose);
        return r == 0 && a->token ? write_token(a, v, e) : r;
}

/* How long the answers hold: whoever keeps a verdict wants to know when to ask again. */
static void tell_ocsp(const Attest *attest, const Collateral *c) {
        _cleanup_free_ char *until = NULL;
        OcspSummary s;

        if (attest->json || attest->quiet)
                return;
        if (!c->ocsp) {
                log_info("revocation: not asked about (--ocsp=off)");
                return;
        }
        ocsp_client_summary(c->ocsp, &s);
        until = s.next_update ? time_to_text(s.next_update) : NULL;
        log_info("revocation: answers on %zu of %zu certificates%s%s, %zu of them stored ones", s.answered, s.asked, until ? ", good until " : "",
                 until ? until : "", s.stored);
}

static int judge(Attest *attest, JudgeArguments *a, const Evidence *evidence, const Policies *policies, Verdict **ret, Error *e) {
        _cleanup_free_ char *store = a->bundle ? path_join(a->bundle, OCSP_BUNDLE_DIR) : NULL;
        _cleanup_collateral_ Collateral collateral = {};
        RimSource rims;
        OcspSource ocsp;
        _cleanup_error_ Error why = ERROR_INIT;
        VerdictOptions o = a->o;
        int r, refused = 0;

        if (a->bundle && !store)
                return error_oom(e);
        r = collateral_open(a, ocsp_mode(a), store, &collateral, e);
        if (r < 0)
                return r;
        rims = rim_client_source(collateral.rims);
        o.roots = attest->roots;
        o.nonce = a->nonce;
        o.rims = &rims;
        if (collateral.ocsp) {
                ocsp = ocsp_client_source(collateral.ocsp);
                o.ocsp = &ocsp;
        }
        r = verdict_make(evidence, &o, ret, e);
        if (r < 0)
                return r;
        for (size_t i = 0; refused >= 0 && (*ret)->result == CHECK_OK && policies && i < policies->n; i++)
                refused = policy_check(policies->list[i], *ret, &why);
        r = print(attest, a, *ret, refused < 0 ? why.message : NULL, e);
        if (r < 0)
                return r;
        tell_ocsp(attest, &collateral);
        if ((*ret)->result != CHECK_OK)
                return verdict_to_error(*ret, e);
        if (refused < 0) {
                *e = why;
                why = ERROR_INIT;
                return refused;
        }
        if (!attest->json && !attest->quiet)
                log_info("trusted: %zu of %zu devices", (*ret)->n, (*ret)->n);
        return EXIT_OK;
}

int judge_evidence(Attest *attest, JudgeArguments *a, const Evidence *evidence, Verdict **ret_verdict, Error *e) {
        _cleanup_(policies_freep) Policies *policies = NULL;
        _cleanup_(verdict_freep) Verdict *v = NULL;
        int r;

        r = policies_load(a->policies, &policies, e);
        if (r < 0 || (r = demand_release(a, e)) < 0)
                return r;
        r = judge(attest, a, evidence, policies, &v, e);
        if (ret_verdict)
                *ret_verdict = TAKE_PTR(v);
        return r;
}
