/* SPDX-License-Identifier: Apache-2.0 */
/* What verify and run have in common: how evidence is to be judged, and what is told about it. */
#pragma once

#include "attest/collateral.h"
#include "cmd/attest.h"

/* Options that both take. */
enum { ARG_JUDGE_NONCE = 512, ARG_JUDGE_RIM_DIR, ARG_JUDGE_BUNDLE, ARG_JUDGE_AT, ARG_JUDGE_GPUS, ARG_JUDGE_SWITCHES, ARG_JUDGE_MODE, ARG_JUDGE_RELEASE,
       ARG_JUDGE_OCSP, ARG_JUDGE_OFFLINE, ARG_JUDGE_ALLOW_HOLD, ARG_JUDGE_TIMEOUT, ARG_JUDGE_CONFIG, ARG_JUDGE_POLICY, ARG_JUDGE_CLAIMS, ARG_JUDGE_TOKEN,
       ARG_JUDGE_SIGN_KEY };

#define JUDGE_OPTIONS                                 \
        { "nonce", ARG_JUDGE_NONCE, "HEX" },          \
        { "rim-dir", ARG_JUDGE_RIM_DIR, "DIR" },      \
        { "bundle", ARG_JUDGE_BUNDLE, "DIR" },        \
        { "at", ARG_JUDGE_AT, "TIME" },               \
        { "gpus", ARG_JUDGE_GPUS, "N" },              \
        { "switches", ARG_JUDGE_SWITCHES, "N" },      \
        { "mode", ARG_JUDGE_MODE, "MODE" },           \
        { "release", ARG_JUDGE_RELEASE, "FILE" },     \
        { "ocsp", ARG_JUDGE_OCSP, "MODE" },           \
        { "offline", ARG_JUDGE_OFFLINE, NULL },       \
        { "allow-hold", ARG_JUDGE_ALLOW_HOLD, NULL }, \
        { "timeout", ARG_JUDGE_TIMEOUT, "SECONDS" },  \
        { "config", ARG_JUDGE_CONFIG, "FILE" },       \
        { "policy", ARG_JUDGE_POLICY, "FILE" },       \
        { "claims", ARG_JUDGE_CLAIMS, "VERSION" },    \
        { "token", ARG_JUDGE_TOKEN, "FILE" },         \
        { "sign-key", ARG_JUDGE_SIGN_KEY, "FILE" }

/* Their lines of --help. */
extern const char judge_help[];

typedef struct JudgeArguments {
        const char *rim_dir, *bundle, *release, *config, *token, *sign_key;
        char **policies;
        int claims;          /* ClaimsVersion, or -1 */
        int ocsp;            /* OcspMode, or -1: as fits the rest */
        unsigned timeout_sec; /* 0: as configured */
        bool offline, allow_hold, at_given;
        uint8_t *nonce;
        VerdictOptions o;
} JudgeArguments;
#define JUDGE_ARGUMENTS ((JudgeArguments){ .claims = -1, .ocsp = -1, .o = { .at = (int64_t) time(NULL), .gpus = -1, .switches = -1, .mode = -1 } })
void judge_arguments_free(JudgeArguments *a);

/* Takes one option, with its value, or what option_next() could not take: EXIT_OK, or what to return. */
int judge_take_option(JudgeArguments *a, int option, const char *value);
/* What is wrong with the options together; NULL. */
const char *judge_check_options(const JudgeArguments *a, bool json);

/* The clients that answer for manifests and revocation as the options say. */
typedef struct Collateral {
        CollateralSettings settings;
        Http *http;
        RimClient *rims;
        OcspClient *ocsp; /* NULL: not asked for */
} Collateral;
int collateral_open(const JudgeArguments *a, OcspMode ocsp, const char *ocsp_store, Collateral *ret, Error *e);
void collateral_close(Collateral *c);
#define _cleanup_collateral_ _cleanup_(collateral_close)

/* Judges, prints, writes the token, asks the policies. EXIT_OK: trusted; -errno. *ret_verdict (may be NULL) is set whenever there was a verdict. */
int judge_evidence(Attest *attest, JudgeArguments *a, const Evidence *evidence, Verdict **ret_verdict, Error *e);
