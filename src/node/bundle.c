/* SPDX-License-Identifier: Apache-2.0 */
#include "node/bundle.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <time.h>

#include "basic/fs.h"
#include "basic/process.h"
#include "node/tar.h"
#include "node/units.h"

#define TOP        "gn8v-tee-support/"
#define FILE_MAX   ((size_t) 512 * 1024)  /* of one member but the log */
#define HEAD_MAX   ((size_t) 1024 * 1024) /* of the log's beginning, and of each of the two parts of its end */
#define CHILD_SEC  10
#define FILES_MAX  200u /* of one directory */

/* The lines of the driver and of what works for it, as they were read; every other line only when it means something. */
static int keep_line(const LogLine *l, bool matched, void *userdata) {
        const char *origin = l->about ? "systemd" : l->origin ? l->origin : NULL;
        Bundle *b = userdata;
        Text *t = &b->head;

        if (!matched && !l->kernel && origin && !strstr(origin, "nvidia") && !strstr(origin, "nv-fabricmanager") && !l->about)
                return 0;
        if (t->size >= HEAD_MAX) {
                t = &b->tail[1];
                if (t->size >= HEAD_MAX) {
                        b->dropped += b->tail[0].size;
                        text_free(&b->tail[0]);
                        b->tail[0] = b->tail[1];
                        *t = (Text){};
                }
        }
        if (l->time && origin) /* "-" stands for the host, so that the line is one of syslog's */
                text_printf(t, "%s - %s: %s\n", l->time, origin, l->message);
        else
                text_printf(t, "%s%s%s\n", l->time ? l->time : "", l->time ? " " : "", l->message);
        return t->failed ? -ENOMEM : 0;
}

static int add_own_word(Bundle *b, const char *path) {
        _cleanup_free_ char *word = NULL;

        if (node_read(b->node, path, 4096, &word, NULL) < 0)
                return 0;
        word[strcspn(word, " \t\n")] = '\0';
        return strlen(word) < 4 || streq(word, "localhost") ? 0 : strv_append(&b->words, word);
}

int bundle_open(Bundle *b, Node *n, Diagnose *d, const char *path, bool full, Error *e) {
        const char *epoch = getenv("SOURCE_DATE_EPOCH");
        uint64_t fixed = 0;
        struct stat st;

        *b = (Bundle){ .node = n, .full = full, .path = strdup(path) };
        b->now = epoch && parse_u64(epoch, &fixed) >= 0 ? (int64_t) fixed : time(NULL);
        if (!b->path || add_own_word(b, "/etc/machine-id") < 0 || add_own_word(b, "/etc/hostname") < 0)
                return error_oom(e);
        if (!*path_basename(path))
                return error_set(e, EISDIR, EXIT_USAGE, "%s: names no file", path);
        if (lstat(path, &st) >= 0)
                return error_hint(e, error_set(e, EEXIST, EXIT_FAILED, "%s: is there already, and is not overwritten", path),
                                  "give another name");
        if (errno != ENOENT)
                return error_errno(e, errno, "%s", path);
        d->keep = keep_line;
        d->userdata = b;
        return 0;
}

void bundle_close(Bundle *b) {
        free(b->path);
        strv_free(b->words);
        text_free(&b->head);
        text_free(&b->tail[0]);
        text_free(&b->tail[1]);
        text_free(&b->tar);
        text_free(&b->manifest);
        *b = (Bundle){};
}

/* plain: versions look like addresses, and digests like keys; there only what is named so is a secret. */
static int add_text(Bundle *b, const char *name, const char *data, size_t size, bool plain) {
        const Mask m = { .tokens = !plain, .addresses = !plain && !b->full, .identities = !b->full, .words = b->words };
        _cleanup_free_ char *masked = mask_text(data, size, &m), *short_name = NULL, *path = NULL;
        int k;

        /* A name can have this machine's id in it, too. */
        short_name = b->full ? strdup(name) : mask_text(name, strlen(name), &(Mask){ .identities = true, .words = b->words });
        if (!masked || !short_name)
                return -ENOMEM;
        path = format(TOP "%s", short_name);
        if (!path)
                return -ENOMEM;
        k = tar_append(&b->tar, path, masked, strlen(masked), b->now);
        if (k == -ENAMETOOLONG) {
                text_printf(&b->manifest, "%10s  %s (its name is too long)\n", "-", short_name);
                return 0;
        }
        text_printf(&b->manifest, "%10zu  %s\n", strlen(masked), short_name);
        b->n_members++;
        return k;
}

static int missing(Bundle *b, const char *name, const char *why) {
        _cleanup_free_ char *line = mask_text(name, strlen(name), &(Mask){ .identities = !b->full, .words = b->words });

        if (!line)
                return -ENOMEM;
        text_printf(&b->manifest, "%10s  %s (%s)\n", "-", line, why);
        return b->manifest.failed ? -ENOMEM : 0;
}

/* A file as files/PATH. What is not there, or too large, is said in the manifest. */
static int add_file(Bundle *b, const char *path, bool plain) {
        _cleanup_free_ char *name = format("files%s", path), *data = NULL;
        struct stat st;
        size_t size;
        int k;

        if (!name)
                return -ENOMEM;
        if (node_stat(b->node, path, &st) >= 0 && !S_ISREG(st.st_mode))
                return missing(b, name, "no regular file");
        k = node_read(b->node, path, FILE_MAX, &data, &size);
        if (k == -ENOMEM)
                return k;
        return k < 0 ? missing(b, name, strerror(-k)) : add_text(b, name, data, size, plain);
}

static int add_directory(Bundle *b, const char *directory, const char *with) {
        _cleanup_strv_ char **names = NULL;
        unsigned count = 0;
        int k;

        k = node_list(b->node, directory, &names);
        if (k < 0)
                return k == -ENOMEM ? k : missing(b, directory, strerror(-k));
        STRV_FOREACH(name, names) {
                _cleanup_free_ char *path = NULL;

                if ((with && !strstr(*name, with)) || ++count > FILES_MAX)
                        continue;
                path = format("%s/%s", directory, *name);
                k = path ? add_file(b, path, false) : -ENOMEM;
                if (k < 0)
                        return k;
        }
        return 0;
}

/* What a verb prints that came to nothing: its words on standard error say as much. */
static bool is_error(const char *data, size_t size) {
        json_t *document = json_loadb(data, size, 0, NULL);
        bool error = json_is_object(json_object_get(document, "error"));

        json_decref(document);
        return error;
}

/* Our own verbs, as children: one that hangs or crashes costs its own member, not the archive. */
static int add_verb(Bundle *b, const char *name, const char *verb, const char *word) {
        const char *argv[8] = { "/proc/self/exe", "--json", "--root", b->node->root ? b->node->root : "/", verb, word, NULL };
        _cleanup_close_ int fd = memfd_create("verb", MFD_CLOEXEC);
        _cleanup_free_ char *words = NULL, *data = NULL, *why = NULL;
        Process p = { .argv = argv, .stdout_fd = fd, .timeout_sec = CHILD_SEC };
        int status = 0, k;
        size_t size = 0;

        if (fd < 0)
                return -errno;
        k = process_run(&p, &status, &words, NULL);
        if (k >= 0 && lseek(fd, 0, SEEK_SET) == 0)
                k = read_fd(fd, NODE_FILE_MAX, &data, &size);
        if (k == -ENOMEM)
                return k;
        if (k >= 0 && size > 0 && !is_error(data, size))
                return add_text(b, name, data, size, true);
        why = status == 124 ? strdup("gave no answer in time")
                            : format("exit status %d: %.*s", status, words ? (int) strcspn(words, "\n") : 0, words ? words : "");
        return why ? missing(b, name, why) : -ENOMEM;
}

static int add_packages(Bundle *b) {
        static const char *const argv[] = { "rpm",         "-qa",      "--qf",           "%{NAME}-%{VERSION}-%{RELEASE}.%{ARCH}\n",
                                            "gn8v-tee*",   "*nvidia*", "kernel*",        "cuda*",
                                            "lib*cublas*", "systemd",  "dkms",           "dracut",
                                            "grubby",      "gcc",      "openssl3*",      "dnf",
                                            "rpm",         "glibc",    "alinux-release", NULL };
        _cleanup_free_ char *output = NULL;
        int status, k;

        if (!program_exists(b->node->root, "rpm"))
                return missing(b, "packages.txt", "no rpm here");
        k = b->node->run(b->node, argv, CHILD_SEC, &status, &output, NULL);
        if (k < 0 || status != 0)
                return k == -ENOMEM ? k : missing(b, "packages.txt", status == 124 ? "rpm gave no answer in time" : "rpm failed");
        return add_text(b, "packages.txt", output, strlen(output), true);
}

static void append_attribute(Bundle *b, Text *t, const char *device, const char *name) {
        _cleanup_free_ char *path = format("/sys/bus/pci/devices/%s/%s", device, name), *value = NULL;

        if (!path || node_read(b->node, path, 4096, &value, NULL) < 0)
                return;
        value[strcspn(value, "\n")] = '\0';
        text_printf(t, " %s=%s", name, value);
}

/* What lspci -d 10de: would say. */
static int add_devices(Bundle *b) {
        static const char *const attributes[] = { "class",  "device",      "subsystem_device",   "revision",          "numa_node",
                                                  "enable", "power_state", "current_link_speed", "current_link_width" };
        _cleanup_strv_ char **devices = NULL;
        _cleanup_text_ Text t = {};
        int k = node_list(b->node, "/sys/bus/pci/devices", &devices);

        STRV_FOREACH(device, devices) {
                _cleanup_free_ char *path = format("/sys/bus/pci/devices/%s/vendor", *device), *vendor = NULL, *link = NULL, *driver = NULL;

                if (!path || node_read(b->node, path, 64, &vendor, NULL) < 0 || !startswith(vendor, "0x10de"))
                        continue;
                text_append(&t, *device);
                for (size_t i = 0; i < ELEMENTSOF(attributes); i++)
                        append_attribute(b, &t, *device, attributes[i]);
                link = format("/sys/bus/pci/devices/%s/driver", *device);
                if (link && node_readlink(b->node, link, &driver) >= 0)
                        text_printf(&t, " driver=%s", path_basename(driver));
                text_append(&t, "\n");
        }
        if (k == -ENOMEM || t.failed)
                return -ENOMEM;
        return t.size > 0 ? add_text(b, "pci.txt", t.data, t.size, true) : missing(b, "pci.txt", "no NVIDIA device");
}

static int add_gpus(Bundle *b) {
        _cleanup_strv_ char **gpus = NULL;
        int k = node_list(b->node, "/proc/driver/nvidia/gpus", &gpus);

        STRV_FOREACH(gpu, gpus) {
                _cleanup_free_ char *path = format("/proc/driver/nvidia/gpus/%s/information", *gpu);

                if (k >= 0)
                        k = path ? add_file(b, path, false) : -ENOMEM;
        }
        return k == -ENOMEM ? k : 0;
}

static int add_units(Bundle *b) {
        for (size_t i = 0; i < n_unit_dirs; i++) {
                _cleanup_strv_ char **names = NULL;
                int k = startswith(unit_dirs[i], "/lib/") ? 0 : node_list(b->node, unit_dirs[i], &names); /* /lib is a link */

                STRV_FOREACH(name, names) {
                        _cleanup_free_ char *path = format("%s/%s", unit_dirs[i], *name);
                        bool ours = startswith(*name, "nvidia-") || startswith(*name, "gn8v-tee");

                        if (!path)
                                return -ENOMEM;
                        if (endswith(*name, ".d")) /* a drop-in of ours for any unit; of our units each */
                                k = add_directory(b, path, ours ? NULL : "gn8v-tee");
                        else if (ours && strchr(*name, '.'))
                                k = add_file(b, path, false);
                        if (k < 0)
                                return k;
                }
        }
        return 0;
}

static int add_log(Bundle *b) {
        _cleanup_text_ Text t = {};

        text_append_n(&t, b->head.data ? b->head.data : "", b->head.size);
        if (b->dropped > 0)
                text_printf(&t, "... %llu bytes are left out here\n", (unsigned long long) b->dropped);
        for (size_t i = 0; i < ELEMENTSOF(b->tail); i++)
                text_append_n(&t, b->tail[i].data ? b->tail[i].data : "", b->tail[i].size);
        if (t.failed)
                return -ENOMEM;
        return t.size > 0 ? add_text(b, "logs/driver.log", t.data, t.size, false) : missing(b, "logs/driver.log", "no line was read");
}

static int add_diagnosis(Bundle *b, json_t *diagnosis) {
        _cleanup_free_ char *text = diagnosis ? json_dumps(diagnosis, JSON_INDENT(2) | JSON_SORT_KEYS) : NULL;

        return text ? add_text(b, "diagnose.json", text, strlen(text), false) : -ENOMEM;
}

static int collect(Bundle *b, json_t *diagnosis) {
        static const char *const files[] = {
                "/proc/cmdline",
                "/proc/version",
                "/proc/modules",
                "/etc/os-release",
                "/etc/default/grub",
                "/etc/kernel/cmdline",
                "/boot/grub2/grubenv",
                "/proc/driver/nvidia/version",
                "/proc/driver/nvidia/params",
                "/proc/driver/nvidia/registry",
                "/sys/kernel/debug/swiotlb/io_tlb_nslabs",
                "/sys/kernel/debug/swiotlb/io_tlb_used",
                NODE_JOURNAL_PATH,
                NODE_PENDING_PATH,
                "/etc/docker/daemon.json",
        };
        static const char *const directories[][2] = {
                { "/boot/loader/entries", ".conf" }, { "/etc/modprobe.d", ".conf" }, { "/usr/lib/modprobe.d", "nvidia" },
                { "/etc/dracut.conf.d", ".conf" },   { "/usr/lib/dracut/dracut.conf.d", "gn8v-tee" },
        };
        int k;

        k = add_verb(b, "status.json", "status", NULL);
        if (k >= 0)
                k = add_verb(b, "plan.json", "plan", NULL);
        if (k >= 0)
                k = add_verb(b, "order.json", "order", "list");
        if (k >= 0)
                k = add_diagnosis(b, diagnosis);
        if (k >= 0)
                k = add_log(b);
        if (k >= 0)
                k = add_packages(b);
        if (k >= 0)
                k = add_devices(b);
        if (k >= 0)
                k = add_gpus(b);
        if (k >= 0)
                k = add_file(b, RELEASE_INSTALLED_PATH, true);
        for (size_t i = 0; i < ELEMENTSOF(files) && k >= 0; i++)
                k = add_file(b, files[i], false);
        for (size_t i = 0; i < ELEMENTSOF(directories) && k >= 0; i++)
                k = add_directory(b, directories[i][0], directories[i][1]);
        return k >= 0 ? add_units(b) : k;
}

static int add_manifest(Bundle *b) {
        _cleanup_text_ Text t = {};
        int k;

        text_printf(&t, "gn8v-tee " GN8V_VERSION " diagnose --bundle%s. Bytes and names of what is in this archive; - is what is not.\n"
                        "Passwords, tokens and keys are " MASKED "%s: gn8v-tee(8).\n\n",
                    b->full ? " --full" : "", b->full ? "" : ", and so are addresses, serial numbers, and this machine's name and id");
        text_append_n(&t, b->manifest.data, b->manifest.size);
        k = t.failed ? -ENOMEM : tar_append(&b->tar, TOP "MANIFEST", t.data, t.size, b->now);
        tar_finish(&b->tar);
        return k;
}

static int compress(const Bundle *b, int fd, Error *e) {
        static const char *const argv[] = { "gzip", "-nc", NULL };
        _cleanup_close_ int tar = memfd_create("tar", MFD_CLOEXEC);
        _cleanup_free_ char *words = NULL;
        Process p = { .argv = argv, .stdin_fd = tar, .stdout_fd = fd, .timeout_sec = 60 };
        int k = tar < 0 ? -errno : write_all(tar, b->tar.data, b->tar.size);

        if (k >= 0 && lseek(tar, 0, SEEK_SET) < 0)
                k = -errno;
        if (k < 0)
                return error_errno(e, -k, "%s", b->path);
        k = process_check(&p, &words, e);
        return error_hint(e, k, "gzip compresses the archive: is it installed, and is there space for %s?", b->path);
}

/* link() instead of rename(): what came to be there meanwhile is not replaced, nor is a link followed. */
static int write_archive(const Bundle *b, int dir_fd, const char *name, Error *e) {
        _cleanup_free_ char *temp = format(".%s.%d.tmp", name, (int) getpid());
        _cleanup_close_ int fd = -1;
        int k;

        if (!temp)
                return error_oom(e);
        fd = openat(dir_fd, temp, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
        if (fd < 0)
                return error_errno(e, errno, "%s", b->path);
        k = compress(b, fd, e);
        if (k >= 0 && (fchmod(fd, 0600) < 0 || fsync(fd) < 0 || linkat(dir_fd, temp, dir_fd, name, 0) < 0))
                k = error_errno(e, errno, "%s", b->path);
        (void) unlinkat(dir_fd, temp, 0);
        if (k >= 0 && fsync(dir_fd) < 0)
                k = error_errno(e, errno, "%s", b->path);
        return MIN(k, 0);
}

int bundle_write(Bundle *b, json_t *diagnosis, Error *e) {
        const char *name = path_basename(b->path);
        _cleanup_free_ char *directory = name == b->path ? strdup(".") : strndup(b->path, (size_t) (name - b->path));
        _cleanup_close_ int dir_fd = -1;
        int k;

        k = collect(b, diagnosis);
        json_decref(diagnosis);
        if (k >= 0)
                k = add_manifest(b);
        if (k < 0 || !directory)
                return k == -ENOMEM || k >= 0 ? error_oom(e) : error_errno(e, -k, "%s: cannot be put together", b->path);
        dir_fd = open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        if (dir_fd < 0)
                return error_errno(e, errno, "%s", directory);
        return write_archive(b, dir_fd, name, e);
}
