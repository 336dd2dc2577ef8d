/* SPDX-License-Identifier: Apache-2.0 */
#include <fcntl.h>
#include <getopt.h>
#include <time.h>

#include "attest/policy.h"
#include "attest/token.h"
#include "basic/fs.h"
#include "basic/log.h"
#include "basic/strings.h"
#include "cmd/attest.h"

static void help(void) {
        printf("gn8v-tee-attest [OPTION...] verify [VERIFY-OPTION...] EVIDENCE.json...\n"
               "gn8v-tee-attest [OPTION...] verify [VERIFY-OPTION...] --report=FILE --chain=FILE\n\n"
               "Judge the evidence of GPUs and NVSwitches, here: reports, certificates, firmware\n"
               "and driver measurements, and how the devices are linked. Needs no GPU.\n\n"
               "      --report=FILE      one device's report (bytes or hexadecimal text)\n"
               "      --chain=FILE       its certificates (PEM, leaf first)\n"
               "      --nonce=HEX        every report must have this nonce (64 digits)\n"
               "      --rim-dir=DIR      reference manifests: DIR/ID.xml\n"
               "      --at=TIME          judge as of then (2024-06-01T00:00:00Z; default: now)\n"
               "      --gpus=N           as many GPUs must be there\n"
               "      --switches=N       as many NVSwitches must be there\n"
               "      --mode=MODE        confidential-computing or protected-pcie\n"
               "      --release=FILE     demand what this release file expects\n"
               "      --ocsp=off         do not ask whether certificates were revoked\n"
               "      --policy=FILE      claims must be as in this policy; may repeat\n"
               "      --claims=VERSION   print NVIDIA's claims, 2.0 or 3.0, instead of the table\n"
               "      --token=FILE       write them as a detached EAT, too (-: standard output)\n"
               "      --sign-key=FILE    sign the token: ES384, PEM key on P-384\n"
               "      --json             one JSON document on standard output\n"
               "  -h, --help             this text\n\n"
               "Exit status: 0 trusted; 5 not trusted; 11 could not be checked; 12 a policy\n"
               "refuses it; 6 the input is malformed; 2 wrong words on the command line.\n");
}

typedef struct VerifyArguments {
        const char *report, *chain, *rim_dir, *release, *ocsp, *token, *sign_key;
        char **policies;
        int claims; /* ClaimsVersion, or -1 */
        uint8_t *nonce;
        VerdictOptions o;
} VerifyArguments;

static void arguments_free(VerifyArguments *a) {
        free(a->nonce);
        (void) strv_free(a->policies);
}

static int parse_count(const char *s, int *ret) {
        uint64_t n;

        if (parse_u64(s, &n) < 0 || n > EVIDENCE_DEVICES_MAX)
                return -EINVAL;
        *ret = (int) n;
        return 0;
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

enum { ARG_REPORT = 256, ARG_CHAIN, ARG_NONCE, ARG_RIM_DIR, ARG_AT, ARG_GPUS, ARG_SWITCHES, ARG_MODE, ARG_RELEASE, ARG_OCSP, ARG_POLICY, ARG_CLAIMS,
       ARG_TOKEN, ARG_SIGN_KEY, ARG_JSON };

/* Takes the value of one option: NULL, or what is wrong with it. */
static const char *take_option(Attest *attest, VerifyArguments *a, int c, const char *value) {
        switch (c) {
        case ARG_REPORT: a->report = value; return NULL;
        case ARG_CHAIN: a->chain = value; return NULL;
        case ARG_RIM_DIR: a->rim_dir = value; return NULL;
        case ARG_RELEASE: a->release = value; return NULL;
        case ARG_OCSP: a->ocsp = value; return NULL;
        case ARG_TOKEN: a->token = value; return NULL;
        case ARG_SIGN_KEY: a->sign_key = value; return NULL;
        case ARG_POLICY: return strv_append(&a->policies, value) < 0 ? "out of memory" : NULL;
        case ARG_CLAIMS: return (a->claims = claims_version_from_string(value)) < 0 ? "--claims is 2.0 or 3.0" : NULL;
        case ARG_JSON: attest->json = true; return NULL;
        case ARG_NONCE: return parse_nonce(value, &a->nonce) < 0 ? "--nonce wants 64 hexadecimal digits" : NULL;
        case ARG_AT: return parse_time(value, &a->o.at) < 0 ? "--at wants a time like 2024-06-01T00:00:00Z" : NULL;
        case ARG_GPUS: return parse_count(value, &a->o.gpus) < 0 ? "--gpus wants a number" : NULL;
        case ARG_SWITCHES: return parse_count(value, &a->o.switches) < 0 ? "--switches wants a number" : NULL;
        case ARG_MODE: return (a->o.mode = mode_from_string(value)) < 0 ? "--mode is confidential-computing or protected-pcie" : NULL;
        default: return "unknown option, or an argument is missing";
        }
}

/* What the release expects; an option that says it, too, says it last. */
static int demand_release(VerifyArguments *a, Error *e) {
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

static int load_evidence(const VerifyArguments *a, int argc, char *argv[], Evidence **ret, Error *e) {
        _cleanup_(evidence_freep) Evidence *ev = evidence_new();
        int r = 0;

        if (!ev)
                return error_oom(e);
        if (a->report)
                r = evidence_load_files(ev, a->report, a->chain, e);
        for (int i = 0; r == 0 && i < argc; i++)
                r = evidence_load_json(ev, argv[i], e);
        if (r < 0)
                return r;
        *ret = TAKE_PTR(ev);
        return 0;
}

/* The first thing that is wrong, as the one line of the error; the table has them all. */
static int verdict_to_error(const Verdict *v, Error *e) {
        for (CheckState state = CHECK_FAILED;; state = CHECK_UNCHECKED) {
                ExitCode code = state == CHECK_FAILED ? EXIT_UNTRUSTED : EXIT_UNCHECKED;
                const char *what = state == CHECK_FAILED ? "not trusted" : "could not be checked";

                for (size_t i = 0; i < v->n; i++)
                        for (unsigned id = 0; id < _CHECK_DEVICE_MAX; id++)
                                if (v->devices[i].checks[id].state == state && v->devices[i].checks[id].detail)
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

static int write_token(const VerifyArguments *a, const Verdict *v, Error *e) {
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
        r = write_file_atomic(AT_FDCWD, a->token, token, strlen(token), 0644);
        return r < 0 ? error_errno(e, -r, "%s", a->token) : 0;
}

/* What stands on standard output: the table, or one document. A token is written whatever the verdict: it says what it is. */
static int print(const Attest *attest, const VerifyArguments *a, const Verdict *v, Error *e) {
        bool to_stdout = a->token && streq(a->token, "-");
        int r = 0;

        if (attest->json || a->claims >= 0) {
                if (!to_stdout)
                        r = attest_print_json(v, attest->json, a->claims, e);
        } else if (!attest->quiet && !to_stdout)
                attest_print_table(v, attest->verbose);
        return r == 0 && a->token ? write_token(a, v, e) : r;
}

static int run(const Attest *attest, const VerifyArguments *a, int argc, char *argv[], Error *e) {
        _cleanup_(evidence_freep) Evidence *evidence = NULL;
        _cleanup_(verdict_freep) Verdict *v = NULL;
        _cleanup_(policies_freep) Policies *policies = NULL;
        RimSource directory = { (void *) a->rim_dir, NULL, rim_directory_get };
        VerdictOptions o = a->o;
        int r;

        r = load_evidence(a, argc, argv, &evidence, e);
        if (r < 0 || (r = policies_load(a->policies, &policies, e)) < 0)
                return r;
        o.roots = attest->roots;
        o.nonce = a->nonce;
        o.rims = a->rim_dir ? &directory : NULL;
        r = verdict_make(evidence, &o, &v, e);
        if (r < 0)
                return r;
        r = print(attest, a, v, e);
        if (r < 0)
                return r;
        if (v->result != CHECK_OK)
                return verdict_to_error(v, e);
        for (size_t i = 0; policies && i < policies->n; i++) {
                r = policy_check(policies->list[i], v, e);
                if (r < 0)
                        return r;
        }
        if (!attest->json && !attest->quiet)
                log_info("trusted: %zu of %zu devices", v->n, v->n);
        return EXIT_OK;
}

int verb_attest_verify(Attest *attest, int argc, char *argv[], Error *e) {
        static const struct option options[] = {
                { "report", required_argument, NULL, ARG_REPORT },
                { "chain", required_argument, NULL, ARG_CHAIN },
                { "nonce", required_argument, NULL, ARG_NONCE },
                { "rim-dir", required_argument, NULL, ARG_RIM_DIR },
                { "at", required_argument, NULL, ARG_AT },
                { "gpus", required_argument, NULL, ARG_GPUS },
                { "switches", required_argument, NULL, ARG_SWITCHES },
                { "mode", required_argument, NULL, ARG_MODE },
                { "release", required_argument, NULL, ARG_RELEASE },
                { "ocsp", required_argument, NULL, ARG_OCSP },
                { "policy", required_argument, NULL, ARG_POLICY },
                { "claims", required_argument, NULL, ARG_CLAIMS },
                { "token", required_argument, NULL, ARG_TOKEN },
                { "sign-key", required_argument, NULL, ARG_SIGN_KEY },
                { "json", no_argument, NULL, ARG_JSON },
                { "help", no_argument, NULL, 'h' },
                {}
        };
        _cleanup_(arguments_free) VerifyArguments a = { .claims = -1, .o = { .at = (int64_t) time(NULL), .gpus = -1, .switches = -1, .mode = -1 } };
        int c, r;

        while ((c = getopt_long(argc, argv, "h", options, NULL)) >= 0) {
                const char *wrong;

                if (c == 'h') {
                        help();
                        return EXIT_OK;
                }
                wrong = take_option(attest, &a, c, optarg);
                if (wrong)
                        return attest_usage("verify", "%s", wrong);
        }
        if (!a.report != !a.chain)
                return attest_usage("verify", "--report and --chain go together");
        if (a.sign_key && !a.token)
                return attest_usage("verify", "--sign-key is for --token");
        if (!a.report && optind == argc)
                return attest_usage("verify", "which evidence?");
        if (a.ocsp && !streq(a.ocsp, "off"))
                return attest_usage("verify", streq(a.ocsp, "cache") || streq(a.ocsp, "online") ? "--ocsp=%s: only off is there yet" : "--ocsp=%s: off is meant",
                                    a.ocsp);
        r = demand_release(&a, e);
        return r < 0 ? r : run(attest, &a, argc - optind, argv + optind, e);
}
