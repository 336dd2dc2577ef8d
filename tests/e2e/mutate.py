#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
# usage: mutate.py PROGRAM BASE GNUPGHOME KEY OTHER-KEY SCRATCH [PATTERN]
# Changes one thing in a copy of a good workspace, many times over, and asks verify: each has to end with the exit status that is documented, name
# the link and the file, and say what to do next. BASE has a repository of two generations (repo/) and its state before (older/).
import fnmatch
import gzip
import hashlib
import json
import os
import re
import shutil
import stat
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

PROGRAM, BASE, HOME, KEY, OTHER, SCRATCH = sys.argv[1:7]
PATTERN = sys.argv[7] if len(sys.argv) > 7 else "*"
MUTATIONS = []


def mutation(link, status, names, arguments=(), environment=None, outside=False):
    """LINK breaks with this exit status, and NAMES (a pattern) is what the error names. outside: verified without the workspace."""
    def add(function):
        MUTATIONS.append((function.__name__.replace("_", " "), function, link, status, names, list(arguments), environment or {}, outside))
        return function
    return add


def sha256(data):
    return hashlib.sha256(data).hexdigest()


class Copy:
    """A copy by hard links: a file is always written anew, never through a link."""

    def __init__(self, path):
        self.path = path
        shutil.copytree(BASE, path, copy_function=os.link, symlinks=True)

    def at(self, name):
        return os.path.join(self.path, name)

    def read(self, name):
        with open(self.at(name), "rb") as f:
            return f.read()

    def write(self, name, data):
        if os.path.lexists(self.at(name)):
            os.unlink(self.at(name))
        with open(self.at(name), "wb") as f:
            f.write(data if isinstance(data, bytes) else data.encode())

    def edit(self, name, function):
        old = self.read(name)
        new = function(old)
        assert new != old, f"{name}: nothing was changed"
        self.write(name, new)

    def replace(self, name, old, new, count=1):
        self.edit(name, lambda d: re.sub(old.encode(), new.encode(), d, count=count, flags=re.S))

    def only(self, directory, pattern):
        found = fnmatch.filter(sorted(os.listdir(self.at(directory))), pattern)
        assert found, f"{directory}/{pattern}"
        return f"{directory}/{found[0]}"

    def package(self, name="gn8v-tee-driver-*"):
        return self.only("repo/packages", name)

    def metadata(self, kind):
        href = re.search(rf'<data type="{kind}">.*?href="([^"]*)"', self.read("repo/repodata/repomd.xml").decode(), re.S).group(1)
        return "repo/" + href

    def sign(self, key=KEY):
        """repomd.xml again, as whoever has this key can; and the generation goes along, so that nothing but the change itself is wrong."""
        subprocess.run(["gpg", "--homedir", HOME, "--batch", "--yes", "--quiet", "--armor", "--local-user", key, "--detach-sign", "--output",
                        self.at("repo/repodata/repomd.xml.asc") + ".new", self.at("repo/repodata/repomd.xml")], check=True)
        os.rename(self.at("repo/repodata/repomd.xml.asc") + ".new", self.at("repo/repodata/repomd.xml.asc"))
        number = max(os.listdir(self.at("repo/generations")), key=int)
        manifest = json.loads(self.read(f"repo/generations/{number}/manifest.json"))
        manifest["repomd_sha256"] = sha256(self.read("repo/repodata/repomd.xml"))
        for name in ("repomd.xml", "repomd.xml.asc"):
            self.write(f"repo/generations/{number}/{name}", self.read(f"repo/repodata/{name}"))
        self.write(f"repo/generations/{number}/manifest.json", json.dumps(manifest, indent=1))
        metalink = self.read("repo/repodata/metalink.xml").decode()
        repomd = self.read("repo/repodata/repomd.xml")
        metalink = re.sub(r'(<hash type="sha256">)[^<]*', rf"\g<1>{sha256(repomd)}", re.sub(r"<size>\d*", f"<size>{len(repomd)}", metalink))
        self.write("repo/repodata/metalink.xml", metalink)

    def repomd(self, old, new, key=KEY):
        self.replace("repo/repodata/repomd.xml", old, new)
        self.sign(key)

    def stream(self, kind, function, pack=gzip.compress, key=KEY, opened=None):
        """A metadata file with other content, in repomd.xml as well, signed."""
        old = self.metadata(kind)
        text = gzip.decompress(self.read(old)) if old.endswith(".gz") else self.read(old)
        new = function(text)
        packed = pack(new) if old.endswith(".gz") else new
        opened = new if opened is None else opened
        name = "repo/repodata/" + sha256(packed) + old[old.index("-"):]
        os.unlink(self.at(old))
        self.write(name, packed)
        number = max(os.listdir(self.at("repo/generations")), key=int)
        generation = f"repo/generations/{number}/"
        if os.path.lexists(self.at(generation + os.path.basename(old))):
            os.unlink(self.at(generation + os.path.basename(old)))
        self.write(generation + os.path.basename(name), packed)
        self.replace(generation + "manifest.json", os.path.basename(old), os.path.basename(name))

        def data(match):
            d = match.group(0)
            for tag, value in (("checksum", sha256(packed)), ("open-checksum", sha256(opened))):
                d = re.sub(rf'<{tag} type="sha256">[^<]*', f'<{tag} type="sha256">{value}', d)
            for tag, value in (("size", len(packed)), ("open-size", len(opened))):
                d = re.sub(rf"<{tag}>[^<]*", f"<{tag}>{value}", d)
            return re.sub(r'href="[^"]*"', f'href="{name[5:]}"', d)
        self.edit("repo/repodata/repomd.xml", lambda d: re.sub(rf'<data type="{kind}">.*?</data>', data, d.decode(), flags=re.S).encode())
        self.sign(key)

    def xml(self, kind, old, new, **more):
        def change(text):
            changed = re.sub(old.encode(), new.encode(), text, count=1, flags=re.S)
            assert changed != text, f"{kind}: nothing was changed"
            return changed
        self.stream(kind, change, **more)

    def flip(self, name, at):
        self.edit(name, lambda d: d[:at] + bytes([d[at] ^ 1]) + d[at + 1:] if at >= 0 else d[:len(d) + at] + bytes([d[at] ^ 1]) + d[len(d) + at + 1:])

    def cut(self, name, size):
        self.edit(name, lambda d: d[:size])


# What somebody can do who serves the files, or what a disk does by itself.

@mutation("package", 5, "gn8v-tee-driver-.*payload is not the one")
def a_bit_of_a_payload(c):
    c.flip(c.package(), -1)


@mutation("package", 5, "gn8v-tee-driver-.*rpm")
def a_bit_of_a_header(c):
    c.edit(c.package(), lambda d: d.replace(b"MIT", b"MJT", 1) if b"MIT" in d else d.replace(b"linux\0", b"limux\0", 1))


@mutation("package", 5, "gn8v-tee-driver-.*rpm")
def a_bit_of_a_signature_header(c):
    c.flip(c.package(), 600)


@mutation("package", 6, "gn8v-tee-driver-.*rpm")
def a_bit_of_a_lead(c):
    c.flip(c.package(), 0)


@mutation("package", 5, "gn8v-tee-1.1-1.noarch.rpm")
def an_older_signed_package_in_its_place(c):
    c.write("repo/packages/gn8v-tee-1.1-1.noarch.rpm", c.read("repo/packages/gn8v-tee-1.0-1.noarch.rpm"))


@mutation("package", 5, "gn8v-tee-1.1-1.noarch.rpm")
def a_package_that_another_key_signed(c):
    c.write("signed.rpm", c.read("repo/packages/gn8v-tee-1.1-1.noarch.rpm"))
    subprocess.run(["rpmsign", "--resign", "--define", "__gpg /usr/bin/gpg", "--define", f"_gpg_path {HOME}", "--define", f"_gpg_name {OTHER}", c.at("signed.rpm")],
                   check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    c.write("repo/packages/gn8v-tee-1.1-1.noarch.rpm", c.read("signed.rpm"))


@mutation("package", 5, "gn8v-tee-1.1-1.noarch.rpm")
def the_package_as_it_was_built_unsigned(c):
    c.write("repo/packages/gn8v-tee-1.1-1.noarch.rpm", c.read("packages/gn8v-tee-1.1-1.noarch.rpm"))


@mutation("package", 5, "gn8v-tee-driver-.*rpm")
def a_package_is_missing(c):
    os.unlink(c.at(c.package()))


@mutation("package", 5, "gn8v-tee-driver-.*rpm")
def a_package_is_renamed(c):
    os.rename(c.at(c.package()), c.at("repo/packages/another.rpm"))


@mutation("package", 5, "gn8v-tee-driver-.*rpm")
def a_package_is_longer(c):
    c.edit(c.package(), lambda d: d + b"\0")


@mutation("package", 6, "gn8v-tee-driver-.*rpm")
def a_package_is_cut_in_its_header(c):
    c.cut(c.package(), 500)


@mutation("package", 5, "gn8v-tee-driver-.*rpm")
def a_package_is_cut_in_its_payload(c):
    c.edit(c.package(), lambda d: d[:-10])


@mutation("package", 6, "gn8v-tee-driver-.*rpm")
def a_package_is_empty(c):
    c.write(c.package(), b"")


@mutation("package", 5, "gn8v-tee-driver-.*rpm")
def a_package_is_a_link_to_itself_elsewhere(c):
    name = c.package()
    os.rename(c.at(name), c.at("elsewhere.rpm"))
    os.symlink(c.at("elsewhere.rpm"), c.at(name))


@mutation("package", 6, "gn8v-tee-driver-.*rpm")
def a_package_is_a_pipe(c):
    name = c.package()
    os.unlink(c.at(name))
    os.mkfifo(c.at(name))


@mutation("generation", 5, "packages/evil-1-1.noarch.rpm")
def a_package_that_no_index_has(c):
    c.write("repo/packages/evil-1-1.noarch.rpm", c.read("repo/packages/gn8v-tee-1.1-1.noarch.rpm"))


@mutation("generation", 5, "repodata/productid.gz")
def a_metadata_file_that_nothing_names(c):
    c.write("repo/repodata/productid.gz", b"evil")


@mutation("repomd", 5, "-primary.xml.gz")
def primary_changed_alone(c):
    c.flip(c.metadata("primary"), -1)


@mutation("repomd", 5, "-filelists.xml.gz")
def filelists_are_missing(c):
    os.unlink(c.at(c.metadata("filelists")))


@mutation("repomd", 5, "-other.xml.gz")
def other_xml_with_something_behind_it(c):
    c.edit(c.metadata("other"), lambda d: d + b"\0" * 512)


@mutation("repomd", 5, "-primary.xml.gz")
def primary_is_cut(c):
    c.edit(c.metadata("primary"), lambda d: d[:len(d) // 2])


@mutation("repomd", 6, "-primary.xml.gz")
def primary_is_a_directory(c):
    name = c.metadata("primary")
    os.unlink(c.at(name))
    os.mkdir(c.at(name))


@mutation("repomd", 5, "-primary.xml.gz")
def primary_is_a_link(c):
    name = c.metadata("primary")
    os.rename(c.at(name), c.at("elsewhere"))
    os.symlink(c.at("elsewhere"), c.at(name))


@mutation("signature", 5, "repomd.xml")
def repomd_changed_alone(c):
    c.replace("repo/repodata/repomd.xml", "<revision>", "<revision>1")


@mutation("signature", 5, "repomd.xml")
def repomd_with_one_blank_more(c):
    c.edit("repo/repodata/repomd.xml", lambda d: d + b"\n")


@mutation("signature", 5, "repomd.xml")
def repomd_is_cut(c):
    c.edit("repo/repodata/repomd.xml", lambda d: d[:-20])


@mutation("signature", 5, "repomd.xml")
def repomd_is_a_link(c):
    os.rename(c.at("repo/repodata/repomd.xml"), c.at("elsewhere"))
    os.symlink(c.at("elsewhere"), c.at("repo/repodata/repomd.xml"))


@mutation("signature", 5, "repomd.xml")
def all_metadata_signed_by_another_key(c):
    c.xml("primary", "<summary>", "<summary>evil ", key=OTHER)


@mutation("key", 5, "RPM-GPG-KEY-gn8v-tee")
def all_metadata_and_the_key_file_are_another_keys(c):
    c.xml("primary", "<summary>", "<summary>evil ", key=OTHER)
    other = subprocess.run(["gpg", "--homedir", HOME, "--batch", "--armor", "--export", OTHER], check=True, capture_output=True).stdout
    c.write("repo/RPM-GPG-KEY-gn8v-tee", other)
    c.write("repo/repodata/repomd.xml.key", other)


@mutation("key", 5, "repomd.xml.key")
def the_key_beside_repomd_is_another(c):
    c.write("repo/repodata/repomd.xml.key", subprocess.run(["gpg", "--homedir", HOME, "--batch", "--armor", "--export", OTHER], check=True, capture_output=True).stdout)


@mutation("key", 5, "RPM-GPG-KEY-gn8v-tee")
def a_second_key_in_the_key_file(c):
    other = subprocess.run(["gpg", "--homedir", HOME, "--batch", "--armor", "--export", OTHER], check=True, capture_output=True).stdout
    c.edit("repo/RPM-GPG-KEY-gn8v-tee", lambda d: d + other)


@mutation("key", 6, "RPM-GPG-KEY-gn8v-tee")
def the_key_file_is_cut(c):
    c.edit("repo/RPM-GPG-KEY-gn8v-tee", lambda d: d[:len(d) // 2])


@mutation("signature", 5, "repomd.xml")
def the_signature_of_an_older_generation(c):
    c.write("repo/repodata/repomd.xml.asc", c.read("older/repodata/repomd.xml.asc"))


@mutation("signature", 5, "repomd.xml.asc")
def the_signature_is_missing(c):
    os.unlink(c.at("repo/repodata/repomd.xml.asc"))


@mutation("signature", 6, "repomd.xml.asc")
def the_signature_is_cut(c):
    c.edit("repo/repodata/repomd.xml.asc", lambda d: d[:len(d) // 2])


@mutation("signature", 5, "repomd.xml")
def the_signature_is_empty(c):
    c.write("repo/repodata/repomd.xml.asc", b"")


@mutation("freshness", 3, "repomd.xml: its serial is 1")
def an_older_repository_as_a_whole(c):
    subprocess.run([PROGRAM, "-q", "-C", c.path, "--releases", c.at("releases"), "verify", "--key", KEY], check=True)
    shutil.rmtree(c.at("repo"))
    os.rename(c.at("older"), c.at("repo"))


@mutation("freshness", 3, "repomd.xml: its serial is 1", ["--at-least", "2"], outside=True)
def an_older_repository_told_by_somebody_who_saw_a_newer_one(c):
    shutil.rmtree(c.at("repo"))
    os.rename(c.at("older"), c.at("repo"))


@mutation("freshness", 3, "repomd.xml: it expired", environment={"SOURCE_DATE_EPOCH": "4000000000"})
def an_expired_repository(c):
    pass


@mutation("beside", 5, "gn8v-tee.repo:[0-9]+.*gpgcheck off")
def the_repo_file_without_gpgcheck(c):
    c.replace("repo/gn8v-tee.repo", "\ngpgcheck=1", "\ngpgcheck=0")


@mutation("beside", 5, "gn8v-tee.repo.*repo_gpgcheck")
def the_repo_file_without_repo_gpgcheck(c):
    c.replace("repo/gn8v-tee.repo", "repo_gpgcheck=1\n", "")


@mutation("beside", 5, "gn8v-tee.repo.*https://evil.example/key")
def the_repo_file_with_another_key(c):
    c.replace("repo/gn8v-tee.repo", "gpgkey=", "gpgkey=https://evil.example/key ")


@mutation("beside", 5, "gn8v-tee.repo.*second repository")
def the_repo_file_with_another_repository(c):
    c.edit("repo/gn8v-tee.repo", lambda d: d + b"[evil]\nname=evil\nbaseurl=https://evil.example\ngpgcheck=0\n")


@mutation("beside", 5, "gn8v-tee.repo.*proxy")
def the_repo_file_with_a_proxy(c):
    c.edit("repo/gn8v-tee.repo", lambda d: d + b"proxy=http://evil.example\n")


@mutation("beside", 5, "gn8v-tee.repo.*sslverify off")
def the_repo_file_without_sslverify(c):
    c.edit("repo/gn8v-tee.repo", lambda d: d + b"sslverify=false\n")


@mutation("beside", 5, "gn8v-tee.repo")
def the_repo_file_is_missing(c):
    os.unlink(c.at("repo/gn8v-tee.repo"))


@mutation("beside", 5, "RPM-GPG-KEY-gn8v-tee-vendor")
def a_vendors_key_that_no_release_locks(c):
    c.write("repo/RPM-GPG-KEY-gn8v-tee-vendor", subprocess.run(["gpg", "--homedir", HOME, "--batch", "--armor", "--export", OTHER], check=True, capture_output=True).stdout)


@mutation("beside", 5, "metalink.xml.*SHA-256")
def the_metalink_has_another_digest(c):
    c.replace("repo/repodata/metalink.xml", '<hash type="sha256">....', '<hash type="sha256">0000')


@mutation("beside", 5, "metalink.xml.*size")
def the_metalink_has_another_size(c):
    c.replace("repo/repodata/metalink.xml", "<size>", "<size>1")


@mutation("beside", 5, "metalink.xml.*SHA-256")
def the_metalink_has_an_md5(c):
    c.replace("repo/repodata/metalink.xml", "<verification>", f'<verification><hash type="md5">{"0" * 32}</hash>')


@mutation("beside", 6, "metalink.xml")
def the_metalink_names_another_scheme(c):
    c.replace("repo/repodata/metalink.xml", ">http://", ">gopher://")


@mutation("generation", 5, "generations/2/.*-primary.xml.gz")
def a_generations_copy_of_primary(c):
    name = c.only("repo/generations/2", "*-primary.xml.gz")
    c.flip(name, -1)


@mutation("generation", 5, "generations/1/manifest.json.*gn8v-tee-1.0")
def an_older_manifest_with_another_digest(c):
    m = json.loads(c.read("repo/generations/1/manifest.json"))
    next(p for p in m["packages"] if p["name"] == "gn8v-tee")["sha256"] = "0" * 64
    c.write("repo/generations/1/manifest.json", json.dumps(m))


@mutation("generation", 5, "generation 2 has")
def a_manifest_with_another_header(c):
    m = json.loads(c.read("repo/generations/2/manifest.json"))
    m["packages"][0]["header_sha256"] = "0" * 64
    c.write("repo/generations/2/manifest.json", json.dumps(m))


@mutation("generation", 6, "generations/1/manifest.json")
def an_older_manifest_is_cut(c):
    c.edit("repo/generations/1/manifest.json", lambda d: d[:-100])


@mutation("generation", 5, "repomd.xml")
def an_older_repomd_changed(c):
    c.replace("repo/generations/1/repomd.xml", "<revision>", "<revision>1")


@mutation("generation", 5, "gn8v-tee-1.0-1.noarch.rpm")
def an_older_generations_package(c):
    c.write("repo/packages/gn8v-tee-1.0-1.noarch.rpm", c.read("packages/gn8v-tee-1.1-1.noarch.rpm"))


@mutation("generation", 5, "generations: none of them")
def the_published_generation_is_missing(c):
    shutil.rmtree(c.at("repo/generations/2"))


# The workspace.

@mutation("store", 5, "store/sha256/")
def an_artifact_in_the_store(c):
    for where, _, names in os.walk(c.at("store/sha256")):
        for name in names:
            c.flip(os.path.relpath(os.path.join(where, name), c.path), -1)
            return


@mutation("lock", 3, "locks/")
def a_release_file_after_its_lock(c):
    c.edit(c.only("releases", "*.conf"), lambda d: d + b"# edited\n")


@mutation("lock", 6, "locks/")
def a_lock_is_cut(c):
    c.edit(c.only("locks", "*.lock"), lambda d: d[:-30])


@mutation("lock", 3, "locks/.*: artifact driver is pinned to another digest")
def a_lock_with_another_artifact(c):
    m = json.loads(c.read(c.only("locks", "*.lock")))
    artifact = m["artifacts"]["driver"]
    old = artifact["checksum"].split(":")[1]
    data = c.read(f"store/sha256/{old[:2]}/{old}") + b"x"
    artifact["checksum"] = "sha256:" + sha256(data)
    artifact["size"] = len(data)
    os.makedirs(c.at(f"store/sha256/{sha256(data)[:2]}"), exist_ok=True)
    c.write(f"store/sha256/{sha256(data)[:2]}/{sha256(data)}", data)
    c.write(c.only("locks", "*.lock"), json.dumps(m))


@mutation("record", 5, "gn8v-tee-driver-.*rpm")
def a_built_package(c):
    c.flip(c.only("packages", "gn8v-tee-driver-*.rpm"), -1)


@mutation("record", 6, "gn8v-tee-driver-.*json")
def a_build_record_is_cut(c):
    c.edit(c.only("packages", "gn8v-tee-driver-*.rpm.json"), lambda d: d[:10])


@mutation("record", 5, "gn8v-tee-driver-")
def a_build_record_with_another_digest(c):
    c.replace(c.only("packages", "gn8v-tee-driver-*.rpm.json"), '"sha256": "....', '"sha256": "0000')


# What somebody does who has the right key, or by mistake: every signature is good.

@mutation("repomd", 5, "-primary.xml.gz: its content")
def an_open_checksum(c):
    c.repomd('(<data type="primary">.*?<open-checksum type="sha256">)....', r"\g<1>0000")


@mutation("repomd", 5, "-primary.xml.gz: its size")
def a_size(c):
    c.repomd('(<data type="primary">.*?<size>)', r"\g<1>1")


@mutation("repomd", 5, "-filelists.xml.gz: its size, unpacked")
def an_open_size(c):
    c.repomd('(<data type="filelists">.*?<open-size>)', r"\g<1>1")


@mutation("repomd", 6, "-filelists.xml.gz")
def an_open_size_that_is_too_small(c):
    c.repomd('(<data type="filelists">.*?<open-size>)[0-9]*', r"\g<1>7")


for kind, digits in (("md5", 32), ("sha", 40), ("sha1", 40), ("sha224", 56)):
    def weak(c, kind=kind, digits=digits):
        c.repomd('(<data type="primary">.*?)<checksum type="sha256">[^<]*', rf'\g<1><checksum type="{kind}">{"0" * digits}')
    weak.__name__ = f"a_digest_of_repomd_is_{kind}"
    mutation("repomd", 6, "repomd.xml: a checksum is not one SHA-256")(weak)

    def weak_package(c, kind=kind, digits=digits):
        c.xml("primary", '<checksum type="sha256" pkgid="YES">[^<]*', f'<checksum type="{kind}" pkgid="YES">{"0" * digits}')
    weak_package.__name__ = f"a_digest_of_a_package_is_{kind}"
    mutation("primary", 6, "primary.xml: a package's checksum is not one SHA-256")(weak_package)

for name, href in (("leaves_the_repository", "repodata/../../../etc/passwd"), ("is_absolute", "/etc/passwd"), ("is_a_URL", "http://evil.example/primary.xml.gz"),
                   ("is_not_of_repodata", "packages/primary.xml.gz")):
    def place(c, href=href):
        c.repomd('(<data type="primary">.*?href=")[^"]*', rf"\g<1>{href}")
    place.__name__ = "a_location_of_repomd_" + name
    mutation("repomd", 6, "repomd.xml: a location")(place)

for name, old, new in (("leaves_the_repository", 'href="packages/', 'href="packages/../../'), ("is_absolute", 'href="packages/', 'href="/packages/'),
                       ("is_on_another_server", '<location href', '<location xml:base="http://evil.example/" href'),
                       ("has_an_empty_base", '<location href', '<location xml:base="" href'), ("has_a_doubled_slash", 'href="packages/', 'href="packages//')):
    def package_place(c, old=old, new=new):
        c.xml("primary", old, new)
    package_place.__name__ = "a_location_of_a_package_" + name
    mutation("primary", 6, "primary.xml: a location")(package_place)


@mutation("repomd", 6, "repomd.xml: .*one type twice")
def primary_twice_in_repomd(c):
    c.repomd('(<data type="primary">.*?</data>)', r"\g<1>\g<1>")


@mutation("repomd", 6, "repomd.xml: it names no primary")
def no_filelists_in_repomd(c):
    c.repomd('<data type="filelists">.*?</data>', "")


@mutation("repomd", 5, "repomd.xml: it names modules")
def modules_in_repomd(c):
    c.repomd('(<data type=")group(">.*?</data>)', r"\g<1>group\g<2>\g<1>modules\g<2>")


@mutation("repomd", 6, "repomd.xml: a document type")
def an_entity_in_repomd(c):
    c.repomd("(<repomd)", r'<!DOCTYPE repomd [<!ENTITY a SYSTEM "file:///etc/passwd">]>\g<1>')


@mutation("primary", 6, "primary.xml: a document type")
def an_entity_in_primary(c):
    c.xml("primary", "<metadata", '<!DOCTYPE m [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;">]><metadata')


@mutation("repomd", 5, "comps.xml: its groups")
def another_package_in_the_group(c):
    c.xml("group", "</packagelist>", '<packagereq type="mandatory">evil</packagereq></packagelist>')


@mutation("generation", 5, "manifest.json: its number")
def a_serial_of_the_far_future(c):
    c.repomd("gn8v-tee:serial=[0-9]*", "gn8v-tee:serial=999999")


@mutation("freshness", 6, "repomd.xml")
def no_serial(c):
    c.repomd("<content>gn8v-tee:serial=[^<]*</content>", "")


@mutation("generation", 5, "manifest.json: its number or date")
def no_date_of_expiry(c):
    c.repomd("<content>gn8v-tee:expires=[^<]*</content>", "")


@mutation("repomd", 6, "repomd.xml: a serial")
def two_serials(c):
    c.repomd("(<content>gn8v-tee:serial=)", r"\g<1>7</content>\g<1>")


@mutation("primary", 6, "primary.xml: one package, or one location, is in it twice")
def a_package_twice(c):
    def change(text):
        first = re.search(rb"<package .*?</package>\n", text, re.S).group(0)
        return re.sub(rb'packages="(\d+)"', lambda m: b'packages="%d"' % (int(m.group(1)) + 1), text).replace(first, first + first)
    c.stream("primary", change)


@mutation("primary", 6, "primary.xml: it has not as many packages as it says")
def a_count_of_packages(c):
    c.xml("primary", 'packages="', 'packages="1')


@mutation("primary", 5, "gn8v-tee-cublas-.*rpm is not in it")
def a_package_less(c):
    def change(text):
        n = int(re.search(rb'packages="(\d+)"', text).group(1))
        text = re.sub(rb"<package type=\"[^\"]*\"[^>]*>(?:(?!</package>).)*gn8v-tee-cublas-.*?</package>\n", b"", text, count=1, flags=re.S)
        return text.replace(b'packages="%d"' % n, b'packages="%d"' % (n - 1))
    c.stream("primary", change)
    for kind in ("filelists", "other"):
        pkgid = sha256(c.read(c.package("gn8v-tee-cublas-*"))).encode()
        c.stream(kind, lambda t: re.sub(rb'packages="(\d+)"', lambda m: b'packages="%d"' % (int(m.group(1)) - 1),
                                        re.sub(rb'<package pkgid="' + pkgid + rb'".*?</package>\n', b"", t, count=1, flags=re.S), count=1))


@mutation("primary", 5, "filelists.xml: .*has another package")
def filelists_in_another_order(c):
    c.xml("filelists", "(<package .*?</package>\n)(<package .*?</package>\n)", r"\g<2>\g<1>")


@mutation("primary", 5, "other.xml: it has [0-9]+ packages")
def a_package_less_in_other(c):
    c.xml("other", "(.*)(<package .*?</package>\n)", r"\g<1>")


@mutation("package", 5, "gn8v-tee.*filelists.xml has another <file>")
def another_file_in_filelists(c):
    c.xml("filelists", "</file>", "x</file>")


@mutation("package", 5, "gn8v-tee.*filelists.xml has another <file>")
def a_file_becomes_a_directory_in_filelists(c):
    c.xml("filelists", "<file>", '<file type="dir">')


@mutation("primary", 6, "primary.xml: its packages cannot be told apart")
def a_comment_in_primary(c):
    c.xml("primary", "(<package )", r"<!-- <package> -->\g<1>")


@mutation("primary", 6, "primary.xml: something that is no package")
def an_element_beside_the_packages(c):
    c.xml("primary", "</metadata>", "<delete/></metadata>")


for what, file, old, new in (
        ("name", "its name, version or architecture", "<name>gn8v-tee-cu", "<name>gn8v-tee-xu"),
        ("epoch", "its name, version or architecture", 'epoch="0"', 'epoch="1"'),
        ("architecture", "its name, version or architecture", "<arch>noarch</arch>", "<arch>x86_64</arch>"),
        ("size", "its size", '<size package="', '<size package="1'),
        ("header range", "its header range", '<rpm:header-range start="', '<rpm:header-range start="1'),
        ("installed size", "another <size>", 'installed="', 'installed="1'),
        ("build time", "another <time>", 'build="', 'build="1'),
        ("summary", "another <summary>", "<summary>", "<summary>not "),
        ("description", "another <description>", "<description>", "<description>not "),
        ("licence", "another <rpm:license>", "<rpm:license>", "<rpm:license>not "),
        ("build host", "another <rpm:buildhost>", "<rpm:buildhost>", "<rpm:buildhost>not-"),
        ("provides", "another <rpm:provides>", "<rpm:provides>", '<rpm:provides><rpm:entry name="kernel" flags="EQ" epoch="0" ver="9" rel="1"/>'),
        ("version of a provide", "another <rpm:provides>", '(<rpm:provides>.*? ver=")', r"\g<1>9"),
        ("requires", "another <rpm:requires>", "<rpm:requires>", '<rpm:requires><rpm:entry name="evil"/>'),
        ("requires less", "another <", "<rpm:requires>.*?</rpm:requires>", ""),
        ("obsoletes", "another <", "</rpm:provides>", '</rpm:provides><rpm:obsoletes><rpm:entry name="openssl"/></rpm:obsoletes>'),
        ("files", "another <file>", "<file>/", "<file>/evil/"),
        ("kind", "another <package>", '<package type="rpm">', '<package type="srpm">')):
    def field(c, old=old, new=new):
        c.xml("primary", old, new)
    field.__name__ = "what_primary_says_of_the_" + what.replace(" ", "_")
    mutation("package", 5, f"gn8v-tee.*rpm: .*{file}")(field)


@mutation("package", 5, "gn8v-tee.*rpm")
def another_digest_of_a_package(c):
    c.xml("primary", '(<checksum type="sha256" pkgid="YES">)....', r"\g<1>0000")
    c.xml("filelists", '(<package pkgid=")....', r"\g<1>0000")
    c.xml("other", '(<package pkgid=")....', r"\g<1>0000")


@mutation("repomd", 6, "-primary.xml.gz")
def garbage_behind_the_gzip_stream(c):
    c.stream("primary", lambda t: t, pack=lambda t: gzip.compress(t) + b"garbage" * 100)


@mutation("primary", 6, "primary.xml")
def a_second_gzip_member(c):
    c.stream("primary", lambda t: t + t)


@mutation("repomd", 6, "-primary.xml.gz")
def a_second_gzip_member_that_is_not_announced(c):
    text = gzip.decompress(c.read(c.metadata("primary")))
    c.stream("primary", lambda t: t, pack=lambda t: gzip.compress(t) + gzip.compress(b"<evil/>"), opened=text)


@mutation("repomd", 6, "-primary.xml.gz")
def a_gzip_stream_that_is_cut(c):
    c.stream("primary", lambda t: t, pack=lambda t: gzip.compress(t)[:-200])


def tree(path):
    """What must stay as it is: every name, inode, size and time."""
    found = {}
    for where, directories, names in os.walk(path):
        for name in directories + names:
            s = os.lstat(os.path.join(where, name))
            found[os.path.join(where, name)] = (s.st_ino, s.st_size, s.st_mtime_ns, stat.S_IFMT(s.st_mode))
    return found


def run(number):
    name, function, link, status, names, arguments, environment, outside = MUTATIONS[number]
    path = os.path.join(SCRATCH, f"mutation{number}")
    shutil.rmtree(path, ignore_errors=True)
    c = Copy(path)
    function(c)
    before = tree(c.at("repo"))
    workspace = os.path.join(SCRATCH, "nothing") if outside else path
    # In JSON alone the links; the error is told beside it.
    result = subprocess.run([PROGRAM, "-C", workspace, "--releases", c.at("releases"), "verify", "--json", "--key", KEY, "--repo", c.at("repo"), *arguments],
                            capture_output=True, text=True, env=dict(os.environ, **environment), timeout=60)
    problems = []
    last = (json.loads(result.stdout)["links"] or [{}])[-1] if result.stdout else {}
    if result.returncode != status:
        problems.append(f"exit status {result.returncode}, not {status}")
    if last.get("state") != "broken" or last.get("link") != link:
        problems.append(f"the last link is {last}, not {link}")
    lines = result.stderr.strip().split("\n")
    if not re.search(names, lines[0]):
        problems.append(f"it does not name {names}")
    if len(lines) != 2 or len(lines[1]) < 10:
        problems.append("not one error and one next action")
    if tree(c.at("repo")) != before:
        problems.append("the repository was changed")
    shutil.rmtree(path)
    return name, result.stderr, problems


def main():
    chosen = [i for i, m in enumerate(MUTATIONS) if fnmatch.fnmatch(m[0], PATTERN)]
    failed = 0
    with ThreadPoolExecutor(2) as pool:
        for name, message, problems in pool.map(run, chosen):
            print(f"{'NOT ' if problems else ''}caught: {name}\n  {message.strip()}", flush=True)
            for problem in problems:
                print(f"  *** {problem}", flush=True)
            failed += bool(problems)
    print(f"{len(chosen)} mutations, {failed} not caught as documented")
    sys.exit(1 if failed or not chosen else 0)


main()
