/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <locale.h>

#include "basic/log.h"
#include "basic/process.h"
#include "cmd/node.h"
#include "node/nvml.h"

static const struct {
        const char *name, *arguments, *summary;
        int (*run)(Command *c, int argc, char *argv[], Error *e);
} verbs[] = {
        { "status", "", "everything in one table, with one next action", verb_status },
        { "plan", "", "show what apply would change", verb_plan },
        { "apply", "", "make this machine as the installed release wants it", verb_apply },
        { "revert", "", "put back what was there before apply", verb_revert },
        { "order", "[UNIT...]", "start units after the persistence daemon", verb_order },
        { "diagnose", "", "what the logs of this boot say about the GPUs", verb_diagnose },
        { "pause", "", "stop what would open the GPU during a transaction", verb_pause },
        { "attest", "[VERB]", "are these GPUs genuine? (package gn8v-tee-attest)", verb_attest },
        { "launch-config", "", "print how to create an instance for a release", verb_launch_config },
};

static void help(void) {
        printf("gn8v-tee [OPTION...] VERB [OPTION...]\n\n"
               "Keep a gn8v-tee instance as its installed release wants it.\n\n"
               "Verbs:\n");
        for (size_t i = 0; i < ELEMENTSOF(verbs); i++)
                printf("  %-13s %-10s %s\n", verbs[i].name, verbs[i].arguments, verbs[i].summary);
        printf("\nOptions:\n"
               "      --root=DIR       act on the system below DIR (tools run chrooted)\n"
               "      --json           one JSON document on standard output\n"
               "      --lock-timeout=SECONDS\n"
               "                       wait that long for another run to end\n"
               "  -q, --quiet          warnings and errors only\n"
               "  -v, --verbose        say more\n"
               "      --version        print the version\n"
               "  -h, --help           this text; VERB --help tells more\n\n"
               "Exit codes and files: gn8v-tee(8).\n");
}

int verb_usage(const char *verb, const char *fmt, ...) {
        va_list ap;

        fprintf(stderr, "gn8v-tee: %s%s", verb ? verb : "", verb ? ": " : "");
        va_start(ap, fmt);
        vfprintf(stderr, fmt, ap);
        va_end(ap);
        fprintf(stderr, "\nTry: gn8v-tee %s%s--help\n", verb ? verb : "", verb ? " " : "");
        return EXIT_USAGE;
}

int common_option(Command *c, const char *verb, int option, const char *value) {
        uint64_t seconds;

        switch (option) {
        case ARG_COMMON_ROOT: c->root = value; return 0;
        case ARG_COMMON_JSON: c->json = true; return 0;
        case ARG_COMMON_LOCK_TIMEOUT:
                if (parse_u64(value, &seconds) < 0 || seconds > 24 * 60 * 60)
                        return verb_usage(verb, "--lock-timeout=%s: not a number of seconds (at most a day)", value);
                c->lock_timeout = (unsigned) seconds;
                return 0;
        case 'q': c->quiet = true; log_setup("gn8v-tee", LOG_QUIET); return 0;
        case 'v': c->verbose = true; log_setup("gn8v-tee", LOG_VERBOSE); return 0;
        case '?':
                fprintf(stderr, "Try: gn8v-tee %s%s--help\n", verb ? verb : "", verb ? " " : "");
                return EXIT_USAGE;
        default: return 1;
        }
}

int common_only(Command *c, int argc, char *argv[], const char *help_text) {
        static const struct option options[] = { COMMON_OPTIONS, {} };
        int k, r;

        while ((k = getopt_long(argc, argv, "qvh", options, NULL)) >= 0) {
                if (k == 'h') {
                        fputs(help_text, stdout);
                        return EXIT_OK;
                }
                r = common_option(c, argv[0], k, optarg);
                if (r != 0)
                        return r;
        }
        return optind < argc ? verb_usage(argv[0], "%s: one word too many", argv[optind]) : -1;
}

static int run_verb(Command *c, int argc, char *argv[]) {
        for (size_t i = 0; i < ELEMENTSOF(verbs); i++)
                if (streq(argv[0], verbs[i].name)) {
                        _cleanup_error_ Error e = ERROR_INIT;
                        int r;

                        optind = 0;
                        r = verbs[i].run(c, argc, argv, &e);
                        if (fflush(stdout) != 0 || ferror(stdout))
                                r = error_errno(&e, errno ? errno : EIO, "standard output");
                        return r < 0 ? (int) log_error(&e, r) : r;
                }
        return verb_usage(NULL, "%s: there is no such verb", argv[0]);
}

int main(int argc, char *argv[]) {
        enum { ARG_VERSION = 256 };
        static const struct option options[] = { COMMON_OPTIONS, { "version", no_argument, NULL, ARG_VERSION }, {} };
        Command c = {};
        int k, r;

        open_standard_streams();
        /* Before anything else: the driver's library is asked by a process that has nothing to lose. */
        if (argc == 2 && streq(argv[1], NVML_QUERY_VERB))
                _exit(nvml_answer());
        (void) setlocale(LC_CTYPE, "");
        log_setup("gn8v-tee", LOG_NORMAL);
        while ((k = getopt_long(argc, argv, "+qvh", options, NULL)) >= 0)
                switch (k) {
                case ARG_VERSION: puts("gn8v-tee " GN8V_VERSION); return EXIT_OK;
                case 'h': help(); return EXIT_OK;
                default:
                        r = common_option(&c, NULL, k, optarg);
                        if (r != 0)
                                return r;
                }
        if (optind >= argc)
                return verb_usage(NULL, "a verb is missing");
        return run_verb(&c, argc - optind, argv + optind);
}
