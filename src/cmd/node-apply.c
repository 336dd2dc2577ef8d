/* SPDX-License-Identifier: Apache-2.0 */
#include "basic/log.h"
#include "cmd/node.h"
#include "cmd/output.h"
#include "node/reboot.h"

typedef struct Options {
        bool dry_run, boot;
} Options;

static const char help[] =
        "gn8v-tee apply [OPTION...]\n\n"
        "Make this machine as the installed release wants it. What an earlier release\n"
        "wanted and this one does not is put back. Run twice, it changes nothing more.\n\n"
        "  -n, --dry-run        only show what would be done\n"
        "      --boot           at the first boot (gn8v-tee-apply.service)\n"
        "      --lock-timeout=SECONDS\n"
        "                       wait that long for another run to end\n"
        "      --root=DIR       act on the system below DIR (tools run chrooted)\n"
        "      --json           the resulting plan as one JSON document\n"
        "  -q, --quiet          warnings and errors only\n"
        "  -v, --verbose        say more\n"
        "  -h, --help           this text\n\n"
        "Exit codes: 0 as wanted, 1 something failed, 3 something waits,\n"
        "6 malformed file, 8 no space, 9 locked.\n";

/* The one thing that must not be overlooked: the next boot's kernel has no driver. */
static bool warn_about_module(const ResourceList *l) {
        bool warned = false;

        for (size_t i = 0; i < l->n; i++) {
                const Resource *r = l->resources[i];

                if (r->type != &module_type || (r->action != ACTION_WAIT && !r->error.message))
                        continue;
                log_warning("DO NOT REBOOT YET: kernel %s, which boots next, has no NVIDIA module %s%s%s", r->name, or_empty(r->wanted),
                            resource_hint(r) ? "; first: " : "", or_empty(resource_hint(r)));
                warned = true;
        }
        return warned;
}

static int apply(Command *c, const Options *o, Node *n, Error *e) {
        _cleanup_resource_list_ ResourceList l = {};
        _cleanup_close_ int lock = -1;
        _cleanup_free_ char *reason = NULL;
        PlanResult result = {};
        int r;

        if (o->dry_run) {
                r = plan_make(n, &l, e);
                return r < 0 ? r : show_plan(c, n, &l, e);
        }
        lock = node_lock(n, c->lock_timeout, e);
        if (lock < 0)
                return lock;
        r = plan_make(n, &l, e);
        if (r >= 0 && !n->release && n->journal->n_entries == 0 && c->quiet)
                return EXIT_OK; /* triggers of kernels and headers: here nobody asked for anything */
        if (r >= 0 && !n->release && n->journal->n_entries == 0)
                return error_hint(e, error_set(e, ENOENT, EXIT_FAILED, "%s: no release is installed", RELEASE_INSTALLED_PATH),
                                  "yum install gn8v-tee-single (1 GPU) or gn8v-tee-multi (8 GPUs)");
        if (r >= 0)
                r = plan_apply(n, &l, report_event, NULL, &result, e);
        if (r < 0)
                return r;
        reason = n->environment == ENVIRONMENT_MACHINE ? reboot_reason(n) : NULL;
        if (!warn_about_module(&l) && reason && (result.changed > 0 || o->boot))
                log_info("reboot needed: %s", reason);
        if (result.deferred > 0)
                log_info("the rest is done at the first boot by gn8v-tee-apply.service; see " NODE_PENDING_PATH);
        if (c->json) {
                r = show_plan(c, n, &l, e);
                if (r < 0)
                        return r;
        }
        return plan_result_code(&result);
}

int verb_apply(Command *c, int argc, char *argv[], Error *e) {
        enum { ARG_BOOT = 256 };
        static const struct option options[] = {
                COMMON_OPTIONS, { "dry-run", no_argument, NULL, 'n' }, { "boot", no_argument, NULL, ARG_BOOT }, {}
        };
        _cleanup_node_ Node n = { .root_fd = -1 };
        Options o = {};
        int k, r;

        while ((k = getopt_long(argc, argv, "nqvh", options, NULL)) >= 0)
                switch (k) {
                case 'n': o.dry_run = true; break;
                case ARG_BOOT: o.boot = true; break;
                case 'h': fputs(help, stdout); return EXIT_OK;
                default:
                        r = common_option(c, "apply", k, optarg);
                        if (r != 0)
                                return r;
                }
        if (optind < argc)
                return verb_usage("apply", "%s: one word too many", argv[optind]);
        r = node_open(&n, c->root, e);
        return r < 0 ? r : apply(c, &o, &n, e);
}
