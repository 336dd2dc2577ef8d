/* SPDX-License-Identifier: Apache-2.0 */
/* Counts a program's calls that change files below a directory, and at one of them ends it, or lets the disk be full or broken.
 *
 * usage: cut ROOT LOG count|kill|fail|full [N] PROGRAM [ARGUMENT...]
 *
 * A call is counted, from 1, over all threads of PROGRAM, before it is done; each is a line in LOG: its number, its name, its path.
 * kill: SIGKILL instead of call N, so that nothing from it on has happened; fail: call N alone fails, by ENOSPC if it would need room, else
 * by EIO; full: from call N on every call that would need room fails by ENOSPC. CUT_MEET=OUT,IN in the environment: before it kills, it writes a byte to
 * the one descriptor and waits for one from the other. What PROGRAM's children do is left alone, and not counted.
 * By seccomp's user notification (seccomp_unotify(2)): it costs little, and knows all threads. The exit status is PROGRAM's. */
#include <errno.h>
#include <fcntl.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/fs.h>
#include <linux/seccomp.h>
#include <poll.h>
#include <signal.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

#define N(a) (sizeof(a) / sizeof *(a))

enum { BY_FD, BY_PATH, BY_PATHS, ANYWHERE };
static const struct call {
        int number;
        const char *name;
        int how, at;   /* which argument is the descriptor (of the file, or of the path's directory); the path is behind it */
        int room;      /* whether a full disk makes it fail */
        int flags;     /* openat: which argument has them; ioctl: which has the request; else 0 */
} calls[] = {
#define C(name, how, at, room, flags) { SYS_##name, #name, how, at, room, flags }
        C(openat, BY_PATH, 0, 1, 2), C(write, BY_FD, 0, 1, 0), C(pwrite64, BY_FD, 0, 1, 0), C(writev, BY_FD, 0, 1, 0), C(pwritev, BY_FD, 0, 1, 0),
        C(pwritev2, BY_FD, 0, 1, 0), C(ioctl, BY_FD, 0, 1, 1), C(splice, BY_FD, 2, 1, 0), C(mknodat, BY_PATH, 0, 1, 0), C(truncate, BY_PATH, -1, 1, 0),
        C(copy_file_range, BY_FD, 2, 1, 0), C(sendfile, BY_FD, 0, 1, 0), C(ftruncate, BY_FD, 0, 1, 0), C(fallocate, BY_FD, 0, 1, 0),
        C(mkdirat, BY_PATH, 0, 1, 0), C(linkat, BY_PATHS, 2, 1, 0), C(symlinkat, BY_PATH, 1, 1, 0), C(renameat, BY_PATHS, 2, 1, 0),
        C(renameat2, BY_PATHS, 2, 1, 0), C(unlinkat, BY_PATH, 0, 0, 0), C(fsync, BY_FD, 0, 0, 0), C(fdatasync, BY_FD, 0, 0, 0),
        C(sync_file_range, BY_FD, 0, 0, 0), C(fchmod, BY_FD, 0, 0, 0), C(fchmodat, BY_PATH, 0, 0, 0), C(fchown, BY_FD, 0, 0, 0), C(utimensat, BY_PATH, 0, 0, 0),
        C(fchownat, BY_PATH, 0, 0, 0), C(syncfs, BY_FD, 0, 0, 0), C(fsetxattr, BY_FD, 0, 1, 0), C(setxattr, BY_PATH, -1, 1, 0), C(lsetxattr, BY_PATH, -1, 1, 0),
        /* What cannot be ended in its middle, or not be told: a run that does this is not one that is tested here. */
        C(mmap, BY_FD, 4, 0, 0), C(openat2, BY_PATH, 0, 1, 0),
#ifdef SYS_io_uring_setup
        C(io_uring_setup, ANYWHERE, 0, 0, 0),
#endif
#ifdef SYS_fchmodat2
        C(fchmodat2, BY_PATH, 0, 0, 0),
#endif
#ifdef SYS_open
        C(open, BY_PATH, -1, 1, 1), C(creat, BY_PATH, -1, 1, 0), C(mkdir, BY_PATH, -1, 1, 0), C(rename, BY_PATH, 0, 1, 0), C(link, BY_PATH, 0, 1, 0),
        C(symlink, BY_PATH, 0, 1, 0), C(unlink, BY_PATH, -1, 0, 0), C(rmdir, BY_PATH, -1, 0, 0), C(chmod, BY_PATH, -1, 0, 0),
#endif
};

static void die(const char *what) {
        fprintf(stderr, "cut: %s: %s\n", what, strerror(errno));
        exit(125);
}

#define ARGUMENT(i) (offsetof(struct seccomp_data, args) + 8 * (i)) /* its low half, on machines of this byte order */

/* Every call of the table is asked about, all others go on; of mmap() only what writes to the file, as there is too much of the rest. */
static int listen_here(void) {
        struct sock_filter f[N(calls) + 10] = {
                BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
                BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_mmap, 0, 6),
                BPF_STMT(BPF_LD | BPF_W | BPF_ABS, ARGUMENT(3)),
                BPF_JUMP(BPF_JMP | BPF_JSET | BPF_K, MAP_SHARED, 0, 2),
                BPF_STMT(BPF_LD | BPF_W | BPF_ABS, ARGUMENT(2)),
                BPF_JUMP(BPF_JMP | BPF_JSET | BPF_K, PROT_WRITE, 1, 0),
                BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
                BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_USER_NOTIF),
        };
        struct sock_fprog program = { .filter = f };
        size_t n = 8;

        for (size_t i = 0; i < N(calls); i++)
                f[n++] = (struct sock_filter) BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, (unsigned) calls[i].number, (uint8_t) (N(calls) - i), 0);
        f[n++] = (struct sock_filter) BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW);
        f[n++] = (struct sock_filter) BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_USER_NOTIF);
        program.len = (unsigned short) n;
        if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
                die("prctl");
        return (int) syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, SECCOMP_FILTER_FLAG_NEW_LISTENER, &program);
}

static void pass_fd(int socket, int fd) {
        char byte = 0, room[CMSG_SPACE(sizeof(int))] = {};
        struct iovec iov = { &byte, 1 };
        struct msghdr m = { .msg_iov = &iov, .msg_iovlen = 1, .msg_control = room, .msg_controllen = sizeof room };
        struct cmsghdr *c = CMSG_FIRSTHDR(&m);

        c->cmsg_level = SOL_SOCKET;
        c->cmsg_type = SCM_RIGHTS;
        c->cmsg_len = CMSG_LEN(sizeof(int));
        memcpy(CMSG_DATA(c), &fd, sizeof fd);
        if (sendmsg(socket, &m, 0) != 1)
                die("sendmsg");
}

static int take_fd(int socket) {
        char byte, room[CMSG_SPACE(sizeof(int))];
        struct iovec iov = { &byte, 1 };
        struct msghdr m = { .msg_iov = &iov, .msg_iovlen = 1, .msg_control = room, .msg_controllen = sizeof room };
        int fd;

        if (recvmsg(socket, &m, MSG_CMSG_CLOEXEC) != 1 || !CMSG_FIRSTHDR(&m))
                die("the program's filter");
        memcpy(&fd, CMSG_DATA(CMSG_FIRSTHDR(&m)), sizeof fd);
        return fd;
}

/* A thread's own process: threads come and go, children are others. */
static int is_of(pid_t process, pid_t thread) {
        char path[64];

        snprintf(path, sizeof path, "/proc/%d/task/%d", (int) process, (int) thread);
        return access(path, F_OK) == 0;
}

static void name_of_fd(pid_t pid, int fd, char *to, size_t size) {
        char path[64];
        ssize_t n;

        *to = '\0';
        if (fd == AT_FDCWD)
                snprintf(path, sizeof path, "/proc/%d/cwd", (int) pid);
        else
                snprintf(path, sizeof path, "/proc/%d/fd/%d", (int) pid, fd);
        n = readlink(path, to, size - 1);
        to[n < 0 ? 0 : n] = '\0';
}

static void text_at(pid_t pid, uint64_t address, char *to, size_t size) {
        size_t n = 0;

        /* Page by page: what follows the string may not be there. */
        while (address && n < size - 1) {
                size_t k = 4096 - (address + n) % 4096 < size - 1 - n ? 4096 - (address + n) % 4096 : size - 1 - n;
                struct iovec here = { to + n, k }, there = { (void *) (uintptr_t) (address + n), k };
                ssize_t got = process_vm_readv(pid, &here, 1, &there, 1, 0);

                if (got <= 0 || memchr(to + n, 0, (size_t) got)) {
                        to[got <= 0 ? n : size - 1] = '\0';
                        return;
                }
                n += (size_t) got;
        }
        to[n] = '\0';
}

static void path_of(const struct call *c, const struct seccomp_notif *q, char *to, size_t size) {
        static char name[8192];
        int at = c->at;

        if (c->how == ANYWHERE) {
                *to = '\0';
                return;
        }
        if (c->how == BY_FD || (strcmp(c->name, "utimensat") == 0 && q->data.args[1] == 0)) {
                name_of_fd((pid_t) q->pid, (int) q->data.args[c->how == BY_FD ? at : 0], to, size);
                return;
        }
        text_at((pid_t) q->pid, q->data.args[at + 1], name, sizeof name);
        if (*name == '/') {
                snprintf(to, size, "%s", name);
                return;
        }
        /* Old calls have no directory's descriptor. */
        name_of_fd((pid_t) q->pid, at < 0 || c->number == SYS_rename || c->number == SYS_link || c->number == SYS_symlink ? AT_FDCWD : (int) q->data.args[at], to, size);
        if (strncmp(name, "./", 2) == 0)
                memmove(name, name + 2, strlen(name) - 1);
        snprintf(to + strlen(to), size - strlen(to), "/%s", name);
}

static int changes_a_file(const struct call *c, const struct seccomp_data *d) {
        if (c->number == SYS_ioctl)
                return d->args[1] == FICLONE || d->args[1] == FICLONERANGE || d->args[1] == FIDEDUPERANGE;
        return c->flags == 0 || (d->args[c->flags] & (O_WRONLY | O_RDWR | O_CREAT | O_TRUNC));
}

static void close_on_exec(const char *meet) {
        int out, in;

        if (meet && sscanf(meet, "%d,%d", &out, &in) == 2) {
                (void) fcntl(out, F_SETFD, FD_CLOEXEC);
                (void) fcntl(in, F_SETFD, FD_CLOEXEC);
        }
}

static void rendezvous(const char *meet) {
        int out, in;
        char byte = 'x';

        if (meet && sscanf(meet, "%d,%d", &out, &in) == 2 && (write(out, &byte, 1) != 1 || read(in, &byte, 1) < 0))
                die("CUT_MEET");
}

static int is_below(const char *path, const char *root) {
        size_t n = strlen(root);
        return strncmp(path, root, n) == 0 && (path[n] == '/' || path[n] == '\0');
}

int main(int argc, char **argv) {
        int pair[2], listener, status = 0, mode, number = 0, wanted;
        char **program;
        FILE *log;
        pid_t pid;

        if (argc < 5)
                die("usage: cut ROOT LOG count|kill|fail|full [N] PROGRAM [ARGUMENT...]");
        mode = argv[3][0] == 'f' ? argv[3][1] : argv[3][0]; /* c k a u */
        wanted = mode == 'c' ? 0 : atoi(argv[4]);
        close_on_exec(getenv("CUT_MEET"));
        program = argv + (mode == 'c' ? 4 : 5);
        log = fopen(argv[2], "we");
        if (!log || socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) < 0 || (pid = fork()) < 0)
                die(argv[2]);
        if (pid == 0) {
                listener = listen_here();
                if (listener < 0)
                        die("seccomp");
                pass_fd(pair[1], listener);
                close(listener);
                execvp(*program, program);
                die(*program);
        }
        close(pair[1]);
        listener = take_fd(pair[0]);
        for (;;) {
                struct pollfd p[] = { { .fd = listener, .events = POLLIN }, { .fd = (int) syscall(SYS_pidfd_open, pid, 0), .events = POLLIN } };
                struct seccomp_notif q;
                struct seccomp_notif_resp a;
                const struct call *c = NULL;
                static char path[16384];
                int n = poll(p, 2, -1);

                close(p[1].fd);
                if (n < 0 && errno != EINTR)
                        die("poll");
                if (waitpid(pid, &status, WNOHANG) == pid)
                        break;
                if (!(p[0].revents & POLLIN))
                        continue;
                memset(&q, 0, sizeof q);
                if (ioctl(listener, SECCOMP_IOCTL_NOTIF_RECV, &q) < 0)
                        continue; /* it is gone */
                memset(&a, 0, sizeof a);
                a.id = q.id;
                a.flags = SECCOMP_USER_NOTIF_FLAG_CONTINUE;
                for (size_t i = 0; i < N(calls); i++)
                        if (calls[i].number == q.data.nr)
                                c = &calls[i];
                if (c && is_of(pid, (pid_t) q.pid) && changes_a_file(c, &q.data)) {
                        path_of(c, &q, path, sizeof path);
                        if (c->how == ANYWHERE || is_below(path, argv[1])) {
                                fprintf(log, "%d %s %s\n", ++number, c->name, c->how == ANYWHERE ? "/" : path + strlen(argv[1]));
                                if (mode == 'k' && number == wanted) {
                                        rendezvous(getenv("CUT_MEET"));
                                        kill(pid, SIGKILL);
                                }
                                else if ((mode == 'a' && number == wanted) || (mode == 'u' && number >= wanted && c->room)) {
                                        a.flags = 0;
                                        a.error = c->room ? -ENOSPC : -EIO;
                                }
                        }
                }
                if (mode == 'k' && number >= wanted && wanted > 0) {
                        /* It never gets an answer. */
                        waitpid(pid, &status, 0);
                        break;
                }
                (void) ioctl(listener, SECCOMP_IOCTL_NOTIF_SEND, &a);
        }
        fclose(log);
        return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}
