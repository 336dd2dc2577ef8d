/* SPDX-License-Identifier: Apache-2.0 */
#include "cmd/node.h"

static const char help[] =
        "gn8v-tee pause [OPTION...]\n\n"
        "Stop, and remember, what would open the GPU during a transaction; packages call\n"
        "it first. apply and the reboot start it again.\n\n"
        "      --lock-timeout=SECONDS\n"
        "                       wait that long for another run to end\n"
        "  -q, --quiet          warnings and errors only\n"
        "  -v, --verbose        say more\n"
        "  -h, --help           this text\n\n"
        "Exit codes: 0 paused; 1 something failed; 6 malformed file; 9 another run is at\n"
        "work.\n";

static int pause_clients(Command *c, Node *n, Error *e) {
        _cleanup_close_ int lock = -1;
        PlanResult result = {};
        int r;

        if (n->environment != ENVIRONMENT_MACHINE || !n->booted)
                return EXIT_OK;
        lock = node_lock(n, c->lock_timeout, e);
        r = lock < 0 ? lock : plan_pause(n, report_event, NULL, &result, e);
        return r < 0 ? r : plan_result_code(&result);
}

int verb_pause(Command *c, int argc, char *argv[], Error *e) {
        _cleanup_node_ Node n = { .root_fd = -1 };
        int r;

        r = options_none(argc, argv, help, 0);
        if (r >= 0)
                return r;
        if (c->json)
                return verb_usage("pause", "--json: it has none");
        r = node_open(&n, c->root, e);
        return r < 0 ? r : pause_clients(c, &n, e);
}
