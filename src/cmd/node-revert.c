/* SPDX-License-Identifier: Apache-2.0 */
#include "basic/log.h"
#include "cmd/node.h"
#include "node/repository.h"

typedef struct Options {
        const char *package;
        bool dry_run, finish;
} Options;

static const char help[] =
        "gn8v-tee revert [OPTION...]\n\n"
        "Put back exactly what was there before apply. What somebody changed since then\n"
        "is kept, and told.\n\n"
        "  -n, --dry-run        only show what would be put back\n"
        "      --package=NAME   only while the installed release is NAME's\n"
        "      --finish         the rest, when the package's files are gone\n"
        "      --lock-timeout=SECONDS\n"
        "                       wait that long for another run to end\n"
        "      --root=DIR       act on the system below DIR (tools run chrooted)\n"
        "  -q, --quiet          warnings and errors only\n"
        "  -v, --verbose        say more\n"
        "  -h, --help           this text\n\n"
        "Exit codes: 0 as before; 1 something failed; 6 malformed file; 8 no space; 9\n"
        "another run is at work.\n";

static int revert(Command *c, const Options *o, Node *n, Error *e) {
        _cleanup_close_ int lock = -1;
        PlanResult result = {};
        int r;

        if (o->dry_run) {
                _cleanup_resource_list_ ResourceList l = {};

                r = plan_make(n, &l, e);
                for (size_t i = 0; r >= 0 && i < n->journal->n_entries; i++)
                        printf("%s\n", n->journal->entries[i]->id);
                return r;
        }
        lock = node_lock(n, c->lock_timeout, e);
        if (lock < 0)
                return lock;
        if (o->package) {
                _cleanup_free_ char *owner = NULL;

                r = node_load_release(n, e);
                if (r < 0)
                        return r;
                /* In a swap the new package's %post comes before the old one's %preun: what it set is not ours to undo. */
                owner = n->release ? release_metapackage(n->release) : NULL;
                if (owner && !streq(owner, o->package)) {
                        log_debug("%s now belongs to %s: nothing to revert", RELEASE_INSTALLED_PATH, owner);
                        return EXIT_OK;
                }
        }
        r = o->finish ? plan_finish(n, report_event, NULL, &result, e) : plan_revert(n, report_event, NULL, &result, e);
        /* As long as the release is there, an older state of its repository must be known as one. */
        if (r >= 0 && !node_exists(n, RELEASE_INSTALLED_PATH))
                (void) node_remove(n, NODE_SERIAL_PATH);
        return r < 0 ? r : plan_result_code(&result);
}

int verb_revert(Command *c, int argc, char *argv[], Error *e) {
        enum { ARG_PACKAGE = 256, ARG_FINISH };
        static const Option options[] = {
                { "dry-run", 'n', NULL }, { "package", ARG_PACKAGE, "NAME" },
                { "finish", ARG_FINISH, NULL }, {}
        };
        _cleanup_node_ Node n = { .root_fd = -1 };
        Options o = {};
        int k, r;

        while ((k = option_next(argc, argv, options)) >= 0)
                switch (k) {
                case 'n': o.dry_run = true; break;
                case ARG_PACKAGE: o.package = optarg; break;
                case ARG_FINISH: o.finish = true; break;
                case 'h': fputs(help, stdout); return EXIT_OK;
                default: return option_status();
                }
        if (optind < argc)
                return verb_too_many("revert", argv[optind]);
        if (c->json)
                return verb_usage("revert", "--json: it has none; gn8v-tee plan --json says what is left");
        r = node_open(&n, c->root, e);
        return r < 0 ? r : revert(c, &o, &n, e);
}
