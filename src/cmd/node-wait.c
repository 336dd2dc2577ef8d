/* SPDX-License-Identifier: Apache-2.0 */
/* --wait: how far the GPU services are, on one line of a terminal, or a line for every change. */
#include <signal.h>
#include <sys/ioctl.h>

#include "basic/log.h"
#include "cmd/node.h"
#include "node/journal.h"
#include "node/wait.h"

#define BAR_WIDTH 8

typedef struct Display {
        bool quiet, terminal;
} Display;

int parse_wait(const char *value, unsigned *ret) {
        uint64_t seconds = 0;

        if (value && option_number(value, 1, 24 * 60 * 60, &seconds) != EXIT_OK)
                return EXIT_USAGE;
        *ret = (unsigned) seconds;
        return 0;
}

/* "3 of 8 GPUs attached, nvidia-fabricmanager active, nvidia-persistenced activating (start)"; in short, for one line of a terminal. */
static char *describe(const WaitView *v, bool in_short) {
        _cleanup_text_ Text t = {};

        if (v->expected > 0)
                text_printf(&t, "%zu of %zu GPUs%s", v->gpus, v->expected, in_short ? "" : " attached");
        else
                text_printf(&t, "%zu GPUs%s", v->gpus, in_short ? "" : " attached");
        for (size_t i = 0; i < v->n; i++) {
                const UnitState *s = &v->units[i].state;
                const char *name = v->units[i].name, *shorter = startswith(name, "nvidia-");

                if (in_short && shorter)
                        name = shorter;
                text_printf(&t, ", %.*s %s", (int) strcspn(name, "."), name, s->job && streq(s->active, "inactive") ? "waits" : s->active);
                if (!in_short && streq(s->active, "activating"))
                        text_printf(&t, " (%s)", s->sub);
        }
        return text_take(&t);
}

static void draw(const WaitView *v, const char *text) {
        struct winsize w = {};
        int width = ioctl(STDERR_FILENO, TIOCGWINSZ, &w) == 0 && w.ws_col > 0 ? w.ws_col : 80, used;

        used = fprintf(stderr, "\r%4u s ", v->elapsed_sec) - 1;
        if (v->expected > 0 && width > 40) {
                char bar[BAR_WIDTH + 1];
                size_t full = MIN(v->gpus, v->expected) * BAR_WIDTH / v->expected;

                memset(bar, '.', BAR_WIDTH);
                memset(bar, '#', full);
                bar[BAR_WIDTH] = '\0';
                used += fprintf(stderr, "[%s] ", bar);
        }
        fprintf(stderr, "%.*s\033[K", MAX(width - used - 1, 0), text);
        fflush(stderr);
}

static void tell(const WaitView *v, void *userdata) {
        Display *d = userdata;
        _cleanup_free_ char *text = d->quiet ? NULL : describe(v, d->terminal);

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
