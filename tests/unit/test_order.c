/* SPDX-License-Identifier: Apache-2.0 */
#include "scratch-root.h"

#include "node/clients.h"
#include "node/elf-needed.h"
#include "node/order.h"
#include "node/plan.h"
#include "node/unit-name.h"
#include "run.h"

#define LIB "/usr/lib/systemd/system/"
#define ETC "/etc/systemd/system/"
#define DROP_IN ".d/50-gn8v-tee-order.conf"

static void link_to(const char *target, const char *path) {
        _cleanup_free_ char *full = format("%s%s", scratch, path);

        scratch_put(path, ""); /* makes the directories */
        ck_assert_int_eq(unlink(full), 0);
        ck_assert_int_eq(symlink(target, full), 0);
}

START_TEST(names) {
        static const char *const good[] = { "a.service", "foo@.service", "foo@b\\x2d.timer", "a:b-c_d.socket" };
        static const char *const bad[] = { "", ".service", "a", "a.conf", "../a.service", "a/b.service", "a b.service", "@a.service", "a\n.service", "a%i.service" };
        char *template = unit_name_template("foo@bar.service");
        _cleanup_strv_ char **shared = NULL;

        for (size_t i = 0; i < ELEMENTSOF(good); i++)
                ck_assert(unit_name_is_valid(good[i]));
        for (size_t i = 0; i < ELEMENTSOF(bad); i++)
                ck_assert_msg(!unit_name_is_valid(bad[i]), "taken: %s", bad[i]);
        ck_assert_str_eq(template, "foo@.service");
        free(template);
        ck_assert_ptr_null(unit_name_template("foo@.service"));
        ck_assert_int_eq(unit_name_shared("a-b-c@d.service", &shared), 0);
        ck_assert_uint_eq(strv_length(shared), 3);
        ck_assert_str_eq(shared[0], "a-b-c@.service");
        ck_assert_str_eq(shared[1], "a-b-.service");
        ck_assert_str_eq(shared[2], "a-.service");
}
END_TEST

/* What order_resolve() makes of a word; NULL: refused, with that exit code. */
static void resolves(const char *word, const char *unit, ExitCode code) {
        _cleanup_unit_graph_ UnitGraph graph = {};
        _cleanup_free_ char *found = NULL, *note = NULL;
        _cleanup_error_ Error e = ERROR_INIT;
        int k;

        ck_assert_int_eq(unit_graph_load(&node, &graph, &e), 0);
        k = order_resolve(&node, &graph, word, &found, &note, &e);
        if (unit) {
                ck_assert_msg(k == 0, "%s: %s", word, e.message);
                ck_assert_str_eq(found, unit);
        } else {
                ck_assert_int_lt(k, 0);
                ck_assert_int_eq(e.code, code);
                ck_assert_ptr_nonnull(e.hint);
                if (code == EXIT_FAILED)
                        ck_assert_ptr_nonnull(strstr(e.message, "loop"));
        }
}

START_TEST(words_to_units) {
        scratch_put(LIB "a.service", "[Service]\n");
        scratch_put(LIB "foo@.service", "[Service]\n");
        link_to("a.service", ETC "alias.service");
        link_to("/usr/lib/systemd/system/foo@.service", ETC "foo@x.service");
        scratch_put(LIB "a.timer", "[Timer]\nOnBootSec=1\n");
        scratch_put(LIB "b.timer", "[Timer]\nUnit=alias.service\n");
        scratch_put(LIB "c.socket", "[Socket]\nAccept=yes\n");
        scratch_put(LIB "d.path", "[Path]\nUnit=../x\n");
        resolves("a", "a.service", 0);
        resolves("alias.service", "a.service", 0);
        resolves("foo@x", "foo@x.service", 0);
        resolves("foo@.service", "foo@.service", 0);
        resolves("a.timer", "a.service", 0);
        resolves("b.timer", "a.service", 0);
        resolves("c.socket", "c@.service", 0);
        resolves("not-there", "not-there.service", 0);
        resolves("../a", NULL, EXIT_USAGE);
        resolves("a.slice", NULL, EXIT_USAGE);
        resolves("", NULL, EXIT_USAGE);
}
END_TEST

START_TEST(loops_are_refused) {
        scratch_put(LIB "nvidia-persistenced.service", "[Unit]\nAfter=setup.service\n");
        scratch_put(LIB "setup.service", "[Unit]\nAfter=first.target\n");
        scratch_put(LIB "first.target", "[Unit]\nWants=wanted.service\n");
        link_to("/x", ETC "first.target.wants/linked.service");
        scratch_put(LIB "late.service", "[Unit]\nBefore=setup.service\n");
        scratch_put(LIB "free.service", "[Unit]\nAfter=setup.service\nBefore=other.service\n");
        scratch_put(LIB "overruled.service", "[Unit]\nAfter=first.target\n");
        link_to("/x", ETC "first.target.wants/overruled.service");
        scratch_put(LIB "my.timer", "[Timer]\nOnBootSec=1\n");
        scratch_put(LIB "directory.service/file", "");
        resolves("nvidia-persistenced", NULL, EXIT_FAILED);
        resolves("nvidia-fabricmanager", NULL, EXIT_FAILED);
        resolves("basic.target", NULL, EXIT_FAILED);
        resolves("local-fs.target", NULL, EXIT_FAILED);
        resolves("setup", NULL, EXIT_FAILED);
        resolves("wanted", NULL, EXIT_FAILED);
        resolves("linked", NULL, EXIT_FAILED);
        resolves("late", NULL, EXIT_FAILED);
        resolves("free", "free.service", 0);
        resolves("overruled", "overruled.service", 0);
        resolves("my.timer", "my.service", 0);
        resolves("multi-user.target", "multi-user.target", 0);
}
END_TEST

static void quiet(const Resource *r, Event event, void *userdata) {
}

/* Orders, or takes back: the action that is left. */
static Action change(const char *unit, bool add) {
        _cleanup_resource_list_ ResourceList l = {};
        char *units[] = { (char *) unit, NULL };
        _cleanup_error_ Error e = ERROR_INIT;
        PlanResult result;

        ck_assert_int_eq(plan_order(&node, units, add, quiet, NULL, &l, &result, &e), 0);
        ck_assert_uint_eq(result.failed, 0);
        return l.resources[0]->action;
}

START_TEST(added_and_taken_back) {
        bool ordered = false;

        scratch_put(LIB "a.service", "[Service]\n");
        ck_assert_int_eq(change("a.service", true), ACTION_NONE);
        ck_assert_int_eq(unit_is_ordered(&node, "a.service", PERSISTENCED_UNIT, &ordered), 0);
        ck_assert(ordered);
        ck_assert_ptr_nonnull(journal_find(node.journal, "order:a.service"));
        ck_assert_int_eq(change("a.service", true), ACTION_NONE);
        ck_assert_int_eq(change("a.service", false), ACTION_REVERT);
        ck_assert(!node_exists(&node, ETC "a.service.d"));
        ck_assert_uint_eq(node.journal->n_entries, 0);
        ck_assert_int_eq(change("a.service", false), ACTION_NONE);
}
END_TEST

START_TEST(what_is_not_ours_stays) {
        scratch_put(ETC "a.service" DROP_IN, "# mine\n");
        ck_assert_int_eq(change("a.service", true), ACTION_KEEP);
        scratch_is(ETC "a.service" DROP_IN, "# mine\n");
        ck_assert_uint_eq(node.journal->n_entries, 0);
        /* Edited after us. */
        ck_assert_int_eq(change("b.service", true), ACTION_NONE);
        scratch_put(ETC "b.service" DROP_IN, "[Unit]\nAfter=nvidia-persistenced.service\n# and mine\n");
        ck_assert_int_eq(change("b.service", false), ACTION_REVERT);
        ck_assert(node_exists(&node, ETC "b.service" DROP_IN));
        /* Taken away after us: not written again by itself, but when it is asked for. */
        ck_assert_int_eq(change("c.service", true), ACTION_NONE);
        ck_assert_int_eq(node_remove(&node, ETC "c.service" DROP_IN), 0);
        {
                _cleanup_resource_list_ ResourceList l = {};
                _cleanup_error_ Error e = ERROR_INIT;

                ck_assert_int_eq(plan_make(&node, &l, &e), 0);
                ck_assert_int_eq(resource_list_find(&l, "order:c.service")->action, ACTION_KEEP);
        }
        ck_assert_int_eq(change("c.service", true), ACTION_NONE);
        ck_assert(node_exists(&node, ETC "c.service" DROP_IN));
}
END_TEST

START_TEST(revert_takes_it_back) {
        _cleanup_error_ Error e = ERROR_INIT;
        PlanResult result;

        ck_assert_int_eq(change("foo@.service", true), ACTION_NONE);
        ck_assert(node_exists(&node, ETC "foo@.service" DROP_IN));
        ck_assert_int_eq(plan_revert(&node, quiet, NULL, &result, &e), 0);
        ck_assert_uint_eq(result.changed, 1);
        ck_assert(!node_exists(&node, ETC "foo@.service.d"));
}
END_TEST

static const Client *client(const Clients *c, const char *unit) {
        for (size_t i = 0; i < c->n; i++)
                if (streq(c->v[i].unit, unit))
                        return &c->v[i];
        return NULL;
}

static void want(const char *unit, const char *text) {
        _cleanup_free_ char *file = format(LIB "%s", unit), *wants = format(ETC "multi-user.target.wants/%s", unit);

        scratch_put(file, text);
        link_to(file, wants);
}

START_TEST(clients_are_seen) {
        static const struct { const char *unit, *text, *why; } cases[] = {
                { "smi.service", "[Service]\nExecStart=/bin/sh -c 'nvidia-smi -q'\n", "nvidia-smi" },
                { "device.service", "[Service]\nDeviceAllow=/dev/nvidia0 rw\n", "DeviceAllow" },
                { "env.service", "[Service]\nEnvironment=CUDA_VISIBLE_DEVICES=0\n", "environment" },
                { "docker.service", "[Service]\nExecStart=/usr/bin/dockerd\n", "runtime" },
                { "pod.service", "[Service]\nExecStart=/usr/bin/podman run --device nvidia.com/gpu=all x\n", "nvidia.com/gpu" },
                { "running.service", "[Service]\nExecStart=/opt/x\n", "/dev/nvidiactl" },
                { "mapped.service", "[Service]\nExecStart=/opt/x\n", "libcuda" },
        };
        _cleanup_clients_ Clients c = {};
        _cleanup_error_ Error e = ERROR_INIT;

        for (size_t i = 0; i < ELEMENTSOF(cases); i++)
                want(cases[i].unit, cases[i].text);
        want("plain.service", "[Service]\nExecStart=/bin/true\n");
        want("odd.service", "[Service]\nExecStart=/pipe\n");
        {
                _cleanup_free_ char *pipe_path = format("%s/pipe", scratch), *unit = format("%s" LIB "odd.service.d", scratch);
                _cleanup_free_ char *conf = format("%s/x.conf", unit);

                ck_assert_int_eq(mkfifo(pipe_path, 0600), 0);
                ck_assert_int_eq(mkdir(unit, 0755), 0);
                ck_assert_int_eq(mkfifo(conf, 0600), 0);
        }
        want("nvidia-persistenced.service", "[Service]\nExecStart=/usr/bin/nvidia-smi\n");
        scratch_put(LIB "disabled.service", "[Service]\nExecStart=/usr/bin/nvidia-smi\n");
        scratch_put("/etc/docker/daemon.json", "{\"runtimes\": {\"nvidia\": {\"path\": \"nvidia-container-runtime\"}}}");
        want("tick.timer", "[Timer]\nUnit=ticked.service\n");
        scratch_put(LIB "ticked.service", "[Service]\nExecStart=/usr/bin/dcgm-exporter\n");
        scratch_put("/proc/10/cgroup", "12:cpu:/x\n1:name=systemd:/system.slice/running.service\n");
        link_to("/dev/nvidiactl", "/proc/10/fd/3");
        scratch_put("/proc/11/cgroup", "0::/system.slice/mapped.service/x\n");
        scratch_put("/proc/11/maps", "7f00-7f01 r-xp 0 08:01 1 /usr/lib64/libcuda.so.1.2.3\n");
        scratch_put("/proc/12/cgroup", "0::/system.slice/plain.service\n");
        link_to("/dev/null", "/proc/12/fd/0");
        ck_assert_int_eq(change("named.service", true), ACTION_NONE);
        ck_assert_int_eq(clients_find(&node, &c, &e), 0);
        for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
                const Client *found = client(&c, cases[i].unit);

                ck_assert_msg(found && found->why && strstr(found->why[0], cases[i].why), "%s: %s", cases[i].unit, found && found->why ? found->why[0] : "not seen");
                ck_assert(!found->ordered);
        }
        ck_assert_int_eq(client(&c, "ticked.service")->enablement, UNIT_ENABLED);
        ck_assert_str_eq(client(&c, "named.service")->by, "gn8v-tee order");
        ck_assert_ptr_null(client(&c, "plain.service"));
        ck_assert_ptr_null(client(&c, "disabled.service"));
        ck_assert_ptr_null(client(&c, "nvidia-persistenced.service"));
        ck_assert_uint_eq(c.n, ELEMENTSOF(cases) + 2);
}
END_TEST

START_TEST(what_a_program_is_linked_with) {
        _cleanup_close_ int self = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);
        _cleanup_strv_ char **needed = NULL;
        _cleanup_free_ char *data = NULL;
        bool libc = false;
        size_t size;

        ck_assert_int_eq(elf_needed(self, &needed), 0);
        STRV_FOREACH(name, needed)
                libc = libc || startswith(*name, "libc.so");
        ck_assert(libc);
        /* Cut off anywhere, it is refused or as it was; never read beyond. */
        ck_assert_int_eq(read_file(AT_FDCWD, "/proc/self/exe", (size_t) 64 * 1024 * 1024, &data, &size), 0);
        for (size_t i = 0; i < 2000; i += 7) {
                _cleanup_free_ char *path = format("%s/cut", scratch);
                _cleanup_strv_ char **part = NULL;
                _cleanup_close_ int fd = -1;

                scratch_put_bytes("/cut", data, i);
                fd = open(path, O_RDONLY | O_CLOEXEC);
                ck_assert_int_ne(elf_needed(fd, &part), -ENOMEM);
        }
}
END_TEST

int main(void) {
        Suite *suite = suite_create("order");
        TCase *t = tcase_create("order");

        tcase_add_checked_fixture(t, scratch_begin, scratch_end);
        tcase_add_test(t, names);
        tcase_add_test(t, words_to_units);
        tcase_add_test(t, loops_are_refused);
        tcase_add_test(t, added_and_taken_back);
        tcase_add_test(t, what_is_not_ours_stays);
        tcase_add_test(t, revert_takes_it_back);
        tcase_add_test(t, clients_are_seen);
        tcase_add_test(t, what_a_program_is_linked_with);
        suite_add_tcase(suite, t);
        return run_suite(suite);
}
