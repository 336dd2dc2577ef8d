/* SPDX-License-Identifier: Apache-2.0 */
#include "node/installed.h"
#include "node/kernel-modules.h"
#include "node/selinux.h"
#include "node/swiotlb.h"
#include "scratch-root.h"
#include "run.h"

static void put_link(const char *path, const char *target) {
        _cleanup_free_ char *full = format("%s%s", scratch, path);

        (void) unlink(full);
        ck_assert_int_eq(symlink(target, full), 0);
}

static void same(char *found, const char *wanted) {
        if (wanted)
                ck_assert_msg(found && streq(found, wanted), "%s, not %s", found ? found : "NULL", wanted);
        else
                ck_assert_msg(!found, "%s", found);
        free(found);
}

START_TEST(versions_of_links) {
        same(library_version(&node, "liba.so.1"), NULL);
        scratch_put("/usr/lib64/liba.so.1.2.3", "");
        put_link("/usr/lib64/liba.so.1", "liba.so.1.2.3");
        same(library_version(&node, "liba.so.1"), "1.2.3");
        put_link("/usr/lib64/liba.so.1", "/usr/lib64/liba.so.1.2.3");
        same(library_version(&node, "liba.so.1"), "1.2.3");
        put_link("/usr/lib64/libb.so", "libb.so.2");
        put_link("/usr/lib64/libb.so.2", "libb.so.2.0");
        put_link("/usr/lib64/libb.so.2.0", "liba.so.1.2.3");
        same(library_version(&node, "libb.so"), "1.2.3");
        put_link("/usr/lib64/libb.so.2.0", "libb.so.9.9.9"); /* leads nowhere */
        same(library_version(&node, "libb.so"), NULL);
        put_link("/usr/lib64/libb.so.2", "libb.so"); /* in a circle */
        same(library_version(&node, "libb.so"), NULL);
        put_link("/usr/lib64/libb.so", "liba.so.1.2.x");
        same(library_version(&node, "libb.so"), NULL);
}
END_TEST

START_TEST(version_json) {
        static const struct { const char *text, *version; } cases[] = {
                { "{\"cuda\": {\"name\": \"CUDA SDK\", \"version\": \"1.2.3\"}, \"x\": {\"version\": \"4\"}}", "1.2.3" },
                { "", NULL }, { "[]", NULL }, { "{\"cuda\": \"1.2.3\"}", NULL }, { "{\"cuda\": {\"version\": \"1; rm\"}}", NULL },
                { "{\"cuda\": {\"version\": 12}}", NULL }, { "{\"cuda\": {\"version\": \"\"}}", NULL },
        };

        for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
                char *version = NULL;

                ck_assert_int_eq(cuda_version_parse(cases[i].text, strlen(cases[i].text), &version), cases[i].version ? 0 : -EBADMSG);
                same(version, cases[i].version);
        }
        scratch_put("/usr/local/c/version.json", cases[0].text);
        same(cuda_version(&node, "/usr/local/c"), "1.2.3");
        same(cuda_version(&node, "/usr/local/d"), NULL);
}
END_TEST

/* A program of some size with a text at a place. */
static void put_program(size_t at, const char *text) {
        size_t size = 400000;
        _cleanup_free_ char *data = calloc(1, size);

        ck_assert_ptr_nonnull(data);
        memcpy(data + at, text, strlen(text));
        scratch_put_bytes("/usr/bin/p", data, size);
}

START_TEST(versions_in_programs) {
        same(program_version(&node, "/usr/bin/p", "321.45.06"), NULL);
        /* Also across the pieces it is read in. */
        for (size_t at = 128 * 1024 - 12; at < 128 * 1024 + 3; at++) {
                put_program(at, "321.45.06");
                same(program_version(&node, "/usr/bin/p", "321.45.06"), "321.45.06");
                same(program_version(&node, "/usr/bin/p", "321.45.07"), "321.45.06");
        }
        put_program(0, "321.99.06");
        same(program_version(&node, "/usr/bin/p", "321.45.06"), "321.99.06");
        put_program(10, "1.321.99.06 4321.45.06 321.45.06.7 321.45. x321.45.06 321.45.06x 12.45.06");
        same(program_version(&node, "/usr/bin/p", "1.1.1"), NULL);
}
END_TEST

START_TEST(python_environments) {
        PythonLibrary *found = NULL;
        size_t n = 0;

        scratch_put("/usr/lib/python3.9/site-packages/nvidia/cublas/lib/x", "");
        scratch_put("/usr/lib/python3.9/site-packages/nvidia_cublas_cu12-1.2.3.dist-info/METADATA", "");
        scratch_put("/opt/venv/lib/python3.11/site-packages/nvidia/cublas/lib/x", "");
        scratch_put("/home/me/conda/envs/llm/lib/python3.11/site-packages/nvidia/cublas/lib/x", "");
        scratch_put("/home/me/conda/envs/llm/lib/python3.11/site-packages/nvidia_cublas_cu12-4.5.6.dist-info/METADATA", "");
        scratch_put("/root/other/lib/python3.11/site-packages/nvidia_cublas_cu12-7.dist-info/METADATA", "");
        put_link("/opt/venv/lib64", "lib");
        ck_assert_int_eq(python_cublas(&node, &found, &n), 0);
        ck_assert_uint_eq(n, 3);
        ck_assert_str_eq(found[0].place, "/usr/lib/python3.9/site-packages");
        ck_assert_str_eq(found[0].version, "1.2.3");
        ck_assert_str_eq(found[1].place, "/opt/venv/lib/python3.11/site-packages");
        ck_assert_ptr_null(found[1].version);
        ck_assert_str_eq(found[2].version, "4.5.6");
        python_libraries_free(found, n);
}
END_TEST

START_TEST(remote_folders) {
        char text[] = "/dev/vda1 / ext4 rw 0 0\nserver:/x /home nfs4 rw,hard 0 0\n\nx\nfuse /mnt/s3 fuse.s3fs rw 0 0\ntmpfs /run tmpfs rw 0 0\nnas /data nfs";
        _cleanup_strv_ char **folders = NULL;
        _cleanup_free_ char *joined = NULL;

        ck_assert_int_eq(remote_folders_parse(text, &folders), 0);
        joined = strv_join(folders, " ");
        ck_assert_str_eq(joined, "/home /mnt/s3 /data");
}
END_TEST

START_TEST(modules_of_a_kernel) {
        _cleanup_kernel_modules_ KernelModules m = {}, none = {};

        scratch_put("/lib/modules/k/modules.dep", "kernel/a/one.ko.xz: kernel/a/two.ko.xz\nkernel/a/three-four.ko:\nx/notfive.ko.gz:\n");
        scratch_put("/lib/modules/k/modules.builtin", "kernel/a/six.ko\nkernel/a/seven.ko\n");
        ck_assert_int_eq(kernel_modules_load(&node, "k", &m), 0);
        ck_assert_int_eq(kernel_modules_find(&m, "one"), MODULE_FILE);
        ck_assert_int_eq(kernel_modules_find(&m, "two"), MODULE_FILE);
        ck_assert_int_eq(kernel_modules_find(&m, "three_four"), MODULE_FILE);
        ck_assert_int_eq(kernel_modules_find(&m, "five"), MODULE_ABSENT);
        ck_assert_int_eq(kernel_modules_find(&m, "on"), MODULE_ABSENT);
        ck_assert_int_eq(kernel_modules_find(&m, "seven"), MODULE_BUILTIN);
        ck_assert_int_eq(kernel_modules_load(&node, "../k", &none), 0);
        ck_assert_int_eq(kernel_modules_find(&none, "one"), MODULE_UNKNOWN);
}
END_TEST

START_TEST(denials) {
        static const char text[] =
                "type=AVC msg=audit(1000.5:1): avc:  denied  { read } for  pid=1 comm=\"nvidia-smi\" name=\"x\"\n"
                "type=AVC msg=audit(2000.5:2): avc:  denied  { read } for  pid=1 comm=\"nvidia-persiste\" name=\"x\"\n"
                "type=AVC msg=audit(2001.5:3): avc:  granted  { read } for  pid=1 comm=\"nvidia-smi\" name=\"x\"\n"
                "type=AVC msg=audit(2002.5:4): avc:  denied  { read } for  pid=1 comm=\"httpd\" name=\"x\"\n"
                "type=SYSCALL msg=audit(2003.5:5): denied comm=\"nvidia-smi\"\n"
                "type=AVC msg=audit(2004.5:6): avc:  denied  { open } for  pid=1 comm=\"python3\" path=\"/dev/nvidia0\"";
        Denials d = {};

        ck_assert_int_eq(denials_parse(text, 1500, &d), 0);
        ck_assert_uint_eq(d.n, 2);
        ck_assert_str_eq(d.comm, "python3");
        free(d.comm);
        d = (Denials){};
        ck_assert_int_eq(denials_load(&node, &d), -ENOENT);
        scratch_put("/var/log/audit/audit.log", text);
        scratch_put("/proc/stat", "cpu 1\nintr 1\nbtime 2004\nprocesses 1\n");
        ck_assert_int_eq(denials_load(&node, &d), 0);
        ck_assert_uint_eq(d.n, 1);
        free(d.comm);
}
END_TEST

START_TEST(pool_sizes) {
        static const struct { const char *line; uint64_t mib; } cases[] = {
                { "6,1,0,-;software IO TLB: mapped [mem 0x000000f800000000-0x000000fa00000000] (8192MB)", 8192 },
                { "software IO TLB: mapped [mem 0x0-0x1] (64MB)", 64 },
                { "software IO TLB: mapped [mem 0x0-0x1] (MB)", 0 },
                { "software IO TLB: mapped [mem 0x0-0x1] (-1MB)", 0 },
                { "software IO TLB: mapped [mem 0x0-0x1] (99999999999999999999MB)", 0 },
                { "software IO TLB: Cannot allocate buffer", 0 },
                { "", 0 },
        };
        SwiotlbPool pool = {};

        for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
                uint64_t mib = 0;

                ck_assert_int_eq(swiotlb_line_parse(cases[i].line, &mib), cases[i].mib > 0 ? 0 : -ENOENT);
                ck_assert_uint_eq(mib, cases[i].mib);
        }
        ck_assert_int_eq(swiotlb_pool(&node, &pool), -ENOENT);
        _cleanup_text_ Text t = {};
        for (unsigned i = 0; i < 5000; i++)
                text_printf(&t, "6,%u,0,-;a message, one of many\n", i);
        text_append(&t, "6,5000,0,-;software IO TLB: mapped [mem 0x0-0x1] (32MB)\n");
        scratch_put_bytes("/dev/kmsg", t.data, t.size);
        ck_assert_int_eq(swiotlb_pool(&node, &pool), 0);
        ck_assert_uint_eq(pool.mib, 32);
        ck_assert_str_eq(pool.source, "kernel log");
        scratch_put("/sys/kernel/debug/swiotlb/io_tlb_nslabs", "2048\n");
        ck_assert_int_eq(swiotlb_pool(&node, &pool), 0);
        ck_assert_uint_eq(pool.mib, 4);
        scratch_put("/sys/kernel/debug/swiotlb/io_tlb_nslabs", "many\n");
        ck_assert_int_eq(swiotlb_pool(&node, &pool), 0);
        ck_assert_uint_eq(pool.mib, 32);
}
END_TEST

START_TEST(nobody_makes_us_wait) {
        _cleanup_free_ char *pipe = format("%s/pipe", scratch);
        char *text = NULL;

        ck_assert_int_eq(mkfifo(pipe, 0600), 0);
        ck_assert_int_eq(node_read(&node, "/pipe", 10, &text, NULL), -EINVAL);
        ck_assert_int_eq(node_read_head(&node, "/pipe", 10, &text, NULL), -EINVAL);
        scratch_put("/long", "0123456789");
        ck_assert_int_eq(node_read_head(&node, "/long", 4, &text, NULL), 0);
        same(text, "0123");
}
END_TEST

int main(void) {
        Suite *suite = suite_create("installed");
        TCase *t = tcase_create("installed");

        tcase_add_checked_fixture(t, scratch_begin, scratch_end);
        tcase_add_test(t, versions_of_links);
        tcase_add_test(t, version_json);
        tcase_add_test(t, versions_in_programs);
        tcase_add_test(t, python_environments);
        tcase_add_test(t, remote_folders);
        tcase_add_test(t, modules_of_a_kernel);
        tcase_add_test(t, denials);
        tcase_add_test(t, pool_sizes);
        tcase_add_test(t, nobody_makes_us_wait);
        suite_add_tcase(suite, t);
        return run_suite(suite);
}
