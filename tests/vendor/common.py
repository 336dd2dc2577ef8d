# SPDX-License-Identifier: Apache-2.0
"""What the makers of look-alikes share: the release file as lines, small ELF files, self-extracting archives, all reproducible."""
import os
import re
import shutil
import subprocess

HERE = os.path.dirname(os.path.abspath(__file__))
EPOCH = 1700000000  # of everything made here: same inputs, same bytes


def run(*argv, **kwargs):
    env = dict(os.environ, LC_ALL="C", TZ="UTC", SOURCE_DATE_EPOCH=str(EPOCH), **kwargs.pop("environment", {}))
    proc = subprocess.run(argv, env=env, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False, **kwargs)
    if proc.returncode:
        raise SystemExit("%s: exit status %d\n%s" % (" ".join(argv), proc.returncode, proc.stdout.decode(errors="replace")))
    return proc.stdout.decode(errors="replace")


def parse_release(path):
    """[(section, [(key, value)])], in order; keys repeat."""
    sections = []
    with open(path, encoding="utf-8") as f:
        for line in f:
            line = line.strip()
            if not line or line[0] in "#;":
                continue
            if line.startswith("["):
                sections.append((line[1:-1].strip(), []))
            else:
                key, _, value = line.partition("=")
                sections[-1][1].append((key.strip(), value.strip()))
    return sections


def artifacts(path):
    """The [Artifact NAME] sections: dicts of lists, with "name" beside."""
    found = []
    for section, pairs in parse_release(path):
        if section.startswith("Artifact "):
            a = {"name": section.split(None, 1)[1]}
            for key, value in pairs:
                a.setdefault(key, []).append(value)
            found.append(a)
    return found


def url_path(url):
    return re.sub(r"^[a-z]+://[^/]*/", "", url)


def write(path, text, mode=0o644):
    os.makedirs(os.path.dirname(path), exist_ok=True)
    data = text if isinstance(text, bytes) else text.encode()
    with open(path, "wb") as f:
        f.write(data)
    os.chmod(path, mode)


class Elf:
    """Real, tiny ELF files. Objects and programs are compiled once and kept."""

    def __init__(self, cache):
        self.cache = cache
        os.makedirs(cache, exist_ok=True)

    def _once(self, name, *argv):
        path = os.path.join(self.cache, name)
        if not os.path.exists(path):
            run(*argv, "-o", path + ".new")
            os.rename(path + ".new", path)
        return path

    def _object(self, bits):
        return self._once("library%d.o" % bits, "gcc", "-m%d" % bits, "-fPIC", "-ffreestanding", "-O1", "-c",
                          '-DGN8V_NAME="look-alike"', os.path.join(HERE, "src/library.c"))

    def library(self, out, soname, needed=(), bits=64):
        """A shared library with this SONAME that needs those others."""
        emulation = "elf_x86_64" if bits == 64 else "elf_i386"
        stubs = [self._once("stub%d-%s" % (bits, n), "ld", "-m", emulation, "-shared", "-soname", n, self._object(bits))
                 for n in needed]
        soname_args = ["-soname", soname] if soname else []
        os.makedirs(os.path.dirname(out), exist_ok=True)
        run("ld", "-m", emulation, "-shared", "--build-id=sha1", "--no-as-needed", *soname_args, self._object(bits), *stubs, "-o", out)
        # What tells the files of two releases apart, as bytes and not only as a name.
        with open(out, "ab") as f:
            f.write(os.path.basename(out).encode() + b"\n")
        os.chmod(out, 0o755)

    def _compiled(self, name, out, source, *options):
        built = self._once(name, "gcc", "-O1", "-w", "-D_GNU_SOURCE", "-Wl,--build-id=sha1", os.path.join(HERE, "src", source), *options)
        os.makedirs(os.path.dirname(out), exist_ok=True)
        shutil.copyfile(built, out)
        os.chmod(out, 0o755)

    def nvml(self, out, version):
        """The one library whose calls are answered."""
        self._compiled("libnvidia-ml-" + version, out, "nvml.c", "-shared", "-fPIC", "-fvisibility=hidden", "-Wl,--hash-style=both", "-Wl,-soname,libnvidia-ml.so.1",
                       '-DGN8V_VERSION="%s"' % version)

    def program(self, out, source, *defines):
        self._compiled("program-" + re.sub(r"[^A-Za-z0-9.-]", "_", source + "".join(defines)), out, source, *defines)


def makeself(directory, out, label, script, compression, target):
    """A real self-extracting archive, with a header that depends on nothing but its content."""
    run("makeself", "--nox11", "--tar-format", "gnu", compression, "--packaging-date", "Tue Nov 14 22:13:20 UTC 2023",
        "--tar-extra", "--sort=name --mtime=@%d --owner=0 --group=0 --numeric-owner" % EPOCH,
        "--target", target, directory, out, label, script, environment={"GZIP": "-n", "XZ_OPT": ""})
    with open(out, "rb") as f:
        data = f.read()
    lines = int(re.search(rb'^skip="(\d+)"$', data, re.M).group(1))
    end = 0
    for _ in range(lines):
        end = data.index(b"\n", end) + 1
    # The only thing in it that names the folder it was made in.
    header = re.sub(re.escape(directory.encode()), b"/build", re.sub(re.escape(out.encode()), b"/out", data[:end]))
    return lines, header, data[end:]


def nvidia_header(lines, header, payload):
    """As the driver's: skip= is the first line of the payload, unquoted, and variables of NVIDIA's own."""
    first = lines + 1
    header = header.replace(b'skip="%d"' % lines, b"skip=%d" % first)
    header = header.replace(b'head -n "$skip"', b'head -n "$((skip - 1))"')
    header = re.sub(rb"^# This script was generated using Makeself [^\n]*", b"# This script was generated using Makeself 1.6.0-nv2", header, flags=re.M)
    return header + payload


def cuda_header(lines, header, payload):
    """As makeself 2.1.4 wrote it: no skip=, the count of lines stands in every offset=."""
    header = header.replace(b'skip="%d"' % lines, b'TARGET_ARCH="x86_64"')
    header = header.replace(b'head -n "$skip"', b"head -n %d" % lines).replace(b'SKIP="$skip"', b"SKIP=%d" % lines)
    header = header.replace(b"SKIP=\\\"$skip\\\"", b"SKIP=%d" % lines)
    header = re.sub(rb"^# This script was generated using Makeself [^\n]*", b"# This script was generated using Makeself 2.1.4", header, flags=re.M)
    if b"$skip" in header:
        raise SystemExit("makeself's header uses $skip where it was not expected")
    return header + payload
