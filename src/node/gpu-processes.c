/* SPDX-License-Identifier: Apache-2.0 */
/* Processes that have a GPU open, and the systemd unit that each belongs to. Nothing is opened but /proc. */
#include "node/clients.h"
#include "node/unit-name.h"

#define CGROUP_MAX ((size_t) 64 * 1024)
#define MAPS_MAX   ((size_t) 16 * 1024 * 1024)

/* A container's own cgroup names the engine, whose unit is what starts at boot. */
static const char *const engines[][2] = {
        { "docker-", "docker.service" }, { "cri-containerd-", "containerd.service" }, { "crio-", "crio.service" },
};

static char *unit_of_path(char *path) {
        char *save = NULL, *unit = NULL;

        for (char *part = strtok_r(path, "/", &save); part; part = strtok_r(NULL, "/", &save)) {
                for (size_t i = 0; i < ELEMENTSOF(engines); i++)
                        if (startswith(part, engines[i][0]) && endswith(part, ".scope"))
                                return strdup(engines[i][1]);
                if (streq(part, "docker") && !unit)
                        return strdup("docker.service"); /* its cgroupfs driver */
                if (unit_name_is_valid(part) && endswith(part, ".service")) {
                        free(unit);
                        unit = strdup(part);
                        /* Below a user's manager are units of that manager. */
                        if (startswith(part, "user@"))
                                return unit;
                }
        }
        return unit;
}

/* cgroups(7): "0::PATH" of the unified hierarchy, or "N:name=systemd:PATH". NULL: no unit, or out of memory. */
static char *unit_of_process(Node *n, const char *pid) {
        _cleanup_free_ char *path = format("/proc/%s/cgroup", pid), *text = NULL;
        char *save = NULL;

        if (!path || node_read(n, path, CGROUP_MAX, &text, NULL) < 0)
                return NULL;
        for (char *line = strtok_r(text, "\n", &save); line; line = strtok_r(NULL, "\n", &save)) {
                char *controllers = strchr(line, ':'), *where = controllers ? strchr(controllers + 1, ':') : NULL;
                char *unit;

                if (!where || !(startswith(controllers, "::") || startswith(controllers, ":name=systemd:")))
                        continue;
                unit = unit_of_path(where + 1);
                if (unit)
                        return unit;
        }
        return NULL;
}

/* 1 and what it has open (a word of /dev), 0, or -EACCES: not ours to look at. */
static int open_device(Node *n, const char *pid, char **ret) {
        _cleanup_free_ char *directory = format("/proc/%s/fd", pid);
        _cleanup_strv_ char **fds = NULL;
        int k = directory ? node_list(n, directory, &fds) : -ENOMEM;

        STRV_FOREACH(fd, fds) {
                _cleanup_free_ char *path = format("%s/%s", directory, *fd), *target = NULL;

                if (path && node_readlink(n, path, &target) >= 0 && startswith(target, "/dev/nvidia")) {
                        *ret = TAKE_PTR(target);
                        return 1;
                }
        }
        return k < 0 ? k : 0;
}

static int mapped_library(Node *n, const char *pid, char **ret) {
        static const char *const libraries[] = { "/libcuda.so", "/libnvidia-ml.so" };
        _cleanup_free_ char *path = format("/proc/%s/maps", pid), *text = NULL;
        int k = path ? node_read(n, path, MAPS_MAX, &text, NULL) : -ENOMEM;

        for (size_t i = 0; k >= 0 && i < ELEMENTSOF(libraries); i++)
                if (strstr(text, libraries[i])) {
                        *ret = strdup(libraries[i] + 1);
                        return *ret ? 1 : -ENOMEM;
                }
        return k < 0 ? k : 0;
}

int gpu_processes(Node *n, OnGpuProcess on, void *userdata, bool *ret_hidden) {
        _cleanup_strv_ char **pids = NULL;
        bool hidden = false;
        int k;

        k = node_list(n, "/proc", &pids);
        if (k < 0)
                return k;
        STRV_FOREACH(pid, pids) {
                _cleanup_free_ char *what = NULL, *unit = NULL, *words = NULL;

                if (strspn(*pid, "0123456789") != strlen(*pid))
                        continue;
                k = open_device(n, *pid, &what);
                if (k == 0)
                        k = mapped_library(n, *pid, &what);
                if (k == -EACCES || k == -EPERM)
                        hidden = true;
                if (k == -ENOMEM)
                        return k;
                if (k <= 0) /* also one that has ended meanwhile */
                        continue;
                unit = unit_of_process(n, *pid);
                words = format(*what == '/' ? "has %s open" : "has %s loaded", what);
                if (!words)
                        return -ENOMEM;
                k = unit ? on(unit, words, userdata) : 0;
                if (k != 0)
                        return k;
        }
        *ret_hidden = hidden;
        return 0;
}
