/* SPDX-License-Identifier: Apache-2.0 */
/* A root on which everything is right; then one thing after the other is not. */
#include <time.h>

#include "node/boot-entries.h"
#include "node/metadata.h"
#include "node/status.h"
#include "scratch-root.h"
#include "run.h"

#define KERNEL "5.10.1-1.al8.x86_64"
#define NEXT_KERNEL "5.10.1-2.al8.x86_64"
#define DRIVER "321.45.06"

static const char release[] =
        "[Release]\nProfile=eight\nVersion=" DRIVER "\nSummary=a test\nDate=2025-02-03\n"
        "[Platform]\nRegion=r-1\nZone=r-1-a\nInstanceType=ecs.gn8v-tee-test\nMinimumKernel=5.10.1-1\nPackage=openssl3\n"
        "[Kernel]\nArgument=swiotlb=2048,any\n"
        "[Module nvidia]\nSoftDependency=ecdsa_generic ecdh_generic\nOption=NVreg_RegistryDwords=\"Test=0x1\"\nInitramfs=ecdsa_generic ecdh_generic\nBlacklist=nouveau\n"
        "[Persistenced]\nOptions=--user root\nAfter=nvidia-fabricmanager.service\n"
        "[Clients]\nUnit=client.service\n"
        "[Expect]\nGPUs=2\nNVSwitches=1\nMode=protected-pcie\nDevTools=off\n"
        "[Artifact driver]\nKind=driver\nVersion=" DRIVER "\nURL=https://h.example/D.run\nSHA256=first-use\nLicence=LicenseRef-X\nRedistributable=no\n"
        "[Artifact cuda]\nKind=cuda\nVersion=1.2.3\nURL=https://h.example/C.run\nSHA256=first-use\nLicence=LicenseRef-X\nRedistributable=no\n"
        "[Artifact cublas]\nKind=cublas\nVersion=1.2.3.4\nURL=https://h.example/nvidia_cublas_cu1-1.2.3.4-py3-none-any.whl\nSHA256=first-use\n"
        "Licence=LicenseRef-X\nRedistributable=no\n"
        "[Artifact key]\nKind=key\nURL=https://h.example/k.pub\nSHA256=first-use\nFingerprint=0123456789ABCDEF0123456789ABCDEF01234567\n"
        "Licence=LicenseRef-X\nRedistributable=yes\n"
        "[Artifact fm]\nKind=rpm\nPackage=nvidia-fabric-manager\nVersion=" DRIVER "\nURL=https://h.example/nvidia-fabric-manager-" DRIVER "-1.x86_64.rpm\n"
        "SHA256=first-use\nSigner=0123456789ABCDEF0123456789ABCDEF01234567\nLicence=LicenseRef-X\nRedistributable=no\n"
        "[Artifact nscq]\nKind=rpm\nPackage=libnvidia-nscq-321\nVersion=" DRIVER "\nURL=https://h.example/libnvidia-nscq-321-" DRIVER "-1.x86_64.rpm\n"
        "SHA256=first-use\nSigner=0123456789ABCDEF0123456789ABCDEF01234567\nLicence=LicenseRef-X\nRedistributable=no\n";

static void put_link(const char *path, const char *target) {
        _cleanup_free_ char *full = format("%s%s", scratch, path);

        (void) unlink(full);
        ck_assert_int_eq(symlink(target, full), 0);
}

static void put_type(const char *type, const char *zone) {
        _cleanup_free_ char *text = format("{\"boot\": \"boot-1\", \"url\": \"http://100.100.100.200\", \"instance-type\": \"%s\", "
                                           "\"region-id\": \"r-1\", \"zone-id\": \"%s\"}", type, zone);

        scratch_put(METADATA_CACHE_PATH, text);
}

static void put_machine(void) {
        put_type("ecs.gn8v-tee-test", "r-1-a");
        scratch_put("/proc/sys/kernel/random/boot_id", "boot-1\n");
        scratch_put("/proc/sys/kernel/osrelease", KERNEL "\n");
        scratch_put("/proc/cmdline", "ro swiotlb=2048,any\n");
        scratch_put("/proc/cpuinfo", "flags\t\t: fpu tdx_guest vme\n");
        scratch_put("/dev/tdx_guest", "");
        scratch_put("/dev/kmsg", "6,1,0,-;software IO TLB: mapped [mem 0x0-0x1] (4MB)\n");
        scratch_put("/sys/class/net/eth0/device/vendor", "");
        scratch_put("/sys/class/net/docker0/address", "");
        scratch_put("/sys/block/vda/device/vendor", "");
        scratch_put("/sys/block/vda/size", "100\n");
        scratch_put("/sys/block/loop0/size", "100\n");
        scratch_put("/sys/fs/x", "");
        scratch_put("/lib/modules/" KERNEL "/modules.dep", "kernel/crypto/ecdsa_generic.ko.xz:\n");
        scratch_put("/lib/modules/" KERNEL "/modules.builtin", "kernel/crypto/ecdh_generic.ko\n");
        scratch_put("/sys/module/ecdsa_generic/refcnt", "1");
        scratch_put("/sys/module/nvidia/version", DRIVER "\n");
        scratch_put("/proc/driver/nvidia/version", "NVRM version: NVIDIA UNIX Open Kernel Module for x86_64  " DRIVER "\n");
        scratch_put("/proc/driver/nvidia/params", "ModifyDeviceFiles: 1\nRegistryDwords: \"Test=0x1\"\n");
        scratch_put("/proc/driver/nvidia/gpus/0000:01:00.0/information", "");
        scratch_put("/proc/driver/nvidia/gpus/0000:02:00.0/information", "");
        scratch_put(BOOT_ENTRIES_DIR "/a.conf", "title A\nversion " KERNEL "\nlinux /vmlinuz-" KERNEL "\noptions ro swiotlb=2048,any\n");
}

static void put_packages(void) {
        static const char *const libraries[] = { "libcuda.so", "libnvidia-ml.so" };

        scratch_put(RELEASE_INSTALLED_PATH, release);
        for (size_t i = 0; i < ELEMENTSOF(libraries); i++) {
                _cleanup_free_ char *file = format("/usr/lib64/%s." DRIVER, libraries[i]), *link = format("/usr/lib64/%s.1", libraries[i]);

                scratch_put(file, "");
                put_link(link, path_basename(file));
        }
        scratch_put("/usr/lib64/libnvidia-nscq.so." DRIVER, "");
        put_link("/usr/lib64/libnvidia-nscq.so.2", "libnvidia-nscq.so." DRIVER);
        scratch_put("/usr/lib64/libcrypto.so.3", "");
        scratch_put("/usr/bin/nv-fabricmanager", "ELF " DRIVER " ");
        scratch_put("/usr/local/cuda-1.2/version.json", "{\"cuda\": {\"version\": \"1.2.3\"}}");
        scratch_put("/usr/lib64/gn8v-tee/cublas-1-2/lib/libcublas.so.1", "");
        scratch_put("/usr/share/gn8v-tee/constraints.txt", "# x\nnvidia-cublas-cu1==1.2.3.4\n");
        scratch_put("/lib/modules/" KERNEL "/extra/nvidia.ko.xz", "");
        scratch_put("/var/lib/dkms/nvidia/x", "");
        put_link("/var/lib/dkms/nvidia/kernel-" KERNEL "-x86_64", DRIVER "/" KERNEL "/x86_64");
        scratch_put("/usr/lib/systemd/system/nvidia-persistenced.service", "[Unit]\nAfter=nvidia-fabricmanager.service\n[Install]\nWantedBy=x\n");
        scratch_put("/usr/lib/systemd/system/nvidia-fabricmanager.service", "[Install]\nWantedBy=x\n");
        scratch_put("/usr/lib/systemd/system/client.service.d/a.conf", "[Unit]\nAfter=nvidia-persistenced.service\n");
        scratch_put("/etc/systemd/system/multi-user.target.wants/x", "");
        put_link("/etc/systemd/system/multi-user.target.wants/nvidia-persistenced.service", "/x");
        put_link("/etc/systemd/system/multi-user.target.wants/nvidia-fabricmanager.service", "/x");
}

static Status status;

static void begin(void) {
        scratch_begin();
        ck_assert_int_eq(unsetenv("GN8V_TEE_METADATA_URL"), 0);
        put_machine();
        put_packages();
}

static void end(void) {
        status_free(&status);
        scratch_end();
}

static void look(void) {
        _cleanup_error_ Error e = ERROR_INIT;
        _cleanup_node_ Node n = { .root_fd = -1 };

        status_free(&status);
        ck_assert_int_eq(node_open(&n, scratch, &e), 0);
        ck_assert_msg(status_make(&n, &status, &e) == 0, "%s", e.message);
}

static const StatusRow *row(const char *name) {
        for (size_t i = 0; i < status.n; i++)
                if (streq(status.rows[i].name, name))
                        return &status.rows[i];
        return NULL;
}

/* After another look. next: a part of its sentence; NULL: it has none. */
static void is(const char *name, RowState state, const char *next) {
        const StatusRow *r;

        look();
        r = row(name);
        ck_assert_msg(r != NULL, "no row %s", name);
        ck_assert_msg(r->state == state, "%s: %s: %s", name, row_state_to_string(r->state), r->found);
        if (next)
                ck_assert_msg(r->next && strstr(r->next, next), "%s: %s", name, r->next);
        else
                ck_assert_msg(!r->next, "%s: %s", name, r->next);
}

static void root_remove(const char *path) {
        ck_assert_int_eq(remove_tree(node.root_fd, path + 1), 0);
}

START_TEST(all_is_right) {
        look();
        for (size_t i = 0; i < status.n; i++) {
                const StatusRow *r = &status.rows[i];

                ck_assert_msg(r->state == ROW_OK || (r->state == ROW_UNKNOWN && streq(r->group, "services")) || streq(r->group, "gpu"), "%s: %s: %s, %s", r->group,
                              r->name, row_state_to_string(r->state), r->found);
                ck_assert_msg((r->state == ROW_OK) == !r->next, "%s: %s", r->name, r->next);
        }
        ck_assert_int_eq(status.code, EXIT_OK);
        ck_assert_ptr_null(status.next);
        ck_assert_str_eq(status.release, "eight-" DRIVER);
}
END_TEST

START_TEST(no_two_rows_of_one_name) {
        look();
        for (size_t i = 0; i < status.n; i++)
                for (size_t k = 0; k < i; k++)
                        ck_assert_msg(!streq(status.rows[i].group, status.rows[k].group) || !streq(status.rows[i].name, status.rows[k].name), "%s",
                                      status.rows[i].name);
}
END_TEST

START_TEST(instance) {
        put_type("ecs.gn8v-tee-other", "r-1-a");
        is("instance type", ROW_FAIL, "create an instance of type ecs.gn8v-tee-test, or install the other profile");
        ck_assert_ptr_nonnull(strstr(status.next, "ecs.gn8v-tee-other cannot run"));
        put_type("ecs.gn8v-tee-test", "r-1-b");
        is("zone", ROW_WARN, "known to work in r-1-a");
        is("region", ROW_OK, NULL);
        scratch_put(METADATA_CACHE_PATH, "{");
        is("instance type", ROW_UNKNOWN, "metadata service");
        scratch_put("/sys/class/net/eth1/device/vendor", "");
        is("network interfaces", ROW_WARN, "detach every secondary ENI");
        ck_assert_str_eq(row("network interfaces")->found, "2: eth0 eth1");
        scratch_put("/sys/block/nvme0n1/device/vendor", "");
        scratch_put("/sys/block/nvme0c0n1/device/vendor", "");
        scratch_put("/sys/block/nvme0c0n1/hidden", "1\n");
        scratch_put("/sys/block/sr0/device/vendor", "");
        is("disks", ROW_WARN, "detach every data disk");
        ck_assert_str_eq(row("disks")->found, "2: nvme0n1 vda");
        scratch_put("/proc/sys/kernel/osrelease", "5.10.1-0.al8.x86_64\n");
        is("kernel running", ROW_PENDING, "reboot"); /* what boots is new enough */
        ck_assert_str_eq(status.next, "reboot");
        scratch_put(BOOT_ENTRIES_DIR "/a.conf", "title A\nversion 5.10.1-0.al8.x86_64\nlinux /vmlinuz-5.10.1-0.al8.x86_64\noptions ro swiotlb=2048,any\n");
        is("kernel running", ROW_FAIL, "yum update kernel");
        scratch_put("/proc/sys/kernel/osrelease", KERNEL "\n");
        is("kernel running", ROW_OK, NULL);
        is("reboot", ROW_WARN, "grubby --set-default=/boot/vmlinuz-" KERNEL);
        root_remove("/proc/driver/nvidia/gpus/0000:02:00.0");
        is("GPUs", ROW_FAIL, "open a ticket");
        scratch_put("/proc/driver/nvidia/gpus/0000:02:00.0/information", "");
        scratch_put("/proc/driver/nvidia/gpus/0000:03:00.0/information", "");
        is("GPUs", ROW_FAIL, "install the other profile");
        root_remove("/proc/sys/kernel/osrelease");
        is("kernel running", ROW_UNKNOWN, "boot this system");
}
END_TEST

START_TEST(tdx) {
        root_remove("/dev/tdx_guest");
        is("/dev/tdx_guest", ROW_WARN, "modprobe tdx_guest");
        scratch_put("/proc/cpuinfo", "flags\t\t: fpu xtdx_guest tdx_guestx\n");
        is("TDX guest", ROW_FAIL, "open a ticket");
        put_type("ecs.plain", "z");
        is("TDX guest", ROW_FAIL, "create an instance");
        root_remove("/proc/cpuinfo");
        is("TDX guest", ROW_UNKNOWN, "boot");
}
END_TEST

START_TEST(argument) {
        scratch_put("/dev/kmsg", "6,1,0,-;software IO TLB: mapped [mem 0x0-0x1] (1MB)\n");
        is("swiotlb pool", ROW_FAIL, "did not make the pool");
        scratch_put("/proc/sys/kernel/osrelease", "6.1.0-generic\n");
        is("swiotlb pool", ROW_FAIL, "does not know \"any\"");
        scratch_put("/proc/cmdline", "ro swiotlb=1024,any\n");
        is("swiotlb running", ROW_PENDING, "reboot");
        is("swiotlb pool", ROW_PENDING, "reboot");
        ck_assert_ptr_nonnull(strstr(row("reboot")->found, "was not given"));
        root_remove("/dev/kmsg");
        is("swiotlb pool", ROW_UNKNOWN, "boot");
        scratch_put("/sys/kernel/debug/memblock", "");
        is("swiotlb pool", ROW_PENDING, "reboot");
        ck_assert_ptr_nonnull(strstr(row("swiotlb pool")->found, "0 MiB"));
        scratch_put(BOOT_ENTRIES_DIR "/a.conf", "title A\nversion " KERNEL "\nlinux /vmlinuz-" KERNEL "\noptions ro\n");
        is("swiotlb configured", ROW_FAIL, "gn8v-tee apply");
        scratch_put_bytes(BOOT_ENTRIES_DIR "/a.conf", "title\0x\n", 8);
        is("swiotlb configured", ROW_FAIL, "not a text file");
}
END_TEST

START_TEST(crypto) {
        scratch_put("/lib/modules/" KERNEL "/modules.dep", "x\n");
        is("ecdsa_generic in the running kernel", ROW_FAIL, "yum install kernel-modules-" KERNEL);
        root_remove("/lib/modules/" KERNEL "/modules.dep");
        is("ecdsa_generic in the running kernel", ROW_UNKNOWN, "depmod");
        is("ecdh_generic in the running kernel", ROW_OK, NULL);
        root_remove("/sys/module/ecdsa_generic");
        is("ecdsa_generic loaded", ROW_FAIL, "reboot");
        is("ecdh_generic loaded", ROW_OK, NULL);
        root_remove("/sys/module/nvidia");
        is("ecdsa_generic loaded", ROW_PENDING, "with the driver");
        scratch_put(BOOT_ENTRIES_DIR "/a.conf", "title A\nversion " NEXT_KERNEL "\nlinux /vmlinuz-" NEXT_KERNEL "\noptions ro swiotlb=2048,any\n");
        scratch_put("/lib/modules/" NEXT_KERNEL "/modules.dep", "kernel/crypto/ecdh_generic.ko:\n");
        is("ecdsa_generic in the next kernel", ROW_FAIL, "yum install");
        is("ecdh_generic in the next kernel", ROW_OK, NULL);
}
END_TEST

/* The journal's record of the image that is there now, with these modules in it. */
static void put_record(const char *modules) {
        _cleanup_free_ char *text = NULL;
        struct stat st;

        ck_assert_int_eq(node_stat(&node, "/boot/initramfs-" KERNEL ".img", &st), 0);
        text = format("{\"version\": 1, \"release\": null, \"entries\": [{\"id\": \"initramfs:" KERNEL "\", \"state\": \"applied\", \"before\": {}, "
                      "\"after\": {\"image\": {\"size\": %lld, \"seconds\": %lld, \"nanoseconds\": %ld, \"modules\": [%s]}}, "
                      "\"time\": \"2025-01-01T00:00:00Z\"}]}", (long long) st.st_size, (long long) st.st_mtim.tv_sec, st.st_mtim.tv_nsec, modules);
        scratch_put(NODE_JOURNAL_PATH, text);
}

START_TEST(initramfs) {
        static const struct timespec later[2] = { { .tv_sec = 4000000000, .tv_nsec = 5 }, { .tv_sec = 4000000000, .tv_nsec = 5 } };

        scratch_put("/usr/lib/dracut/dracut.conf.d/50-gn8v-tee.conf", "x");
        scratch_put(BOOT_ENTRIES_DIR "/a.conf", "title A\nversion " KERNEL "\nlinux /vmlinuz-" KERNEL "\ninitrd /initramfs-" KERNEL ".img\n"
                                                "options ro swiotlb=2048,any\n");
        is("initramfs of " KERNEL, ROW_FAIL, "gn8v-tee apply");
        scratch_put("/boot/initramfs-" KERNEL ".img", "image");
        ck_assert_int_eq(utimensat(node.root_fd, "boot/initramfs-" KERNEL ".img", later, 0), 0);
        is("initramfs of " KERNEL, ROW_OK, NULL);
        is("modules in the initramfs of " KERNEL, ROW_UNKNOWN, "lsinitrd");
        put_record("\"ecdsa_generic\"");
        is("modules in the initramfs of " KERNEL, ROW_OK, NULL);
        put_record("\"other\"");
        is("modules in the initramfs of " KERNEL, ROW_FAIL, "yum install kernel-modules-" KERNEL);
        ck_assert_str_eq(row("modules in the initramfs of " KERNEL)->found, "without ecdsa_generic");
        scratch_put("/boot/initramfs-" KERNEL ".img", "another");
        ck_assert_int_eq(utimensat(node.root_fd, "boot/initramfs-" KERNEL ".img", later, 0), 0);
        is("modules in the initramfs of " KERNEL, ROW_UNKNOWN, "lsinitrd");
}
END_TEST

START_TEST(driver) {
        scratch_put("/proc/driver/nvidia/version", "NVRM version: NVIDIA UNIX x86_64 Kernel Module  " DRIVER "\n");
        is("kernel modules", ROW_FAIL, "open modules");
        scratch_put("/proc/driver/nvidia/params", "RegistryDwords: \"\"\n");
        is("NVreg_RegistryDwords", ROW_PENDING, "reboot");
        scratch_put("/proc/driver/nvidia/params", "RegistryDwords: Test=0x1\n");
        is("NVreg_RegistryDwords", ROW_OK, NULL);
        scratch_put("/proc/driver/nvidia/params", "Other: 1\n");
        is("NVreg_RegistryDwords", ROW_UNKNOWN, "modprobe --showconfig");
        scratch_put("/sys/module/nouveau/refcnt", "1");
        is("nouveau", ROW_PENDING, "reboot");
        scratch_put("/sys/module/nvidia/version", "321.1.1\n");
        is("driver loaded", ROW_PENDING, "reboot");
        is("driver and libraries", ROW_PENDING, "reboot");
        ck_assert_ptr_nonnull(strstr(row("driver and libraries")->found, "Driver/library version mismatch"));
        put_link("/usr/lib64/libcuda.so.1", "libcuda.so.9.9.9");
        scratch_put("/usr/lib64/libcuda.so.9.9.9", "");
        is("libcuda", ROW_FAIL, "yum reinstall gn8v-tee-driver-321: another");
        root_remove("/sys/module/nvidia");
        is("driver loaded", ROW_FAIL, "modprobe nvidia");
        root_remove("/sys/module");
        is("driver loaded", ROW_UNKNOWN, "boot");
}
END_TEST

START_TEST(software) {
        scratch_put("/usr/local/cuda-1.2/version.json", "{\"cuda\": {\"version\": \"1.2.20230823\"}}");
        is("CUDA", ROW_OK, NULL);
        scratch_put("/usr/local/cuda-1.2/version.json", "{\"cuda\": {\"version\": \"1.2.4\"}}");
        is("CUDA", ROW_FAIL, "yum reinstall gn8v-tee-cuda-1-2");
        scratch_put("/usr/local/cuda-1.2/version.json", "{");
        is("CUDA", ROW_UNKNOWN, "nvcc --version");
        scratch_put("/usr/local/cuda-1.2/targets/x86_64-linux/lib/libcudart.so.1.9.99", "");
        put_link("/usr/local/cuda-1.2/targets/x86_64-linux/lib/libcudart.so.1", "libcudart.so.1.9.99");
        is("CUDA", ROW_FAIL, "another installer");
        scratch_put("/usr/local/cuda-1.2/targets/x86_64-linux/lib/libcudart.so.1.2.99", "");
        put_link("/usr/local/cuda-1.2/targets/x86_64-linux/lib/libcudart.so.1", "libcudart.so.1.2.99");
        is("CUDA", ROW_OK, NULL);
        root_remove("/usr/local/cuda-1.2");
        is("CUDA", ROW_FAIL, "yum reinstall gn8v-tee-cuda-1-2");
        scratch_put("/opt/v/lib/python3.11/site-packages/nvidia/cublas/lib/x", "");
        is("cuBLAS in /opt/v/lib/python3.11/site-packages", ROW_UNKNOWN, "pip install -c");
        scratch_put("/opt/v/lib/python3.11/site-packages/nvidia_cublas_cu1-1.2.9.dist-info/x", "");
        is("cuBLAS in /opt/v/lib/python3.11/site-packages", ROW_WARN, "pip install -c");
        scratch_put("/usr/share/gn8v-tee/constraints.txt", "nvidia-cublas-cu1==9\n");
        is("cuBLAS", ROW_FAIL, "yum reinstall gn8v-tee-cublas-1-2");
        scratch_put("/usr/bin/nv-fabricmanager", "ELF 321.99.06 ");
        is("FabricManager", ROW_FAIL, "yum install nvidia-fabric-manager-" DRIVER);
        ck_assert_str_eq(row("FabricManager")->found, "321.99.06");
        scratch_put("/usr/bin/nv-fabricmanager", "ELF");
        is("FabricManager", ROW_UNKNOWN, "rpm -q nvidia-fabric-manager");
        scratch_put("/var/log/fabricmanager.log", "[INFO] Fabric Manager version is : 321.1.1\n[INFO] Fabric Manager version is : " DRIVER "\n[INFO] x\n");
        is("FabricManager", ROW_OK, NULL);
        root_remove("/usr/bin/nv-fabricmanager");
        is("FabricManager", ROW_FAIL, "yum install");
        root_remove("/usr/lib64/libnvidia-nscq.so.2");
        is("NSCQ", ROW_FAIL, "yum install libnvidia-nscq-321-" DRIVER);
        root_remove("/usr/lib64/libcrypto.so.3");
        is("OpenSSL 3", ROW_FAIL, "yum install openssl3");
}
END_TEST

START_TEST(services) {
        root_remove("/etc/systemd/system/multi-user.target.wants/nvidia-persistenced.service");
        is("nvidia-persistenced.service", ROW_FAIL, "gn8v-tee apply");
        scratch_put("/usr/lib/systemd/system/nvidia-persistenced.service", "[Install]\nWantedBy=x\n");
        is("nvidia-persistenced.service after nvidia-fabricmanager.service", ROW_FAIL, "reinstall gn8v-tee-eight");
        root_remove("/usr/lib/systemd/system/client.service.d");
        is("client.service", ROW_FAIL, "gn8v-tee apply");
        scratch_put(NODE_JOURNAL_PATH, "{\"version\": 1, \"release\": null, \"entries\": [{\"id\": \"pause:client.service\", \"state\": \"applied\", "
                                       "\"before\": {}, \"after\": {}, \"time\": \"2025-01-01T00:00:00Z\"}]}");
        is("client.service running", ROW_PENDING, "reboot");
}
END_TEST

START_TEST(system_rows) {
        scratch_put("/sys/fs/selinux/enforce", "1");
        is("SELinux", ROW_UNKNOWN, "journalctl");
        scratch_put("/var/log/audit/audit.log", "");
        is("SELinux", ROW_OK, NULL);
        scratch_put("/var/log/audit/audit.log", "type=AVC msg=audit(9.1:1): avc:  denied  { x } for comm=\"nvidia-smi\"\n");
        is("SELinux", ROW_WARN, "restorecon");
        ck_assert_str_eq(row("SELinux")->found, "enforcing: 1 denied, the last one to nvidia-smi");
        scratch_put(BOOT_ENTRIES_DIR "/a.conf", "title A\nversion " NEXT_KERNEL "\nlinux /vmlinuz-" NEXT_KERNEL "\noptions ro swiotlb=2048,any\n");
        is("reboot", ROW_WARN, "when it suits");
}
END_TEST

static void put_verdict(const char *result, int64_t age, int gpus) {
        _cleanup_free_ char *at = time_to_text((int64_t) time(NULL) - age),
                            *text = format("{\"time\": \"%s\", \"result\": \"%s\", \"gpus\": %d, \"switches\": 1}", at, result, gpus);

        scratch_put("/var/lib/gn8v-tee/attestation.json", text);
}

static void put_verdict_of(const char *boot, const char *devices) {
        _cleanup_free_ char *at = time_to_text((int64_t) time(NULL)),
                            *text = format("{\"time\": \"%s\", \"boot_id\": \"%s\", \"result\": \"trusted\", \"gpus\": 2, \"switches\": 1, \"devices\": %s}", at, boot, devices);

        scratch_put("/var/lib/gn8v-tee/attestation.json", text);
}

START_TEST(attestation) {
        look();
        for (size_t i = 0; i < status.n; i++)
                ck_assert_str_ne(status.rows[i].name, "attestation");
        scratch_put("/proc/stat", "cpu 1\nbtime 1000\n");
        put_verdict("trusted", 600, 2);
        is("attestation", ROW_OK, NULL);
        ck_assert_str_eq(row("attestation")->found, "trusted, 10 min ago: 2 GPUs, 1 NVSwitches");
        put_verdict("trusted", 600, 1);
        is("attestation", ROW_WARN, "other devices than the release expects");
        put_verdict("not trusted", 600, 2);
        is("attestation", ROW_FAIL, "do not give these GPUs any secret");
        scratch_put("/proc/stat", "cpu 1\nbtime 99999999999\n");
        put_verdict("trusted", 600, 2);
        is("attestation", ROW_WARN, "before this boot");
        /* What the boot is called says more than the clock. */
        put_verdict_of("this-boot", "[{\"name\": \"GPU-0\", \"kind\": \"HOPPER\"}, {\"name\": \"GPU-1\", \"kind\": \"HOPPER\"}, {\"name\": \"SWITCH-0\", \"kind\": \"LS10\"}]");
        scratch_put("/proc/sys/kernel/random/boot_id", "this-boot\n");
        is("attestation", ROW_OK, NULL);
        ck_assert_str_eq(row("attestation")->found, "trusted, 0 s ago: 2 GPUs (HOPPER), 1 NVSwitches (LS10)");
        scratch_put("/proc/stat", "cpu 1\nbtime 1000\n");
        scratch_put("/proc/sys/kernel/random/boot_id", "next-boot\n");
        is("attestation", ROW_WARN, "before this boot");
        put_verdict_of("next-boot", "[{\"name\": 1}, 2, {\"name\": \"GPU-1\", \"kind\": \"HOPPER\"}, {\"name\": \"GPU-1\"}]");
        is("attestation", ROW_OK, NULL);
        ck_assert_ptr_nonnull(strstr(row("attestation")->found, ": 2 GPUs, 1 NVSwitches"));
        scratch_put("/var/lib/gn8v-tee/attestation.json", "{");
        is("attestation", ROW_WARN, "gn8v-tee attest");
}
END_TEST

START_TEST(foreign_words_are_cleaned) {
        scratch_put("/proc/sys/kernel/osrelease", "6.1\033[2J\xff\xc3\xa4 \xc2\x9b\n");
        look();
        ck_assert_str_eq(row("kernel running")->found, "6.1?[2J?\xc3\xa4 ??");
}
END_TEST

START_TEST(without_a_release) {
        root_remove(RELEASE_INSTALLED_PATH);
        is("release", ROW_FAIL, "yum install gn8v-tee-single");
        ck_assert_int_eq(status.code, EXIT_DIFFERS);
        ck_assert_ptr_nonnull(strstr(status.next, "yum install"));
}
END_TEST

START_TEST(broken_files_are_errors) {
        static const char *const paths[] = { RELEASE_INSTALLED_PATH, NODE_JOURNAL_PATH };

        for (size_t i = 0; i < ELEMENTSOF(paths); i++) {
                _cleanup_error_ Error e = ERROR_INIT;
                _cleanup_node_ Node n = { .root_fd = -1 };

                scratch_put(RELEASE_INSTALLED_PATH, release);
                scratch_put(paths[i], "{ no");
                ck_assert_int_eq(node_open(&n, scratch, &e), 0);
                ck_assert_int_lt(status_make(&n, &status, &e), 0);
                ck_assert_int_eq(e.code, EXIT_INVALID);
                ck_assert_ptr_nonnull(strstr(e.message, paths[i]));
        }
}
END_TEST

int main(void) {
        Suite *suite = suite_create("status");
        TCase *t = tcase_create("status");

        tcase_add_checked_fixture(t, begin, end);
        tcase_add_test(t, all_is_right);
        tcase_add_test(t, no_two_rows_of_one_name);
        tcase_add_test(t, instance);
        tcase_add_test(t, tdx);
        tcase_add_test(t, argument);
        tcase_add_test(t, crypto);
        tcase_add_test(t, initramfs);
        tcase_add_test(t, driver);
        tcase_add_test(t, software);
        tcase_add_test(t, services);
        tcase_add_test(t, system_rows);
        tcase_add_test(t, foreign_words_are_cleaned);
        tcase_add_test(t, attestation);
        tcase_add_test(t, without_a_release);
        tcase_add_test(t, broken_files_are_errors);
        suite_add_tcase(suite, t);
        return run_suite(suite);
}
