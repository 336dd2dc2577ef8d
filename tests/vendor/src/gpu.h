/* SPDX-License-Identifier: Apache-2.0 */
/* The GPUs of the look-alikes, as the kernel's driver keeps them: loaded or not, one session a GPU and reset (here: a boot), lost with its last client.
 *
 * GPU_CONFIG, KEY=VALUE lines, says what hardware there is; without it there is none:
 *   gpus=8 switches=4 name=TEXT
 *   attach-ms=N            making a GPU's session takes that long          attach.3=fail    GPU 3 never attaches
 *   fabric-ms=N            FabricManager's work                            fabric=fail      it never ends
 *   fm-driver=1.2.3        the driver that FabricManager takes itself to see
 *   uvm-ms=N               how long persistenced waits for the fabric, a GPU
 *   ready=fail             the ready state cannot be set
 * GPU_STATE: "MODE READY": cc, ppcie or none, and 0 or 1.
 * GPU_DIR: events (MICROSECONDS PROGRAM: WORDS), gpuN (locked by its clients; not empty: it had its session), fabric (it is there),
 *   driver/ and module/: what tests mount over /proc/driver and /sys/module. All below /run: a boot begins anew. */
#pragma once

#include <errno.h>
#include <fcntl.h>
#include <glob.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <syslog.h>
#include <time.h>
#include <unistd.h>

#define GPU_CONFIG "/etc/nvidia-look-alike.conf"
#define GPU_STATE  "/run/nvidia-look-alike"
#define GPU_DIR    "/run/nvidia-look-alike.d"
#define GPU_MAX    64

static const char *gpu_program = "?";

static const char *gpu_config(const char *key, char *buffer, size_t size) {
        FILE *f = fopen(GPU_CONFIG, "re");
        char line[512];
        const char *found = NULL;

        while (f && !found && fgets(line, sizeof line, f)) {
                line[strcspn(line, "\n")] = '\0';
                if (strncmp(line, key, strlen(key)) == 0 && line[strlen(key)] == '=') {
                        snprintf(buffer, size, "%s", line + strlen(key) + 1);
                        found = buffer;
                }
        }
        if (f)
                fclose(f);
        return found;
}

static long gpu_number(const char *key, long otherwise) {
        char buffer[64];
        const char *s = gpu_config(key, buffer, sizeof buffer);

        return s ? strtol(s, NULL, 0) : otherwise;
}

static bool gpu_fails(const char *key) {
        char buffer[64];
        const char *s = gpu_config(key, buffer, sizeof buffer);

        return s && strcmp(s, "fail") == 0;
}

static unsigned gpu_count(void) {
        long n = gpu_number("gpus", 0);

        return n < 0 ? 0 : n > GPU_MAX ? GPU_MAX : (unsigned) n;
}

static void gpu_sleep(long ms) {
        struct timespec t = { .tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000 };

        while (ms > 0 && nanosleep(&t, &t) < 0 && errno == EINTR)
                ;
}

static void gpu_say(FILE *f, const char *format, va_list ap) {
        char line[512];
        int n = vsnprintf(line, sizeof line, format, ap);

        (void) n;
        fputs(line, f);
        fputc('\n', f);
        fclose(f);
}

/* One line at the end of a file below GPU_DIR, made if need be. */
static void gpu_write(const char *name, const char *mode, const char *format, ...) {
        char path[512];
        va_list ap;
        FILE *f;

        snprintf(path, sizeof path, "%s/%s", GPU_DIR, name);
        for (char *p = path + 1; (p = strchr(p, '/')); p++) {
                *p = '\0';
                (void) mkdir(path, 0755);
                *p = '/';
        }
        f = fopen(path, mode);
        if (!f)
                return;
        va_start(ap, format);
        gpu_say(f, format, ap);
        va_end(ap);
}

static void gpu_event(const char *what) {
        struct timespec t;

        clock_gettime(CLOCK_MONOTONIC, &t);
        gpu_write("events", "ae", "%lld %s: %s", (long long) t.tv_sec * 1000000 + t.tv_nsec / 1000, gpu_program, what);
}

/* Into the kernel's log where there is one of our own, else into the journal. */
static void gpu_kernel(const char *format, ...) {
        struct stat st;
        va_list ap;
        FILE *f;

        va_start(ap, format);
        if (stat("/dev/kmsg", &st) >= 0 && S_ISCHR(st.st_mode) && (f = fopen("/dev/kmsg", "we")))
                gpu_say(f, format, ap);
        else {
                openlog("kernel", 0, LOG_DAEMON);
                vsyslog(LOG_ERR, format, ap);
                closelog();
        }
        va_end(ap);
}

static int gpu_open(const char *name) {
        char path[512];

        (void) mkdir(GPU_DIR, 0755);
        snprintf(path, sizeof path, "%s/%s", GPU_DIR, name);
        return open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0644);
}

static bool gpu_loaded(char version[64]) {
        FILE *f = fopen(GPU_DIR "/module/nvidia/version", "re");
        bool found = f && fgets(version, 64, f);

        if (f)
                fclose(f);
        if (found)
                version[strcspn(version, "\n")] = '\0';
        return found;
}

/* Whether modprobe would give the module a registry word: the releases use it for Protected PCIe alone. */
static bool gpu_protected_pcie(void) {
        glob_t g = {};
        bool found = false;

        (void) glob("/usr/lib/modprobe.d/*.conf", 0, NULL, &g);
        (void) glob("/etc/modprobe.d/*.conf", GLOB_APPEND, NULL, &g);
        for (size_t i = 0; i < g.gl_pathc && !found; i++) {
                FILE *f = fopen(g.gl_pathv[i], "re");
                char line[512];

                while (f && !found && fgets(line, sizeof line, f))
                        found = strncmp(line, "options nvidia ", 15) == 0 && strstr(line, "NVreg_RegistryDwords=");
                if (f)
                        fclose(f);
        }
        globfree(&g);
        return found;
}

static void gpu_state(char mode[64], int *ready) {
        FILE *f = fopen(GPU_STATE, "re");

        strcpy(mode, "none");
        *ready = 0;
        if (f && fscanf(f, "%63s %d", mode, ready) < 1)
                strcpy(mode, "none");
        if (f)
                fclose(f);
}

static int gpu_set_state(const char *mode, int ready) {
        FILE *f = fopen(GPU_STATE, "we");

        if (!f)
                return -errno;
        fprintf(f, "%s %d\n", mode, ready);
        fclose(f);
        return 0;
}

/* As modprobe nvidia: the module that DKMS made for the running kernel. 0, or -ENODEV. */
static int gpu_load(char version[64]) {
        char release[128] = "", pattern[512];
        int lock = gpu_open("lock"), r = 0;
        glob_t g = {};
        FILE *f;

        if (lock < 0)
                return -errno;
        (void) flock(lock, LOCK_EX);
        if (!gpu_loaded(version)) {
                f = fopen("/proc/sys/kernel/osrelease", "re");
                if (f && fgets(release, sizeof release, f))
                        release[strcspn(release, "\n")] = '\0';
                if (f)
                        fclose(f);
                snprintf(pattern, sizeof pattern, "/var/lib/dkms/nvidia/[0-9]*/%s", release);
                if (gpu_count() == 0 || !*release || glob(pattern, 0, NULL, &g) != 0)
                        r = -ENODEV;
                else {
                        const char *p = g.gl_pathv[0] + strlen("/var/lib/dkms/nvidia/");

                        snprintf(version, 64, "%.*s", (int) strcspn(p, "/"), p);
                        gpu_write("driver/nvidia/version", "we", "NVRM version: NVIDIA UNIX Open Kernel Module for x86_64  %s  Release Build", version);
                        gpu_write("module/nvidia/refcnt", "we", "0");
                        gpu_write("module/ecdh_generic/refcnt", "we", "1");
                        gpu_write("module/ecdsa_generic/refcnt", "we", "1");
                        (void) gpu_set_state(!gpu_protected_pcie() ? "cc" : gpu_number("switches", 0) > 0 ? "ppcie" : "none", 0);
                        gpu_write("module/nvidia/version", "we", "%s", version);
                        gpu_event("driver loaded");
                }
                globfree(&g);
        }
        close(lock);
        return r;
}

/* Holds the GPU until this process ends: 0, -EIO. What the driver does: the first client makes the session; after the last one has gone, no other
 * can be made before a reset. */
static int gpu_attach(unsigned i) {
        char name[64], key[32], words[64];
        int lock = gpu_open("attaching"), fd;
        struct stat st;

        snprintf(name, sizeof name, "gpu%u", i);
        snprintf(key, sizeof key, "attach.%u", i);
        fd = gpu_open(name);
        if (lock < 0 || fd < 0)
                return -EIO;
        (void) flock(lock, LOCK_EX);
        if (flock(fd, LOCK_EX | LOCK_NB) >= 0) {
                bool lost = fstat(fd, &st) < 0 || st.st_size > 0;

                if (lost || gpu_fails(key)) {
                        gpu_kernel("NVRM: osInitNvMapping: *** Cannot attach gpu");
                        gpu_kernel("NVRM: RmInitAdapter: osInitNvMapping failed, bailing out of RmInitAdapter");
                        gpu_kernel("NVRM: GPU 0000:%02x:00.0: RmInitAdapter failed! (0x22:0x56:742)", 0x10 + i);
                        snprintf(words, sizeof words, "gpu %u cannot attach", i);
                        gpu_event(words);
                        close(fd);
                        close(lock);
                        return -EIO;
                }
                if (write(fd, "1", 1) != 1)
                        return -EIO;
                gpu_sleep(gpu_number("attach-ms", 0));
                (void) flock(fd, LOCK_SH);
                snprintf(name, sizeof name, "driver/nvidia/gpus/0000:%02x:00.0/information", 0x10 + i);
                gpu_write(name, "we", "Model: \t\t NVIDIA Look-alike\nGPU UUID: \t GPU-00000000-0000-0000-0000-%012x\nBus Location: \t 0000:%02x:00.0\nDevice Minor: \t %u",
                          i + 1, 0x10 + i, i);
                snprintf(words, sizeof words, "gpu %u session made", i);
                gpu_event(words);
        } else
                (void) flock(fd, LOCK_SH);
        close(lock);
        return 0; /* the descriptor stays open: that is the client */
}

/* All of them; how many attached. */
static unsigned gpu_attach_all(void) {
        unsigned n = 0;

        for (unsigned i = 0; i < gpu_count(); i++)
                n += gpu_attach(i) >= 0;
        return n;
}
