/* SPDX-License-Identifier: Apache-2.0 */
#include "basic/process.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>

#include "basic/strings.h"

#define OUTPUT_MAX   ((size_t) 1 << 20)
#define KILL_GRACE_MS 500
#define DEFAULT_PATH "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

static int64_t now_ms(void) {
        struct timespec ts;

        (void) clock_gettime(CLOCK_MONOTONIC, &ts);
        return (int64_t) ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
}

int process_environment(const char *const *also, char ***ret) {
        static const char *const keep[] = { "HOME", "TMPDIR", "GNUPGHOME", "SOURCE_DATE_EPOCH", "GN8V_TEE_ENVIRONMENT", NULL };
        _cleanup_strv_ char **env = NULL;
        const char *path = getenv("PATH");
        _cleanup_free_ char *s = format("PATH=%s", path && *path ? path : DEFAULT_PATH);

        if (!s || strv_append(&env, s) < 0 || strv_append(&env, "LANG=C.UTF-8") < 0)
                return -ENOMEM;
        for (const char *const *list = keep; list; list = list == keep ? also : NULL)
                for (size_t i = 0; list[i]; i++) {
                        const char *value = getenv(list[i]);
                        _cleanup_free_ char *pair = NULL;

                        if (!value)
                                continue;
                        pair = format("%s=%s", list[i], value);
                        if (!pair || strv_append(&env, pair) < 0)
                                return -ENOMEM;
                }
        *ret = TAKE_PTR(env);
        return 0;
}

/* chroot() and chdir() are not among posix_spawn()'s actions: only then is there a fork. */
static pid_t spawn_in_root(const Process *p, char *const env[], int in, int out, int err) {
        pid_t pid = fork();
        sigset_t none;

        if (pid != 0)
                return pid < 0 ? -errno : pid;
        (void) setpgid(0, 0);
        (void) sigemptyset(&none);
        (void) sigprocmask(SIG_SETMASK, &none, NULL);
        if ((p->root && (chroot(p->root) < 0 || chdir("/") < 0)) || (p->directory && chdir(p->directory) < 0) ||
            dup2(in, STDIN_FILENO) < 0 || dup2(out, STDOUT_FILENO) < 0 || dup2(err, STDERR_FILENO) < 0)
                _exit(127);
        (void) execvpe(p->argv[0], (char *const *) p->argv, env);
        _exit(127);
}

static pid_t spawn(const Process *p, char *const env[], int in, int out, int err) {
        posix_spawn_file_actions_t actions;
        posix_spawnattr_t attributes;
        sigset_t none;
        pid_t pid;
        int r;

        if (p->root || p->directory)
                return spawn_in_root(p, env, in, out, err);
        if (posix_spawn_file_actions_init(&actions) != 0)
                return -ENOMEM;
        if (posix_spawnattr_init(&attributes) != 0) {
                (void) posix_spawn_file_actions_destroy(&actions);
                return -ENOMEM;
        }
        /* Its own process group, so that a time-out reaches its children too; and no signal that the caller has blocked for itself. */
        (void) sigemptyset(&none);
        r = posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETPGROUP | POSIX_SPAWN_SETSIGMASK);
        if (r == 0)
                r = posix_spawnattr_setsigmask(&attributes, &none);
        if (r == 0)
                r = posix_spawn_file_actions_adddup2(&actions, in, STDIN_FILENO);
        if (r == 0)
                r = posix_spawn_file_actions_adddup2(&actions, out, STDOUT_FILENO);
        if (r == 0)
                r = posix_spawn_file_actions_adddup2(&actions, err, STDERR_FILENO);
        if (r == 0)
                r = posix_spawnp(&pid, p->argv[0], &actions, &attributes, (char *const *) p->argv, env);
        (void) posix_spawnattr_destroy(&attributes);
        (void) posix_spawn_file_actions_destroy(&actions);
        return r == 0 ? pid : -r;
}

static int collect(int fd, const Process *p, int64_t deadline, Text *t) {
        size_t max = p->output_max ? p->output_max : OUTPUT_MAX;

        for (;;) {
                char buffer[65536];
                struct pollfd pfd = { .fd = fd, .events = POLLIN };
                int64_t left = deadline > 0 ? deadline - now_ms() : -1;
                ssize_t n;

                if (deadline > 0 && left <= 0)
                        return -ETIMEDOUT;
                if (poll(&pfd, 1, left > INT32_MAX ? INT32_MAX : (int) left) < 0 && errno != EINTR)
                        return -errno;
                if (pfd.revents == 0)
                        continue;
                n = read(fd, buffer, sizeof buffer);
                if (n < 0 && errno == EINTR)
                        continue;
                if (n <= 0)
                        return n < 0 ? -errno : 0;
                if (p->on_output) {
                        if (p->on_output(buffer, (size_t) n, p->userdata) != 0)
                                return -ECANCELED;
                } else if (t->size < max)
                        text_append_n(t, buffer, MIN((size_t) n, max - t->size));
        }
}

/* Its status, or -ETIMEDOUT. A kept-open pipe of a grandchild must not hold us, nor a closed one end us early: only the child counts. */
static int wait_until(pid_t pid, int64_t deadline) {
        sigset_t set, old;
        int status, r;

        (void) sigemptyset(&set);
        (void) sigaddset(&set, SIGCHLD);
        (void) pthread_sigmask(SIG_BLOCK, &set, &old);
        for (;;) {
                int64_t left;
                struct timespec ts;
                pid_t k = waitpid(pid, &status, WNOHANG);

                r = k == pid ? status : k < 0 ? -errno : -ETIMEDOUT;
                left = deadline - now_ms();
                if (k == pid || (k < 0 && errno != EINTR) || left <= 0)
                        break;
                ts = (struct timespec){ .tv_sec = left / 1000, .tv_nsec = left % 1000 * 1000000 };
                (void) sigtimedwait(&set, NULL, &ts);
        }
        (void) pthread_sigmask(SIG_SETMASK, &old, NULL);
        return r;
}

/* Until the child ends or the deadline passes; killed: it was told to die already. What hangs inside the kernel, in a driver, does not die when
 * it is killed: it is left behind, or it would hang us as well. */
static int reap(pid_t pid, int64_t deadline, bool killed) {
        int status, r;

        if (!killed) {
                if (deadline > 0) {
                        r = wait_until(pid, deadline);
                        if (r != -ETIMEDOUT)
                                return r;
                        (void) kill(-pid, SIGKILL);
                        (void) kill(pid, SIGKILL);
                } else {
                        while (waitpid(pid, &status, 0) < 0)
                                if (errno != EINTR)
                                        return -errno;
                        return status;
                }
        }
        (void) wait_until(pid, now_ms() + KILL_GRACE_MS);
        return -ETIMEDOUT;
}

int process_run(const Process *p, int *ret_status, char **ret_output, Error *e) {
        _cleanup_close_ int null_fd = -1, read_end = -1, write_end = -1;
        _cleanup_strv_ char **env = NULL;
        _cleanup_text_ Text t = {};
        int64_t deadline = p->timeout_sec > 0 ? now_ms() + (int64_t) p->timeout_sec * 1000 : 0;
        int pipe_fds[2], status, r, collected = 0;
        bool killed = false, piped = ret_output || p->on_output;
        char *output = NULL;
        pid_t pid;

        null_fd = open("/dev/null", O_RDWR | O_CLOEXEC);
        if (null_fd < 0)
                return error_errno(e, errno, "/dev/null");
        if (piped) {
                if (pipe2(pipe_fds, O_CLOEXEC) < 0)
                        return error_errno(e, errno, "pipe");
                read_end = pipe_fds[0];
                write_end = pipe_fds[1];
        }
        if (!p->env && process_environment(NULL, &env) < 0)
                return error_oom(e);
        pid = spawn(p, p->env ? (char *const *) p->env : env, p->stdin_fd > 0 ? p->stdin_fd : null_fd,
                    p->stdout_fd > 0 ? p->stdout_fd : piped ? write_end : STDERR_FILENO, piped ? write_end : STDERR_FILENO);
        if (pid < 0) {
                if (pid == -ENOENT || pid == -EACCES)
                        return error_set(e, -pid, EXIT_FAILED, "%s: cannot be run: %s", p->argv[0], strerror(-pid));
                return error_errno(e, -pid, "%s", p->argv[0]);
        }
        write_end = safe_close(write_end);
        if (piped)
                collected = collect(read_end, p, deadline, &t);
        if (collected == -ETIMEDOUT || collected == -ECANCELED) {
                (void) kill(-pid, SIGKILL);
                (void) kill(pid, SIGKILL);
                killed = true;
        }
        status = r = reap(pid, deadline, killed);
        if (r < 0 && r != -ETIMEDOUT)
                return error_errno(e, -r, "%s", p->argv[0]);
        if (ret_output) {
                output = text_take(&t);
                if (!output)
                        return error_oom(e);
                *ret_output = output;
        }
        if (collected == -ECANCELED)
                *ret_status = 0;
        else if (killed || r == -ETIMEDOUT)
                *ret_status = 124;
        else
                *ret_status = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
        return 0;
}

/* The last few lines of a program's output, on one line: the reason is nearly always there. */
static char *last_lines(const char *output) {
        size_t end = strlen(output), start;
        unsigned lines = 0;
        char *s;

        while (end > 0 && strchr(" \t\r\n", output[end - 1]))
                end--;
        for (start = end; start > 0 && end - start < 600; start--)
                if (output[start - 1] == '\n' && ++lines == 3)
                        break;
        s = strndup(output + start, end - start);
        for (char *p = s; p && *p; p++)
                if ((unsigned char) *p < ' ')
                        *p = *p == '\n' ? '|' : ' ';
        return s;
}

int process_check(const Process *p, char **ret_output, Error *e) {
        _cleanup_free_ char *output = NULL, *tail = NULL;
        int status, r;

        r = process_run(p, &status, &output, e);
        if (r < 0)
                return r;
        if (status == 124)
                return error_set(e, ETIMEDOUT, EXIT_FAILED, "%s: gave no result in time, killed", p->argv[0]);
        if (status != 0) {
                tail = last_lines(output);
                return error_set(e, EIO, EXIT_FAILED, "%s: exit status %d%s%s", p->argv[0], status,
                                 tail && *tail ? ": " : "", tail ? tail : "");
        }
        if (ret_output)
                *ret_output = TAKE_PTR(output);
        return 0;
}

bool program_exists(const char *root, const char *name) {
        const char *path = getenv("PATH");
        _cleanup_free_ char *copy = strdup(path && *path && !root ? path : DEFAULT_PATH);
        char *save = NULL;

        for (char *dir = copy ? strtok_r(copy, ":", &save) : NULL; dir; dir = strtok_r(NULL, ":", &save)) {
                _cleanup_free_ char *file = format("%s%s/%s", root ? root : "", dir, name);
                struct stat st;

                if (file && stat(file, &st) == 0 && S_ISREG(st.st_mode) && (st.st_mode & 0111))
                        return true;
        }
        return false;
}

void open_standard_streams(void) {
        int fd;

        do
                fd = open("/dev/null", O_RDWR); /* without O_CLOEXEC: children have it as well */
        while (fd >= 0 && fd <= STDERR_FILENO);
        (void) safe_close(fd);
}

int process_quiet_child(void) {
        _cleanup_close_ int null = open("/dev/null", O_RDWR | O_CLOEXEC), fd = fcntl(STDOUT_FILENO, F_DUPFD_CLOEXEC, 10);
        static const int deadly[] = { SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGABRT };
        const struct rlimit no_core = {};

        for (size_t i = 0; i < ELEMENTSOF(deadly); i++)
                (void) signal(deadly[i], SIG_DFL);
        (void) setrlimit(RLIMIT_CORE, &no_core);
        if (fd < 0 || null < 0 || dup2(null, STDOUT_FILENO) < 0 || dup2(null, STDERR_FILENO) < 0)
                return -errno;
        return TAKE_FD(fd);
}
