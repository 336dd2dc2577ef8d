/* SPDX-License-Identifier: Apache-2.0 */
#include "node/node.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/file.h>
#include <sys/time.h>

#include "basic/fs.h"
#include "basic/process.h"
#include "node/bus.h"
#include "node/journal.h"

static const char *const environment_names[_ENVIRONMENT_MAX] = {
        [ENVIRONMENT_MACHINE] = "machine", [ENVIRONMENT_CHROOT] = "chroot", [ENVIRONMENT_CONTAINER] = "container",
        [ENVIRONMENT_IMAGE] = "image",     [ENVIRONMENT_OSTREE] = "ostree",
};

const char *environment_to_string(Environment e) {
        return environment_names[e];
}

/* Another root than process 1's. Not to be seen without privileges: then we change nothing anyway. */
static bool in_chroot(void) {
        struct stat ours, init;

        return stat("/", &ours) >= 0 && stat("/proc/1/root", &init) >= 0 &&
               (ours.st_dev != init.st_dev || ours.st_ino != init.st_ino);
}

static Environment detect_environment(Node *n) {
        const char *container = getenv("container");

        if (n->root)
                return ENVIRONMENT_IMAGE;
        if (node_exists(n, "/run/ostree-booted"))
                return ENVIRONMENT_OSTREE;
        if ((container && *container) || node_exists(n, "/run/systemd/container") || node_exists(n, "/run/.containerenv") ||
            node_exists(n, "/.dockerenv"))
                return ENVIRONMENT_CONTAINER;
        if (!node_exists(n, "/proc/self") || !node_exists(n, "/sys/kernel"))
                return ENVIRONMENT_IMAGE;
        if (in_chroot())
                return ENVIRONMENT_CHROOT;
        return n->booted ? ENVIRONMENT_MACHINE : ENVIRONMENT_IMAGE;
}

static int choose_environment(Node *n, Error *e) {
        const char *word = getenv("GN8V_TEE_ENVIRONMENT");

        if (!word || !*word) {
                n->environment = detect_environment(n);
                return 0;
        }
        for (Environment i = 0; i < _ENVIRONMENT_MAX; i++)
                if (streq(word, environment_names[i])) {
                        n->environment = i;
                        return 0;
                }
        return error_hint(e, error_set(e, EINVAL, EXIT_USAGE, "GN8V_TEE_ENVIRONMENT=%s: no such environment", word),
                          "use machine, chroot, container, image or ostree, or leave it unset");
}

static int run_in_root(Node *n, const char *const *argv, unsigned timeout_sec, int *ret_status, char **ret_output, Error *e) {
        Process p = { .argv = argv, .root = n->root, .timeout_sec = timeout_sec };

        return process_run(&p, ret_status, ret_output, e);
}

int node_open(Node *n, const char *root, Error *e) {
        int r;

        *n = (Node){ .root_fd = AT_FDCWD, .run = run_in_root };
        if (root && !streq(root, "/")) {
                n->root = realpath(root, NULL);
                if (!n->root)
                        return error_errno(e, errno, "%s", root);
        }
        if (n->root && !streq(n->root, "/")) {
                n->root_fd = open(n->root, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
                if (n->root_fd < 0) {
                        r = error_errno(e, errno, "%s", root);
                        n->root_fd = AT_FDCWD;
                        return r;
                }
        } else
                freep(&n->root), n->root = NULL;
        n->booted = node_exists(n, "/run/systemd/system");
        r = choose_environment(n, e);
        if (r < 0)
                return r;
        if (node_read(n, "/proc/sys/kernel/random/boot_id", 128, &n->boot_id, NULL) >= 0)
                n->boot_id[strcspn(n->boot_id, "\n")] = '\0';
        return 0;
}

static int unreadable(Error *e, int errnum, const char *path) {
        int r = error_unreadable(e, errnum, path);

        return errnum == EACCES ? error_hint(e, r, "run it as root") : r;
}

int node_load_release(Node *n, Error *e) {
        _cleanup_free_ char *data = NULL;
        size_t size;
        int r;

        r = node_read(n, RELEASE_INSTALLED_PATH, RELEASE_MAX_BYTES, &data, &size);
        if (r == -ENOENT || r == -ENOTDIR)
                return 0;
        if (r < 0)
                r = unreadable(e, -r, RELEASE_INSTALLED_PATH);
        else
                r = release_parse(RELEASE_INSTALLED_PATH, data, size, &n->release, e);
        return error_hint(e, r, "reinstall the metapackage: yum reinstall 'gn8v-tee-single' or 'gn8v-tee-multi'");
}

void node_close(Node *n) {
        if (n->root_fd >= 0)
                (void) safe_close(n->root_fd);
        if (n->release)
                release_free(n->release);
        if (n->journal)
                journal_free(n->journal);
        bus_close(n->bus);
        free(n->boot_id);
        free(n->root);
        *n = (Node){ .root_fd = AT_FDCWD };
}

static void on_alarm(int signal_number) {
}

/* Blocks in flock(); a timer interrupts it, again and again so that one that fires too early does no harm. */
static int flock_within(int fd, unsigned wait_sec) {
        struct sigaction action = { .sa_handler = on_alarm }, saved;
        struct itimerval timer = { .it_value.tv_sec = wait_sec, .it_interval.tv_sec = 1 }, off = {};
        int r;

        if (flock(fd, LOCK_EX | LOCK_NB) >= 0)
                return 0;
        if (errno != EWOULDBLOCK || wait_sec == 0)
                return -errno;
        (void) sigaction(SIGALRM, &action, &saved);
        (void) setitimer(ITIMER_REAL, &timer, NULL);
        r = flock(fd, LOCK_EX) < 0 ? (errno == EINTR ? -EWOULDBLOCK : -errno) : 0;
        (void) setitimer(ITIMER_REAL, &off, NULL);
        (void) sigaction(SIGALRM, &saved, NULL);
        return r;
}

/* Whether the file that is locked still has the name: removing the package removes it, and the next one to come makes another. */
static bool is_the_lock(Node *n, int fd) {
        struct stat locked, named;

        return fstat(fd, &locked) >= 0 && node_stat(n, NODE_LOCK_PATH, &named) >= 0 && locked.st_dev == named.st_dev &&
               locked.st_ino == named.st_ino;
}

int node_lock(Node *n, unsigned wait_sec, Error *e) {
        for (;;) {
                _cleanup_close_ int fd = node_make_file(n, NODE_LOCK_PATH, 0600);
                int r;

                if (fd < 0)
                        return unreadable(e, -fd, NODE_LOCK_PATH);
                r = flock_within(fd, wait_sec);
                if (r == -EWOULDBLOCK)
                        return error_hint(e, error_set(e, EWOULDBLOCK, EXIT_LOCKED, "%s: another gn8v-tee holds the lock", NODE_LOCK_PATH),
                                          "wait for it to end, or give --lock-timeout=SECONDS");
                if (r < 0)
                        return error_errno(e, -r, "%s: cannot lock", NODE_LOCK_PATH);
                if (is_the_lock(n, fd))
                        return TAKE_FD(fd);
        }
}

int node_tool(Node *n, const char *const *argv, unsigned timeout_sec, char **ret_output, Error *e) {
        _cleanup_free_ char *output = NULL, *words = NULL;
        size_t size;
        int r, status;

        r = n->run(n, argv, timeout_sec, &status, &output, e);
        if (r < 0)
                return r;
        if (status == 0) {
                if (ret_output)
                        *ret_output = TAKE_PTR(output);
                return 0;
        }
        words = strv_join((char *const *) argv, " ");
        if (!words)
                return error_oom(e);
        /* Its last line is nearly always the one that says why. */
        size = output ? strlen(output) : 0;
        while (size > 0 && strchr(" \t\r\n", output[size - 1]))
                output[--size] = '\0';
        const char *last = size > 0 ? strrchr(output, '\n') : NULL;
        if (status == 127)
                return error_set(e, ENOENT, EXIT_FAILED, "%s: cannot be run%s%s", words, size > 0 ? ": " : "",
                                 size > 0 ? (last ? last + 1 : output) : "");
        return error_set(e, EIO, EXIT_FAILED, "%s: exit status %d%s%s", words, status, size > 0 ? ": " : "",
                         size > 0 ? (last ? last + 1 : output) : "");
}
