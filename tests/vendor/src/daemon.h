/* SPDX-License-Identifier: Apache-2.0 */
/* A daemon of Type=forking: the parent leaves when the child is ready, with the child's status if it never is; a PID file until SIGTERM. */
#pragma once

#include <signal.h>

static int daemon_ready(const char *directory, const char *name, int ready) {
        char path[512];
        sigset_t set;
        int signal, null;
        FILE *f;

        if (mkdir(directory, 0755) < 0 && errno != EEXIST)
                return 1;
        snprintf(path, sizeof path, "%s/%s.pid", directory, name);
        f = fopen(path, "we");
        if (!f)
                return 1;
        fprintf(f, "%d\n", (int) getpid());
        fclose(f);
        sigemptyset(&set);
        sigaddset(&set, SIGTERM);
        sigaddset(&set, SIGINT);
        sigprocmask(SIG_BLOCK, &set, NULL);
        gpu_event("ready");
        if (write(ready, "1", 1) != 1)
                return 1;
        close(ready);
        null = open("/dev/null", O_RDWR);
        for (int fd = 0; null >= 0 && fd < 3; fd++)
                (void) dup2(null, fd);
        sigwait(&set, &signal);
        gpu_event("stopped");
        unlink(path);
        return 0;
}

/* Runs work() in the child; what it returns but 0 ends both. */
static int daemon_run(const char *directory, const char *name, int (*work)(int argc, char *argv[]), int argc, char *argv[]) {
        int fds[2], r;
        char c;

        if (pipe(fds) < 0)
                return 1;
        switch (fork()) {
        case -1: return 1;
        case 0:
                close(fds[0]);
                (void) setsid();
                gpu_event("started");
                r = work(argc, argv);
                return r != 0 ? r : daemon_ready(directory, name, fds[1]);
        }
        close(fds[1]);
        return read(fds[0], &c, 1) == 1 ? 0 : 1;
}
