/* SPDX-License-Identifier: Apache-2.0 */
/* Whole archives through wrap: placed and described, and hostile ones refused with nothing left behind. */
#include "repo/wrap.h"

#include <dirent.h>

#include "archive-maker.h"
#include "run.h"

#define MANIFEST_HEAD "driver\n1.2.3\n1\nnvidia nvidia-uvm nvidia-drm\n1\n1\n1\n1\n"
#define MANIFEST_BODY                                                                \
        "nvidia-smi 0755 UTILITY_BINARY\n"                                           \
        "nvidia-modprobe 04755 NVIDIA_MODPROBE /usr/bin\n"                           \
        "nvidia-installer 0755 INSTALLER_BINARY MODULE:installer\n"                  \
        "nvidia-uninstall 0000 UTILITY_BIN_SYMLINK nvidia-installer\n"               \
        "libcuda.so.1.2.3 0444 CUDA_LIB NATIVE / MODULE:gpgpu\n"                     \
        "libcuda.so.1 0000 CUDA_SYMLINK NATIVE / libcuda.so.1.2.3\n"                 \
        "32/libcuda.so.1.2.3 0755 CUDA_LIB COMPAT32 /\n"                             \
        "x_gbm.so 0000 GBM_BACKEND_LIB_SYMLINK NATIVE libcuda.so.1.2.3\n"            \
        "libGL.so.1 0000 GLX_CLIENT_SYMLINK NATIVE libcuda.so.1.2.3\n"               \
        "a.desktop 0644 DOT_DESKTOP /\n"                                             \
        "nvidia-persistenced.service 0644 SYSTEMD_UNIT\n"                            \
        "LICENSE 0644 DOCUMENTATION NVIDIA_GLX-1.0\n"                                \
        "kernel-open/Kbuild 0644 KERNEL_MODULE_SRC INHERIT_PATH_DEPTH:1\n"           \
        "kernel-open/nvidia/nv.c 0644 KERNEL_MODULE_SRC INHERIT_PATH_DEPTH:1\n"      \
        "kernel-open/nvidia-uvm/uvm.c 0644 KERNEL_MODULE_SRC INHERIT_PATH_DEPTH:1\n" \
        "kernel/nvidia/nv.c 0644 KERNEL_MODULE_SRC INHERIT_PATH_DEPTH:1\n"

static const MadeMember files[] = {
        { "./", NULL, 0755 },
        { "./nvidia-smi", "smi", 0755 },
        { "./nvidia-modprobe", "modprobe", 0755 },
        { "./nvidia-installer", "#!/bin/sh\ntouch /tmp/gn8v-tee-installer-was-run\n", 0755 },
        { "./libcuda.so.1.2.3", "cuda", 0755 },
        { "./32/libcuda.so.1.2.3", "cuda32", 0755 },
        { "./a.desktop", "Exec=__UTILS_PATH__/nvidia-settings\n", 0644 },
        { "./nvidia-persistenced.service", "theirs", 0644 },
        { "./LICENSE", "licence", 0644 },
        { "./kernel-open/Kbuild", "kbuild", 0644 },
        { "./kernel-open/nvidia/nv.c", "open", 0644 },
        { "./kernel-open/nvidia-uvm/uvm.c", "uvm", 0644 },
        { "./kernel/nvidia/nv.c", "proprietary", 0644 },
};

static char *directory;
static Release *release;
static char *loaded; /* the release's path */

static void set(char **s, const char *value) {
        free(*s);
        *s = strdup(value);
}

/* Any release with all three kinds of archive, with made-up versions. */
static void setup(void) {
        const char *source = getenv("GN8V_TEST_SOURCE");
        _cleanup_free_ char *dir = format("%s/repo/releases", source ?: ".");
        Release **all;
        size_t n;

        ck_assert_int_eq(make_temp_dir("/tmp", "gn8v-tee-test-", &directory), 0);
        ck_assert_int_eq(release_load_directory(dir, &all, &n, NULL), 0);
        for (size_t i = 0; i < n; i++)
                if (release_artifact_of_kind(all[i], ARTIFACT_CUBLAS))
                        loaded = strdup(all[i]->path);
        release_free_many(all, n);
        ck_assert_ptr_nonnull(loaded);
        ck_assert_int_eq(release_load(loaded, &release, NULL), 0);
        for (size_t i = 0; i < release->n_artifacts; i++) {
                Artifact *a = release->artifacts[i];
                set(&a->version, a->kind == ARTIFACT_CUDA ? "1.2.0" : a->kind == ARTIFACT_CUBLAS ? "1.2.3.4" : "1.2.3");
                if (a->kind == ARTIFACT_CUBLAS)
                        set(&a->filename, "cublas-1.2.3.4.whl");
        }
}

static void teardown(void) {
        release = release_free(release);
        free(loaded);
        loaded = NULL;
        ck_assert_int_eq(remove_tree(AT_FDCWD, directory), 0);
        free(directory);
}

static size_t count_files(const char *path) {
        DIR *d = opendir(path);
        size_t n = 0;

        if (!d)
                return 0;
        for (struct dirent *e; (e = readdir(d));)
                n += !streq(e->d_name, ".") && !streq(e->d_name, "..");
        closedir(d);
        return n;
}

static char *in(const char *name) {
        return path_join(directory, name);
}

static int place(ArtifactKind kind, const char *archive, WrapOptions o, WrapSummary *ret, Error *e) {
        _cleanup_free_ char *root = in("root"), *lists = in("lists");
        return wrap_place(release, release_artifact_of_kind(release, kind), archive, root, lists, &o, ret, e);
}

static int describe(ArtifactKind kind, const char *archive, WrapList **ret, Error *e) {
        return wrap_describe(release, release_artifact_of_kind(release, kind), archive, NULL, ret, e);
}

static char *driver(HeaderForm form, const char *filter, bool manifest_first, const char *body, const MadeMember *more, size_t n_more) {
        MadeMember m[ELEMENTSOF(files) + 8];
        _cleanup_free_ char *manifest = format("%s%s", MANIFEST_HEAD, body);
        const MadeMember dot = { "./.manifest", manifest, 0644 };
        size_t n = 0;

        if (manifest_first)
                m[n++] = dot;
        for (size_t i = 0; i < ELEMENTSOF(files); i++)
                m[n++] = files[i];
        for (size_t i = 0; i < n_more; i++)
                m[n++] = more[i];
        if (!manifest_first)
                m[n++] = dot;
        return made_archive(directory, "driver.run", form, filter, m, n, 0);
}

static void check_content(const char *path, mode_t mode, const char *content) {
        _cleanup_free_ char *full = format("%s/root%s", directory, path), *data = NULL;
        struct stat st;

        ck_assert_msg(lstat(full, &st) == 0, "%s is missing", path);
        ck_assert_msg(S_ISREG(st.st_mode) && (st.st_mode & 07777) == mode, "%s has mode %o", path, st.st_mode);
        ck_assert_int_eq(read_file(AT_FDCWD, full, 1 << 20, &data, NULL), 0);
        if (content)
                ck_assert_str_eq(data, content);
}

static void check_link(const char *path, const char *target) {
        _cleanup_free_ char *full = format("%s/root%s", directory, path);
        char to[256] = "";

        ck_assert_msg(readlink(full, to, sizeof(to) - 1) > 0, "%s is no link", path);
        ck_assert_str_eq(to, target);
}

static void check_absent(const char *path) {
        _cleanup_free_ char *full = format("%s/root%s", directory, path);
        ck_assert_msg(access(full, F_OK) < 0, "%s is there", path);
}

/* What is described is what is placed: path, mode, digest, target. */
static void check_described(const WrapList *l) {
        ck_assert_uint_gt(l->n_files, 0);
        for (size_t i = 0; i < l->n_files; i++) {
                const WrapFile *f = &l->files[i];
                _cleanup_free_ char *full = format("%s/root%s", directory, f->path);
                char hex[SHA256_HEX_SIZE];
                struct stat st;

                ck_assert_msg(i == 0 || strcmp(l->files[i - 1].path, f->path) <= 0, "not sorted");
                ck_assert_msg(lstat(full, &st) == 0, "%s is described, not placed", f->path);
                if (f->kind == WRAP_LINK) {
                        check_link(f->path, f->target);
                        continue;
                }
                ck_assert_uint_eq(st.st_mode & 07777, f->mode);
                ck_assert(f->kind == WRAP_DIRECTORY ? S_ISDIR(st.st_mode) : S_ISREG(st.st_mode));
                if (f->kind == WRAP_FILE) {
                        ck_assert_int_eq(sha256_file(AT_FDCWD, full, hex), 0);
                        ck_assert_str_eq(hex, f->sha256);
                        ck_assert_uint_eq((uint64_t) st.st_size, f->size);
                }
        }
}

START_TEST(test_driver) {
        static const struct {
                HeaderForm form;
                const char *filter;
                bool manifest_first;
        } variants[] = {
                { HEADER_NVIDIA_SKIP, "xz", false }, { HEADER_SKIP, "zstd", true }, { HEADER_OFFSET, "gzip", false }, { HEADER_SKIP, "bzip2", true },
        };
        _cleanup_(wrap_list_freep) WrapList *l = NULL;
        _cleanup_(wrap_summary_clear) WrapSummary s = {};
        _cleanup_free_ char *archive = driver(variants[_i].form, variants[_i].filter, variants[_i].manifest_first, MANIFEST_BODY, NULL, 0);
        _cleanup_free_ char *root = in("root"), *list = in("lists/driver.list"), *kmod = in("lists/kmod.list"), *text = NULL, *text2 = NULL;
        _cleanup_free_ char *dkms = in("root/usr/src/nvidia-1.2.3/dkms.conf"), *conf = NULL;
        _cleanup_error_ Error e = ERROR_INIT;

        ck_assert_msg(place(ARTIFACT_DRIVER, archive, (WrapOptions){}, &s, &e) == 0, "%s", e.message);
        ck_assert_uint_eq(strv_length(s.warnings), 0);
        check_content("/usr/bin/nvidia-smi", 0755, "smi");
        check_content("/usr/bin/nvidia-modprobe", 04755, "modprobe");
        check_content("/usr/lib64/libcuda.so.1.2.3", 0644, "cuda");
        check_link("/usr/lib64/libcuda.so.1", "libcuda.so.1.2.3");
        check_link("/usr/lib64/gbm/x_gbm.so", "/usr/lib64/libcuda.so.1.2.3");
        check_content("/usr/share/applications/a.desktop", 0644, "Exec=/usr/bin/nvidia-settings\n");
        check_content("/usr/src/nvidia-1.2.3/nvidia/nv.c", 0644, "open");
        check_content("/usr/src/nvidia-1.2.3/gn8v-tee-preflight", 0755, NULL);
        check_content("/usr/share/doc/NVIDIA_GLX-1.0/LICENSE", 0644, "licence");
        check_content("/usr/lib/nvidia/alternate-install-present", 0644, NULL);
        check_content("/usr/lib/modprobe.d/gn8v-tee-nouveau.conf", 0644, NULL);
        check_absent("/usr/bin/nvidia-installer");
        check_absent("/usr/bin/nvidia-uninstall");
        check_absent("/usr/lib/libcuda.so.1.2.3");
        check_link("/usr/lib/libGL.so.1", "/usr/lib64/libGL.so.1");
        ck_assert_int_ne(access("/tmp/gn8v-tee-installer-was-run", F_OK), 0);
        ck_assert_int_ne(access("/tmp/gn8v-tee-header-was-run", F_OK), 0);
        ck_assert_uint_eq(count_files(root), 1); /* usr: no stage is left */

        ck_assert_int_eq(read_file(AT_FDCWD, dkms, 1 << 20, &conf, NULL), 0);
        ck_assert_ptr_nonnull(strstr(conf, "BUILT_MODULE_NAME[1]=\"nvidia-uvm\""));
        ck_assert_ptr_null(strstr(conf, "nvidia-drm")); /* line 4 names it, but there is no source */
        ck_assert_int_eq(read_file(AT_FDCWD, list, 1 << 20, &text, NULL), 0);
        ck_assert_ptr_nonnull(strstr(text, "%attr(4755, root, root) \"/usr/bin/nvidia-modprobe\"\n"));
        ck_assert_ptr_nonnull(strstr(text, "%license %attr(0644, root, root) \"/usr/share/licenses/"));
        ck_assert_ptr_null(strstr(text, "%dir %attr(0755, root, root) \"/usr/lib64\"\n"));
        ck_assert_ptr_null(strstr(text, "/usr/src"));
        ck_assert_int_eq(read_file(AT_FDCWD, kmod, 1 << 20, &text2, NULL), 0);
        ck_assert_ptr_nonnull(strstr(text2, "%dir %attr(0755, root, root) \"/usr/src/nvidia-1.2.3/nvidia\"\n"));

        ck_assert_int_eq(describe(ARTIFACT_DRIVER, archive, &l, &e), 0);
        ck_assert_uint_eq(l->n_files, s.files + s.links + s.directories);
        check_described(l);
}
END_TEST

START_TEST(test_compat32) {
        _cleanup_free_ char *archive = driver(HEADER_SKIP, "gzip", true, MANIFEST_BODY, NULL, 0);

        ck_assert_int_eq(place(ARTIFACT_DRIVER, archive, (WrapOptions){ .compat32 = true, .no_glvnd = true }, NULL, NULL), 0);
        check_content("/usr/lib/libcuda.so.1.2.3", 0755, "cuda32");
        check_absent("/usr/lib64/libGL.so.1");
        check_absent("/usr/lib/libGL.so.1");
}
END_TEST

/* A real library whose link the manifest lacks. */
START_TEST(test_soname_link) {
        _cleanup_free_ char *data = NULL, *archive = NULL, *manifest = format("%s%slibx.so.9 0755 UTILITY_LIB NATIVE\n", MANIFEST_HEAD, MANIFEST_BODY);
        MadeMember more = { "libx.so.9", NULL, 0755 };
        FILE *maps = fopen("/proc/self/maps", "re");
        char line[4096], *path = NULL;
        size_t size;

        ck_assert_ptr_nonnull(maps);
        while (fgets(line, sizeof(line), maps))
                if ((path = strchr(line, '/')) && strstr(path, "/libm.so")) {
                        path[strcspn(path, "\n")] = '\0';
                        break;
                }
        fclose(maps);
        if (!path || !strstr(path, "libm.so") || read_file(AT_FDCWD, path, 16 << 20, &data, &size) < 0)
                return; /* linked without it: test_elf covers the reader */
        more.content = data;
        more.size = size;
        archive = driver(HEADER_SKIP, "gzip", true, manifest + strlen(MANIFEST_HEAD), &more, 1);
        ck_assert_int_eq(place(ARTIFACT_DRIVER, archive, (WrapOptions){}, NULL, NULL), 0);
        check_link("/usr/lib64/libm.so.6", "libx.so.9");
}
END_TEST

typedef struct Hostile {
        const char *line; /* added to the manifest, or NULL */
        MadeMember member; /* added to the archive; name NULL: none */
        const char *word;  /* what the message must name */
} Hostile;

static const Hostile hostile[] = {
        { "a 0755 NO_SUCH_TYPE\n", {}, "line 25" },
        { "missing 0755 UTILITY_BINARY\n", {}, "'missing' is not in the archive" },
        { "l 0755 UTILITY_BINARY\n", { "l", NULL, 0, "/etc/passwd", NULL, 0, 0 }, "line 25" },
        { "nvidia-smi 0755 UTILITY_BINARY\n", {}, "line 25" },          /* the same place twice */
        { "d/nvidia-smi 0755 UTILITY_BINARY\n", { "d/nvidia-smi", "x", 0, NULL, NULL, 0, 0 }, "line 25" },
        { "x 0000 OPENGL_SYMLINK NATIVE ../../../etc/passwd\n", {}, "line 25" },
        { "x 0644 DOCUMENTATION NVIDIA_GLX-1.0/LICENSE\n", { "x", "x", 0, NULL, NULL, 0, 0 }, "line 25" },
        { NULL, { "../escape", "x", 0, NULL, NULL, 0, 0 }, "../escape" },
        { NULL, { "a/../../escape", "x", 0, NULL, NULL, 0, 0 }, "escape" },
        { NULL, { "/absolute", "x", 0, NULL, NULL, 0, 0 }, "absolute" },
        { NULL, { "new\nline", "x", 0, NULL, NULL, 0, 0 }, "new?line" },
        { NULL, { "bell\007", "x", 0, NULL, NULL, 0, 0 }, "bell?" },
        { NULL, { "not-utf8-\xff", "x", 0, NULL, NULL, 0, 0 }, "member" },
        { NULL, { "fifo", NULL, 0, NULL, NULL, 'p', 0 }, "fifo" },
        { NULL, { "./nvidia-smi", "again", 0, NULL, NULL, 0, 0 }, "two members" },
        { NULL, { "hard", NULL, 0, NULL, "no/such", 0, 0 }, "hard link" },
        { NULL, { "hard", NULL, 0, NULL, "../../etc/passwd", 0, 0 }, "hard link" },
};

START_TEST(test_hostile) {
        const Hostile *h = &hostile[_i];
        _cleanup_free_ char *body = format("%s%s", MANIFEST_BODY, h->line ?: "");
        _cleanup_free_ char *archive = driver(HEADER_SKIP, "gzip", _i % 2 == 0, body, &h->member, h->member.name ? 1 : 0), *root = in("root");
        _cleanup_free_ char *lists = in("lists"), *outside = in("escape");
        _cleanup_(wrap_list_freep) WrapList *l = NULL;
        _cleanup_error_ Error e = ERROR_INIT, e2 = ERROR_INIT;

        ck_assert_msg(place(ARTIFACT_DRIVER, archive, (WrapOptions){}, NULL, &e) == -EBADMSG, "%d %s", _i, h->word);
        ck_assert_int_eq(e.code, EXIT_INVALID);
        ck_assert_msg(strstr(e.message, h->word) != NULL, "%s: %s", h->word, e.message);
        ck_assert_ptr_nonnull(strstr(e.message, "driver.run"));
        ck_assert_uint_eq(count_files(root), 0); /* as it was */
        ck_assert_uint_eq(count_files(lists), 0);
        ck_assert_int_ne(access(outside, F_OK), 0);
        ck_assert_int_eq(describe(ARTIFACT_DRIVER, archive, &l, &e2), -EBADMSG);
        ck_assert_str_eq(e.message, e2.message);
}
END_TEST

/* A member that is a link to a directory, then a file below it: nothing is written through the link. */
START_TEST(test_through_link) {
        _cleanup_free_ char *outside = in("outside"), *archive = NULL;
        const MadeMember more[] = { { "d", NULL, 0, outside }, { "d/f", "f", 0644 } };

        ck_assert_int_eq(mkdir(outside, 0755), 0);
        archive = driver(HEADER_SKIP, "gzip", true, MANIFEST_BODY "d/f 0755 UTILITY_BINARY\n", more, 2);
        ck_assert_int_eq(place(ARTIFACT_DRIVER, archive, (WrapOptions){}, NULL, NULL), 0);
        check_content("/usr/bin/f", 0755, "f");
        ck_assert_uint_eq(count_files(outside), 0);
}
END_TEST

START_TEST(test_truncated) {
        static const char *const filters[] = { "xz", "zstd", "gzip", "bzip2" };
        _cleanup_free_ char *manifest = format("%s%s", MANIFEST_HEAD, MANIFEST_BODY), *root = in("root"), *big = malloc(1 << 20);
        MadeMember m[ELEMENTSOF(files) + 2];

        srand(1);
        for (size_t i = 0; i < 1 << 20; i++)
                big[i] = (char) rand();
        memcpy(m, files, sizeof(files));
        m[ELEMENTSOF(files)] = (MadeMember){ .name = "big", .content = big, .size = 1 << 20 };
        m[ELEMENTSOF(files) + 1] = (MadeMember){ .name = ".manifest", .content = manifest };
        for (size_t i = 0; i < ELEMENTSOF(filters); i++) {
                _cleanup_free_ char *archive = made_archive(directory, "driver.run", HEADER_NVIDIA_SKIP, filters[i], m, ELEMENTSOF(m), 500 * 1024);
                _cleanup_error_ Error e = ERROR_INIT;

                ck_assert_msg(place(ARTIFACT_DRIVER, archive, (WrapOptions){}, NULL, &e) == -EBADMSG, "%s", filters[i]);
                ck_assert_ptr_nonnull(strstr(e.message, "driver.run"));
                ck_assert_uint_eq(count_files(root), 0);
        }
}
END_TEST

/* A dictionary that would take all memory is refused before it is allocated: the first block of this xz file asks for 1 GiB. */
START_TEST(test_dictionary) {
        _cleanup_free_ char *archive = driver(HEADER_OFFSET, "xz", true, MANIFEST_BODY, NULL, 0), *data = NULL;
        _cleanup_error_ Error e = ERROR_INIT;
        char *payload;
        size_t size;

        ck_assert_int_eq(read_file(AT_FDCWD, archive, 1 << 20, &data, &size), 0);
        payload = memmem(data, size, "\xfd" "7zXZ", 5);
        ck_assert_ptr_nonnull(payload);
        ck_assert_mem_eq(payload + 13, "\x00\x21\x01", 3); /* no sizes; LZMA2, one byte */
        payload[16] = 36;
        ck_assert_int_eq(write_file_atomic(AT_FDCWD, archive, data, size, 0644), 0);
        ck_assert_int_eq(place(ARTIFACT_DRIVER, archive, (WrapOptions){}, NULL, &e), -EBADMSG);
        ck_assert_msg(strstr(e.message, "1024 MiB") != NULL, "%s", e.message);
}
END_TEST

/* What is not wanted has to be unpacked to be skipped: it counts, too. The announced size of a member of this tar is 65 GiB. */
START_TEST(test_announced_size) {
        const MadeMember more = { "kernel/huge", "x", 0644 };
        _cleanup_free_ char *archive = driver(HEADER_NVIDIA_SKIP, "none", true, MANIFEST_BODY, &more, 1), *data = NULL, *root = in("root");
        static const unsigned char huge[12] = { 0x80, 0, 0, 0, 0, 0, 0, 0x10, 0x40, 0, 0, 0 };
        _cleanup_error_ Error e = ERROR_INIT;
        unsigned sum = 0;
        char *header;
        size_t size;

        ck_assert_int_eq(read_file(AT_FDCWD, archive, 1 << 20, &data, &size), 0);
        header = memmem(data, size, "kernel/huge", 12);
        ck_assert_ptr_nonnull(header);
        memcpy(header + 124, huge, sizeof(huge));
        memset(header + 148, ' ', 8);
        for (size_t i = 0; i < 512; i++)
                sum += (unsigned char) header[i];
        header[148 + snprintf(header + 148, 8, "%06o", sum)] = '\0';
        ck_assert_int_eq(write_file_atomic(AT_FDCWD, archive, data, size, 0644), 0);
        ck_assert_int_eq(place(ARTIFACT_DRIVER, archive, (WrapOptions){}, NULL, &e), -EBADMSG);
        ck_assert_msg(strstr(e.message, "'kernel/huge': the archive unfolds to more than 64 GiB") != NULL, "%s", e.message);
        ck_assert_uint_eq(count_files(root), 0);
}
END_TEST

START_TEST(test_wrong_version) {
        _cleanup_free_ char *archive = driver(HEADER_SKIP, "gzip", true, MANIFEST_BODY, NULL, 0);
        _cleanup_error_ Error e = ERROR_INIT;

        for (size_t i = 0; i < release->n_artifacts; i++)
                if (release->artifacts[i]->kind == ARTIFACT_DRIVER)
                        set(&release->artifacts[i]->version, "1.2.4");
        ck_assert_int_eq(place(ARTIFACT_DRIVER, archive, (WrapOptions){}, NULL, &e), -EBADMSG);
        ck_assert_ptr_nonnull(strstr(e.message, "line 2"));
        ck_assert_ptr_nonnull(strstr(e.message, "1.2.4"));
}
END_TEST

START_TEST(test_no_manifest) {
        _cleanup_free_ char *archive = made_archive(directory, "x.run", HEADER_SKIP, "gzip", files, ELEMENTSOF(files), 0);
        _cleanup_error_ Error e = ERROR_INIT, e2 = ERROR_INIT;

        ck_assert_int_eq(place(ARTIFACT_DRIVER, archive, (WrapOptions){}, NULL, &e), -EBADMSG);
        ck_assert_ptr_nonnull(strstr(e.message, ".manifest"));
        ck_assert_int_eq(place(ARTIFACT_CUDA, archive, (WrapOptions){}, NULL, &e2), -EBADMSG);
        ck_assert_ptr_nonnull(strstr(e2.message, "manifests/"));
}
END_TEST

#define CUDA_XML                                                                                                                     \
        "<package id=\"main\"><package name=\"Driver\"><buildPath>./</buildPath><file>NVIDIA.*</file></package>\n"                   \
        "<package name=\"CUDA Toolkit 1.2\"><package name=\"rt\"><buildPath>./builds/rt/</buildPath>\n"                              \
        "<file>targets/x86_64-linux/lib/.*\\.so.*</file><file>lib64</file><file>include</file><file>nothing</file>\n"                \
        "<pcfile description=\"Runtime\">cudart-1.2.pc</pcfile></package>\n"                                                         \
        "<package name=\"cc\"><buildPath>./builds/cc/</buildPath><file>bin/.*</file><file>lib64/.*</file><file>include</file>\n"     \
        "<file>targets/.*</file></package>\n"                                                                                        \
        "<package name=\"tools\"><buildPath>./builds/tools/</buildPath><file dir=\"tools-9/\">.*</file>%s</package></package></package>"

static char *cuda(const char *more_xml, const MadeMember *more) {
        _cleanup_free_ char *xml = format(CUDA_XML, more_xml);
        MadeMember m[16] = {
                { "./cuda-installer", "x", 0755 },
                { "./NVIDIA-Linux-x86_64-1.2.3.run", "driver", 0755 },
                { "./EULA.txt", "eula", 0644 },
                { "./builds/rt/targets/x86_64-linux/lib/librt.so.1", "rt", 0755 },
                { "./builds/rt/targets/x86_64-linux/lib/librt.so", NULL, 0, "librt.so.1" },
                { "./builds/rt/lib64", NULL, 0, "targets/x86_64-linux/lib" },
                { "./builds/rt/include", NULL, 0, "targets/x86_64-linux/include" },
                { "./builds/rt/unlisted", "x" },
                { "./builds/cc/include", NULL, 0, "targets/x86_64-linux/include" },
                { "./builds/cc/targets/x86_64-linux/include/CL/cl.hpp", "hpp", 0755 },
                { "./builds/cc/bin/nvcc", "nvcc", 0755 },
                { "./builds/cc/bin/cuda-uninstaller", "x", 0755 },
                { "./builds/cc/lib64/libcc.so", "cc", 0755 },
                { "./builds/tools/a/ui [1] 100%.txt", "ui", 0644 },
        };
        size_t n = 14;

        if (more)
                m[n++] = *more;
        m[n++] = (MadeMember){ "./manifests/cuda_x86_64.xml", xml };
        return made_archive(directory, "cuda.run", HEADER_OFFSET, "gzip", m, n, 0);
}

START_TEST(test_cuda) {
        _cleanup_free_ char *archive = cuda("", NULL), *list = in("lists/cuda.list"), *text = NULL;
        _cleanup_(wrap_summary_clear) WrapSummary s = {};
        _cleanup_(wrap_list_freep) WrapList *l = NULL;
        _cleanup_error_ Error e = ERROR_INIT;

        ck_assert_msg(place(ARTIFACT_CUDA, archive, (WrapOptions){}, &s, &e) == 0, "%s", e.message);
        check_content("/usr/local/cuda-1.2/targets/x86_64-linux/lib/librt.so.1", 0755, "rt");
        check_link("/usr/local/cuda-1.2/targets/x86_64-linux/lib/librt.so", "librt.so.1");
        check_link("/usr/local/cuda-1.2/lib64", "targets/x86_64-linux/lib");
        check_link("/usr/local/cuda-1.2/include", "targets/x86_64-linux/include");
        check_content("/usr/local/cuda-1.2/targets/x86_64-linux/lib/libcc.so", 0755, "cc"); /* through the other package's link */
        check_content("/usr/local/cuda-1.2/targets/x86_64-linux/include/CL/cl.hpp", 0644, "hpp");
        check_content("/usr/local/cuda-1.2/bin/nvcc", 0755, "nvcc");
        check_content("/usr/local/cuda-1.2/tools-9/a/ui [1] 100%.txt", 0644, "ui");
        check_content("/etc/ld.so.conf.d/gn8v-tee-cuda-1-2.conf", 0644, "/usr/local/cuda-1.2/targets/x86_64-linux/lib\n");
        check_content("/usr/local/cuda-1.2/pkgconfig/cudart-1.2.pc", 0644, NULL);
        check_absent("/usr/local/cuda-1.2/unlisted");
        check_absent("/usr/local/cuda-1.2/bin/cuda-uninstaller");
        ck_assert_uint_eq(strv_length(s.warnings), 1);
        ck_assert_ptr_nonnull(strstr(s.warnings[0], "'nothing'"));
        ck_assert_int_eq(read_file(AT_FDCWD, list, 1 << 20, &text, NULL), 0);
        ck_assert_ptr_nonnull(strstr(text, "\"/usr/local/cuda-1.2/tools-9/a/ui??1??100?.txt\"\n"));
        ck_assert_int_eq(describe(ARTIFACT_CUDA, archive, &l, NULL), 0);
        check_described(l);
}
END_TEST

START_TEST(test_cuda_hostile) {
        static const struct {
                const char *xml;
                MadeMember member;
                const char *word;
        } bad[] = {
                { "<installPath>/etc</installPath>", {}, "/etc" },
                { "<installPath>/usr/local/cuda-1.2/../../../etc</installPath>", {}, "etc" },
                { "", { "builds/tools/l", NULL, 0, "../../../../etc/passwd" }, "builds/tools/l" },
                { "", { "builds/tools/l", NULL, 0, "/etc/passwd" }, "builds/tools/l" },
                { "<file>(</file>", {}, "(" },
                { "", { "builds/tools/a", NULL, 0, "x\" \"/etc/shadow" }, "tools-9/a/ui" }, /* a file below it would be out of its quotes */
        };
        _cleanup_free_ char *archive = cuda(bad[_i].xml, bad[_i].member.name ? &bad[_i].member : NULL), *root = in("root");
        _cleanup_error_ Error e = ERROR_INIT;

        ck_assert_int_eq(place(ARTIFACT_CUDA, archive, (WrapOptions){}, NULL, &e), -EBADMSG);
        ck_assert_msg(strstr(e.message, bad[_i].word) != NULL, "%s", e.message);
        ck_assert_msg(strstr(e.message, "line ") != NULL, "%s", e.message);
        ck_assert_uint_eq(count_files(root), 0);
}
END_TEST

/* Digests of "lib", "# h", "metadata", "licence" are taken here, so that the test stands without a literal one. */
static char *record_line(const char *path, const char *content) {
        static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
        char hex[SHA256_HEX_SIZE], b64[44];
        unsigned bits = 0, have = 0;
        size_t n = 0;

        ck_assert_int_eq(sha256_buffer(content, strlen(content), hex), 0);
        for (const char *p = hex; *p; p++) {
                bits = bits << 4 | (unsigned) (*p <= '9' ? *p - '0' : *p - 'a' + 10);
                have += 4;
                for (; have >= 6; have -= 6)
                        b64[n++] = digits[bits >> (have - 6) & 63];
        }
        b64[n++] = digits[bits << (6 - have) & 63];
        b64[n] = '\0';
        return format("%s,sha256=%s,%zu\n", path, b64, strlen(content));
}

static char *wheel(const char *library_recorded, const char *version, const char *extra) {
        _cleanup_free_ char *metadata = format("Metadata-Version: 2.1\nName: nvidia_cublas_cu1\nVersion: %s\n\n", version);
        _cleanup_free_ char *a = record_line("nvidia/cublas/lib/libcublas.so.1", library_recorded);
        _cleanup_free_ char *b = record_line("nvidia/cublas/include/cublas.h", "header"), *c = record_line("c-1.dist-info/METADATA", metadata);
        _cleanup_free_ char *d = record_line("c-1.dist-info/License.txt", "licence");
        _cleanup_free_ char *record = format("%s%s%s%sc-1.dist-info/RECORD,,\n", a, b, c, d);
        const MadeMember m[] = {
                { "nvidia/cublas/lib/libcublas.so.1", "library", 0755 }, { "nvidia/cublas/include/cublas.h", "header", 0644 },
                { "c-1.dist-info/METADATA", metadata, 0644 }, { "c-1.dist-info/License.txt", "licence", 0644 },
                { "c-1.dist-info/RECORD", record, 0644 }, { extra, "extra", 0644 },
        };
        return made_archive(directory, "x.whl", HEADER_NONE, "zip", m, extra ? 6 : 5, 0);
}

START_TEST(test_cublas) {
        _cleanup_free_ char *archive = wheel("library", "1.2.3.4", NULL);
        _cleanup_(wrap_list_freep) WrapList *l = NULL;
        _cleanup_error_ Error e = ERROR_INIT;
        char one[SHA256_HEX_SIZE], two[SHA256_HEX_SIZE];
        _cleanup_free_ char *copy = in("root/usr/share/gn8v-tee/wheels/cublas-1.2.3.4.whl"), *conf = in("root/usr/share/gn8v-tee/constraints.txt"), *text = NULL;

        ck_assert_msg(place(ARTIFACT_CUBLAS, archive, (WrapOptions){}, NULL, &e) == 0, "%s", e.message);
        check_content("/usr/lib64/gn8v-tee/cublas-1-2/lib/libcublas.so.1", 0755, "library");
        check_content("/usr/lib64/gn8v-tee/cublas-1-2/include/cublas.h", 0644, "header");
        check_content("/etc/ld.so.conf.d/gn8v-tee-cublas-1-2.conf", 0644, "/usr/lib64/gn8v-tee/cublas-1-2/lib\n");
        ck_assert_int_eq(sha256_file(AT_FDCWD, archive, one), 0);
        ck_assert_int_eq(sha256_file(AT_FDCWD, copy, two), 0);
        ck_assert_str_eq(one, two);
        ck_assert_int_eq(read_file(AT_FDCWD, conf, 4096, &text, NULL), 0);
        ck_assert_ptr_nonnull(strstr(text, "\nnvidia-cublas-cu1==1.2.3.4\n"));
        ck_assert_int_eq(describe(ARTIFACT_CUBLAS, archive, &l, NULL), 0);
        check_described(l);
}
END_TEST

START_TEST(test_cublas_hostile) {
        static const struct {
                const char *recorded, *version, *extra, *word;
        } bad[] = {
                { "another library", "1.2.3.4", NULL, "libcublas.so.1" },
                { "library", "1.2.3.5", NULL, "1.2.3.5" },
                { "library", "1.2.3.4", "unrecorded.py", "unrecorded.py" },
        };
        _cleanup_free_ char *archive = wheel(bad[_i].recorded, bad[_i].version, bad[_i].extra), *root = in("root");
        _cleanup_error_ Error e = ERROR_INIT;

        ck_assert_int_eq(place(ARTIFACT_CUBLAS, archive, (WrapOptions){}, NULL, &e), -EBADMSG);
        ck_assert_msg(strstr(e.message, bad[_i].word) != NULL, "%s", e.message);
        ck_assert_uint_eq(count_files(root), 0);
}
END_TEST

static const WrapFile *described(const WrapList *l, const char *path) {
        for (size_t i = 0; i < l->n_files; i++)
                if (streq(l->files[i].path, path))
                        return &l->files[i];
        return NULL;
}

START_TEST(test_render) {
        _cleanup_free_ char *root = in("root"), *lists = in("lists"), *preset = in("root/usr/lib/systemd/system-preset/70-gn8v-tee.preset"), *text = NULL;
        _cleanup_free_ char *unit = in("root/usr/lib/systemd/system/nvidia-persistenced.service.d/50-gn8v-tee.conf"), *conf = NULL, *original = NULL;
        _cleanup_(wrap_list_freep) WrapList *l = NULL;
        char hex[SHA256_HEX_SIZE];

        ck_assert_int_eq(render_place(release, root, lists, NULL, NULL), 0);
        ck_assert_int_eq(render_describe(release, &l, NULL), 0);
        check_described(l);
        ck_assert_int_eq(sha256_file(AT_FDCWD, loaded, hex), 0);
        ck_assert_str_eq(described(l, RELEASE_INSTALLED_PATH)->sha256, hex);
        check_link("/usr/local/cuda", "cuda-1.2");
        ck_assert_int_eq(read_file(AT_FDCWD, preset, 4096, &text, NULL), 0);
        ck_assert_ptr_nonnull(strstr(text, "enable nvidia-persistenced.service\n"));
        ck_assert_int_eq(read_file(AT_FDCWD, unit, 4096, &conf, NULL), 0);
        original = format("ExecStart=\nExecStart=/usr/bin/nvidia-persistenced %s\n", release->persistenced_options);
        ck_assert_ptr_nonnull(strstr(conf, original));
        STRV_FOREACH(s, release->clients) {
                _cleanup_free_ char *path = format("/usr/lib/systemd/system/%s.d/50-gn8v-tee.conf", *s);
                _cleanup_free_ char *name = format("root%s", path), *installed = in(name), *own = NULL;

                ck_assert_ptr_nonnull(described(l, path));
                ck_assert_ptr_nonnull(strstr(conf, *s));
                ck_assert_int_eq(read_file(AT_FDCWD, installed, 4096, &own, NULL), 0);
                ck_assert_ptr_nonnull(strstr(own, "\nAfter=nvidia-persistenced.service " RELEASE_GATE_UNIT "\n"));
        }
}
END_TEST

int main(void) {
        Suite *s = suite_create("wrap");
        TCase *t = tcase_create("all");

        tcase_add_checked_fixture(t, setup, teardown);
        tcase_add_loop_test(t, test_driver, 0, 4);
        tcase_add_test(t, test_compat32);
        tcase_add_test(t, test_soname_link);
        tcase_add_loop_test(t, test_hostile, 0, (int) ELEMENTSOF(hostile));
        tcase_add_test(t, test_through_link);
        tcase_add_test(t, test_truncated);
        tcase_add_test(t, test_dictionary);
        tcase_add_test(t, test_announced_size);
        tcase_add_test(t, test_wrong_version);
        tcase_add_test(t, test_no_manifest);
        tcase_add_test(t, test_cuda);
        tcase_add_loop_test(t, test_cuda_hostile, 0, 6);
        tcase_add_test(t, test_cublas);
        tcase_add_loop_test(t, test_cublas_hostile, 0, 3);
        tcase_add_test(t, test_render);
        suite_add_tcase(s, t);
        return run_suite(s);
}
