/* SPDX-License-Identifier: Apache-2.0 */
#include "basic/log.h"
#include "cmd/node.h"
#include "cmd/output.h"
#include "node/module.h"
#include "node/reboot.h"
#include "node/repository.h"

typedef struct Options {
        bool dry_run, boot;
        const char *kernel, *removed_kernel;
} Options;

static const char help[] =
        "gn8v-tee apply [OPTION...]\n\n"
        "Make this machine as the installed release wants it. What an earlier release\n"
        "wanted and this one does not is put back. Run twice, it changes nothing more.\n\n"
        "  -n, --dry-run        only show what would be done\n"
        "      --boot           at the first boot (gn8v-tee-apply.service)\n"
        "      --kernel=VERSION this kernel, just installed, gets its module too\n"
        "      --removed-kernel=VERSION\n"
        "                       only forget a kernel that is being removed\n"
        "      --lock-timeout=SECONDS\n"
        "                       wait that long for another run to end\n"
        "      --root=DIR       act on the system below DIR (tools run chrooted)\n"
        "      --json           the resulting plan as one JSON document\n"
        "  -q, --quiet          warnings and errors only\n"
        "  -v, --verbose        say more\n"
        "  -h, --help           this text\n\n"
        "Exit codes: 0 as wanted; 1 something failed; 3 something waits; 6 malformed\n"
        "file; 8 no space; 9 another run is at work.\n";

/* The one thing that must not be overlooked: the next boot's kernel cannot run the driver. */
static bool warn_about_module(Node *n, const ResourceList *l) {
        bool warned = false;

        for (size_t i = 0; i < l->n; i++) {
                const Resource *r = l->resources[i];

                if (r->type != &module_type || !module_is_for_next_boot(n, r) ||
                    (r->action != ACTION_WAIT && r->action != ACTION_CHANGE && !r->error.message))
                        continue;
                log_warning("DO NOT REBOOT YET: kernel %s, which boots next, has no NVIDIA module that works; first: %s", r->name,
                            resource_hint(r) ? resource_hint(r) : "gn8v-tee apply");
                warned = true;
        }
        return warned;
}

/* In the middle of a transaction: nothing is built now, but what boots next must not surprise. */
static int forget_kernel(const Options *o, Node *n, Error *e) {
        _cleanup_resource_list_ ResourceList l = {};
        int r;

        r = plan_forget_kernel(n, o->removed_kernel, e);
        if (r >= 0 && n->environment == ENVIRONMENT_MACHINE)
                r = plan_make(n, &l, e);
        if (r < 0)
                return r;
        (void) warn_about_module(n, &l);
        return EXIT_OK;
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
        if (o->removed_kernel)
                return forget_kernel(o, n, e);
        n->kernel = o->kernel;
        r = plan_make(n, &l, e);
        if (r >= 0 && !n->release && n->journal->n_entries == 0 && c->quiet)
                return EXIT_OK; /* triggers of kernels and headers: here nobody asked for anything */
        if (r >= 0 && !n->release && n->journal->n_entries == 0)
                return error_hint(e, error_set(e, ENOENT, EXIT_FAILED, "%s: no release is installed", RELEASE_INSTALLED_PATH),
                                  "yum install gn8v-tee-single (1 GPU) or gn8v-tee-multi (8 GPUs)");
        if (r >= 0)
                r = plan_apply(n, &l, report_event, NULL, &result, e);
        if (r >= 0 && repository_remember(n, NULL) < 0)
                log_debug("the repository's serial is not known");
        if (r < 0)
                return r;
        reason = n->environment == ENVIRONMENT_MACHINE ? reboot_reason(n) : NULL;
        if (!warn_about_module(n, &l) && reason && (result.changed > 0 || o->boot))
                log_info("reboot needed: %s", reason);
        if (o->boot && reason && result.changed > 0) {
                r = node_write(n, RELEASE_REBOOT_FIRST_PATH, reason, strlen(reason), 0644);
                if (r < 0)
                        log_warning("%s: %s: the GPUs' services start before the reboot", RELEASE_REBOOT_FIRST_PATH, strerror(-r));
        }
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
        enum { ARG_BOOT = 256, ARG_KERNEL, ARG_REMOVED_KERNEL };
        static const Option options[] = {
                { "dry-run", 'n', NULL }, { "boot", ARG_BOOT, NULL },
                { "kernel", ARG_KERNEL, "VERSION" }, { "removed-kernel", ARG_REMOVED_KERNEL, "VERSION" }, {}
        };
        _cleanup_node_ Node n = { .root_fd = -1 };
        Options o = {};
        int k, r;

        while ((k = option_next(argc, argv, options)) >= 0)
                switch (k) {
                case 'n': o.dry_run = true; break;
                case ARG_BOOT: o.boot = true; break;
                case ARG_KERNEL:
                case ARG_REMOVED_KERNEL:
                        if (!kernel_name_is_valid(optarg))
                                return option_refuse("not a kernel's version");
                        *(k == ARG_KERNEL ? &o.kernel : &o.removed_kernel) = optarg;
                        break;
                case 'h': fputs(help, stdout); return EXIT_OK;
                default: return option_status();
                }
        if (optind < argc)
                return verb_too_many("apply", argv[optind]);
        r = node_open(&n, c->root, e);
        return r < 0 ? r : apply(c, &o, &n, e);
}
