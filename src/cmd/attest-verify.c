/* SPDX-License-Identifier: Apache-2.0 */
#include <time.h>

#include "cmd/attest-judge.h"

static void help(void) {
        printf("gn8v-tee-attest verify [OPTION...] EVIDENCE.json...\n"
               "gn8v-tee-attest verify [OPTION...] --report=FILE --chain=FILE\n\n"
               "Judge the evidence of GPUs and NVSwitches, here: reports, certificates, firmware\n"
               "and driver measurements, and how the devices are linked. Needs no GPU.\n\n"
               "      --report=FILE      one device's report (bytes or hexadecimal text)\n"
               "      --chain=FILE       its certificates (PEM, leaf first)\n"
               "%s", judge_help);
}

static int load_evidence(const char *report, const char *chain, int argc, char *argv[], Evidence **ret, Error *e) {
        _cleanup_(evidence_freep) Evidence *ev = evidence_new();
        int r = 0;

        if (!ev)
                return error_oom(e);
        if (report)
                r = evidence_load_files(ev, report, chain, e);
        for (int i = 0; r == 0 && i < argc; i++)
                r = evidence_load_json(ev, argv[i], e);
        if (r < 0)
                return r;
        *ret = TAKE_PTR(ev);
        return 0;
}

int verb_attest_verify(Attest *attest, int argc, char *argv[], Error *e) {
        enum { ARG_REPORT = 256, ARG_CHAIN };
        static const Option options[] = {
                { "report", ARG_REPORT, "FILE" },
                { "chain", ARG_CHAIN, "FILE" },
                JUDGE_OPTIONS,
                {}
        };
        _cleanup_(judge_arguments_free) JudgeArguments a = JUDGE_ARGUMENTS;
        _cleanup_(evidence_freep) Evidence *evidence = NULL;
        const char *report = NULL, *chain = NULL, *wrong;
        int c, r;

        while ((c = option_next(argc, argv, options)) >= 0)
                switch (c) {
                case 'h': help(); return EXIT_OK;
                case ARG_REPORT:
                case ARG_CHAIN:
                        if (c == ARG_REPORT ? report : chain)
                                return verb_usage("verify", "--report and --chain are of one device; several: as evidence files");
                        *(c == ARG_REPORT ? &report : &chain) = optarg;
                        break;
                default:
                        if ((r = judge_take_option(&a, c, optarg)) != EXIT_OK || c == '?')
                                return r;
                }
        wrong = judge_check_options(&a, attest->json);
        if (wrong)
                return verb_usage("verify", "%s", wrong);
        if (!report != !chain)
                return verb_usage("verify", "--report and --chain go together");
        if (!report && optind == argc)
                return verb_usage("verify", "which evidence?");
        r = load_evidence(report, chain, argc - optind, argv + optind, &evidence, e);
        return r < 0 ? r : judge_evidence(attest, &a, evidence, NULL, e);
}
