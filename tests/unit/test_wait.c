/* SPDX-License-Identifier: Apache-2.0 */
/* What states of the GPU services mean; and the whole wait, against a manager that is played on a private bus. */
#include <check.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <systemd/sd-bus.h>
#include <time.h>

#include "basic/fs.h"
#include "node/wait.h"
#include "run.h"

typedef struct Case {
        const char *fabric, *persistenced; /* "ACTIVE" or "ACTIVE+JOB" */
        Enablement enablement;
        const char *reboot;
        WaitEnd end;
        const char *why;
} Case;

static UnitState state_of(const char *s) {
        const char *plus = strchr(s, '+');

        return (UnitState){ .active = strndup(s, plus ? (size_t) (plus - s) : strlen(s)), .job = plus ? strdup(plus + 1) : NULL };
}

START_TEST(decisions) {
        static const Case cases[] = {
                { "active", "active", UNIT_ENABLED, NULL, WAIT_READY, "active" },
                { "active", "active", UNIT_ENABLED, "an argument", WAIT_READY, "active" },
                { "active", "activating", UNIT_ENABLED, NULL, WAIT_GOES_ON, NULL },
                { "activating", "inactive+start", UNIT_ENABLED, NULL, WAIT_GOES_ON, NULL },
                { "inactive+start", "inactive+start", UNIT_ENABLED, "an argument", WAIT_GOES_ON, NULL },
                { "reloading", "deactivating", UNIT_ENABLED, NULL, WAIT_GOES_ON, NULL },
                { "active", "failed+start", UNIT_ENABLED, NULL, WAIT_GOES_ON, NULL },
                { "failed", "activating", UNIT_ENABLED, NULL, WAIT_FAILED, FABRICMANAGER_UNIT " failed: timeout" },
                { "active", "failed", UNIT_ENABLED, "an argument", WAIT_FAILED, PERSISTENCED_UNIT " failed" },
                { "active", "inactive", UNIT_ENABLED, NULL, WAIT_NOT_STARTED, "nothing will start it in this boot" },
                { "active", "inactive", UNIT_ENABLED, "an argument", WAIT_REBOOT, "only a reboot helps: an argument" },
                { "active", "inactive", UNIT_DISABLED, "an argument", WAIT_NOT_STARTED, "not enabled" },
                { "active", "inactive", UNIT_MASKED, "an argument", WAIT_NOT_STARTED, "masked" },
                { "inactive", "inactive+start", UNIT_ABSENT, NULL, WAIT_NOT_STARTED, FABRICMANAGER_UNIT " is not installed" },
        };

        WaitUnit broken = { .name = PERSISTENCED_UNIT, .state = { .load = (char *) "bad-setting", .active = (char *) "inactive" }, .enablement = UNIT_ENABLED };
        char *reason;

        ck_assert_int_eq(wait_decide(&broken, 1, "an argument", &reason), WAIT_NOT_STARTED);
        ck_assert_ptr_nonnull(strstr(reason, "bad-setting"));
        free(reason);
        for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
                const Case *c = &cases[i];
                WaitUnit units[] = { { .name = FABRICMANAGER_UNIT, .state = state_of(c->fabric), .enablement = c->enablement, .result = (char *) "timeout" },
                                     { .name = PERSISTENCED_UNIT, .state = state_of(c->persistenced), .enablement = c->enablement } };
                _cleanup_free_ char *why = NULL;

                ck_assert_int_eq(wait_decide(units, 2, c->reboot, &why), c->end);
                ck_assert_msg(c->why ? why && strstr(why, c->why) : !why, "%zu: %s", i, why ? why : "(nothing)");
                unit_state_free(&units[0].state);
                unit_state_free(&units[1].state);
        }
}
END_TEST

/* The manager that is played: persistenced's states, one after the other, each a moment after the one before it was asked for. */
typedef struct Played {
        const char *const *states; /* "ACTIVE+JOB", in order; the last one stays */
        size_t at;
        bool mute;    /* never answers */
        bool leave;   /* goes away after the second state */
} Played;

static char *folder, *address;
static pid_t bus_pid, manager_pid;

static int on_list(sd_bus_message *m, void *userdata, sd_bus_error *error) {
        Played *p = userdata;
        sd_bus_message *reply = NULL;
        UnitState s = state_of(p->states[p->at]);
        int k;

        if (p->mute)
                return 1;
        k = sd_bus_message_new_method_return(m, &reply);
        if (k >= 0)
                k = sd_bus_message_append(reply, "a(ssssssouso)", 1, PERSISTENCED_UNIT, "played", "loaded", s.active, "played", "", "/org/freedesktop/systemd1/unit/x",
                                          s.job ? 7 : 0, s.job ? s.job : "", "/org/freedesktop/systemd1/job/7");
        if (k >= 0)
                k = sd_bus_send(NULL, reply, NULL);
        sd_bus_message_unref(reply);
        unit_state_free(&s);
        return k < 0 ? k : 1;
}

static int on_get(sd_bus_message *m, void *userdata, sd_bus_error *error) {
        const char *interface, *property;
        int k = sd_bus_message_read(m, "ss", &interface, &property);

        if (k < 0)
                return k;
        return streq(property, "Result") ? sd_bus_reply_method_return(m, "v", "s", "exit-code") : sd_bus_reply_method_return(m, "v", "t", (uint64_t) 5000000);
}

static int on_subscribe(sd_bus_message *m, void *userdata, sd_bus_error *error) {
        return sd_bus_reply_method_return(m, "");
}

static const sd_bus_vtable manager_vtable[] = {
        SD_BUS_VTABLE_START(0), SD_BUS_METHOD("ListUnitsByNames", "as", "a(ssssssouso)", on_list, SD_BUS_VTABLE_UNPRIVILEGED),
        SD_BUS_METHOD("Subscribe", NULL, NULL, on_subscribe, SD_BUS_VTABLE_UNPRIVILEGED), SD_BUS_VTABLE_END,
};

/* Answers calls to any unit's properties. */
static int on_unit(sd_bus_message *m, void *userdata, sd_bus_error *error) {
        return sd_bus_message_is_method_call(m, "org.freedesktop.DBus.Properties", "Get") ? on_get(m, userdata, error) : 0;
}

static void play(Played *p) {
        _cleanup_free_ char *path = NULL;
        sd_bus *bus = NULL;
        struct timespec next = {};

        (void) prctl(PR_SET_PDEATHSIG, SIGKILL);
        if (sd_bus_open_system(&bus) < 0 || sd_bus_add_object_vtable(bus, NULL, "/org/freedesktop/systemd1", "org.freedesktop.systemd1.Manager", manager_vtable, p) < 0 ||
            sd_bus_add_fallback(bus, NULL, "/org/freedesktop/systemd1/unit", on_unit, p) < 0 || sd_bus_request_name(bus, "org.freedesktop.systemd1", 0) < 0 ||
            sd_bus_path_encode("/org/freedesktop/systemd1/unit", PERSISTENCED_UNIT, &path) < 0)
                _exit(1);
        for (;;) {
                struct pollfd pfd = { .fd = sd_bus_get_fd(bus), .events = POLLIN };

                while (sd_bus_process(bus, NULL) > 0)
                        ;
                next.tv_nsec = 300 * 1000 * 1000;
                if (ppoll(&pfd, 1, &next, NULL) > 0 || !p->states[p->at + 1])
                        continue;
                p->at++;
                if (p->leave && p->at == 2)
                        _exit(0);
                (void) sd_bus_emit_signal(bus, path, "org.freedesktop.DBus.Properties", "PropertiesChanged", "sa{sv}as", "org.freedesktop.systemd1.Unit", 0, 0);
        }
}

static void begin(const char *const *states, bool mute, bool leave) {
        Played p = { .states = states, .mute = mute, .leave = leave };

        manager_pid = fork();
        ck_assert_int_ge(manager_pid, 0);
        if (manager_pid == 0)
                play(&p);
        /* Until it has its name. */
        for (int i = 0; i < 5000; i++) {
                sd_bus *bus = NULL;
                const char *owner = NULL;
                sd_bus_message *reply = NULL;
                bool there;

                ck_assert_int_ge(sd_bus_open_system(&bus), 0);
                there = sd_bus_call_method(bus, "org.freedesktop.DBus", "/org/freedesktop/DBus", "org.freedesktop.DBus", "GetNameOwner", NULL, &reply, "s",
                                           "org.freedesktop.systemd1") >= 0 && sd_bus_message_read(reply, "s", &owner) > 0;
                sd_bus_message_unref(reply);
                sd_bus_flush_close_unref(bus);
                if (there)
                        return;
        }
        ck_abort_msg("the played manager does not come");
}

static unsigned told;
static void on_tell(const WaitView *v, void *userdata) {
        told++;
}

static WaitEnd wait_played(unsigned limit, char **ret_why, int *ret_signal, int64_t *ret_ms) {
        _cleanup_error_ Error e = ERROR_INIT;
        Node node = { .root_fd = AT_FDCWD, .booted = true };
        struct timespec a, b;
        WaitEnd end;

        told = 0;
        (void) clock_gettime(CLOCK_MONOTONIC, &a);
        ck_assert_msg(wait_for_gpus(&node, limit, false, on_tell, NULL, &end, ret_why, ret_signal, &e) == 0, "%s", e.message);
        (void) clock_gettime(CLOCK_MONOTONIC, &b);
        *ret_ms = (b.tv_sec - a.tv_sec) * 1000 + (b.tv_nsec - a.tv_nsec) / 1000000;
        return end;
}

#define PLAY(...) ((const char *const[]){ __VA_ARGS__, NULL, NULL })

START_TEST(until_it_is_active) {
        _cleanup_free_ char *why = NULL;
        int64_t ms;
        int s;

        begin(PLAY("inactive+start", "activating", "activating+start", "active"), false, false);
        ck_assert_int_eq(wait_played(0, &why, &s, &ms), WAIT_READY);
        ck_assert_uint_ge(told, 3);
        ck_assert_int_lt(ms, 4000);
}
END_TEST

START_TEST(until_it_fails) {
        _cleanup_free_ char *why = NULL;
        int64_t ms;
        int s;

        begin(PLAY("activating", "failed"), false, false);
        ck_assert_int_eq(wait_played(0, &why, &s, &ms), WAIT_FAILED);
        ck_assert_str_eq(why, PERSISTENCED_UNIT " failed: exit-code");
        ck_assert_int_lt(ms, 2000);
}
END_TEST

START_TEST(until_the_limit) {
        _cleanup_free_ char *why = NULL;
        int64_t ms;
        int s;

        begin(PLAY("activating"), false, false);
        ck_assert_int_eq(wait_played(1, &why, &s, &ms), WAIT_LIMIT);
        ck_assert_int_ge(ms, 1000);
        ck_assert_int_lt(ms, 2000);
}
END_TEST

START_TEST(until_a_signal) {
        _cleanup_free_ char *why = NULL;
        int64_t ms;
        int s = 0;
        pid_t pid;

        begin(PLAY("activating"), false, false);
        pid = fork();
        ck_assert_int_ge(pid, 0);
        if (pid == 0) {
                (void) poll(NULL, 0, 300); /* meanwhile it waits */
                (void) kill(getppid(), SIGINT);
                _exit(0);
        }
        ck_assert_int_eq(wait_played(20, &why, &s, &ms), WAIT_INTERRUPTED);
        ck_assert_int_eq(s, SIGINT);
        ck_assert_int_lt(ms, 5000);
        ck_assert_int_eq(waitpid(pid, NULL, 0), pid);
}
END_TEST

/* A manager that goes away is waited for, within the limit. */
START_TEST(a_manager_that_leaves) {
        _cleanup_free_ char *why = NULL;
        int64_t ms;
        int s;

        begin(PLAY("activating", "activating+start", "active"), false, true);
        ck_assert_int_eq(wait_played(2, &why, &s, &ms), WAIT_LIMIT);
        ck_assert_int_lt(ms, 5000);
}
END_TEST

/* One that accepts and never answers costs a call's limit, not more. */
START_TEST(a_mute_manager) {
        _cleanup_unit_state_ UnitState state = {};
        _cleanup_free_ char *why = NULL;
        struct timespec a, b;
        int64_t ms;
        Bus *bus;
        int s;

        begin(PLAY("active"), true, false);
        ck_assert_int_eq(bus_open(&bus), 0);
        (void) clock_gettime(CLOCK_MONOTONIC, &a);
        ck_assert_int_eq(bus_unit_state(bus, PERSISTENCED_UNIT, &state), -ETIMEDOUT);
        (void) clock_gettime(CLOCK_MONOTONIC, &b);
        bus_close(bus);
        ck_assert_int_lt((b.tv_sec - a.tv_sec) * 1000 + (b.tv_nsec - a.tv_nsec) / 1000000, BUS_CALL_MS + 500);
        ck_assert_int_eq(wait_played(2, &why, &s, &ms), WAIT_LIMIT);
        ck_assert_int_lt(ms, 5000);
}
END_TEST

/* A bus that accepts connections and says nothing. */
START_TEST(a_mute_bus) {
        _cleanup_unit_state_ UnitState state = {};
        struct timespec a, b;
        Bus *bus;

        ck_assert_int_eq(kill(bus_pid, SIGSTOP), 0);
        ck_assert_int_eq(bus_open(&bus), 0);
        (void) clock_gettime(CLOCK_MONOTONIC, &a);
        ck_assert_int_lt(bus_unit_state(bus, PERSISTENCED_UNIT, &state), 0);
        (void) clock_gettime(CLOCK_MONOTONIC, &b);
        bus_close(bus);
        ck_assert_int_lt((b.tv_sec - a.tv_sec) * 1000 + (b.tv_nsec - a.tv_nsec) / 1000000, BUS_CALL_MS + 500);
        ck_assert_int_eq(kill(bus_pid, SIGCONT), 0);
}
END_TEST

static bool bus_exists(void) {
        return access("/usr/bin/dbus-daemon", X_OK) == 0;
}

static void setup(void) {
        _cleanup_free_ char *config = NULL, *path = NULL, *option = NULL;
        int fds[2];
        char c;

        ck_assert_int_eq(make_temp_dir("/tmp", "wait", &folder), 0);
        address = format("unix:path=%s/bus", folder);
        config = format("<busconfig><type>system</type><listen>%s</listen><policy context=\"default\"><allow own=\"*\"/><allow send_destination=\"*\"/>"
                        "<allow receive_sender=\"*\"/><allow user=\"*\"/></policy></busconfig>", address);
        path = path_join(folder, "bus.conf");
        option = format("--config-file=%s", path);
        ck_assert_int_eq(write_file_atomic(AT_FDCWD, path, config, strlen(config), 0644), 0);
        ck_assert_int_eq(setenv("DBUS_SYSTEM_BUS_ADDRESS", address, 1), 0);
        ck_assert_int_eq(pipe(fds), 0);
        bus_pid = fork();
        ck_assert_int_ge(bus_pid, 0);
        if (bus_pid == 0) {
                (void) prctl(PR_SET_PDEATHSIG, SIGKILL);
                (void) dup2(fds[1], STDOUT_FILENO);
                (void) execl("/usr/bin/dbus-daemon", "dbus-daemon", option, "--nofork", "--nopidfile", "--print-address=1", NULL);
                _exit(127);
        }
        close(fds[1]);
        ck_assert_int_eq(read(fds[0], &c, 1), 1); /* it listens, and says where */
        close(fds[0]);
        manager_pid = 0;
}

static void end_child(pid_t pid) {
        if (pid <= 0)
                return;
        (void) kill(pid, SIGKILL);
        (void) waitpid(pid, NULL, 0);
}

static void teardown(void) {
        end_child(manager_pid);
        end_child(bus_pid);
        ck_assert_int_eq(remove_tree(AT_FDCWD, folder), 0);
        free(folder);
        free(address);
}

int main(void) {
        Suite *suite = suite_create("wait");
        TCase *t = tcase_create("decisions"), *played;

        tcase_add_test(t, decisions);
        suite_add_tcase(suite, t);
        if (!bus_exists())
                return run_suite(suite);
        played = tcase_create("played");
        tcase_add_checked_fixture(played, setup, teardown);
        tcase_add_test(played, until_it_is_active);
        tcase_add_test(played, until_it_fails);
        tcase_add_test(played, until_the_limit);
        tcase_add_test(played, until_a_signal);
        tcase_add_test(played, a_manager_that_leaves);
        tcase_add_test(played, a_mute_manager);
        tcase_add_test(played, a_mute_bus);
        suite_add_tcase(suite, played);
        return run_suite(suite);
}
