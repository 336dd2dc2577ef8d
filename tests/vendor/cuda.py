# SPDX-License-Identifier: Apache-2.0
"""A look-alike of the CUDA runfile: builds/ with one folder a component, the nested manifests/cuda_x86_64.xml, the driver that nobody wants from it."""
import os
import re
import shutil
import tempfile

import common
import driver

LIBRARY = "targets/x86_64-linux/lib"


def toolkit(top, elf, short, version):
    """The toolkit's components: [(title, build folder, xml children)]."""
    def file(build, name, content="", mode=0o644):
        common.write(os.path.join(top, "builds", build, name), content or "%s of %s\n" % (name, version), mode)

    def links(build):
        for name, target in (("include", "targets/x86_64-linux/include"), ("lib64", LIBRARY)):
            os.symlink(target, os.path.join(top, "builds", build, name))

    def library(build, name, soname, *others):
        elf.library(os.path.join(top, "builds", build, LIBRARY, name), soname)
        for other, target in others:
            os.symlink(target, os.path.join(top, "builds", build, LIBRARY, other))

    major = short.split(".")[0]
    components = []
    elf.program(os.path.join(top, "builds/cuda_nvcc/bin/nvcc"), "modprobe.c")
    elf.program(os.path.join(top, "builds/cuda_nvcc/bin/ptxas"), "modprobe.c")
    elf.program(os.path.join(top, "builds/cuda_nvcc/nvvm/bin/cicc"), "modprobe.c")
    file("cuda_nvcc", "bin/nvcc.profile", "TOP = $(_HERE_)/..\n")
    file("cuda_nvcc", "nvvm/libdevice/libdevice.10.bc")
    file("cuda_nvcc", "targets/x86_64-linux/include/fatbinary_section.h")
    components.append(("Compiler", "CUDA NVCC", "cuda_nvcc", ['<file>bin/.*</file>', '<file>nvvm/.*</file>', '<file>targets/x86_64-linux/include/.*</file>']))

    library("cuda_cudart", "libcudart.so." + version, "libcudart.so." + major,
            ("libcudart.so." + major, "libcudart.so." + version), ("libcudart.so", "libcudart.so." + major))
    file("cuda_cudart", LIBRARY + "/libcudart_static.a", "!<arch>\n")
    elf.library(os.path.join(top, "builds/cuda_cudart", LIBRARY, "stubs/libcuda.so"), "libcuda.so.1")
    file("cuda_cudart", "targets/x86_64-linux/include/cuda_runtime.h")
    file("cuda_cudart", "version.json", '{ "cuda": { "version": "%s" } }\n' % version)
    links("cuda_cudart")
    components.append(("Libraries", "CUDA Runtime", "cuda_cudart", ['<file>.*</file>', '<pcfile description="CUDA Runtime Library">cudart-%s.pc</pcfile>' % short,
                                                                    '<pcfile description="CUDA Driver Library" subdir="stubs">cuda-%s.pc</pcfile>' % short]))

    library("libcublas", "libcublas.so." + version, "libcublas.so." + major,
            ("libcublas.so." + major, "libcublas.so." + version), ("libcublas.so", "libcublas.so." + major))
    file("libcublas", "targets/x86_64-linux/include/cublas_v2.h")
    links("libcublas")
    components.append(("Libraries", "cuBLAS", "libcublas", ['<file>targets/x86_64-linux/lib/.*\\.so.*</file>', '<file>targets/x86_64-linux/include/.*</file>',
                                                            '<file>include</file>', '<file>lib64</file>',
                                                            '<pcfile description="CUDA BLAS Library">cublas-%s.pc</pcfile>' % short]))

    # A folder of destination that is not the pattern's own; a pattern that matches nothing.
    file("cuda_cccl", "thrust/thrust/version.h")
    components.append(("Development", "CUDA C++ Core", "cuda_cccl", ['<file dir="targets/x86_64-linux/include/">thrust/.*</file>', '<file>no/such/pattern.*</file>']))

    # A wrong executable bit, as NVIDIA's have.
    file("cuda_opencl", "targets/x86_64-linux/include/CL/cl.hpp", mode=0o755)
    components.append(("Development", "CUDA OpenCL", "cuda_opencl", ['<dir>targets/x86_64-linux/include/CL</dir>', '<file>targets/.*</file>']))

    file("cuda_gdb", "bin/cuda-gdb", "#!/bin/sh\nexit 0\n", 0o755)
    file("cuda_gdb", "bin/cuda-uninstaller", "#!/bin/sh\nexit 97\n", 0o755)
    file("cuda_gdb", "share/applications/nsight.png", "icon\n")
    components.append(("Tools", "CUDA GDB", "cuda_gdb", ['<file>bin/.*</file>', '<file>share/.*</file>',
                                                         '<desktopFile filename="cuda-gdb.desktop" name="CUDA GDB" categories="Development;Debugger" keywords="cuda;gdb" '
                                                         'iconPath="share/applications/nsight.png" execPath="bin/cuda-gdb" tryExecPath="bin/cuda-gdb"/>']))

    nsight = "nsight-compute-%s.0" % re.sub(r"^\d+", "2025", short)
    file("nsight_compute", nsight + "/ncu", "#!/bin/sh\nexit 0\n", 0o755)
    components.append(("Tools", "Nsight Compute", "nsight_compute", ['<file>nsight-compute-.*/.*</file>']))
    file("integration", "EULA.txt", "The look-alike's licence is Apache-2.0.\n")
    components.append(("Tools", "CUDA Integration", "integration", ['<file>EULA\\.txt</file>', '<file>.*-uninstaller</file>']))
    return components


def manifest(short, components, bundled):
    groups = {}
    for group, title, build, children in components:
        inner = "".join("\n          " + c for c in children)
        groups.setdefault(group, []).append('        <package name="%s %s">\n          <buildPath>./builds/%s/</buildPath>%s\n        </package>'
                                            % (title, short, build, inner))
    inner = "\n".join('      <package name="CUDA %s %s">\n        <priority>10</priority>\n%s\n      </package>' % (g, short, "\n".join(p)) for g, p in groups.items())
    return """<?xml version="1.0" encoding="UTF-8"?>
<package id="main" name="CUDA Installer">
  <package name="Driver">
    <type>driver</type>
    <priority>1</priority>
    <single-selection/>
    <name>%s</name>
    <buildPath>./</buildPath>
    <file>NVIDIA-Linux-.*</file>
  </package>
  <package name="CUDA Toolkit %s">
    <priority>2</priority>
    <installPath>/usr/local/cuda-%s</installPath>
    <dir>bin</dir>
%s
  </package>
  <package name="CUDA Demo Suite %s">
    <buildPath>./builds/cuda_demo_suite/</buildPath>
    <file>extras/.*</file>
  </package>
  <package name="CUDA Documentation %s">
    <buildPath>./builds/cuda_documentation/</buildPath>
    <file>doc/.*</file>
  </package>
  <package name="Kernel Objects">
    <koversion>1.0</koversion>
    <buildPath>./builds/kernel_objects/</buildPath>
    <file>.*</file>
  </package>
</package>
""" % (bundled, short, short, inner, short, short)


def make(version, out, elf):
    filename = os.path.basename(out)
    short = ".".join(version.split(".")[:2])
    match = re.match(r"cuda_[^_]+_(.+)_linux\.run$", filename)
    bundled = match.group(1) if match else "1.2.3"
    top = tempfile.mkdtemp(prefix="cuda.", dir=os.path.dirname(out))
    try:
        directory = os.path.join(top, "tree")
        os.mkdir(directory)
        components = toolkit(directory, elf, short, version)
        common.write(os.path.join(directory, "builds/cuda_demo_suite/extras/demo_suite/deviceQuery"), "not wanted\n", 0o755)
        common.write(os.path.join(directory, "builds/cuda_documentation/doc/html/index.html"), "not wanted\n")
        common.write(os.path.join(directory, "builds/kernel_objects/nvidia-fs.ko"), "not wanted\n")
        common.write(os.path.join(directory, "cuda-installer"), "#!/bin/sh\necho 'the look-alike installer must never be executed' >&2\nexit 97\n", 0o755)
        common.write(os.path.join(directory, "EULA.txt"), "The look-alike's licence is Apache-2.0.\n")
        run_name = "NVIDIA-Linux-x86_64-%s.run" % bundled
        common.write(os.path.join(directory, "manifests/cuda_x86_64.xml"), manifest(short, components, run_name))
        driver.make(bundled, os.path.join(top, run_name), elf)
        os.rename(os.path.join(top, run_name), os.path.join(directory, run_name))
        with open(out + ".new", "wb") as f:
            f.write(common.cuda_header(*common.makeself(directory, out + ".makeself", "CUDA Installer", "./cuda-installer", "--gzip", "cuda")))
        os.unlink(out + ".makeself")
        os.chmod(out + ".new", 0o755)
        os.rename(out + ".new", out)
    finally:
        shutil.rmtree(top)
