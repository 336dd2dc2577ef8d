/* SPDX-License-Identifier: Apache-2.0 */
#include <getopt.h>
#include <locale.h>

#include "attest/collect.h"
#include "basic/log.h"
#include "basic/process.h"
#include "cmd/attest.h"

static const AttestVerb verbs[] = {
        { "run", "", "take evidence here, judge it; what no verb means", verb_attest_run },
        { "verify", "EVIDENCE.json...", "judge evidence; needs no GPU", verb_attest_verify },
        { "collect", "", "take evidence from this machine's devices", verb_attest_collect },
        { "fetch", "DIR [FILE...]", "fill a bundle for verdicts without a network", verb_attest_fetch },
        { "rim", "FILE...", "judge reference manifests, or get them", verb_attest_rim },
        { "gate", "enable|disable", "attest at every boot, before GPUs are ready", verb_attest_gate },
};

static void help(void) {
        printf("gn8v-tee-attest [OPTION...] [VERB] [ARGUMENT...]\n\n"
               "Find out whether GPUs and NVSwitches are genuine and run what NVIDIA released.\n\n"
               "Verbs:\n");
        for (size_t i = 0; i < ELEMENTSOF(verbs); i++)
                printf("  %-8s %-18s %s\n", verbs[i].name, verbs[i].arguments, verbs[i].summary);
        printf("\nOptions:\n"
               "      --json           one JSON document on standard output\n"
               "  -q, --quiet          errors only\n"
               "  -v, --verbose        every check, not only those that are not right\n"
               "      --version        print the version\n"
               "  -h, --help           this text; VERB --help tells more\n\n"
               "Exit codes and files: gn8v-tee-attest(1).\n");
}

int attest_usage(const char *verb, const char *fmt, ...) {
        va_list ap;

        fprintf(stderr, "gn8v-tee-attest: %s: ", verb);
        va_start(ap, fmt);
        vfprintf(stderr, fmt, ap);
        va_end(ap);
        fprintf(stderr, "\nTry: gn8v-tee-attest %s --help\n", verb);
        return EXIT_USAGE;
}

static int run_verb(Attest *attest, int argc, char *argv[]) {
        for (size_t i = 0; i < ELEMENTSOF(verbs); i++)
                if (streq(argv[0], verbs[i].name)) {
                        _cleanup_error_ Error e = ERROR_INIT;
                        int r;

                        optind = 0;
                        r = verbs[i].run(attest, argc, argv, &e);
                        if (fflush(stdout) != 0 || ferror(stdout))
                                r = error_errno(&e, errno ? errno : EIO, "standard output");
                        return r < 0 ? (int) log_error(&e, r) : r;
                }
        fprintf(stderr, "gn8v-tee-attest: %s: there is no such verb\nTry: gn8v-tee-attest --help\n", argv[0]);
        return EXIT_USAGE;
}

/* Options that are not for all verbs, and no verb: they are those of run. argv gets one word more; it must have room for it. */
static bool insert_run(int argc, char *argv[]) {
        static const char *const all[] = { "--json", "-q", "--quiet", "-v", "--verbose" }, *const alone[] = { "--version", "-h", "--help" };
        int at = 1;

        for (bool found = true; found && at < argc; at += found) {
                found = false;
                for (size_t i = 0; i < ELEMENTSOF(all); i++)
                        found = found || streq(argv[at], all[i]);
        }
        if (at == argc || *argv[at] != '-')
                return false;
        for (size_t i = 0; i < ELEMENTSOF(alone); i++)
                if (streq(argv[at], alone[i]))
                        return false;
        memmove(argv + at + 1, argv + at, (size_t) (argc - at + 1) * sizeof(char *));
        argv[at] = (char *) "run";
        return true;
}

int main(int argc, char *argv[]) {
        enum { ARG_JSON = 256, ARG_VERSION };
        static const struct option options[] = {
                { "json", no_argument, NULL, ARG_JSON },
                { "quiet", no_argument, NULL, 'q' },
                { "verbose", no_argument, NULL, 'v' },
                { "version", no_argument, NULL, ARG_VERSION },
                { "help", no_argument, NULL, 'h' },
                {}
        };
        Attest attest = {};
        LogLevel level = LOG_NORMAL;
        _cleanup_free_ char **words = NULL;
        int c;

        open_standard_streams();
        /* Before anything else: the drivers' libraries are asked by a process that has nothing to lose. */
        if (argc == 4 && streq(argv[1], COLLECT_VERB))
                _exit(collect_answer(argv[2], argv[3]));
        (void) setlocale(LC_CTYPE, "");
        words = calloc((size_t) argc + 2, sizeof(char *));
        if (!words)
                return EXIT_FAILED;
        memcpy(words, argv, (size_t) argc * sizeof(char *));
        argc += insert_run(argc, words);
        argv = words;
        while ((c = getopt_long(argc, argv, "+qvh", options, NULL)) >= 0)
                switch (c) {
                case ARG_JSON: attest.json = true; break;
                case 'q': level = LOG_QUIET; attest.quiet = true; break;
                case 'v': level = LOG_VERBOSE; attest.verbose = true; break;
                case ARG_VERSION: puts("gn8v-tee-attest " GN8V_VERSION); return EXIT_OK;
                case 'h': help(); return EXIT_OK;
                default: fprintf(stderr, "Try: gn8v-tee-attest --help\n"); return EXIT_USAGE;
                }
        log_setup("gn8v-tee-attest", level);
        attest.roots = attest_roots();
        rim_setup();
        return optind < argc ? run_verb(&attest, argc - optind, argv + optind) : run_verb(&attest, 1, (char *[]) { (char *) "run", NULL });
}
