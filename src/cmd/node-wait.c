/* SPDX-License-Identifier: Apache-2.0 */
/* --wait: how far the GPU services are, on one line of a terminal, or a line for every change. */
#include <signal.h>
#include <sys/ioctl.h>

#include "basic/log.h"
#include "cmd/node.h"
#include "node/journal.h"
#include "node/wait.h"

#define BAR_WIDTH 16

typedef struct Display {
        bool quiet, terminal;
} Display;

int parse_wait(const char *verb, const char *value, unsigned *ret) {
        uint64_t seconds = 0;

        if (value && (parse_u64(value, &seconds) < 0 || seconds == 0 || seconds > 24 * 60 * 60))
                return verb_usage(verb, "--wait=%s: not a number of seconds (1 to a day)", value);
        *ret = (unsigned) seconds;
        return 0;
}

/* "nvidia-fabricmanager active, nvidia-persistenced activating (start), 3 of 8 GPUs attached" */
static char *describe(const WaitView *v) {
        _cleanup_text_ Text t = {};

        for (size_t i = 0; i < v->n; i++) {
                const UnitState *s = &v->units[i].state;
                const char *name = v->units[i].name;

                text_printf(&t, "%.*s %s", (int) strcspn(name, "."), name, s->job && streq(s->active, "inactive") ? "waits for its turn" : s->active);
                if (streq(s->active, "activating"))
                        text_printf(&t, " (%s)", s->sub);
                text_append(&t, ", ");
        }
        if (v->expected > 0)
                text_printf(&t, "%zu of %zu GPUs attached", v->gpus, v->expected);
        else
                text_printf(&t, "%zu GPUs attached", v->gpus);
        return text_take(&t);
}

static void draw(const WaitView *v, const char *text) {
        struct winsize w = {};
        int width = ioctl(STDERR_FILENO, TIOCGWINSZ, &w) == 0 && w.ws_col > 0 ? w.ws_col : 80, used;

        used = fprintf(stderr, "\r%4u s ", v->elapsed_sec);
        if (v->expected > 0 && width > 60) {
                size_t full = MIN(v->gpus, v->expected) * BAR_WIDTH / v->expected;

                used += fprintf(stderr, "[");
                for (size_t i = 0; i < BAR_WIDTH; i++)
                        used += fprintf(stderr, "%c", i < full ? '#' : '.');
                used += fprintf(stderr, "] ");
        }
        fprintf(stderr, "%.*s\033[K", MAX(width - used, 0), text);
        fflush(stderr);
}

static void tell(const WaitView *v, void *userdata) {
        Display *d = userdata;
        _cleanup_free_ char *text = d->quiet ? NULL : describe(v);

        if (!text)
                return;
        if (d->terminal)
                draw(v, text);
        else
                log_info("%u s: %s", v->elapsed_sec, text);
}

int wait_verbosely(Command *c, unsigned limit_sec, Error *e) {
        _cleanup_node_ Node n = { .root_fd = -1 };
        _cleanup_free_ char *why = NULL;
        Display d = { .quiet = c->quiet, .terminal = isatty(STDERR_FILENO) };
        WaitEnd end;
        int r, signal_number = 0;

        r = node_open(&n, c->root, e);
        if (r >= 0)
                r = node_load_release(&n, e);
        /* Without it there is one reason less to know a reboot by. */
        if (r >= 0)
                (void) journal_load(&n, &n.journal, NULL);
        if (r >= 0)
                r = wait_for_gpus(&n, limit_sec, d.terminal && !d.quiet, tell, &d, &end, &why, &signal_number, e);
        if (d.terminal && !d.quiet)
                fputs("\r\033[K", stderr);
        if (r < 0)
                return r;
        if (end == WAIT_READY)
                log_info("%s", why);
        else
                log_warning("%s%s", end == WAIT_INTERRUPTED ? "" : "gave up waiting: ", why);
        return end == WAIT_INTERRUPTED ? signal_number : 0;
}

void raise_again(int signal_number) {
        (void) signal(signal_number, SIG_DFL);
        (void) raise(signal_number);
        _exit(128 + signal_number);
}
