/* SPDX-License-Identifier: Apache-2.0 */
/* Stands in for nvidia-persistenced and nv-fabricmanager: a forking daemon with a PID file whose parent leaves only when the child is ready. */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define DIRECTORY "/run/" GN8V_DIRECTORY
#define PID_FILE DIRECTORY "/" GN8V_NAME ".pid"

static int child(int ready) {
        FILE *f;
        sigset_t set;
        int signal, null;

        (void) setsid();
        if (mkdir(DIRECTORY, 0755) < 0 && errno != EEXIST)
                return 1;
        f = fopen(PID_FILE, "we");
        if (!f)
                return 1;
        fprintf(f, "%d\n", (int) getpid());
        fclose(f);
        sigemptyset(&set);
        sigaddset(&set, SIGTERM);
        sigaddset(&set, SIGINT);
        sigprocmask(SIG_BLOCK, &set, NULL);
        if (write(ready, "1", 1) != 1)
                return 1;
        close(ready);
        null = open("/dev/null", O_RDWR);
        if (null >= 0)
                for (int fd = 0; fd < 3; fd++)
                        (void) dup2(null, fd);
        sigwait(&set, &signal);
        unlink(PID_FILE);
        return 0;
}

int main(int argc, char *argv[]) {
        int fds[2];
        char c;
        pid_t pid;

        for (int i = 1; i < argc; i++)
                if (strcmp(argv[i], "--version") == 0) {
                        puts(GN8V_NAME " look-alike");
                        return 0;
                }
        if (pipe(fds) < 0 || (pid = fork()) < 0)
                return 1;
        if (pid == 0) {
                close(fds[0]);
                return child(fds[1]);
        }
        close(fds[1]);
        return read(fds[0], &c, 1) == 1 ? 0 : 1;
}
