/* SPDX-License-Identifier: Apache-2.0 */
#include <locale.h>

#include "attest/collect.h"
#include "basic/log.h"
#include "basic/process.h"
#include "cmd/attest.h"

static const AttestVerb verbs[] = {
        { "run", "", "take evidence here, judge it; what no verb means", verb_attest_run },
        { "verify", "EVIDENCE.json...", "judge evidence; needs no GPU", verb_attest_verify },
        { "collect", "", "take evidence from this machine's devices", verb_attest_collect },
        { "fetch", "DIR [EVIDENCE...]", "fill a bundle for verdicts without a network", verb_attest_fetch },
        { "rim", "FILE...", "judge reference manifests, or get them", verb_attest_rim },
        { "gate", "enable|disable", "attest at every boot, before GPUs are ready", verb_attest_gate },
};

static void help(void) {
        printf("gn8v-tee-attest [OPTION...] [VERB] [OPTION...] [ARGUMENT...]\n\n"
               "Find out whether GPUs and NVSwitches are genuine and run what NVIDIA released.\n\n"
               "Verbs:\n");
        for (size_t i = 0; i < ELEMENTSOF(verbs); i++)
                printf("  %-8s %-18s %s\n", verbs[i].name, verbs[i].arguments, verbs[i].summary);
        printf("\nOptions:\n"
               "      --json           one JSON document on standard output\n"
               "  -q, --quiet          warnings and errors only\n"
               "  -v, --verbose        every check, not only those that are not right\n"
               "      --version        print the version\n"
               "  -h, --help           this text; VERB --help tells more\n\n"
               "Exit codes: 0 trusted; 2 wrong words on the command line; VERB --help and\n"
               "gn8v-tee-attest(1) have the others.\n");
}

int attest_take_time(const char *value, int64_t *ret) {
        return parse_time(value, ret) < 0 && parse_date(value, ret) < 0 ? option_refuse("not a time like 2024-06-01T00:00:00Z, nor a date") : EXIT_OK;
}

static int run_verb(Attest *attest, int argc, char *argv[]) {
        const char *names[ELEMENTSOF(verbs) + 1] = {};

        for (size_t i = 0; i < ELEMENTSOF(verbs); i++) {
                _cleanup_error_ Error e = ERROR_INIT;

                names[i] = verbs[i].name;
                if (!streq(argv[0], verbs[i].name))
                        continue;
                optind = 0;
                return output_done(verbs[i].run(attest, argc, argv, &e), &e);
        }
        return verb_unknown(argv[0], names);
}

static const Option common[] = {
        OPTION_JSON,
        { "quiet", 'q', NULL },
        { "verbose", 'v', NULL },
        OPTION_VERSION,
        OPTION_HELP,
        {}
};

static int take_common(void *userdata, int id, const char *value) {
        Attest *attest = userdata;

        switch (id) {
        case ARG_COMMON_JSON: attest->json = true; break;
        case 'q': attest->quiet = true; log_setup("gn8v-tee-attest", LOG_QUIET); break;
        case 'v': attest->verbose = true; log_setup("gn8v-tee-attest", LOG_VERBOSE); break;
        default: break;
        }
        return EXIT_OK;
}

/* Letters of the common options without a value, in one word. */
static bool is_flags(const char *word) {
        return word[0] == '-' && word[1] && strspn(word + 1, "qv") == strlen(word + 1);
}

/* Of a long option, which may be shortened. */
static bool is_begin_of(const char *option, const char *word) {
        return strlen(word) > 2 && startswith(option, word);
}

/* Options that are not for all verbs, and no verb: they are those of run. argv gets one word more; it must have room for it. */
static bool insert_run(int argc, char *argv[]) {
        static const char *const alone[] = { "--version", "-h", "--help" };
        int at = 1;

        while (at < argc && (is_begin_of("--json", argv[at]) || is_begin_of("--quiet", argv[at]) || is_begin_of("--verbose", argv[at]) || is_flags(argv[at])))
                at++;
        if (at == argc || *argv[at] != '-')
                return false;
        for (size_t i = 0; i < ELEMENTSOF(alone); i++)
                if (streq(argv[at], alone[i]) || is_begin_of(alone[i], argv[at]))
                        return false;
        memmove(argv + at + 1, argv + at, (size_t) (argc - at + 1) * sizeof(char *));
        argv[at] = (char *) "run";
        return true;
}

int main(int argc, char *argv[]) {
        static char *run_only[] = { (char *) "run", NULL };
        Attest attest = {};
        const Program program = { "gn8v-tee-attest", common, take_common, &attest };
        _cleanup_free_ char **words = NULL;
        int r;

        open_standard_streams();
        /* Before anything else: the drivers' libraries are asked by a process that has nothing to lose. */
        if (argc == 4 && streq(argv[1], COLLECT_VERB))
                _exit(collect_answer(argv[2], argv[3]));
        (void) setlocale(LC_CTYPE, "");
        log_setup(program.name, LOG_NORMAL);
        words = calloc((size_t) argc + 2, sizeof(char *));
        if (!words)
                return EXIT_FAILED;
        memcpy(words, argv, (size_t) argc * sizeof(char *));
        argc += insert_run(argc, words);
        program_begin(&program, argc, words);
        r = options_before_verb(argc, words, help);
        if (r >= 0)
                return r;
        attest.roots = attest_roots();
        rim_setup();
        return optind < argc ? run_verb(&attest, argc - optind, words + optind) : run_verb(&attest, 1, run_only);
}
