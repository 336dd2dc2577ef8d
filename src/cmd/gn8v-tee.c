/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <locale.h>

#include "basic/log.h"
#include "basic/process.h"
#include "cmd/node.h"
#include "node/nvml.h"

#define LOCK_TIMEOUT_MAX (24 * 60 * 60)

static const struct {
        const char *name, *arguments, *summary;
        int (*run)(Command *c, int argc, char *argv[], Error *e);
} verbs[] = {
        { "status", "", "everything in one table, with one next action", verb_status },
        { "plan", "", "show what apply would change", verb_plan },
        { "apply", "", "make this machine as the installed release wants it", verb_apply },
        { "revert", "", "put back what was there before apply", verb_revert },
        { "order", "add UNIT...", "start units after the persistence daemon", verb_order },
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
                printf("  %-13s %-11s %s\n", verbs[i].name, verbs[i].arguments, verbs[i].summary);
        printf("\nOptions:\n"
               "      --root=DIR       act on the system below DIR (tools run chrooted)\n"
               "      --json           one JSON document on standard output\n"
               "      --lock-timeout=SECONDS\n"
               "                       wait that long for another run to end (default: 0)\n"
               "  -q, --quiet          warnings and errors only\n"
               "  -v, --verbose        say more\n"
               "      --version        print the version\n"
               "  -h, --help           this text; VERB --help tells more\n\n"
               "Exit codes: 0 as wanted; 2 wrong words on the command line; VERB --help and\n"
               "gn8v-tee(8) have the others.\n");
}

static int run_verb(Command *c, int argc, char *argv[]) {
        const char *names[ELEMENTSOF(verbs) + 1] = {};

        for (size_t i = 0; i < ELEMENTSOF(verbs); i++) {
                _cleanup_error_ Error e = ERROR_INIT;

                names[i] = verbs[i].name;
                if (!streq(argv[0], verbs[i].name))
                        continue;
                optind = 0;
                return output_done(verbs[i].run(c, argc, argv, &e), &e);
        }
        return verb_unknown(argv[0], names);
}

enum { ARG_ROOT = ARG_COMMON_OTHER, ARG_LOCK_TIMEOUT };

static const Option common[] = {
        { "root", ARG_ROOT, "DIR" },
        OPTION_JSON,
        { "lock-timeout", ARG_LOCK_TIMEOUT, "SECONDS" },
        { "quiet", 'q', NULL },
        { "verbose", 'v', NULL },
        OPTION_VERSION,
        OPTION_HELP,
        {}
};

static int take_common(void *userdata, int id, const char *value) {
        Command *c = userdata;
        uint64_t seconds;
        int r;

        switch (id) {
        case ARG_ROOT: c->root = value; break;
        case ARG_COMMON_JSON: c->json = true; break;
        case ARG_LOCK_TIMEOUT:
                if ((r = option_number(value, 0, LOCK_TIMEOUT_MAX, &seconds)) != EXIT_OK)
                        return r;
                c->lock_timeout = (unsigned) seconds;
                break;
        case 'q': c->quiet = true; log_setup("gn8v-tee", LOG_QUIET); break;
        case 'v': c->verbose = true; log_setup("gn8v-tee", LOG_VERBOSE); break;
        default: break;
        }
        return EXIT_OK;
}

int main(int argc, char *argv[]) {
        Command c = {};
        const Program program = { "gn8v-tee", common, take_common, &c };
        int r;

        open_standard_streams();
        /* Before anything else: the driver's library is asked by a process that has nothing to lose. */
        if (argc == 2 && streq(argv[1], NVML_QUERY_VERB))
                _exit(nvml_answer());
        (void) setlocale(LC_CTYPE, "");
        log_setup(program.name, LOG_NORMAL);
        program_begin(&program, argc, argv);
        r = options_before_verb(argc, argv, help);
        if (r >= 0)
                return r;
        return optind < argc ? run_verb(&c, argc - optind, argv + optind) : verb_usage(NULL, "a verb is missing");
}
