/* SPDX-License-Identifier: Apache-2.0 */
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>

#include "basic/fs.h"
#include "basic/log.h"
#include "basic/process.h"
#include "basic/strings.h"
#include "run.h"

static char *dir;

static void setup(void) {
        ck_assert_int_eq(make_temp_dir("/tmp", "basic", &dir), 0);
}

static void teardown(void) {
        ck_assert_int_eq(remove_tree(AT_FDCWD, dir), 0);
        ck_assert_int_ne(access(dir, F_OK), 0);
        free(dir);
}

START_TEST(safe_paths) {
        ck_assert(path_is_safe("a") && path_is_safe("a/b.c") && path_is_safe("..a/b.."));
        ck_assert(!path_is_safe("") && !path_is_safe("/a") && !path_is_safe("a/") && !path_is_safe("a//b"));
        ck_assert(!path_is_safe("..") && !path_is_safe("a/../b") && !path_is_safe("./a") && !path_is_safe("a/."));
}
END_TEST

START_TEST(numbers_and_dates) {
        uint64_t n = 7;
        int64_t t = 7;

        ck_assert_int_eq(parse_u64("18446744073709551615", &n), 0);
        ck_assert(n == UINT64_MAX);
        ck_assert_int_eq(parse_u64("18446744073709551616", &n), -ERANGE);
        ck_assert_int_eq(parse_u64("", &n), -EINVAL);
        ck_assert_int_eq(parse_u64("-1", &n), -EINVAL);
        ck_assert_int_eq(parse_u64("1 ", &n), -EINVAL);
        ck_assert_int_eq(parse_date("1970-01-02", &t), 0);
        ck_assert_int_eq(t, 86400);
        ck_assert_int_eq(parse_date("2025-13-01", &t), -EINVAL);
        ck_assert_int_eq(parse_date("2025-1-1", &t), -EINVAL);
        ck_assert_int_eq(parse_date("2025-01-011", &t), -EINVAL);
}
END_TEST

START_TEST(lists_and_text) {
        _cleanup_strv_ char **v = NULL;
        _cleanup_free_ char *joined = NULL;

        ck_assert_int_eq(strv_append_words(&v, "  a b\tc "), 0);
        joined = strv_join(v, "-");
        ck_assert_str_eq(joined, "a-b-c");
        ck_assert(strv_contains(v, "b") && !strv_contains(v, "d") && !strv_contains(NULL, "d"));
}
END_TEST

/* A link that points out of the root must be resolved inside it. */
START_TEST(links_stay_in_root) {
        _cleanup_close_ int root = -1;
        _cleanup_free_ char *data = NULL;
        int fd;

        root = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        ck_assert_int_eq(mkdir_parents(root, "etc/a", 0755), 0);
        ck_assert_int_eq(write_file_atomic(root, "etc/passwd", "inside", 6, 0600), 0);
        ck_assert_int_eq(symlinkat("/etc/passwd", root, "etc/a/absolute"), 0);
        ck_assert_int_eq(symlinkat("../../../../etc/passwd", root, "etc/a/relative"), 0);
        ck_assert_int_eq(symlinkat("loop", root, "loop"), 0);
        ck_assert_int_eq(read_file_in_root(root, "/etc/a/absolute", 100, &data, NULL), 0);
        ck_assert_str_eq(data, "inside");
        free(TAKE_PTR(data));
        ck_assert_int_eq(read_file_in_root(root, "etc/a/relative", 100, &data, NULL), 0);
        ck_assert_str_eq(data, "inside");
        ck_assert_int_eq(open_in_root(root, "loop", O_RDONLY), -ELOOP);
        ck_assert_int_eq(open_in_root(root, "none", O_RDONLY), -ENOENT);
        ck_assert_int_eq(open_beneath(root, "etc/a/absolute", O_RDONLY, 0), -ELOOP);
        ck_assert_int_eq(open_beneath(root, "../x", O_RDONLY, 0), -EINVAL);
        fd = open_beneath(root, "etc/passwd", O_RDONLY, 0);
        ck_assert_int_ge(fd, 0);
        ck_assert_int_eq(close(fd), 0);
        free(TAKE_PTR(data));
        ck_assert_int_eq(read_file_in_root(root, "etc/passwd", 3, &data, NULL), -EFBIG);
}
END_TEST

START_TEST(atomic_write_keeps_mode) {
        _cleanup_free_ char *path = path_join(dir, "f"), *data = NULL;
        struct stat st;

        ck_assert_int_eq(write_file_atomic(AT_FDCWD, path, "one", 3, 0640), 0);
        ck_assert_int_eq(write_file_atomic(AT_FDCWD, path, "two", 3, 04755), 0);
        ck_assert_int_eq(stat(path, &st), 0);
        ck_assert_uint_eq(st.st_mode & 07777, 04755);
        ck_assert_int_eq(read_file(AT_FDCWD, path, 10, &data, NULL), 0);
        ck_assert_str_eq(data, "two");
}
END_TEST

/* What root would take from all programs of the machine. */
START_TEST(no_device_is_replaced) {
        _cleanup_close_ int fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

        ck_assert_int_eq(mkfifoat(fd, "fifo", 0600), 0);
        ck_assert_int_eq(write_file_atomic(fd, "fifo", "x", 1, 0600), -EEXIST);
        ck_assert(is_special(fd, "fifo") && is_special(fd, "/dev/full") && is_special(AT_FDCWD, "/dev/stdout"));
        ck_assert(!is_special(fd, ".") && !is_special(fd, "nothing"));
        ck_assert_int_eq(symlinkat("/dev/null", fd, "mask"), 0);
        ck_assert_int_eq(write_file_atomic(fd, "mask", "x", 1, 0600), 0);
}
END_TEST

START_TEST(children) {
        _cleanup_error_ Error e = ERROR_INIT, f = ERROR_INIT, g = ERROR_INIT;
        _cleanup_free_ char *output = NULL;
        const char *const say[] = { "sh", "-c", "echo out; echo err >&2; exit 3", NULL };
        const char *const hang[] = { "sh", "-c", "tail -f /dev/null & wait", NULL };
        const char *const none[] = { "/nonexistent/program", NULL };
        Process p = { .argv = say };
        int status = -1;

        ck_assert_int_eq(process_run(&p, &status, &output, &e), 0);
        ck_assert_int_eq(status, 3);
        ck_assert_str_eq(output, "out\nerr\n");
        ck_assert_int_lt(process_check(&p, NULL, &e), 0);
        ck_assert_ptr_nonnull(strstr(e.message, "exit status 3: out|err"));
        p = (Process){ .argv = hang, .timeout_sec = 1 };
        ck_assert_int_lt(process_check(&p, NULL, &f), 0);
        ck_assert_ptr_nonnull(strstr(f.message, "no result in time"));
        p = (Process){ .argv = none };
        ck_assert_int_lt(process_check(&p, NULL, &g), 0);
        ck_assert_ptr_nonnull(strstr(g.message, "/nonexistent/program"));
}
END_TEST

/* Each test has a process of its own: closing its streams harms nobody. */
/* The first child of a process, or 0. */
static pid_t first_child(pid_t pid) {
        _cleanup_free_ char *path = format("/proc/%d/task/%d/children", (int) pid, (int) pid), *list = NULL;

        return path && read_file(AT_FDCWD, path, 4096, &list, NULL) >= 0 ? (pid_t) strtol(list, NULL, 10) : 0;
}

/* Traces the grandchild of a process, and does not look when it dies. */
static void hold_grandchild(pid_t pid) {
        (void) prctl(PR_SET_PDEATHSIG, SIGKILL);
        for (;;) {
                pid_t child = first_child(pid), grandchild = child > 0 ? first_child(child) : 0;

                if (grandchild > 0 && ptrace(PTRACE_SEIZE, grandchild, 0, 0) == 0)
                        for (;;)
                                (void) pause();
        }
}

/* In a process of its own, for its children are of another PID namespace. 0: as it should be; 77: not to be tried here. */
static int outlive(void) {
        static const char *const argv[] = { "sh", "-c", "sleep 1000 & wait", NULL };
        const Process p = { .argv = argv, .timeout_sec = 1 };
        struct timespec began, ended;
        char *output;
        int status;

        if (unshare(CLONE_NEWPID) < 0)
                return 77;
        (void) clock_gettime(CLOCK_MONOTONIC, &began);
        if (process_run(&p, &status, &output, NULL) < 0)
                return 1;
        (void) clock_gettime(CLOCK_MONOTONIC, &ended);
        if (status != 124)
                return 2;
        if (ended.tv_sec - began.tv_sec > 2)
                return 3;
        return waitpid(-1, NULL, WNOHANG) == 0 ? 0 : 4; /* killed, and still there */
}

/* A process that is killed and does not end, as in a driver that hangs: the first one of a PID namespace, which has to outlive a process
 * that somebody else still traces. */
START_TEST(a_child_that_does_not_die) {
        pid_t pid, holder;
        int status;

        if (geteuid() != 0)
                return;
        pid = fork();
        ck_assert_int_ge(pid, 0);
        if (pid == 0)
                _exit(outlive());
        holder = fork();
        ck_assert_int_ge(holder, 0);
        if (holder == 0)
                hold_grandchild(pid);
        ck_assert_int_eq(waitpid(pid, &status, 0), pid);
        (void) kill(holder, SIGKILL);
        ck_assert_int_eq(waitpid(holder, NULL, 0), holder);
        ck_assert(WIFEXITED(status));
        ck_assert_msg(WEXITSTATUS(status) == 0 || WEXITSTATUS(status) == 77, "%d", WEXITSTATUS(status));
}
END_TEST

START_TEST(closed_streams_are_filled) {
        int out = dup(STDOUT_FILENO), err = dup(STDERR_FILENO), fd;

        close(STDIN_FILENO);
        close(STDERR_FILENO);
        open_standard_streams();
        fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
        dup2(err, STDERR_FILENO);
        ck_assert_int_gt(out, STDERR_FILENO);
        ck_assert_int_gt(fd, STDERR_FILENO);
        ck_assert_int_eq(fcntl(STDIN_FILENO, F_GETFD), 0); /* open, and children get it */
        close(fd);
}
END_TEST

START_TEST(messages_are_plain) {
        _cleanup_error_ Error e = ERROR_INIT;
        _cleanup_free_ char *path = path_join(dir, "said"), *said = NULL;
        int err = dup(STDERR_FILENO), fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);

        (void) error_hint(&e, error_set(&e, EBADMSG, EXIT_INVALID, "a\033[2J\177 \302\233 \303\251"), "b\r\n\tc");
        dup2(fd, STDERR_FILENO);
        (void) log_error(&e, -EBADMSG);
        log_warning("%s", "\033]0;x\007");
        fflush(stderr);
        dup2(err, STDERR_FILENO);
        ck_assert_int_eq(read_file(AT_FDCWD, path, 1024, &said, NULL), 0);
        ck_assert_ptr_nonnull(strstr(said, "a?[2J? \302? \303\251\n"));
        ck_assert_ptr_nonnull(strstr(said, "b?\n\tc\n"));
        ck_assert_ptr_nonnull(strstr(said, "warning: ?]0;x?\n"));
        close(fd);
        close(err);
}
END_TEST

START_TEST(foreign_words) {
        static const struct { const char *text, *clean; size_t max; } cases[] = {
                { "plain", "plain", 9 }, { "plain", "pla", 3 }, { "a\tb\n\033[2J\177", "a?b??[2J?", 99 }, { "\xc3\xa4\xe2\x82\xac\xf0\x9f\x98\x80", "\xc3\xa4\xe2\x82\xac\xf0\x9f\x98\x80", 99 },
                { "\xc3\xa4", "", 1 }, { "a\xc3\xa4", "a", 2 }, { "\xff\xc3", "??", 99 }, { "\xc0\xaf\xed\xa0\x80\xf5\x80\x80\x80", "?????????", 99 },
                { "\xc2\x9b", "??", 99 }, { "\xe0\x80\x80", "???", 99 }, { "", "", 0 },
        };

        for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
                _cleanup_free_ char *text = strdup(cases[i].text);

                text_clean(text, cases[i].max);
                ck_assert_str_eq(text, cases[i].clean);
        }
}
END_TEST

START_TEST(locks_exclude) {
        _cleanup_free_ char *path = path_join(dir, "lock");
        int a = lock_file(AT_FDCWD, path), b;

        ck_assert_int_ge(a, 0);
        ck_assert_int_eq(lock_file(AT_FDCWD, path), -EWOULDBLOCK);
        ck_assert_int_eq(close(a), 0);
        b = lock_file(AT_FDCWD, path);
        ck_assert_int_ge(b, 0);
        ck_assert_int_eq(close(b), 0);
}
END_TEST

/* One that ends while we wait for its lock, and one that does not. */
START_TEST(locks_are_waited_for) {
        _cleanup_free_ char *path = path_join(dir, "lock");
        int ready[2], a;
        char byte;
        pid_t pid;

        ck_assert_int_eq(pipe(ready), 0);
        pid = fork();
        if (pid == 0) {
                a = lock_file(AT_FDCWD, path);
                if (a < 0 || write(ready[1], "", 1) != 1)
                        _exit(1);
                (void) signal(SIGALRM, SIG_DFL);
                (void) alarm(1); /* ends it */
                for (;;)
                        (void) pause();
        }
        ck_assert_int_gt(pid, 0);
        ck_assert_int_eq(read(ready[0], &byte, 1), 1);
        ck_assert_int_eq(lock_file(AT_FDCWD, path), -EWOULDBLOCK);
        lock_set_timeout(60);
        a = lock_file(AT_FDCWD, path);
        ck_assert_int_ge(a, 0);
        ck_assert_int_eq(waitpid(pid, NULL, 0), pid);
        lock_set_timeout(1);
        ck_assert_int_eq(lock_file(AT_FDCWD, path), -EWOULDBLOCK);
        lock_set_timeout(0);
        ck_assert_int_eq(close(a), 0);
}
END_TEST

START_TEST(leftovers_go) {
        static const struct { const char *file; bool is; } cases[] = {
                { ".a.1.tmp", true }, { ".a.b.4711.tmp", true }, { ".a.tmp", false }, { "a.1.tmp", false }, { ".1.tmp", false }, { "..1.tmp", false }, { ".a.1x.tmp", false },
                { ".a..tmp", false }, { ".tmp", false }, { ".a1.tmp", false }, { "", false },
        };
        _cleanup_close_ int fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

        for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
                ck_assert_msg(is_temporary(cases[i].file, NULL) == cases[i].is, "%s", cases[i].file);
                if (*cases[i].file)
                        ck_assert_int_eq(write_file_new(fd, cases[i].file, "", 0, 0600), 0);
        }
        ck_assert(is_temporary(".a.1.tmp", "a") && !is_temporary(".a.1.tmp", "b") && !is_temporary(".a.b.1.tmp", "a") && !is_temporary(".a.b.1.tmp", "b"));
        ck_assert_int_eq(remove_temporaries(fd, ".", "a.b"), 0);
        ck_assert_int_eq(faccessat(fd, ".a.1.tmp", F_OK, 0), 0);
        ck_assert_int_ne(faccessat(fd, ".a.b.4711.tmp", F_OK, 0), 0);
        ck_assert_int_eq(remove_temporaries(fd, ".", NULL), 0);
        for (size_t i = 0; i < ELEMENTSOF(cases); i++)
                if (*cases[i].file)
                        ck_assert_int_eq(faccessat(fd, cases[i].file, F_OK, 0) == 0, !cases[i].is);
        ck_assert_int_eq(remove_temporaries(fd, "nowhere", NULL), 0);
}
END_TEST

int main(void) {
        Suite *suite = suite_create("basic");
        TCase *t = tcase_create("basic");

        tcase_add_checked_fixture(t, setup, teardown);
        tcase_add_test(t, safe_paths);
        tcase_add_test(t, numbers_and_dates);
        tcase_add_test(t, lists_and_text);
        tcase_add_test(t, links_stay_in_root);
        tcase_add_test(t, atomic_write_keeps_mode);
        tcase_add_test(t, children);
        tcase_add_test(t, a_child_that_does_not_die);
        tcase_add_test(t, closed_streams_are_filled);
        tcase_add_test(t, messages_are_plain);
        tcase_add_test(t, foreign_words);
        tcase_add_test(t, locks_exclude);
        tcase_add_test(t, locks_are_waited_for);
        tcase_add_test(t, leftovers_go);
        tcase_add_test(t, no_device_is_replaced);
        suite_add_tcase(suite, t);
        return run_suite(suite);
}
