/* SPDX-License-Identifier: Apache-2.0 */
#include "node/wait.h"

#include <linux/netlink.h>
#include <poll.h>
#include <signal.h>
#include <sys/signalfd.h>
#include <sys/socket.h>

#include "basic/clock.h"
#include "node/pci.h"
#include "node/reboot.h"

#define RECONNECT_MS 200 /* systemd executes itself anew: for a moment it does not answer */
#define LOST_MS      10000

typedef struct Waiting {
        Node *node;
        Bus *bus;
        WaitView view;
        char *reboot;
        int signals, kernel; /* descriptors */
        int64_t started_ms, lost_ms, retry_ms; /* lost_ms 0: connected */
} Waiting;

static bool is_word(const char *s, const char *word) {
        return s && streq(s, word);
}

/* It changes by itself: a job is queued, or it is on its way. */
static bool in_motion(const WaitUnit *u) {
        return u->state.job || is_word(u->state.active, "activating") || is_word(u->state.active, "reloading") || is_word(u->state.active, "deactivating");
}

static WaitEnd not_started(const WaitUnit *u, const char *reboot, char **ret_why) {
        if (is_word(u->state.load, "bad-setting") || is_word(u->state.load, "error")) {
                *ret_why = format("%s has a unit file that systemd does not take (%s): systemctl status %s", u->name, u->state.load, u->name);
                return WAIT_NOT_STARTED;
        }
        switch (u->enablement) {
        case UNIT_ABSENT: *ret_why = format("%s is not installed", u->name); return WAIT_NOT_STARTED;
        case UNIT_MASKED: *ret_why = format("%s is masked", u->name); return WAIT_NOT_STARTED;
        case UNIT_DISABLED: *ret_why = format("%s is not enabled, and nothing else starts it", u->name); return WAIT_NOT_STARTED;
        default:
                if (reboot)
                        *ret_why = format("%s does not run, and only a reboot helps: %s", u->name, reboot);
                else
                        *ret_why = format("%s does not run, and nothing will start it in this boot", u->name);
                return reboot ? WAIT_REBOOT : WAIT_NOT_STARTED;
        }
}

WaitEnd wait_decide(const WaitUnit *units, size_t n, const char *reboot, char **ret_why) {
        size_t active = 0;

        *ret_why = NULL;
        for (size_t i = 0; i < n; i++)
                if (is_word(units[i].state.active, "failed") && !units[i].state.job) {
                        *ret_why = format("%s failed%s%s", units[i].name, units[i].result ? ": " : "", units[i].result ? units[i].result : "");
                        return WAIT_FAILED;
                }
        for (size_t i = 0; i < n; i++) {
                const WaitUnit *u = &units[i];

                if (is_word(u->state.active, "active"))
                        active++;
                else if (!in_motion(u))
                        return not_started(u, reboot, ret_why);
        }
        if (active < n)
                return WAIT_GOES_ON;
        *ret_why = strdup("all GPU services are active");
        return WAIT_READY;
}

static void choose_units(Waiting *w) {
        const Release *release = w->node->release;
        _cleanup_pci_ PciDevices pci = {};
        bool fabric = release && release->nvswitches > 0;

        if (!release && pci_list(w->node, &pci) >= 0)
                fabric = pci.nvswitches;
        if (fabric)
                w->view.units[w->view.n++].name = FABRICMANAGER_UNIT;
        w->view.units[w->view.n++].name = PERSISTENCED_UNIT;
        /* Where attestation is the gate, clients may use the GPUs only after it. */
        if (node_exists(w->node, "/" RELEASE_GATE_DROP_IN))
                w->view.units[w->view.n++].name = RELEASE_GATE_UNIT;
        w->view.expected = release ? release->gpus : strv_length(pci.gpus);
}

/* Asks anew about each unit. -errno: systemd did not answer. */
static int look(Waiting *w) {
        for (size_t i = 0; i < w->view.n; i++) {
                WaitUnit *u = &w->view.units[i];
                int k;

                unit_state_free(&u->state);
                freep(&u->result);
                u->result = NULL;
                k = bus_unit_state(w->bus, u->name, &u->state);
                if (k >= 0 && streq(u->state.active, "failed"))
                        k = bus_service_result(w->bus, u->name, &u->result);
                if (k >= 0)
                        k = unit_enablement(w->node, u->name, &u->enablement);
                if (k < 0)
                        return k;
        }
        return 0;
}

static void count_gpus(Waiting *w) {
        _cleanup_strv_ char **gpus = NULL;

        if (node_list(w->node, "/proc/driver/nvidia/gpus", &gpus) >= 0)
                w->view.gpus = strv_length(gpus);
}

static unsigned default_limit(Waiting *w) {
        uint64_t sum = 0, usec;

        for (size_t i = 0; i < w->view.n; i++) {
                if (bus_start_limit(w->bus, w->view.units[i].name, &usec) < 0 || usec / 1000000 > 24 * 60 * 60)
                        usec = (uint64_t) WAIT_FOREVER_SEC * 1000000;
                sum += usec / 1000000;
        }
        return (unsigned) MAX(sum, (uint64_t) 1);
}

static void lost(Waiting *w) {
        w->bus = bus_close(w->bus);
        w->retry_ms = clock_ms() + RECONNECT_MS;
        if (w->lost_ms == 0)
                w->lost_ms = clock_ms();
}

static int connect_bus(Waiting *w) {
        const char *names[WAIT_UNITS_MAX];
        int k;

        for (size_t i = 0; i < w->view.n; i++)
                names[i] = w->view.units[i].name;
        w->bus = bus_close(w->bus);
        k = bus_open(&w->bus);
        /* First the signals, then the states: nothing gets lost between them. */
        if (k >= 0)
                k = bus_subscribe(w->bus, names, w->view.n);
        if (k >= 0)
                k = look(w);
        if (k < 0) {
                lost(w);
                return k;
        }
        w->lost_ms = 0;
        if (w->view.limit_sec == 0)
                w->view.limit_sec = default_limit(w);
        return 0;
}

/* Kernel events: a GPU that is bound shows itself in procfs, which has no events of its own. None: the display is less lively, no more. */
static int open_kernel_events(void) {
        struct sockaddr_nl address = { .nl_family = AF_NETLINK, .nl_groups = 1 };
        int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, NETLINK_KOBJECT_UEVENT);

        return fd >= 0 && bind(fd, (struct sockaddr *) &address, sizeof address) < 0 ? safe_close(fd) : fd;
}

static void drain(int fd) {
        char buffer[8192];

        while (recv(fd, buffer, sizeof buffer, 0) >= 0 || errno == ENOBUFS || errno == EINTR)
                ;
}

/* Until something happens, the display's next second, or the limit. 1: a signal came; 0; -errno. */
static int wait_event(Waiting *w, bool every_second) {
        struct pollfd fds[] = { { .fd = w->signals, .events = POLLIN }, { .fd = w->kernel, .events = POLLIN }, { .fd = -1 } };
        int64_t now = clock_ms(), until = w->started_ms + (int64_t) (w->view.limit_sec > 0 ? w->view.limit_sec : WAIT_FOREVER_SEC) * 1000;
        struct signalfd_siginfo info;
        int timeout = -1, k = 0;

        if (w->bus)
                k = bus_poll(w->bus, &fds[2].fd, &fds[2].events, &timeout);
        if (k < 0)
                lost(w);
        if (every_second)
                until = MIN(until, now + 1000 - (now - w->started_ms) % 1000);
        if (w->lost_ms > 0)
                until = MIN(until, w->retry_ms);
        if (timeout < 0 || timeout > until - now)
                timeout = (int) MAX(until - now, (int64_t) 0);
        if (poll(fds, ELEMENTSOF(fds), timeout) < 0 && errno != EINTR)
                return -errno;
        if (fds[0].revents & POLLIN && read(w->signals, &info, sizeof info) == sizeof info) {
                w->view.signal = (int) info.ssi_signo;
                return 1;
        }
        if (fds[1].revents)
                drain(w->kernel);
        return 0;
}

/* What has arrived from systemd; connects again where it was lost. -errno: for good. */
static int take_changes(Waiting *w) {
        int k;

        if (w->bus) {
                k = bus_changed(w->bus);
                if (k > 0)
                        k = look(w);
                if (k < 0)
                        lost(w);
        }
        if (w->bus || clock_ms() < w->retry_ms)
                return 0;
        return connect_bus(w) < 0 && clock_ms() - w->lost_ms > LOST_MS ? -ENOTCONN : 0;
}

/* All that a reader sees, as one number: told only when it changes. */
static uint64_t view_hash(const WaitView *v) {
        uint64_t h = 1469598103934665603U ^ v->gpus;

        for (size_t i = 0; i < v->n; i++) {
                const char *const words[] = { v->units[i].state.active, v->units[i].state.sub, v->units[i].state.job };

                for (size_t k = 0; k < ELEMENTSOF(words); k++) {
                        for (const char *p = words[k]; p && *p; p++)
                                h = (h ^ (unsigned char) *p) * 1099511628211U;
                        h *= 1099511628211U;
                }
        }
        return h;
}

static int wait_loop(Waiting *w, bool every_second, void (*tell)(const WaitView *v, void *userdata), void *userdata, WaitEnd *ret, char **ret_why) {
        uint64_t told = 0;

        for (;;) {
                uint64_t hash;
                int k;

                w->view.elapsed_sec = (unsigned) ((clock_ms() - w->started_ms) / 1000);
                count_gpus(w);
                hash = view_hash(&w->view);
                if (w->bus && (hash != told || every_second))
                        tell(&w->view, userdata);
                told = hash;
                /* Without a connection the states are old. */
                *ret = w->bus ? wait_decide(w->view.units, w->view.n, w->reboot, ret_why) : WAIT_GOES_ON;
                if (*ret != WAIT_GOES_ON)
                        return *ret_why ? 0 : -ENOMEM;
                if (w->view.limit_sec > 0 && w->view.elapsed_sec >= w->view.limit_sec) {
                        *ret = WAIT_LIMIT;
                        *ret_why = format("not ready after %u s", w->view.limit_sec);
                        return *ret_why ? 0 : -ENOMEM;
                }
                k = wait_event(w, every_second);
                if (k > 0) {
                        *ret = WAIT_INTERRUPTED;
                        *ret_why = format("interrupted by %s", strsignal(w->view.signal));
                        return *ret_why ? 0 : -ENOMEM;
                }
                if (k >= 0)
                        k = take_changes(w);
                if (k < 0)
                        return k;
        }
}

static int no_systemd(const char *reason, WaitEnd *ret, char **ret_why) {
        *ret = WAIT_NO_SYSTEMD;
        *ret_why = format("systemd cannot be asked: %s", reason);
        return *ret_why ? 0 : -ENOMEM;
}

/* With the signals that end it blocked. */
static int wait_blocked(Waiting *w, bool every_second, void (*tell)(const WaitView *v, void *userdata), void *userdata, WaitEnd *ret, char **ret_why) {
        int k = connect_bus(w);

        /* It may be busy with itself; what is not there is another thing. */
        if (k == -ENOENT || k == -EACCES || k == -EPERM)
                return no_systemd(strerror(-k), ret, ret_why);
        k = wait_loop(w, every_second, tell, userdata, ret, ret_why);
        return k == -ENOTCONN ? no_systemd("it does not answer", ret, ret_why) : k;
}

int wait_for_gpus(Node *n, unsigned limit_sec, bool every_second, void (*tell)(const WaitView *v, void *userdata), void *userdata,
                  WaitEnd *ret, char **ret_why, int *ret_signal, Error *e) {
        Waiting w = { .node = n, .started_ms = clock_ms(), .view.limit_sec = limit_sec };
        sigset_t set, before;
        int k;

        if (n->root || !n->booted) {
                k = no_systemd("it does not run here", ret, ret_why);
                return k < 0 ? error_oom(e) : 0;
        }
        choose_units(&w);
        w.reboot = reboot_reason(n);
        w.kernel = open_kernel_events();
        (void) sigemptyset(&set);
        (void) sigaddset(&set, SIGINT);
        (void) sigaddset(&set, SIGTERM);
        (void) sigaddset(&set, SIGHUP);
        (void) sigprocmask(SIG_BLOCK, &set, &before);
        w.signals = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
        k = w.signals < 0 ? -errno : wait_blocked(&w, every_second, tell, userdata, ret, ret_why);
        (void) safe_close(w.signals);
        (void) safe_close(w.kernel);
        (void) sigprocmask(SIG_SETMASK, &before, NULL);
        *ret_signal = w.view.signal;
        for (size_t i = 0; i < w.view.n; i++) {
                unit_state_free(&w.view.units[i].state);
                free(w.view.units[i].result);
        }
        bus_close(w.bus);
        free(w.reboot);
        return k < 0 ? error_errno(e, -k, "waiting for the GPU services") : 0;
}
