/* SPDX-License-Identifier: Apache-2.0 */
/* Every type that nvidia-installer knows (its 550 and 570 branches), one row each, with the destination on EL8 x86_64. */
#include "repo/driver-manifest.h"

#define A WORD_ARCH
#define P WORD_PATH
#define I WORD_INHERIT
#define T WORD_TARGET

const DriverType driver_types[] = {
        /* name                          words      path word       role                 directory */
        { "KERNEL_MODULE_SRC",           I,         PATH_BELOW,     ROLE_KERNEL_SOURCE,  "/usr/src/nvidia-%V" },
        { "KERNEL_MODULE",               0,         PATH_NONE,      ROLE_DROPPED,        NULL }, /* DKMS builds them */
        { "CUDA_ICD",                    0,         PATH_NONE,      ROLE_FILE,           "/etc/OpenCL/vendors" },
        { "OPENGL_LIB",                  A,         PATH_NONE,      ROLE_LIBRARY,        "%L" },
        { "WINE_LIB",                    A,         PATH_NONE,      ROLE_FILE,           "%L/nvidia/wine" },
        { "CUDA_LIB",                    A | P,     PATH_BELOW,     ROLE_LIBRARY,        "%L" },
        { "OPENCL_LIB",                  A | P,     PATH_BELOW,     ROLE_LIBRARY,        "%L" },
        { "OPENCL_WRAPPER_LIB",          A | P,     PATH_BELOW,     ROLE_GLVND,          "%L" },
        { "OPENCL_LIB_SYMLINK",          A | P | T, PATH_BELOW,     ROLE_LINK,           "%L" },
        { "OPENCL_WRAPPER_SYMLINK",      A | P | T, PATH_BELOW,     ROLE_GLVND_LINK,     "%L" },
        { "TLS_LIB",                     A | P,     PATH_BELOW,     ROLE_LIBRARY,        "%L" },
        { "UTILITY_LIB",                 A,         PATH_NONE,      ROLE_LIBRARY,        "%L" },
        { "GBM_BACKEND_LIB",             A,         PATH_NONE,      ROLE_LIBRARY,        "%L/gbm" },
        { "DOCUMENTATION",               P,         PATH_BELOW,     ROLE_FILE,           "/usr/share/doc" },
        { "APPLICATION_PROFILE",         P,         PATH_NONE,      ROLE_FILE,           "/usr/share/nvidia" },
        { "MANPAGE",                     P,         PATH_BELOW,     ROLE_FILE,           "/usr/share/man" },
        { "EXPLICIT_PATH",               P,         PATH_ABSOLUTE,  ROLE_FILE,           NULL },
        { "OPENGL_SYMLINK",              A | T,     PATH_NONE,      ROLE_LINK,           "%L" },
        { "CUDA_SYMLINK",                A | P | T, PATH_BELOW,     ROLE_LINK,           "%L" },
        { "UTILITY_LIB_SYMLINK",         A | T,     PATH_NONE,      ROLE_LINK,           "%L" },
        { "GBM_BACKEND_LIB_SYMLINK",     A | T,     PATH_NONE,      ROLE_LIBRARY_LINK,   "%L/gbm" },
        { "INSTALLER_BINARY",            0,         PATH_NONE,      ROLE_DROPPED,        NULL },
        { "UTILITY_BINARY",              0,         PATH_NONE,      ROLE_FILE,           "/usr/bin" },
        { "UTILITY_BIN_SYMLINK",         T,         PATH_NONE,      ROLE_LINK,           "/usr/bin" }, /* but nvidia-uninstall */
        { "DOT_DESKTOP",                 P,         PATH_NONE,      ROLE_DESKTOP,        "/usr/share/applications" },
        { "ICON",                        P,         PATH_BELOW,     ROLE_FILE,           "/usr/share/icons/hicolor" },
        { "XMODULE_SHARED_LIB",          P,         PATH_BELOW,     ROLE_FILE,           "/usr/lib64/xorg/modules" },
        { "GLX_MODULE_SHARED_LIB",       P,         PATH_BELOW,     ROLE_LIBRARY,        "/usr/lib64/xorg/modules" },
        { "GLX_MODULE_SYMLINK",          P | T,     PATH_BELOW,     ROLE_LINK,           "/usr/lib64/xorg/modules" },
        { "VDPAU_LIB",                   A | P,     PATH_BELOW,     ROLE_LIBRARY,        "%L" },
        { "VDPAU_SYMLINK",               A | P | T, PATH_BELOW,     ROLE_LINK,           "%L" },
        { "NVCUVID_LIB",                 A,         PATH_NONE,      ROLE_LIBRARY,        "%L" },
        { "NVCUVID_LIB_SYMLINK",         A | T,     PATH_NONE,      ROLE_LINK,           "%L" },
        { "ENCODEAPI_LIB",               A,         PATH_NONE,      ROLE_LIBRARY,        "%L" },
        { "ENCODEAPI_LIB_SYMLINK",       A | T,     PATH_NONE,      ROLE_LINK,           "%L" },
        { "VGX_LIB",                     0,         PATH_NONE,      ROLE_LIBRARY,        "/usr/lib64" },
        { "VGX_LIB_SYMLINK",             T,         PATH_NONE,      ROLE_LINK,           "/usr/lib64" },
        { "GRID_LIB",                    P,         PATH_BELOW,     ROLE_LIBRARY,        "/usr/lib64" },
        { "GRID_LIB_SYMLINK",            P | T,     PATH_BELOW,     ROLE_LINK,           "/usr/lib64" },
        { "NVIDIA_MODPROBE",             P,         PATH_ABSOLUTE,  ROLE_FILE,           NULL },
        { "NVIDIA_MODPROBE_MANPAGE",     P,         PATH_BELOW,     ROLE_FILE,           "/usr/share/man" },
        { "MODULE_SIGNING_KEY",          0,         PATH_NONE,      ROLE_DROPPED,        NULL },
        { "XORG_OUTPUTCLASS_CONFIG",     0,         PATH_NONE,      ROLE_FILE,           "/usr/share/X11/xorg.conf.d" },
        { "DKMS_CONF",                   I,         PATH_NONE,      ROLE_DROPPED,        NULL }, /* a template of the installer's: ours is made */
        { "GLVND_LIB",                   A,         PATH_NONE,      ROLE_GLVND,          "%L" },
        { "GLVND_SYMLINK",               A | T,     PATH_NONE,      ROLE_GLVND_LINK,     "%L" },
        { "GLX_CLIENT_LIB",              A,         PATH_NONE,      ROLE_GLVND,          "%L" },
        { "GLX_CLIENT_SYMLINK",          A | T,     PATH_NONE,      ROLE_GLVND_LINK,     "%L" },
        { "VULKAN_ICD_JSON",             P,         PATH_BELOW,     ROLE_FILE,           "/etc/vulkan" },
        { "GLVND_EGL_ICD_JSON",          0,         PATH_NONE,      ROLE_FILE,           "/usr/share/glvnd/egl_vendor.d" },
        { "EGL_CLIENT_LIB",              A,         PATH_NONE,      ROLE_GLVND,          "%L" },
        { "EGL_CLIENT_SYMLINK",          A | T,     PATH_NONE,      ROLE_GLVND_LINK,     "%L" },
        { "EGL_EXTERNAL_PLATFORM_JSON",  0,         PATH_NONE,      ROLE_FILE,           "/usr/share/egl/egl_external_platform.d" },
        { "FLEXERA_LIB",                 P,         PATH_BELOW,     ROLE_LIBRARY,        "/usr/lib64" },
        { "FLEXERA_LIB_SYMLINK",         P | T,     PATH_BELOW,     ROLE_LINK,           "/usr/lib64" },
        { "INTERNAL_UTILITY_BINARY",     A,         PATH_NONE,      ROLE_DROPPED,        NULL },
        { "INTERNAL_UTILITY_LIB",        A,         PATH_NONE,      ROLE_DROPPED,        NULL },
        { "INTERNAL_UTILITY_DATA",       0,         PATH_NONE,      ROLE_DROPPED,        NULL },
        { "FIRMWARE",                    I,         PATH_BELOW,     ROLE_FILE,           "/usr/lib/firmware/nvidia/%V" },
        { "SYSTEMD_UNIT",                0,         PATH_NONE,      ROLE_FILE,           "/usr/lib/systemd/system" },
        { "SYSTEMD_UNIT_SYMLINK",        P | T,     PATH_BELOW,     ROLE_UNIT_LINK,      "/etc/systemd/system" },
        { "SYSTEMD_SLEEP_SCRIPT",        0,         PATH_NONE,      ROLE_FILE,           "/usr/lib/systemd/system-sleep" },
        { "OPENGL_DATA",                 P,         PATH_ABSOLUTE,  ROLE_FILE,           NULL },
        { "VULKANSC_ICD_JSON",           P,         PATH_BELOW,     ROLE_FILE,           "/etc/vulkansc" },
        { "SANDBOXUTILS_FILELIST_JSON",  P,         PATH_NONE,      ROLE_FILE,           "/usr/share/nvidia/files.d" },
};
const size_t n_driver_types = ELEMENTSOF(driver_types);

const DriverType *driver_type(const char *name) {
        for (size_t i = 0; i < n_driver_types; i++)
                if (streq(driver_types[i].name, name))
                        return &driver_types[i];
        return NULL;
}
