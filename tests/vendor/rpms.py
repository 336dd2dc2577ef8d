# SPDX-License-Identifier: Apache-2.0
"""Look-alikes of NVIDIA's own RPMs, signed V4 RSA/SHA512 by a test key, and a repository of newer ones to stand beside ours."""
import glob
import os
import shutil
import tempfile

import common

UNIT = """[Unit]
Description=NVIDIA fabric manager service
After=network-online.target
Requires=network-online.target

[Service]
User=root
PrivateTmp=false
Type=forking
TimeoutStartSec=720
ExecStart=/usr/bin/nvidia-fabricmanager-start.sh --mode start
ExecStop=/usr/bin/nvidia-fabricmanager-start.sh --mode stop
PIDFile=/var/run/nvidia-fabricmanager/nv-fabricmanager.pid
LimitCORE=infinity

[Install]
WantedBy=multi-user.target
"""
START = """#!/bin/bash
# Look-alike of NVIDIA's start script.
case $2 in
start) exec /usr/bin/nv-fabricmanager -c /usr/share/nvidia/nvswitch/fabricmanager.cfg ;;
stop) kill "$(cat /run/nvidia-fabricmanager/nv-fabricmanager.pid)" ;;
precheck) exit 0 ;;
*) exit 2 ;;
esac
"""
USER = "NVIDIA look-alike for tests <vendor@test.invalid>"


class Key:
    """The test vendor's key; made once, kept as a file, so that what it signed stays valid."""

    def __init__(self, cache):
        self.secret = os.path.join(cache, "vendor-key.sec")
        # An agent's socket has to fit below the home.
        self.home = tempfile.mkdtemp(prefix="gn8v.", dir="/tmp")
        os.chmod(self.home, 0o700)
        if os.path.exists(self.secret):
            self._gpg("--import", self.secret)
        else:
            self._gpg("--pinentry-mode", "loopback", "--passphrase", "", "--faked-system-time", "20231114T221320!",
                      "--quick-generate-key", USER, "rsa4096", "sign", "never")
            self._gpg("--output", self.secret, "--export-secret-keys", USER)
        listing = self._gpg("--with-colons", "--list-keys", USER)
        self.fingerprint = [line.split(":")[9] for line in listing.splitlines() if line.startswith("fpr:")][0]

    def _gpg(self, *args):
        return common.run("gpg", "--homedir", self.home, "--batch", "--no-tty", "--quiet", "--yes", *args)

    def export(self, out):
        self._gpg("--armor", "--output", out, "--export", USER)

    def sign(self, path, digest="sha512"):
        common.run("rpmsign", "--define", "__gpg /usr/bin/gpg", "--define", "_gpg_path " + self.home, "--define", "_gpg_name " + self.fingerprint,
                   "--define", "_gpg_digest_algo " + digest, "--define", "_gpg_sign_cmd_extra_args --faked-system-time 20231114T221320!",
                   "--addsign", path)

    def close(self):
        common.run("gpgconf", "--homedir", self.home, "--kill", "all")
        shutil.rmtree(self.home, ignore_errors=True)


def make(name, version, out, elf, key, renamed=False):
    top = tempfile.mkdtemp(prefix="rpm.", dir=os.path.dirname(out))
    try:
        tree = os.path.join(top, "tree")
        common.write(tree + "/LICENSE", "The look-alike's licence is Apache-2.0.\n")
        if "nscq" in name:
            elf.library(tree + "/libnvidia-nscq.so", "libnvidia-nscq.so.2")
            with open(tree + "/libnvidia-nscq.so", "ab") as f:
                f.write(version.encode())
            spec = "libnvidia-nscq.spec"
        else:
            elf.program(tree + "/nv-fabricmanager", "fabricmanager.c", '-DGN8V_VERSION="%s"' % version)
            elf.program(tree + "/nvswitch-audit", "modprobe.c")
            common.write(tree + "/nvidia-fabricmanager-start.sh", START, 0o755)
            common.write(tree + "/nvidia-fabricmanager.service", UNIT)
            common.write(tree + "/dgxh100_hgxh100_topology", "topology %s\n" % version)
            common.write(tree + "/fabricmanager.cfg", "DAEMONIZE=1\nFABRIC_MODE=0\nLOG_FILE_NAME=/var/log/fabricmanager.log\n")
            common.write(tree + "/fabricmanager_multinode.cfg", "DAEMONIZE=1\nFABRIC_MODE=0\n")
            spec = "nvidia-fabric-manager.spec"
        defines = {"_topdir": top, "_rpmdir": top + "/out", "_buildhost": "localhost", "use_source_date_epoch_as_buildtime": "1",
                   "clamp_mtime_to_source_date_epoch": "1", "_build_id_links": "none", "debug_package": "%{nil}", "__os_install_post": "%{nil}",
                   "__brp_strip": "/bin/true", "_binary_payload": "w6.xzdio", "tree": tree, "name_": name, "version_": version,
                   "branch": version.split(".")[0], "renamed": "1" if renamed else "0", "optflags": "-O2"}
        argv = ["rpmbuild", "-bb", "--quiet", "--target", "x86_64", os.path.join(common.HERE, spec)]
        for k, v in defines.items():
            argv += ["--define", "%s %s" % (k, v)]
        common.run(*argv)
        built = glob.glob(top + "/out/x86_64/*.rpm")[0]
        key.sign(built)
        os.rename(built, out)
    finally:
        shutil.rmtree(top)


def beside(directory, elf, key):
    """What NVIDIA's own repository will have one day: a newer Fabric Manager under the old name, and the renamed one that obsoletes it."""
    if os.path.exists(directory + "/repodata/repomd.xml"):
        return
    os.makedirs(directory, exist_ok=True)
    for name, version, renamed in (("nvidia-fabric-manager", "998.1.2", False), ("nvidia-fabricmanager", "999.1.2", True),
                                   ("nvidia-fabricmanager-999", "999.1.2", True), ("libnvidia-nscq-998", "998.1.2", False)):
        make(name, version, "%s/%s-%s-1.x86_64.rpm" % (directory, name, version), elf, key, renamed)
    key.export(directory + "/key.pub")
    common.run("createrepo_c", "--quiet", "--no-database", "--general-compress-type=gz", directory)
