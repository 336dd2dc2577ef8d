# SPDX-License-Identifier: Apache-2.0
"""A look-alike of the cuBLAS wheel: a valid wheel whose RECORD has every digest."""
import base64
import hashlib
import os
import shutil
import tempfile
import zipfile

import common


def make(version, out, elf):
    name, _, tag = os.path.basename(out)[:-len(".whl")].split("-", 2)
    top = tempfile.mkdtemp(prefix="wheel.", dir=os.path.dirname(out))
    major = version.split(".")[0]
    try:
        info = "%s-%s.dist-info" % (name, version)
        files = {
            "nvidia/__init__.py": b"",
            "nvidia/cublas/__init__.py": b"",
            "nvidia/cublas/include/__init__.py": b"",
            "nvidia/cublas/include/cublas_v2.h": ("/* cuBLAS %s look-alike */\n" % version).encode(),
            "nvidia/cublas/include/cublas.h": b"/* look-alike */\n",
            "nvidia/cublas/lib/__init__.py": b"",
            info + "/METADATA": ("Metadata-Version: 2.1\nName: %s\nVersion: %s\nSummary: CUBLAS native runtime libraries (look-alike)\n"
                                 "License: Apache-2.0\nRequires-Python: >=3\n\nLook-alike for tests.\n" % (name.replace("_", "-"), version)).encode(),
            info + "/WHEEL": ("Wheel-Version: 1.0\nGenerator: look-alike\nRoot-Is-Purelib: true\nTag: %s\n" % tag).encode(),
            info + "/License.txt": b"The look-alike's licence is Apache-2.0.\n",
            info + "/top_level.txt": b"nvidia\n",
        }
        for base in ("libcublas", "libcublasLt", "libnvblas"):
            soname = "%s.so.%s" % (base, major)
            elf.library(os.path.join(top, soname), soname, ("libcublasLt.so." + major,) if base == "libcublas" else ())
            with open(os.path.join(top, soname), "rb") as f:
                files["nvidia/cublas/lib/" + soname] = f.read() + version.encode()
        record = ""
        for path in sorted(files):
            digest = base64.urlsafe_b64encode(hashlib.sha256(files[path]).digest()).rstrip(b"=").decode()
            record += "%s,sha256=%s,%d\n" % (path, digest, len(files[path]))
        record += info + "/RECORD,,\n"
        with zipfile.ZipFile(out + ".new", "w", zipfile.ZIP_DEFLATED) as z:
            for path, content in sorted(files.items()) + [(info + "/RECORD", record.encode())]:
                entry = zipfile.ZipInfo(path, (2023, 11, 14, 22, 13, 20))
                entry.external_attr = (0o100755 if "/lib/lib" in path else 0o100644) << 16
                entry.compress_type = zipfile.ZIP_DEFLATED
                z.writestr(entry, content)
        os.rename(out + ".new", out)
    finally:
        shutil.rmtree(top)
