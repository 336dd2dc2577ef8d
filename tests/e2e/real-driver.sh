#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# usage: real-driver.sh RUNFILE
# A real NVIDIA-Linux-x86_64-VERSION.run through the whole thread: release file, lock, fetch, build, dnf install; then every file, mode and
# link on the disk is held against the archive, by a reading of the .manifest that shares nothing with ours. Ends with the figures, beside
# those of the usual way (the archive's own shell code unpacks it, rpmbuild packs that tree). Needs about 6 GB below TMPDIR.
set -euo pipefail
RUN=${1:-}
here=$(cd "$(dirname "$0")" && pwd)
# shellcheck source=tests/e2e/lib.sh
. "$here/lib.sh"
if [ -z "$RUN" ]; then
        skip "$SUITE" "no RUNFILE given"
        exit 0
fi
RUN=$(realpath "$RUN")
VERSION=$(basename "$RUN" .run) VERSION=${VERSION##*-}
NAME=single-$VERSION
WS=$SCRATCH/ws RELEASES=$SCRATCH/releases ROOT=$SCRATCH/root ARCHIVE=$SCRATCH/archive FIGURES=$SCRATCH/figures

# The driver's part of a release that is there, with this file's version, size and digest.
release_file() {
        local model=("$SOURCE"/repo/releases/single-*.conf)
        mkdir -p "$RELEASES"
        awk -v version="$VERSION" -v url="file://$RUN" -v size="$(stat -c %s "$RUN")" -v digest="$(sha256sum "$RUN" | cut -d' ' -f1)" '
                /^\[/ { section = $0 }
                section ~ /^\[Artifact / && section != "[Artifact driver]" { next }
                section == "[Verifier]" { next }
                section == "[Release]" && /^Version=/ { $0 = "Version=" version }
                section == "[Artifact driver]" && /^Version=/ { $0 = "Version=" version "\nURL=" url }
                section == "[Artifact driver]" && /^Size=/ { $0 = "Size=" size }
                section == "[Artifact driver]" && /^SHA256=/ { $0 = "SHA256=" digest }
                section == "[Artifact driver]" && /^(URL=http|Referer=)/ { next }
                { print }' "${model[0]}" > "$RELEASES/$NAME.conf"
}

# measured NAME COMMAND...: wall time, processor time and the largest process of the command, into $FIGURES.
measured() {
        python3 - "$FIGURES" "$@" <<'PYTHON'
import resource, subprocess, sys, time
began = time.monotonic()
status = subprocess.call(sys.argv[3:])
usage = resource.getrusage(resource.RUSAGE_CHILDREN)
with open(sys.argv[1], "a", encoding="utf-8") as f:
    f.write("%s\t%.1f\t%.1f\t%d\n" % (sys.argv[2], time.monotonic() - began, usage.ru_utime + usage.ru_stime, usage.ru_maxrss // 1024))
sys.exit(status)
PYTHON
}

wrap() {
        measured "wrap alone" "$REPO" wrap --release "$RELEASES/$NAME.conf" --artifact driver --into "$SCRATCH/wrapped" --lists "$SCRATCH/lists" "$RUN"
        [ "$(tail -n 1 "$FIGURES" | cut -f4)" -le "${GN8V_MEMORY_MAX:-200}" ] || grep -q fsanitize=address "$BUILD/compile_commands.json" || die "more than 200 MB"
        rm -rf "$SCRATCH/wrapped"
}

build() {
        "$REPO" -C "$WS" --releases "$RELEASES" lock --without-rims
        "$REPO" -C "$WS" --releases "$RELEASES" fetch
        measured "gn8v-tee-repo build" "$REPO" -C "$WS" --releases "$RELEASES" build --specs "$SOURCE/specs"
}

# What the packages want of the platform, one package provides.
platform() {
        local tree=$SCRATCH/platform
        mkdir -p "$tree"
        {
                printf 'Name: platform\nVersion: 8\nRelease: 1\nSummary: stands in for EL8\nLicense: Apache-2.0\nBuildArch: noarch\n'
                rpm -qp --requires "$WS"/packages/gn8v-tee-{driver,kmod}-*.rpm 2>/dev/null | sed 's/ [<=>].*//' | grep -v '^gn8v-tee-\|^rpmlib(\|^(' | sort -u | sed 's/^/Provides: /'
                printf '%%description\nStands in for EL8.\n%%files\n'
        } > "$tree/platform.spec"
        rpmbuild -bb --quiet --define "_topdir $tree" "$tree/platform.spec"
        mkdir -p "$SCRATCH/repo"
        cp "$tree"/RPMS/noarch/*.rpm "$WS"/packages/gn8v-tee-{driver,kmod}-*.rpm "$SCRATCH/repo"
        createrepo_c --quiet "$SCRATCH/repo"
}

install_it() {
        local conf=$SCRATCH/dnf.conf
        platform
        mkdir -p "$ROOT" "$SCRATCH/home"
        printf '%%_dbpath /var/lib/rpm\n' > "$SCRATCH/home/.rpmmacros"
        # dnf's own directories are inside the root.
        printf '[main]\nplugins=0\ngpgcheck=0\nbest=True\nreposdir=/nonexistent\ncachedir=/var/cache/dnf\npersistdir=/var/lib/dnf\nlogdir=/var/log\n[gn8v-tee]\nname=x\nbaseurl=file://%s\n' \
                "$SCRATCH/repo" > "$conf"
        measured "dnf install" env -i HOME="$SCRATCH/home" PATH="$PATH" LANG=C.UTF-8 \
                dnf -c "$conf" --installroot="$ROOT" --releasever=3 -y install "gn8v-tee-kmod-${VERSION%%.*}-dkms"
        env -i HOME="$SCRATCH/home" PATH="$PATH" rpm --root "$ROOT" -V "gn8v-tee-driver-${VERSION%%.*}" "gn8v-tee-kmod-${VERSION%%.*}-dkms"
}

# The archive's tree, without running its shell code: the magic of its payload is looked for behind the script.
unpack() {
        mkdir -p "$ARCHIVE"
        python3 - "$RUN" "$ARCHIVE" <<'PYTHON'
import re, subprocess, sys
with open(sys.argv[1], "rb") as f:
    head = f.read(1 << 20)
lines = int(re.search(rb'^skip="?(\d+)|head -n (\d+) "\$0"', head, re.M).group(1))
for n in (lines, lines - 1):
    at = 0
    for _ in range(n):
        at = head.index(b"\n", at) + 1
    for magic, program in ((b"\xfd7zXZ", "xz"), (b"\x28\xb5\x2f\xfd", "zstd"), (b"\x1f\x8b", "gzip")):
        if head[at:at + len(magic)] == magic:
            with open(sys.argv[1], "rb") as f:
                f.seek(at)
                unpacker = subprocess.Popen([program, "-dc"], stdin=f, stdout=subprocess.PIPE)
                subprocess.check_call(["tar", "-x", "-C", sys.argv[2], "--no-same-owner"], stdin=unpacker.stdout)
            sys.exit(unpacker.wait())
sys.exit("no payload found")
PYTHON
}

# Where NVIDIA's installer would put each entry, written down from its type table on its own, and what is on the disk.
compare() {
        python3 - "$ARCHIVE" "$ROOT" "$VERSION" <<'PYTHON'
import hashlib, os, re, stat, sys
archive, root, version = sys.argv[1:]
LIB, SRC = "/usr/lib64", "/usr/src/nvidia-" + version
PLAIN = {"CUDA_ICD": "/etc/OpenCL/vendors", "UTILITY_BINARY": "/usr/bin", "UTILITY_BIN_SYMLINK": "/usr/bin", "GLVND_EGL_ICD_JSON": "/usr/share/glvnd/egl_vendor.d",
         "EGL_EXTERNAL_PLATFORM_JSON": "/usr/share/egl/egl_external_platform.d", "SYSTEMD_UNIT": "/usr/lib/systemd/system", "VGX_LIB": LIB, "VGX_LIB_SYMLINK": LIB,
         "SYSTEMD_SLEEP_SCRIPT": "/usr/lib/systemd/system-sleep", "XORG_OUTPUTCLASS_CONFIG": "/usr/share/X11/xorg.conf.d"}
ARCH = {"OPENGL_LIB": LIB, "UTILITY_LIB": LIB, "NVCUVID_LIB": LIB, "ENCODEAPI_LIB": LIB, "GLVND_LIB": LIB, "GLX_CLIENT_LIB": LIB, "EGL_CLIENT_LIB": LIB, "WINE_LIB": LIB + "/nvidia/wine",
        "OPENGL_SYMLINK": LIB, "UTILITY_LIB_SYMLINK": LIB, "NVCUVID_LIB_SYMLINK": LIB, "ENCODEAPI_LIB_SYMLINK": LIB, "GLVND_SYMLINK": LIB, "GLX_CLIENT_SYMLINK": LIB, "EGL_CLIENT_SYMLINK": LIB,
        "GBM_BACKEND_LIB": LIB + "/gbm", "GBM_BACKEND_LIB_SYMLINK": LIB + "/gbm"}
ARCH_PATH = {"CUDA_LIB", "CUDA_SYMLINK", "OPENCL_LIB", "OPENCL_LIB_SYMLINK", "OPENCL_WRAPPER_LIB", "OPENCL_WRAPPER_SYMLINK", "TLS_LIB", "VDPAU_LIB", "VDPAU_SYMLINK"}
BELOW = {"DOCUMENTATION": "/usr/share/doc", "MANPAGE": "/usr/share/man", "NVIDIA_MODPROBE_MANPAGE": "/usr/share/man", "ICON": "/usr/share/icons/hicolor", "VULKAN_ICD_JSON": "/etc/vulkan",
         "VULKANSC_ICD_JSON": "/etc/vulkansc", "XMODULE_SHARED_LIB": LIB + "/xorg/modules", "GLX_MODULE_SHARED_LIB": LIB + "/xorg/modules", "GLX_MODULE_SYMLINK": LIB + "/xorg/modules",
         "GRID_LIB": LIB, "GRID_LIB_SYMLINK": LIB, "FLEXERA_LIB": LIB, "FLEXERA_LIB_SYMLINK": LIB, "SYSTEMD_UNIT_SYMLINK": "/etc/systemd/system"}
IGNORED_PATH = {"APPLICATION_PROFILE": "/usr/share/nvidia", "SANDBOXUTILS_FILELIST_JSON": "/usr/share/nvidia/files.d", "DOT_DESKTOP": "/usr/share/applications"}
ABSOLUTE = {"EXPLICIT_PATH", "NVIDIA_MODPROBE", "OPENGL_DATA"}
INHERIT = {"KERNEL_MODULE_SRC": SRC, "FIRMWARE": "/usr/lib/firmware/nvidia/" + version}
DROPPED = {"INSTALLER_BINARY", "KERNEL_MODULE", "MODULE_SIGNING_KEY", "DKMS_CONF", "INTERNAL_UTILITY_BINARY", "INTERNAL_UTILITY_LIB", "INTERNAL_UTILITY_DATA"}
expected = {}
lines = [l for l in re.split(r"[\r\n]+", open(archive + "/.manifest", encoding="utf-8").read()) if l]
assert lines[1].split()[0] == version
for line in lines[8:]:
    words = line.split()
    name, mode, kind, rest = words[0], int(words[1], 8), words[2], words[3:]
    if kind in DROPPED or (kind == "KERNEL_MODULE_SRC" and not name.startswith("kernel-open/")):
        continue
    base = os.path.basename(name)
    if re.match(r"nvidia-(un)?install(er)?\b", base):
        continue
    if (kind in ARCH or kind in ARCH_PATH) and rest.pop(0) == "COMPAT32":
        continue
    if kind in PLAIN: at = PLAIN[kind]
    elif kind in ARCH: at = ARCH[kind]
    elif kind in ARCH_PATH: at = LIB + "/" + rest.pop(0)
    elif kind in BELOW: at = BELOW[kind] + "/" + rest.pop(0)
    elif kind in IGNORED_PATH: at = IGNORED_PATH[kind]; rest.pop(0)
    elif kind in ABSOLUTE: at = rest.pop(0)
    elif kind in INHERIT:
        depth = int(rest.pop(0).split(":")[1])
        at = INHERIT[kind] + "/" + "/".join(os.path.dirname(name).split("/")[depth:])
    else: sys.exit("type %s is not in this table" % kind)
    at = re.sub("^/(lib|lib64|bin|sbin)/", r"/usr/\1/", os.path.normpath(at + "/" + base))
    if at == "/usr/lib/systemd/system/nvidia-persistenced.service":
        continue
    if kind.endswith("SYMLINK"):
        target = {"GBM_BACKEND_LIB_SYMLINK": LIB + "/" + rest[0], "SYSTEMD_UNIT_SYMLINK": "/usr/lib/systemd/system/" + base}.get(kind, rest[0])
        expected[at] = ("link", target)
    else:
        expected[at] = ("template" if kind == "DOT_DESKTOP" else "file", mode | 0o600, os.path.join(archive, name))

if LIB + "/libGL.so.1" in expected:
    expected["/usr/lib/libGL.so.1"] = ("link", LIB + "/libGL.so.1") # the installer's own

def digest(path):
    h = hashlib.sha256()
    with open(path, "rb") as f:
        for block in iter(lambda: f.read(1 << 20), b""):
            h.update(block)
    return h.hexdigest()

wrong, size, compared = [], 0, set()
for at, what in sorted(expected.items()):
    path = root + at
    compared.add(at)
    try:
        st = os.lstat(path)
    except FileNotFoundError:
        wrong.append("missing: " + at)
        continue
    if what[0] == "link":
        if not stat.S_ISLNK(st.st_mode) or os.readlink(path) != what[1]:
            wrong.append("link: " + at)
        continue
    if not stat.S_ISREG(st.st_mode) or stat.S_IMODE(st.st_mode) != what[1] or (st.st_uid, st.st_gid) != (0, 0):
        wrong.append("mode or owner: %s %o" % (at, st.st_mode))
    elif what[0] == "file" and digest(path) != digest(what[2]):
        wrong.append("bytes: " + at)
    size += st.st_size

# Whatever else is there has to be of the kinds that we add, no more.
OURS = ["/usr/lib/nvidia/alternate-install-present", "/usr/lib/systemd/system/nvidia-persistenced.service", "/usr/lib/modprobe.d/", "/usr/lib/dracut/dracut.conf.d/",
        "/usr/share/licenses/", SRC + "/dkms.conf", SRC + "/gn8v-tee-preflight", "/var/", "/etc/rpm", "/usr/lib/sysimage/"]
links = 0
for directory, _, names in os.walk(root):
    for name in names:
        path = os.path.join(directory, name)
        at = path[len(root):]
        if at in compared or any(at.startswith(o) for o in OURS):
            continue
        # A link that ldconfig would make: its name is the SONAME that the library says.
        if os.path.islink(path) and "/" not in os.readlink(path) and os.path.dirname(at) + "/" + os.readlink(path) in compared \
                and name.encode() + b"\0" in open(os.path.join(directory, os.readlink(path)), "rb").read():
            links += 1
            continue
        wrong.append("not expected: " + at)
print("compared %d files and links of the archive, %d bytes; %d SONAME links beside" % (len(expected), size, links))
print("\n".join(wrong))
sys.exit(bool(wrong))
PYTHON
}

# It starts, loads NVML from that root, and finds no driver.
nvidia_smi() {
        LD_LIBRARY_PATH=$ROOT/usr/lib64 expect 9 "$ROOT/usr/bin/nvidia-smi"
        said "couldn't communicate with the NVIDIA driver"
}

# The usual way: the archive's shell code unpacks (it runs nothing else with --noexec), rpmbuild packs the tree.
usual_way() {
        local tree=$SCRATCH/usual
        mkdir -p "$tree/top"
        measured "sh X.run --noexec" sh "$RUN" --noexec --target "$tree/files"
        printf 'Name: usual\nVersion: 1\nRelease: 1\nSummary: x\nLicense: x\nAutoReqProv: no\n%%description\nx\n%%install\nmkdir -p %%{buildroot}/opt/x\ncp -a %s/files/. %%{buildroot}/opt/x\n%%files\n/opt/x\n' "$tree" \
                > "$tree/usual.spec"
        measured "rpmbuild of the tree" rpmbuild -bb --quiet --define "_topdir $tree/top" --define '__os_install_post %{nil}' --define 'debug_package %{nil}' \
                --define '_build_id_links none' --define "_binary_payload $(payload)" "$tree/usual.spec"
        rm -rf "$tree"
}
# As our packages are compressed.
payload() { rpm -qp --qf 'w%{PAYLOADFLAGS}.%{PAYLOADCOMPRESSOR}dio' "$WS"/packages/gn8v-tee-driver-*.rpm 2>/dev/null | sed 's/gzipdio/gzdio/; s/zstddio/zstdio/'; }

prepare release_file
scenario "wrap" wrap
scenario "lock, fetch, build" build
scenario "dnf install, rpm -V" install_it
scenario "unpack" unpack
scenario "every byte, mode and link" compare
scenario "nvidia-smi says that there is no driver" nvidia_smi
scenario "the usual way" usual_way
echo "# $(basename "$RUN"): $(stat -c %s "$RUN") bytes. $(tail -n 3 "$LOGS/every-byte--mode-and-link.log" | grep '^compared' || :)"
awk -F '\t' '{ printf "# %-22s %6.1f s wall  %6.1f s processor  %5d MB largest process\n", $1, $2, $3, $4 }' "$FIGURES"
finish
