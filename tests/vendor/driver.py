# SPDX-License-Identifier: Apache-2.0
"""A look-alike of NVIDIA's driver .run: flat layout, every kind of .manifest entry that a real one has, real ELF files, real open modules' source."""
import gzip
import os
import shutil
import tempfile

import common

# Shared libraries named BASE.so.VERSION: (base, SONAME, type, link type, path word, links, libraries needed, also 32 bit)
LIBRARIES = [
    ("libcuda", "libcuda.so.1", "CUDA_LIB", "CUDA_SYMLINK", "/", 2, ("libc.so.6",), True),
    ("libcudadebugger", "libcudadebugger.so.1", "CUDA_LIB", "CUDA_SYMLINK", "/", 1, ("libc.so.6",), False),
    ("libnvidia-ptxjitcompiler", "libnvidia-ptxjitcompiler.so.1", "CUDA_LIB", "CUDA_SYMLINK", "/", 2, (), True),
    ("libnvidia-nvvm", "libnvidia-nvvm.so.4", "CUDA_LIB", "CUDA_SYMLINK", "/", 2, (), False),
    ("libnvidia-opencl", "libnvidia-opencl.so.1", "OPENCL_LIB", "OPENCL_LIB_SYMLINK", "/", 1, (), True),
    ("libGLX_nvidia", "libGLX_nvidia.so.0", "OPENGL_LIB", "OPENGL_SYMLINK", None, 1, ("libX11.so.6", "libXext.so.6"), True),
    ("libEGL_nvidia", "libEGL_nvidia.so.0", "OPENGL_LIB", "OPENGL_SYMLINK", None, 1, (), True),
    ("libGLESv1_CM_nvidia", "libGLESv1_CM_nvidia.so.1", "OPENGL_LIB", "OPENGL_SYMLINK", None, 1, (), True),
    ("libGLESv2_nvidia", "libGLESv2_nvidia.so.2", "OPENGL_LIB", "OPENGL_SYMLINK", None, 1, (), True),
    ("libnvidia-eglcore", None, "OPENGL_LIB", None, None, 0, (), True),
    ("libnvidia-glcore", None, "OPENGL_LIB", None, None, 0, (), True),
    ("libnvidia-glsi", None, "OPENGL_LIB", None, None, 0, (), True),
    ("libnvidia-gpucomp", None, "OPENGL_LIB", None, None, 0, (), True),
    ("libnvidia-rtcore", None, "OPENGL_LIB", None, None, 0, (), False),
    ("libnvidia-allocator", "libnvidia-allocator.so.1", "OPENGL_LIB", "OPENGL_SYMLINK", None, 2, (), True),
    ("libnvoptix", "libnvoptix.so.1", "OPENGL_LIB", "OPENGL_SYMLINK", None, 1, (), False),
    # Its SONAME link is in no manifest: whoever installs it has to read the SONAME.
    ("libnvidia-ngx", "libnvidia-ngx.so.1", "OPENGL_LIB", None, None, 0, (), False),
    ("libnvidia-tls", None, "TLS_LIB", None, "/", 0, (), True),
    ("libnvidia-ml", "libnvidia-ml.so.1", "UTILITY_LIB", "UTILITY_LIB_SYMLINK", None, 2, ("libc.so.6",), True),
    ("libnvidia-cfg", "libnvidia-cfg.so.1", "UTILITY_LIB", "UTILITY_LIB_SYMLINK", None, 2, (), False),
    ("libnvidia-fbc", "libnvidia-fbc.so.1", "UTILITY_LIB", "UTILITY_LIB_SYMLINK", None, 2, (), True),
    ("libnvidia-pkcs11", None, "UTILITY_LIB", None, None, 0, ("libcrypto.so.1.1",), False),
    ("libnvidia-pkcs11-openssl3", None, "UTILITY_LIB", None, None, 0, ("libcrypto.so.3",), False),
    ("libvdpau_nvidia", "libvdpau_nvidia.so.1", "VDPAU_LIB", "VDPAU_SYMLINK", "vdpau", 1, (), True),
    ("libnvcuvid", "libnvcuvid.so.1", "NVCUVID_LIB", "NVCUVID_LIB_SYMLINK", None, 2, (), True),
    ("libnvidia-encode", "libnvidia-encode.so.1", "ENCODEAPI_LIB", "ENCODEAPI_LIB_SYMLINK", None, 2, (), True),
    ("libnvidia-opticalflow", "libnvidia-opticalflow.so.1", "OPENGL_LIB", "OPENGL_SYMLINK", None, 2, (), True),
]
# Others: (file, SONAME, type, link type, path word, links in order)
FIXED = [
    ("libOpenCL.so.1.0.0", "libOpenCL.so.1", "OPENCL_WRAPPER_LIB", "OPENCL_WRAPPER_SYMLINK", "/", ("libOpenCL.so.1.0", "libOpenCL.so.1", "libOpenCL.so")),
    ("libGLX.so.0", "libGLX.so.0", "GLVND_LIB", "GLVND_SYMLINK", None, ("libGLX.so",)),
    ("libGLdispatch.so.0", "libGLdispatch.so.0", "GLVND_LIB", None, None, ()),
    ("libOpenGL.so.0", "libOpenGL.so.0", "GLVND_LIB", "GLVND_SYMLINK", None, ("libOpenGL.so",)),
    ("libGL.so.1.7.0", "libGL.so.1", "GLX_CLIENT_LIB", "GLX_CLIENT_SYMLINK", None, ("libGL.so.1", "libGL.so")),
    ("libEGL.so.1.1.0", "libEGL.so.1", "EGL_CLIENT_LIB", "EGL_CLIENT_SYMLINK", None, ("libEGL.so.1", "libEGL.so")),
    ("libnvidia-egl-gbm.so.1.1.2", "libnvidia-egl-gbm.so.1", "OPENGL_LIB", None, None, ()),
    ("libnvidia-egl-wayland.so.1.1.19", "libnvidia-egl-wayland.so.1", "OPENGL_LIB", "OPENGL_SYMLINK", None, ("libnvidia-egl-wayland.so.1",)),
    ("libnvidia-api.so.1", "libnvidia-api.so.1", "OPENGL_LIB", None, None, ()),
]
PROGRAMS = ["nvidia-debugdump", "nvidia-cuda-mps-control", "nvidia-cuda-mps-server", "nvidia-settings", "nvidia-xconfig", "nvidia-powerd", "nvidia-ngx-updater"]
MANPAGES = ["nvidia-smi", "nvidia-persistenced", "nvidia-settings", "nvidia-xconfig", "nvidia-cuda-mps-control"]


class Tree:
    def __init__(self, directory, version, elf):
        self.directory, self.version, self.elf = directory, version, elf
        self.entries = []

    def path(self, name):
        return os.path.join(self.directory, name)

    def entry(self, name, mode, *words):
        self.entries.append(" ".join([name, mode] + [w for w in words if w is not None]))

    def file(self, name, content, mode, *words):
        common.write(self.path(name), content, int(mode, 8) & 0o777)
        self.entry(name, mode, *words)

    def library(self, name, soname, kind, path, arch, needed=()):
        at = name if arch == "NATIVE" else "./32/" + name
        if arch == "NATIVE" and soname == "libnvidia-ml.so.1":
            self.elf.nvml(self.path(at), self.version)
        else:
            self.elf.library(self.path(at), soname, needed, 64 if arch == "NATIVE" else 32)
        self.entry(at, "0755", kind, arch, path, "MODULE:gpgpu")

    def link(self, name, kind, path, target, arch):
        self.entry(name, "0000", kind, arch, path, target)


def libraries(t):
    v = t.version
    for base, soname, kind, link, path, links, needed, compat in LIBRARIES:
        name = "%s.so.%s" % (base, v)
        for arch in ("NATIVE", "COMPAT32") if compat else ("NATIVE",):
            t.library(name, soname or name, kind, path, arch, needed if arch == "NATIVE" else ())
            if links >= 1:
                t.link(soname, link, path, name, arch)
            if links >= 2:
                t.link(base + ".so", link, path, soname, arch)
    for name, soname, kind, link, path, links in FIXED:
        for arch in ("NATIVE", "COMPAT32"):
            t.library(name, soname, kind, path, arch)
            target = name
            for other in links:
                t.link(other, link, path, target, arch)
                target = other
    t.link("libGLX_indirect.so.0", "OPENGL_SYMLINK", None, "libGLX_nvidia.so." + v, "NATIVE")
    t.link("libvdpau_nvidia.so", "VDPAU_SYMLINK", "/", "vdpau/libvdpau_nvidia.so." + v, "NATIVE")
    t.link("nvidia-drm_gbm.so", "GBM_BACKEND_LIB_SYMLINK", None, "libnvidia-allocator.so." + v, "NATIVE")
    t.elf.library(t.path("nvidia_drv.so"), None)
    t.entry("nvidia_drv.so", "0755", "XMODULE_SHARED_LIB", "drivers", "MODULE:xdriver")
    t.elf.library(t.path("libglxserver_nvidia.so." + v), "libglxserver_nvidia.so")
    t.entry("libglxserver_nvidia.so." + v, "0755", "GLX_MODULE_SHARED_LIB", "extensions")
    t.entry("libglxserver_nvidia.so", "0000", "GLX_MODULE_SYMLINK", "extensions", "libglxserver_nvidia.so." + v)
    t.file("nvngx.dll", b"MZ look-alike\n", "0644", "WINE_LIB", "NATIVE", "MODULE:ngx")


def programs(t):
    version = '-DGN8V_VERSION="%s"' % t.version
    t.elf.program(t.path("nvidia-smi"), "nvidia-smi.c", version)
    t.elf.program(t.path("nvidia-persistenced"), "persistenced.c", version)
    for name in PROGRAMS + ["nvidia-modprobe"]:
        t.elf.program(t.path(name), "modprobe.c")
    for name in ["nvidia-smi", "nvidia-persistenced"] + PROGRAMS:
        t.entry(name, "0755", "UTILITY_BINARY", "MODULE:powerd" if name == "nvidia-powerd" else None)
    t.file("nvidia-bug-report.sh", "#!/bin/sh\nexit 0\n", "0755", "UTILITY_BINARY")
    t.file("systemd/nvidia-sleep.sh", "#!/bin/bash\nexit 0\n", "0755", "UTILITY_BINARY")
    t.entry("nvidia-modprobe", "04755", "NVIDIA_MODPROBE", "/usr/bin")
    for name in MANPAGES + ["nvidia-modprobe"]:
        page = gzip.compress((".TH %s 1\n.SH NAME\n%s \\- look-alike\n" % (name, name)).encode(), mtime=0)
        t.file(name + ".1.gz", page, "0644", "NVIDIA_MODPROBE_MANPAGE" if name == "nvidia-modprobe" else "MANPAGE", "man1")


def data(t, with_newer_types):
    v = t.version
    t.file("nvidia.icd", "libnvidia-opencl.so.1\n", "0644", "CUDA_ICD")
    t.file("nvidia_icd.json", '{ "file_format_version": "1.0.1", "ICD": { "library_path": "libGLX_nvidia.so.0" } }\n', "0644", "VULKAN_ICD_JSON", "icd.d")
    t.file("nvidia_layers.json", '{ "file_format_version": "1.0.0" }\n', "0644", "VULKAN_ICD_JSON", "implicit_layer.d")
    t.file("10_nvidia.json", '{ "ICD": { "library_path": "libEGL_nvidia.so.0" } }\n', "0644", "GLVND_EGL_ICD_JSON")
    for name in ("10_nvidia_wayland.json", "15_nvidia_gbm.json"):
        t.file(name, '{ "ICD": { "library_path": "libnvidia-egl-gbm.so.1" } }\n', "0644", "EGL_EXTERNAL_PLATFORM_JSON")
    t.file("nvidia-drm-outputclass.conf", 'Section "OutputClass"\nEndSection\n', "0644", "XORG_OUTPUTCLASS_CONFIG")
    t.file("nvidia-dbus.conf", "<busconfig/>\n", "0644", "EXPLICIT_PATH", "/usr/share/dbus-1/system.d")
    t.file("nvidia-application-profiles-%s-rc" % v, "{}\n", "0644", "APPLICATION_PROFILE", "nvidia")
    t.file("nvidia-application-profiles-%s-key-documentation" % v, "keys\n", "0644", "APPLICATION_PROFILE", "nvidia")
    t.file("nvoptix.bin", b"\x00OPTIX\x00" + v.encode(), "0444", "OPENGL_DATA", "/usr/share/nvidia")
    t.file("nvidia-settings.desktop", "[Desktop Entry]\nType=Application\nExec=__UTILS_PATH__/nvidia-settings\nIcon=nvidia-settings\nName=NVIDIA X Server Settings\n",
           "0644", "DOT_DESKTOP", "/usr/share/applications")
    t.file("nvidia-settings.png", b"\x89PNG\r\n\x1a\n", "0644", "ICON", "128x128/apps")
    for unit in ("nvidia-suspend", "nvidia-resume", "nvidia-hibernate", "nvidia-powerd"):
        t.file("systemd/system/%s.service" % unit, "[Unit]\nDescription=NVIDIA %s\n\n[Service]\nType=oneshot\nExecStart=/bin/true\n\n[Install]\nWantedBy=multi-user.target\n" % unit,
               "0644", "SYSTEMD_UNIT")
    t.entry("systemd/system/nvidia-suspend.service", "0000", "SYSTEMD_UNIT_SYMLINK", "systemd-suspend.service.requires", "ignored")
    t.file("systemd/system-sleep/nvidia", "#!/bin/sh\nexit 0\n", "0755", "SYSTEMD_SLEEP_SCRIPT")
    for chip in ("ga10x", "tu10x"):
        t.file("firmware/gsp_%s.bin" % chip, b"\x7fELF" + ("gsp %s %s\n" % (chip, v)).encode() * 64, "0444", "FIRMWARE", "INHERIT_PATH_DEPTH:1", "MODULE:gsp")
    if with_newer_types:
        t.file("nvidia_icd_vksc.json", '{ "ICD": {} }\n', "0644", "VULKANSC_ICD_JSON", "icd.d")
        t.file("sandboxutils-filelist.json", '{ "files": [] }\n', "0644", "SANDBOXUTILS_FILELIST_JSON", "files.d")
    for name, content in (("README.txt", "This look-alike stands for NVIDIA's driver %s in tests.\n" % v), ("NVIDIA_Changelog", v + "\n"),
                          ("LICENSE", "This look-alike is no NVIDIA software; its licence is Apache-2.0.\n")):
        t.file(name, content, "0644", "DOCUMENTATION", "NVIDIA_GLX-1.0")
    t.file("html/index.html", "<html></html>\n", "0644", "DOCUMENTATION", "NVIDIA_GLX-1.0/html")
    t.file("supported-gpus/supported-gpus.json", '{ "chips": [] }\n', "0644", "DOCUMENTATION", "NVIDIA_GLX-1.0/supported-gpus")


def kernel(t):
    modules = ("nvidia", "nvidia-uvm", "nvidia-modeset", "nvidia-drm", "nvidia-peermem")
    for top in ("kernel", "kernel-open"):
        source = os.path.join(common.HERE, "kernel-open")
        for at, dirs, files in sorted(os.walk(source)):
            dirs.sort()
            for name in sorted(files):
                relative = os.path.relpath(os.path.join(at, name), source)
                with open(os.path.join(at, name), "rb") as f:
                    content = f.read()
                if top == "kernel" and not relative.endswith(".conf"):
                    content = content.replace(b'"Dual MIT/GPL"', b'"NVIDIA"')
                mode = "0755" if name == "conftest.sh" else "0644"
                kind = "DKMS_CONF" if name == "dkms.conf" else "KERNEL_MODULE_SRC"
                t.file("%s/%s" % (top, relative), content, mode, kind, "INHERIT_PATH_DEPTH:1", "MODULE:resman")
    t.file("kernel/nvidia/nv-kernel.o_binary", b"\x7fELF proprietary core\n", "0644", "KERNEL_MODULE_SRC", "INHERIT_PATH_DEPTH:1", "MODULE:resman")
    return modules


def installer(t):
    t.file("nvidia-installer", "#!/bin/sh\necho 'the look-alike installer must never be executed' >&2\nexit 97\n", "0755", "INSTALLER_BINARY", "MODULE:installer")
    t.entry("nvidia-uninstall", "0000", "UTILITY_BIN_SYMLINK", "nvidia-installer", "MODULE:installer")
    t.file("nvidia-installer.1.gz", gzip.compress(b".TH nvidia-installer 1\n", mtime=0), "0644", "MANPAGE", "man1", "MODULE:installer")
    t.elf.program(t.path("mkprecompiled"), "modprobe.c")
    t.entry("mkprecompiled", "0755", "INTERNAL_UTILITY_BINARY", "NATIVE", "MODULE:installer")
    t.elf.library(t.path("libglvnd_install_checker/libGLX_installcheck.so.0"), "libGLX_installcheck.so.0")
    t.entry("libglvnd_install_checker/libGLX_installcheck.so.0", "0755", "INTERNAL_UTILITY_LIB", "NATIVE", "MODULE:installer")
    t.file("libglvnd_install_checker/egl_dummy_vendor.json", "{}\n", "0644", "INTERNAL_UTILITY_DATA", "MODULE:installer")
    common.write(t.path("makeself-help-script.sh"), "#!/bin/sh\nexit 97\n", 0o755)
    common.write(t.path("precompiled/.keep"), "")


def make(version, out, elf):
    top = tempfile.mkdtemp(prefix="driver.", dir=os.path.dirname(out))
    try:
        directory = os.path.join(top, "NVIDIA-Linux-x86_64-" + version)
        os.mkdir(directory)
        t = Tree(directory, version, elf)
        libraries(t)
        programs(t)
        # Two of the types are younger than the first branch that knows open modules.
        data(t, int(version.split(".")[0]) >= 560)
        modules = kernel(t)
        installer(t)
        head = ["NVIDIA Accelerated Graphics Driver for Linux-x86_64", version, "20", " ".join(modules), "1", "1", "1", "1"]
        common.write(t.path(".manifest"), "\n".join(head + t.entries) + "\n")
        label = "NVIDIA Accelerated Graphics Driver for Linux-x86_64 " + version
        with open(out + ".new", "wb") as f:
            f.write(common.nvidia_header(*common.makeself(directory, out + ".makeself", label, "./nvidia-installer", "--xz", os.path.basename(directory))))
        os.unlink(out + ".makeself")
        os.chmod(out + ".new", 0o755)
        os.rename(out + ".new", out)
    finally:
        shutil.rmtree(top)
