/* SPDX-License-Identifier: Apache-2.0 */
#include "repo/interrupt.h"

#include <dirent.h>
#include <fcntl.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/signalfd.h>

#include "basic/fs.h"
#include "basic/strings.h"

static void *wait_for_signal(void *userdata) {
        Interrupt *i = userdata;
        struct pollfd fds[] = { { .fd = i->signal_fd, .events = POLLIN }, { .fd = i->stop_fd, .events = POLLIN } };
        struct signalfd_siginfo info;

        while (poll(fds, ELEMENTSOF(fds), -1) < 0)
                if (errno != EINTR)
                        return NULL;
        if ((fds[0].revents & POLLIN) && read(i->signal_fd, &info, sizeof info) == sizeof info)
                i->tell(i->userdata, (int) info.ssi_signo);
        return NULL;
}

int interrupt_begin(Interrupt *i, void (*tell)(void *userdata, int signal), void *userdata, Error *e) {
        sigset_t set;
        int r;

        (void) sigemptyset(&set);
        (void) sigaddset(&set, SIGINT);
        (void) sigaddset(&set, SIGTERM);
        (void) sigaddset(&set, SIGHUP);
        *i = (Interrupt){ .signal_fd = -1, .stop_fd = -1, .tell = tell, .userdata = userdata };
        r = -pthread_sigmask(SIG_BLOCK, &set, &i->before);
        if (r < 0)
                return error_errno(e, -r, "signals");
        i->signal_fd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
        i->stop_fd = eventfd(0, EFD_CLOEXEC);
        r = i->signal_fd < 0 || i->stop_fd < 0 ? -errno : -pthread_create(&i->thread, NULL, wait_for_signal, i);
        if (r < 0) {
                i->signal_fd = safe_close(i->signal_fd);
                i->stop_fd = safe_close(i->stop_fd);
                (void) pthread_sigmask(SIG_SETMASK, &i->before, NULL);
                return error_errno(e, -r, "signals");
        }
        return 0;
}

void interrupt_end(Interrupt *i) {
        uint64_t one = 1;

        if (i->signal_fd < 0)
                return;
        (void) !write(i->stop_fd, &one, sizeof one);
        (void) pthread_join(i->thread, NULL);
        i->signal_fd = safe_close(i->signal_fd);
        i->stop_fd = safe_close(i->stop_fd);
        (void) pthread_sigmask(SIG_SETMASK, &i->before, NULL);
}

void interrupt_children(int signal) {
        DIR *d = opendir("/proc/self/task");
        struct dirent *entry;

        /* The kernel lists children by the thread that made them. */
        while (d && (entry = readdir(d))) {
                _cleanup_free_ char *path = format("/proc/self/task/%s/children", entry->d_name), *list = NULL;
                char *save = NULL;

                if (entry->d_name[0] == '.' || !path || read_file(AT_FDCWD, path, 65536, &list, NULL) < 0)
                        continue;
                for (char *word = strtok_r(list, " \n", &save); word; word = strtok_r(NULL, " \n", &save)) {
                        uint64_t pid;

                        if (parse_u64(word, &pid) == 0 && pid > 1 && pid <= INT32_MAX)
                                (void) kill(-(pid_t) pid, signal);
                }
        }
        if (d)
                (void) closedir(d);
}
