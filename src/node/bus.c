/* SPDX-License-Identifier: Apache-2.0 */
#include "node/bus.h"

#include <poll.h>
#include <systemd/sd-bus.h>
#include <time.h>

#include "basic/strings.h"

#define SYSTEMD   "org.freedesktop.systemd1"
#define MANAGER   "org.freedesktop.systemd1.Manager"
#define SERVICE   "org.freedesktop.systemd1.Service"
#define OBJECT    "/org/freedesktop/systemd1"
#define PRIVATE   "/run/systemd/private"
#define USEC_PER_MS 1000

struct Bus {
        sd_bus *bus;
        bool direct;  /* systemd's own socket: there is no bus between */
        bool changed;
};

static uint64_t now_usec(void) {
        struct timespec ts;

        (void) clock_gettime(CLOCK_MONOTONIC, &ts);
        return (uint64_t) ts.tv_sec * 1000000 + (uint64_t) ts.tv_nsec / 1000;
}

void unit_state_free(UnitState *s) {
        free(s->load);
        free(s->active);
        free(s->sub);
        free(s->job);
        *s = (UnitState){};
}

/* The manager's own socket works before there is a bus, and without one; it is root's. */
static int open_direct(sd_bus **ret) {
        sd_bus *bus = NULL;
        int k;

        k = sd_bus_new(&bus);
        if (k >= 0)
                k = sd_bus_set_address(bus, "unix:path=" PRIVATE);
        if (k >= 0)
                k = sd_bus_start(bus);
        if (k < 0)
                sd_bus_unref(bus);
        else
                *ret = bus;
        return k;
}

int bus_open(Bus **ret) {
        const char *address = getenv("DBUS_SYSTEM_BUS_ADDRESS");
        Bus *b = calloc(1, sizeof(Bus));
        int k = -EACCES;

        if (!b)
                return -ENOMEM;
        if (geteuid() == 0 && !(address && *address))
                k = open_direct(&b->bus);
        b->direct = k >= 0;
        if (k < 0)
                k = sd_bus_open_system(&b->bus);
        if (k < 0) {
                free(b);
                return k;
        }
        *ret = b;
        return 0;
}

Bus *bus_close(Bus *b) {
        if (b) {
                /* Not flushed: whoever does not read must not hold us. */
                sd_bus_close(b->bus);
                sd_bus_unref(b->bus);
                free(b);
        }
        return NULL;
}

typedef struct Answer {
        sd_bus_message *message;
        bool done;
} Answer;

static int on_answer(sd_bus_message *m, void *userdata, sd_bus_error *error) {
        Answer *a = userdata;

        a->message = sd_bus_message_ref(m);
        a->done = true;
        return 1;
}

int bus_poll(Bus *b, int *ret_fd, short *ret_events, int *ret_timeout_ms) {
        int fd = sd_bus_get_fd(b->bus), events = sd_bus_get_events(b->bus), k;
        uint64_t until = UINT64_MAX, now = now_usec();

        if (fd < 0 || events < 0)
                return fd < 0 ? fd : events;
        k = sd_bus_get_timeout(b->bus, &until);
        if (k < 0)
                return k;
        *ret_fd = fd;
        *ret_events = (short) events;
        /* What came while an answer was waited for has been read already. */
        *ret_timeout_ms = b->changed ? 0 : until == UINT64_MAX ? -1 : until <= now ? 0 : (int) MIN((until - now + USEC_PER_MS - 1) / USEC_PER_MS, (uint64_t) 3600 * 1000);
        return 0;
}

/* sd_bus_call() waits without limit for a bus that accepts and then says nothing: so the loop is ours. Owns m. */
static int call(Bus *b, sd_bus_message *m, sd_bus_message **ret) {
        const uint64_t deadline = now_usec() + (uint64_t) BUS_CALL_MS * USEC_PER_MS;
        sd_bus_slot *slot = NULL;
        Answer a = {};
        int k;

        k = sd_bus_call_async(b->bus, &slot, m, on_answer, &a, (uint64_t) BUS_CALL_MS * USEC_PER_MS);
        sd_bus_message_unref(m);
        while (k >= 0 && !a.done) {
                struct pollfd pfd = {};
                uint64_t now = now_usec();
                int timeout;

                k = sd_bus_process(b->bus, NULL);
                if (k != 0)
                        continue;
                k = now >= deadline ? -ETIMEDOUT : bus_poll(b, &pfd.fd, &pfd.events, &timeout);
                if (k < 0)
                        break;
                if (timeout < 0 || (uint64_t) timeout > (deadline - now) / USEC_PER_MS + 1)
                        timeout = (int) ((deadline - now) / USEC_PER_MS + 1);
                if (poll(&pfd, 1, timeout) < 0 && errno != EINTR)
                        k = -errno;
        }
        sd_bus_slot_unref(slot);
        if (k >= 0 && sd_bus_message_is_method_error(a.message, NULL))
                k = -sd_bus_message_get_errno(a.message);
        if (k < 0)
                sd_bus_message_unref(a.message);
        else
                *ret = a.message;
        return MIN(k, 0);
}

static int manager_call(Bus *b, const char *member, sd_bus_message **ret) {
        return sd_bus_message_new_method_call(b->bus, ret, b->direct ? NULL : SYSTEMD, OBJECT, MANAGER, member);
}

static int copy_words(char **to, const char *from) {
        *to = strdup(from);
        return *to ? 0 : -ENOMEM;
}

int bus_unit_state(Bus *b, const char *unit, UnitState *ret) {
        const char *names[] = { unit, NULL }, *load, *active, *sub, *type;
        sd_bus_message *m = NULL, *reply = NULL;
        _cleanup_unit_state_ UnitState s = {};
        uint32_t job;
        int k;

        k = manager_call(b, "ListUnitsByNames", &m);
        if (k < 0)
                return k;
        k = sd_bus_message_append_strv(m, (char **) names);
        if (k < 0) {
                sd_bus_message_unref(m);
                return k;
        }
        k = call(b, m, &reply);
        if (k < 0)
                return k;
        k = sd_bus_message_enter_container(reply, 'a', "(ssssssouso)");
        if (k > 0)
                k = sd_bus_message_read(reply, "(ssssssouso)", NULL, NULL, &load, &active, &sub, NULL, NULL, &job, &type, NULL);
        if (k > 0)
                k = copy_words(&s.load, load) < 0 || copy_words(&s.active, active) < 0 || copy_words(&s.sub, sub) < 0 ||
                    (job > 0 && copy_words(&s.job, type) < 0) ? -ENOMEM : 1;
        sd_bus_message_unref(reply);
        if (k <= 0)
                return k < 0 ? k : -EBADMSG;
        *ret = s;
        s = (UnitState){};
        return 0;
}

static int get_property(Bus *b, const char *unit, const char *property, const char *type, sd_bus_message **ret) {
        _cleanup_free_ char *path = NULL;
        sd_bus_message *m = NULL, *reply = NULL;
        int k;

        k = sd_bus_path_encode(OBJECT "/unit", unit, &path);
        if (k >= 0)
                k = sd_bus_message_new_method_call(b->bus, &m, b->direct ? NULL : SYSTEMD, path, "org.freedesktop.DBus.Properties", "Get");
        if (k < 0)
                return k;
        k = sd_bus_message_append(m, "ss", SERVICE, property);
        if (k < 0) {
                sd_bus_message_unref(m);
                return k;
        }
        k = call(b, m, &reply);
        if (k < 0)
                return k;
        k = sd_bus_message_enter_container(reply, 'v', type);
        if (k <= 0) {
                sd_bus_message_unref(reply);
                return k < 0 ? k : -EBADMSG;
        }
        *ret = reply;
        return 0;
}

int bus_service_result(Bus *b, const char *unit, char **ret) {
        sd_bus_message *reply;
        const char *result;
        int k = get_property(b, unit, "Result", "s", &reply);

        if (k < 0)
                return k;
        k = sd_bus_message_read(reply, "s", &result);
        if (k > 0)
                k = copy_words(ret, result);
        sd_bus_message_unref(reply);
        return k;
}

int bus_start_limit(Bus *b, const char *unit, uint64_t *ret) {
        sd_bus_message *reply;
        int k = get_property(b, unit, "TimeoutStartUSec", "t", &reply);

        if (k < 0)
                return k;
        k = sd_bus_message_read(reply, "t", ret);
        sd_bus_message_unref(reply);
        return MIN(k, 0);
}

static int on_signal(sd_bus_message *m, void *userdata, sd_bus_error *error) {
        Bus *b = userdata;
        const char *member = sd_bus_message_get_member(m);

        /* Asking about a unit makes systemd load it, and drop it again: that is no news. */
        if (!member || (!streq(member, "UnitNew") && !streq(member, "UnitRemoved")))
                b->changed = true;
        return 0;
}

static int add_match(Bus *b, const char *path, const char *interface) {
        _cleanup_free_ char *match = format("type='signal',%spath='%s',interface='%s'", b->direct ? "" : "sender='" SYSTEMD "',", path, interface);

        return match ? sd_bus_add_match_async(b->bus, NULL, match, on_signal, NULL, b) : -ENOMEM;
}

int bus_subscribe(Bus *b, const char *const *units, size_t n) {
        sd_bus_message *m = NULL, *reply = NULL;
        int k;

        /* Jobs, reloads, and units that come and go. */
        k = add_match(b, OBJECT, MANAGER);
        for (size_t i = 0; k >= 0 && i < n; i++) {
                _cleanup_free_ char *path = NULL;

                k = sd_bus_path_encode(OBJECT "/unit", units[i], &path);
                if (k >= 0)
                        k = add_match(b, path, "org.freedesktop.DBus.Properties");
        }
        if (k >= 0)
                k = manager_call(b, "Subscribe", &m);
        if (k >= 0)
                k = call(b, m, &reply);
        if (k >= 0)
                sd_bus_message_unref(reply);
        return MIN(k, 0);
}

int bus_changed(Bus *b) {
        bool changed;
        int k;

        do
                k = sd_bus_process(b->bus, NULL);
        while (k > 0);
        changed = b->changed;
        b->changed = false;
        return k < 0 ? k : changed;
}
