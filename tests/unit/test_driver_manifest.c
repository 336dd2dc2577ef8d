/* SPDX-License-Identifier: Apache-2.0 */
#include "repo/driver-manifest.h"
#include "run.h"


#define HEADER "NVIDIA driver\n1.2.3\n1\nnvidia nvidia-uvm\n1\n1\n1\n1\n"

static int parse(const char *entries, DriverManifest **ret, Error *e) {
        _cleanup_free_ char *s = format("%s%s", HEADER, entries);
        return driver_manifest_parse("x.run: .manifest", s, strlen(s), ret, e);
}

/* Every type, as nvidia-installer's sources give, with what a line of it says and where EL8 has the file; "" is nowhere. */
static const struct {
        const char *line, *destination;
} places[] = {
        { "kernel-open/nvidia/nv.c 0644 KERNEL_MODULE_SRC INHERIT_PATH_DEPTH:1", "/usr/src/nvidia-1.2.3/nvidia/nv.c" },
        { "kernel-open/Kbuild 0644 KERNEL_MODULE_SRC INHERIT_PATH_DEPTH:1", "/usr/src/nvidia-1.2.3/Kbuild" },
        { "nvidia.ko 0644 KERNEL_MODULE", "" },
        { "nvidia.icd 0644 CUDA_ICD", "/etc/OpenCL/vendors/nvidia.icd" },
        { "liba.so.1 0755 OPENGL_LIB NATIVE MODULE:gpgpu", "/usr/lib64/liba.so.1" },
        { "32/liba.so.1 0755 OPENGL_LIB COMPAT32", "/usr/lib/liba.so.1" },
        { "nvngx.dll 0644 WINE_LIB NATIVE", "/usr/lib64/nvidia/wine/nvngx.dll" },
        { "libcuda.so.1.2.3 0755 CUDA_LIB NATIVE / MODULE:gpgpu", "/usr/lib64/libcuda.so.1.2.3" },
        { "libocl.so.1 0755 OPENCL_LIB NATIVE /", "/usr/lib64/libocl.so.1" },
        { "libOpenCL.so.1.0 0755 OPENCL_WRAPPER_LIB NATIVE /", "/usr/lib64/libOpenCL.so.1.0" },
        { "libocl.so 0000 OPENCL_LIB_SYMLINK NATIVE / libocl.so.1", "/usr/lib64/libocl.so" },
        { "libOpenCL.so 0000 OPENCL_WRAPPER_SYMLINK NATIVE / libOpenCL.so.1.0", "/usr/lib64/libOpenCL.so" },
        { "libtls.so.1 0755 TLS_LIB NATIVE /", "/usr/lib64/libtls.so.1" },
        { "libml.so.1 0755 UTILITY_LIB NATIVE", "/usr/lib64/libml.so.1" },
        { "nvidia-drm_gbm.so 0755 GBM_BACKEND_LIB NATIVE", "/usr/lib64/gbm/nvidia-drm_gbm.so" },
        { "README.txt 0644 DOCUMENTATION NVIDIA_GLX-1.0", "/usr/share/doc/NVIDIA_GLX-1.0/README.txt" },
        { "html/a.html 0644 DOCUMENTATION NVIDIA_GLX-1.0/html", "/usr/share/doc/NVIDIA_GLX-1.0/html/a.html" },
        { "profiles-rc 0644 APPLICATION_PROFILE x/y", "/usr/share/nvidia/profiles-rc" },
        { "nvidia-smi.1.gz 0644 MANPAGE man1", "/usr/share/man/man1/nvidia-smi.1.gz" },
        { "nvidia.conf 0644 EXPLICIT_PATH /usr/share/dbus-1/system.d", "/usr/share/dbus-1/system.d/nvidia.conf" },
        { "60.rules 0644 EXPLICIT_PATH /lib/udev/rules.d/", "/usr/lib/udev/rules.d/60.rules" },
        { "liba.so 0000 OPENGL_SYMLINK NATIVE liba.so.1", "/usr/lib64/liba.so" },
        { "libcuda.so.1 0000 CUDA_SYMLINK NATIVE / libcuda.so.1.2.3", "/usr/lib64/libcuda.so.1" },
        { "libml.so 0000 UTILITY_LIB_SYMLINK NATIVE libml.so.1", "/usr/lib64/libml.so" },
        { "x_gbm.so 0000 GBM_BACKEND_LIB_SYMLINK NATIVE liballocator.so.1", "/usr/lib64/gbm/x_gbm.so" },
        { "nvidia-installer 0755 INSTALLER_BINARY", "" },
        { "nvidia-smi 0755 UTILITY_BINARY", "/usr/bin/nvidia-smi" },
        { "nvidia-uninstall 0000 UTILITY_BIN_SYMLINK nvidia-installer", "/usr/bin/nvidia-uninstall" },
        { "nvidia-settings.desktop 0644 DOT_DESKTOP /", "/usr/share/applications/nvidia-settings.desktop" },
        { "nvidia.png 0644 ICON 128x128/apps", "/usr/share/icons/hicolor/128x128/apps/nvidia.png" },
        { "nvidia_drv.so 0755 XMODULE_SHARED_LIB drivers", "/usr/lib64/xorg/modules/drivers/nvidia_drv.so" },
        { "libglxserver.so.1 0755 GLX_MODULE_SHARED_LIB extensions", "/usr/lib64/xorg/modules/extensions/libglxserver.so.1" },
        { "libglxserver.so 0000 GLX_MODULE_SYMLINK extensions libglxserver.so.1", "/usr/lib64/xorg/modules/extensions/libglxserver.so" },
        { "libvdpau_nvidia.so.1 0755 VDPAU_LIB NATIVE vdpau", "/usr/lib64/vdpau/libvdpau_nvidia.so.1" },
        { "libvdpau_nvidia.so 0000 VDPAU_SYMLINK NATIVE vdpau libvdpau_nvidia.so.1", "/usr/lib64/vdpau/libvdpau_nvidia.so" },
        { "libnvcuvid.so.1 0755 NVCUVID_LIB NATIVE", "/usr/lib64/libnvcuvid.so.1" },
        { "libnvcuvid.so 0000 NVCUVID_LIB_SYMLINK NATIVE libnvcuvid.so.1", "/usr/lib64/libnvcuvid.so" },
        { "libencode.so.1 0755 ENCODEAPI_LIB NATIVE", "/usr/lib64/libencode.so.1" },
        { "libencode.so 0000 ENCODEAPI_LIB_SYMLINK NATIVE libencode.so.1", "/usr/lib64/libencode.so" },
        { "libvgpucompat.so 0755 VGX_LIB NATIVE MODULE:vgpu", "/usr/lib64/libvgpucompat.so" },
        { "libvgx.so 0000 VGX_LIB_SYMLINK libvgx.so.1", "/usr/lib64/libvgx.so" },
        { "libgrid.so.1 0755 GRID_LIB nvidia/gridd", "/usr/lib64/nvidia/gridd/libgrid.so.1" },
        { "libgrid.so 0000 GRID_LIB_SYMLINK nvidia/gridd libgrid.so.1", "/usr/lib64/nvidia/gridd/libgrid.so" },
        { "nvidia-modprobe 4755 NVIDIA_MODPROBE /usr/bin", "/usr/bin/nvidia-modprobe" },
        { "nvidia-modprobe.1.gz 0644 NVIDIA_MODPROBE_MANPAGE man1", "/usr/share/man/man1/nvidia-modprobe.1.gz" },
        { "key.der 0644 MODULE_SIGNING_KEY", "" },
        { "nvidia-drm-outputclass.conf 0644 XORG_OUTPUTCLASS_CONFIG", "/usr/share/X11/xorg.conf.d/nvidia-drm-outputclass.conf" },
        { "kernel-open/dkms.conf 0644 DKMS_CONF INHERIT_PATH_DEPTH:1", "" },
        { "libGLdispatch.so.0 0755 GLVND_LIB NATIVE", "/usr/lib64/libGLdispatch.so.0" },
        { "libOpenGL.so 0000 GLVND_SYMLINK NATIVE libOpenGL.so.0", "/usr/lib64/libOpenGL.so" },
        { "libGL.so.1.7.0 0755 GLX_CLIENT_LIB NATIVE", "/usr/lib64/libGL.so.1.7.0" },
        { "libGL.so 0000 GLX_CLIENT_SYMLINK NATIVE libGL.so.1.7.0", "/usr/lib64/libGL.so" },
        { "nvidia_icd.json 0644 VULKAN_ICD_JSON icd.d", "/etc/vulkan/icd.d/nvidia_icd.json" },
        { "10_nvidia.json 0644 GLVND_EGL_ICD_JSON", "/usr/share/glvnd/egl_vendor.d/10_nvidia.json" },
        { "libEGL.so.1.1.0 0755 EGL_CLIENT_LIB NATIVE", "/usr/lib64/libEGL.so.1.1.0" },
        { "libEGL.so 0000 EGL_CLIENT_SYMLINK NATIVE libEGL.so.1.1.0", "/usr/lib64/libEGL.so" },
        { "10_wayland.json 0644 EGL_EXTERNAL_PLATFORM_JSON", "/usr/share/egl/egl_external_platform.d/10_wayland.json" },
        { "libFlx.so.1 0755 FLEXERA_LIB nvidia/flx", "/usr/lib64/nvidia/flx/libFlx.so.1" },
        { "libFlx.so 0000 FLEXERA_LIB_SYMLINK nvidia/flx libFlx.so.1", "/usr/lib64/nvidia/flx/libFlx.so" },
        { "inst 0755 INTERNAL_UTILITY_BINARY NATIVE", "" },
        { "libinst.so 0755 INTERNAL_UTILITY_LIB COMPAT32", "" },
        { "inst.txt 0644 INTERNAL_UTILITY_DATA", "" },
        { "firmware/gsp.bin 0644 FIRMWARE INHERIT_PATH_DEPTH:1", "/usr/lib/firmware/nvidia/1.2.3/gsp.bin" },
        { "systemd/system/a.service 0644 SYSTEMD_UNIT", "/usr/lib/systemd/system/a.service" },
        { "a.service 0000 SYSTEMD_UNIT_SYMLINK systemd-suspend.service.requires x", "/etc/systemd/system/systemd-suspend.service.requires/a.service" },
        { "systemd/system-sleep/nvidia 0755 SYSTEMD_SLEEP_SCRIPT", "/usr/lib/systemd/system-sleep/nvidia" },
        { "nvoptix.bin 0644 OPENGL_DATA /usr/share/nvidia", "/usr/share/nvidia/nvoptix.bin" },
        { "vksc.json 0644 VULKANSC_ICD_JSON icd.d", "/etc/vulkansc/icd.d/vksc.json" },
        { "filelist.json 0644 SANDBOXUTILS_FILELIST_JSON whatever", "/usr/share/nvidia/files.d/filelist.json" },
};

START_TEST(test_every_type) {
        bool seen[256] = {};

        for (size_t i = 0; i < ELEMENTSOF(places); i++) {
                _cleanup_(driver_manifest_freep) DriverManifest *m = NULL;
                _cleanup_error_ Error e = ERROR_INIT;

                ck_assert_msg(parse(places[i].line, &m, &e) == 0, "%s: %s", places[i].line, e.message);
                ck_assert_uint_eq(m->n_entries, 1);
                ck_assert_str_eq(m->entries[0].destination ?: "", places[i].destination);
                seen[m->entries[0].type - driver_types] = true;
        }
        for (size_t i = 0; i < n_driver_types; i++)
                ck_assert_msg(seen[i], "no line tries %s", driver_types[i].name);
}
END_TEST

START_TEST(test_header) {
        _cleanup_(driver_manifest_freep) DriverManifest *m = NULL;

        ck_assert_int_eq(parse("./a//b 4755 UTILITY_BINARY MODULE:x MODULE:y\nc 0444 UTILITY_BINARY\n", &m, NULL), 0);
        ck_assert_str_eq(m->version, "1.2.3");
        ck_assert_uint_eq(strv_length(m->modules), 2);
        ck_assert_str_eq(m->modules[1], "nvidia-uvm");
        ck_assert_str_eq(m->entries[0].file, "a/b");
        ck_assert_uint_eq(m->entries[0].mode, 04755);
        ck_assert_uint_eq(m->entries[0].line, 9);
        ck_assert_uint_eq(m->entries[1].mode, 0444);
        ck_assert_uint_eq(m->entries[1].line, 10);
}
END_TEST

/* Lines end at LF or CR, and what cannot be printed after them is skipped. */
START_TEST(test_line_ends) {
        static const char text[] = "d\r\n1.2.3\r\n\r\n1\nnvidia\n\n\n1\n1\n1\n1\r\r\na 0755 UTILITY_BINARY\r\n\n\x01\x02" "b 0755 UTILITY_BINARY";
        _cleanup_(driver_manifest_freep) DriverManifest *m = NULL;
        _cleanup_error_ Error e = ERROR_INIT;

        ck_assert_msg(driver_manifest_parse("m", text, sizeof(text) - 1, &m, &e) == 0, "%s", e.message);
        ck_assert_uint_eq(m->n_entries, 2);
        ck_assert_str_eq(m->entries[1].file, "b");
        ck_assert_uint_eq(m->entries[1].line, 14);
}
END_TEST

START_TEST(test_refused) {
        static const struct {
                const char *line, *word; /* what the message must name */
        } bad[] = {
                { "a 0755 NO_SUCH_TYPE", "NO_SUCH_TYPE" },
                { "a 0855 UTILITY_BINARY", "0855" },
                { "a rwx UTILITY_BINARY", "rwx" },
                { "a 17777 UTILITY_BINARY", "17777" },
                { "a -755 UTILITY_BINARY", "-755" },
                { "a", "mode" },
                { "   ", "file" },
                { "a 0755", "type" },
                { "a 0755 OPENGL_LIB", "NATIVE" },
                { "a 0755 OPENGL_LIB SPARC", "SPARC" },
                { "a 0755 CUDA_LIB NATIVE", "path" },
                { "a 0000 CUDA_SYMLINK NATIVE /", "target" },
                { "a 0000 OPENGL_SYMLINK NATIVE /etc/passwd", "/etc/passwd" },
                { "a 0000 OPENGL_SYMLINK NATIVE ../../etc/passwd", "../../etc/passwd" },
                { "../a 0755 UTILITY_BINARY", "../a" },
                { "/etc/passwd 0755 UTILITY_BINARY", "/etc/passwd" },
                { "x/../../a 0755 UTILITY_BINARY", "x/../../a" },
                { ". 0755 UTILITY_BINARY", "'.'" },
                { "a 0755 CUDA_LIB NATIVE ../../etc", "../../etc" },
                { "a 0644 DOCUMENTATION a/../../../b", "a/../../../b" },
                { "a 0644 EXPLICIT_PATH usr/share", "usr/share" },
                { "a 0644 EXPLICIT_PATH /", "/" },
                { "a 0644 EXPLICIT_PATH /boot/efi", "/boot/efi" },
                { "a 0644 EXPLICIT_PATH /usr/../boot", "/usr/../boot" },
                { "a/b 0644 FIRMWARE INHERIT_PATH_DEPTH:9", "INHERIT_PATH_DEPTH:9" },
                { "a/b 0644 FIRMWARE INHERIT_PATH_DEPTH:x", "INHERIT_PATH_DEPTH:x" },
                { "a/b 0644 FIRMWARE firmware", "firmware" },
                { "a 0644 FIRMWARE INHERIT_PATH_DEPTH:1", "directory" },
        };

        for (size_t i = 0; i < ELEMENTSOF(bad); i++) {
                _cleanup_(driver_manifest_freep) DriverManifest *m = NULL;
                _cleanup_free_ char *entries = format("ok 0755 UTILITY_BINARY\n%s\n", bad[i].line);
                _cleanup_error_ Error e = ERROR_INIT;

                ck_assert_msg(parse(entries, &m, &e) == -EBADMSG, "%s", bad[i].line);
                ck_assert_int_eq(e.code, EXIT_INVALID);
                ck_assert_msg(strstr(e.message, "x.run: .manifest, line 10:") != NULL, "%s", e.message);
                ck_assert_msg(strstr(e.message, bad[i].word) != NULL, "%s: %s", bad[i].line, e.message);
                ck_assert_ptr_null(m);
        }
}
END_TEST

START_TEST(test_refused_headers) {
        static const char *const bad[] = {
                "", "d\n1.2.3\n1\n", "d\nnew version\n1\nnvidia\n1\n1\n1\n1\na 0755 UTILITY_BINARY\n",
                "d\n../..\n1\nnvidia\n1\n1\n1\n1\na 0755 UTILITY_BINARY\n", "d\n1.2.3\n1\n \n1\n1\n1\n1\na 0755 UTILITY_BINARY\n",
                "d\n1.2.3\n1\nnvidia ../x\n1\n1\n1\n1\na 0755 UTILITY_BINARY\n", HEADER,
        };

        for (size_t i = 0; i < ELEMENTSOF(bad); i++) {
                _cleanup_(driver_manifest_freep) DriverManifest *m = NULL;
                ck_assert_msg(driver_manifest_parse("m", bad[i], strlen(bad[i]), &m, NULL) == -EBADMSG, "%s", bad[i]);
        }
        ck_assert_int_eq(driver_manifest_parse("m", HEADER "a 0\0", sizeof(HEADER "a 0\0"), NULL, NULL), -EBADMSG);
}
END_TEST

int main(void) {
        Suite *s = suite_create("driver-manifest");
        TCase *t = tcase_create("all");

        tcase_add_test(t, test_every_type);
        tcase_add_test(t, test_header);
        tcase_add_test(t, test_line_ends);
        tcase_add_test(t, test_refused);
        tcase_add_test(t, test_refused_headers);
        suite_add_tcase(s, t);
        return run_suite(s);
}
