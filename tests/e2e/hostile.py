#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
# usage: hostile.py PROGRAM GOOD-PACKAGE SCRATCH
# Serves repositories that nobody should serve, and mirrors each over a good one: the documented exit status, one error, within seconds and
# megabytes, and the copy as it was. Nothing is signed here: it is about what stands behind a signature, or in place of it.
import fnmatch
import gzip
import hashlib
import http.server
import lzma
import os
import re
import resource
import shutil
import socketserver
import struct
import subprocess
import sys
import threading
import time

PROGRAM, PACKAGE, SCRATCH = sys.argv[1:4]
PATTERN = sys.argv[4] if len(sys.argv) > 4 else "*"
SECONDS, MEGABYTES = 20, 400
SLOWER = 10 if "GN8V_SANITIZED" in os.environ else 1
NS = 'xmlns="http://linux.duke.edu/metadata/common" xmlns:rpm="http://linux.duke.edu/metadata/rpm"'


def sha256(data):
    return hashlib.sha256(data).hexdigest()


RPM = open(PACKAGE, "rb").read()
NAME = os.path.basename(PACKAGE)


def header_end(at):
    """Of the header that begins there: magic, count of entries, bytes of data, entries, data."""
    entries, size = struct.unpack(">II", RPM[at + 8:at + 16])
    return at + 16 + 16 * entries + size


START = (header_end(96) + 7) // 8 * 8
END = header_end(START)


def package(dependencies="", name="good", version="1", release="1", epoch="0", href=NAME, pkgid=None, extra=""):
    return (f'<package type="rpm"><name>{name}</name><arch>noarch</arch><version epoch="{epoch}" ver="{version}" rel="{release}"/>'
            f'<checksum type="sha256" pkgid="YES">{pkgid or sha256(RPM)}</checksum><summary>s</summary><time file="1" build="1"/>'
            f'<size package="{len(RPM)}" installed="1" archive="1"/><location href="{href}"/><format><rpm:license>MIT</rpm:license>'
            f'<rpm:header-range start="{START}" end="{END}"/>{dependencies}</format>{extra}</package>\n')


def requires(name):
    return f'<rpm:requires><rpm:entry name="{name}"/></rpm:requires>'


def document(packages, count=None):
    return f'<?xml version="1.0" encoding="UTF-8"?>\n<metadata {NS} packages="{count or len(packages)}">\n{"".join(packages)}</metadata>\n'.encode()


def repository(primary, pack=gzip.compress, suffix="gz", open_size=None, open_checksum=True):
    """The files of one: path to bytes."""
    ids = re.findall(rb'pkgid="YES">([0-9a-f]{64})', primary[:1 << 20])
    files, repomd = {NAME: RPM}, '<repomd xmlns="http://linux.duke.edu/metadata/repo"><revision>1</revision>\n'
    for kind, root in (("primary", ""), ("filelists", "filelists"), ("other", "otherdata")):
        text = primary if not root else (f'<{root} packages="{len(ids)}">' + "".join(
            f'<package pkgid="{i.decode()}" name="good" arch="noarch"><version epoch="0" ver="1" rel="1"/></package>\n' for i in ids) + f"</{root}>\n").encode()
        data = pack(text) if kind == "primary" else gzip.compress(text)
        name = f"repodata/{kind}.xml.{suffix if kind == 'primary' else 'gz'}"
        files[name] = data
        size = open_size if kind == "primary" and open_size is not None else len(text)
        repomd += (f'<data type="{kind}"><checksum type="sha256">{sha256(data)}</checksum>'
                   + (f'<open-checksum type="sha256">{sha256(text)}</open-checksum>' if open_checksum else "")
                   + f'<location href="{name}"/><size>{len(data)}</size>' + (f"<open-size>{size}</open-size>" if size >= 0 else "") + "</data>\n")
    files["repodata/repomd.xml"] = (repomd + "</repomd>\n").encode()
    return files


class Server(socketserver.ThreadingMixIn, http.server.HTTPServer):
    daemon_threads = True

    def handle_error(self, request, address):
        pass # who hangs up is what is tested


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    files, answers = {}, {}

    def log_message(self, *arguments):
        pass

    def do_GET(self):
        path = self.path.lstrip("/")
        self.close_connection = True
        if path in self.answers:
            self.answers[path](self)
            return
        data = self.files.get(path)
        self.send_response(404 if data is None else 200)
        self.send_header("Content-Length", str(len(data or b"")))
        self.end_headers()
        self.wfile.write(data or b"")

    def raw(self, data):
        self.wfile.write(data)
        self.wfile.flush()

    def forever(self, data, pause=0.0):
        try:
            while True:
                self.raw(data)
                if pause:
                    time.sleep(pause)
        except OSError:
            pass


CASES = []


def case(name, status, words, primary=None, files=None, answers=None, select=False, options=()):
    CASES.append((name, status, words, primary, files, answers or {}, select, list(options)))


REPOMD = "repodata/repomd.xml"
PRIMARY = "repodata/primary.xml.gz"
MIB = 1 << 20


def bomb(pack, megabytes):
    """A text of blanks, packed without making it: members of the same kind behind each other."""
    piece = pack(b" " * (8 * MIB))
    return lambda text: pack(b"<metadata packages='1'>") + piece * (megabytes // 8)


def zstd(data):
    return subprocess.run(["zstd", "-q", "-c"], input=data, stdout=subprocess.PIPE, check=True).stdout


# Metadata.
for compressor, suffix in ((gzip.compress, "gz"), (lzma.compress, "xz")) + (((zstd, "zst"),) if shutil.which("zstd") else ()):
    case(f"a {suffix} bomb that tells its size", 6, "it says that it unpacks to", files=lambda p=compressor, s=suffix: repository(
        b"x", bomb(p, 1024), s, open_size=1 << 30))
    case(f"a {suffix} bomb that tells another size", 6, "unpacks to more than", files=lambda p=compressor, s=suffix: repository(b"x", bomb(p, 1024), s, open_size=1000))
    case(f"a {suffix} bomb that tells no size", 6, "unpacks to more than|huge|malformed|text", files=lambda p=compressor, s=suffix: repository(b"x", bomb(p, 256), s, open_size=-1, open_checksum=False))
case("a billion laughs", 6, "document type|entity", lambda: b'<!DOCTYPE m [<!ENTITY a "ha"><!ENTITY b "' + b"&a;" * 1000 + b'"><!ENTITY c "' + b"&b;" * 1000 + b'">]><metadata packages="1">&c;</metadata>')
case("an external entity", 6, "document type|entity", lambda: b'<!DOCTYPE m [<!ENTITY a SYSTEM "file:///etc/passwd">]><metadata packages="1">&a;</metadata>')
case("an external document type", 6, "document type|entity", lambda: b'<!DOCTYPE m SYSTEM "http://127.0.0.1:1/x.dtd"><metadata packages="0"></metadata>')
case("a million elements in each other", 6, "nested too deep", lambda: b"<metadata packages='1'>" + b"<x>" * 1000000)
case("an attribute of 32 MiB", 6, "primary.xml", lambda: b'<metadata packages="1" x="' + b"x" * (32 * MIB) + b'"/>')
case("a million attributes", 6, "primary.xml", lambda: b"<metadata packages='1' " + b" ".join(b"a%d='1'" % i for i in range(1000000)) + b"/>")
case("a name of 32 MiB", 6, "primary.xml", lambda: b"<metadata packages='1'><package><name>" + b"x" * (32 * MIB) + b"</name></package></metadata>")
case("more packages than are taken", 6, "too many packages|in it twice", lambda: document([package(name=f"n{i}", href=f"n{i}.rpm") for i in range(100001)]))
case("a NUL byte", 6, "primary.xml", lambda: document([package()]).replace(b"<summary>", b"<summary>\0"))
case("no UTF-8", 6, "primary.xml", lambda: document([package()]).replace(b"<summary>", b"<summary>\xff\xfe"))
case("a control character as a reference", 6, "primary.xml", lambda: document([package()]).replace(b"<summary>", b"<summary>&#27;"))
case("nothing", 6, "primary.xml", lambda: b"")
case("another document", 6, "not a primary.xml", lambda: b"<html/>")
case("a cut document", 6, "primary.xml", lambda: document([package()])[:-30])
case("a name that is a path", 5, "it is good-1-1.noarch", lambda: document([package(name="../../x")]))
case("a repomd.xml that never ends", 5, "at most|sends more", answers={REPOMD: lambda h: (h.raw(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"), h.forever(b"10000\r\n" + b" " * 65536 + b"\r\n"))})

# What libsolv would read.
SELECT = dict(select=True)
for name, dependency in (("parentheses in each other", "(" * 100000 + "a" + " or b)" * 100000), ("a chain", "(" + " or ".join(["a"] * 100000) + ")"),
                         ("references for parentheses", "&#40;" * 50000 + "a" + " or b)" * 50000), ("hexadecimal references for parentheses", "&#x028;" * 50000 + "a" + " or b)" * 50000),
                         ("a conjunction of alternatives", "(" + " and ".join(f"(a{i} or b{i})" for i in range(40)) + ")"),
                         ("alternatives of conjunctions", "(" + " or ".join(f"(a{i} and b{i})" for i in range(40)) + ")"), ("a name of 5 MB", "x" * 5000000)):
    case(f"a dependency: {name}", 6, "primary.xml.gz: a dependency in it is too long, too deep or too complex", lambda d=dependency: document([package(requires(d))]), **SELECT)
case("a hundred thousand dependencies", 10, "nothing provides", lambda: document([package("<rpm:requires>" + "".join(f'<rpm:entry name="n{i}"/>' for i in range(100000)) + "</rpm:requires>")]), **SELECT)
case("a document in UTF-16", 6, "primary", lambda: document([package(requires("(" * 100000))]).decode().replace("UTF-8", "UTF-16").encode("utf-16"), **SELECT)
case("a comment with a quote", 6, "primary", lambda: document([package(requires("(" * 100000))]).replace(b"<package", b"<!-- \" --><package"), **SELECT)
case("odd versions", 5, "it is good-1-1.noarch", lambda: document([package(version="1:2-%s~^", release="-", epoch="99999999999")]), **SELECT)

# The server.
case("a redirect to a file", 7, "neither http nor https", answers={REPOMD: lambda h: h.raw(b"HTTP/1.1 302 F\r\nLocation: file:///etc/passwd\r\nContent-Length: 0\r\n\r\n")})
case("a redirect to FTP", 7, "neither http nor https", answers={REPOMD: lambda h: h.raw(b"HTTP/1.1 302 F\r\nLocation: ftp://127.0.0.1/x\r\nContent-Length: 0\r\n\r\n")})
case("a redirect to itself", 7, "redirect", answers={REPOMD: lambda h: h.raw(b"HTTP/1.1 302 F\r\nLocation: /repodata/repomd.xml\r\nContent-Length: 0\r\n\r\n")})
case("a redirect whose body never ends", 7, "endless redirect", answers={REPOMD: lambda h: (h.raw(b"HTTP/1.1 302 F\r\nLocation: /x\r\n\r\n"), h.forever(b"x" * 65536))})
case("headers without end", 7, "headers without end", answers={REPOMD: lambda h: (h.raw(b"HTTP/1.1 200 OK\r\n"), h.forever(b"X-A: " + b"x" * 1000 + b"\r\n"))})
case("one header without end", 7, "headers without end|header|memory", answers={REPOMD: lambda h: (h.raw(b"HTTP/1.1 200 OK\r\nX: "), h.forever(b"x" * 65536))})
case("interim answers without end", 7, "headers without end", answers={REPOMD: lambda h: h.forever(b"HTTP/1.1 103 Early\r\nX: y\r\n\r\n" * 100)})
case("an answer drop by drop", 7, "repomd.xml", answers={REPOMD: lambda h: (h.raw(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n"), h.forever(b"x", 0.2))}, options=["--timeout=1"])
case("a part that nobody asked for", 7, "HTTP status 206", answers={PRIMARY: lambda h: h.raw(b"HTTP/1.1 206 P\r\nContent-Range: bytes 5-9/10\r\nContent-Length: 5\r\n\r\nhello")})
case("a length that is too large", 5, "expected", answers={PRIMARY: lambda h: h.raw(b"HTTP/1.1 200 OK\r\nContent-Length: 99999999999999\r\n\r\nx")})
case("a length that is none", 7, "repomd.xml", answers={REPOMD: lambda h: h.raw(b"HTTP/1.1 200 OK\r\nContent-Length: -5\r\n\r\nx")})
case("less than was announced", 7, "repomd.xml", answers={REPOMD: lambda h: h.raw(b"HTTP/1.1 200 OK\r\nContent-Length: 5000\r\n\r\nx")}, options=["--timeout=1"])
case("more than was announced", 5, "more than|expected", answers={PRIMARY: lambda h: (h.raw(b"HTTP/1.1 200 OK\r\n\r\n"), h.forever(b"x" * 65536))})
case("a packed answer", 5, "expected|SHA-256|more than", answers={PRIMARY: lambda h: (lambda d: h.raw(b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: %d\r\n\r\n" % len(d) + d))(gzip.compress(b" " * 32 * MIB))})
case("no HTTP", 7, "repomd.xml", answers={REPOMD: lambda h: h.raw(b"\0\1\2 hello\r\n\r\n")})
case("a connection that ends", 7, "repomd.xml", answers={REPOMD: lambda h: None})
case("a package that never ends", 5, "more than|expected", answers={NAME: lambda h: (h.raw(b"HTTP/1.1 200 OK\r\n\r\n"), h.forever(b"x" * 65536))}, primary=lambda: document([package(pkgid="0" * 64)]))


def tree(path):
    found = {}
    for where, directories, names in os.walk(path):
        directories[:] = [d for d in directories if d != ".mirror"]
        for name in names:
            s = os.lstat(os.path.join(where, name))
            found[os.path.join(where, name)] = (s.st_ino, s.st_size, s.st_mtime_ns)
    return found


def limits():
    resource.setrlimit(resource.RLIMIT_AS, (4 << 30, 4 << 30))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


def mirror(url, copy, options):
    started = time.monotonic()
    p = subprocess.Popen([PROGRAM, "-q", "mirror", "--no-signatures", *options, url, copy], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                         stderr=subprocess.PIPE, preexec_fn=None if "GN8V_SANITIZED" in os.environ else limits)
    timer = threading.Timer(60 * SLOWER, p.kill)
    timer.start()
    message = p.stderr.read().decode("utf-8", "replace")
    _, status, usage = os.wait4(p.pid, 0)
    p.returncode = os.waitstatus_to_exitcode(status)
    timer.cancel()
    return p.returncode, message, time.monotonic() - started, usage.ru_maxrss / 1024


def main():
    server = Server(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    url, copy, failed = f"http://127.0.0.1:{server.server_port}", os.path.join(SCRATCH, "copy"), 0
    good = repository(document([package()]))
    Handler.files = good
    status, message, _, _ = mirror(url, copy, [])
    assert status == 0, message
    before = tree(copy)
    cases = [c for c in CASES if fnmatch.fnmatch(c[0], PATTERN)]
    for name, wanted, words, primary, files, answers, select, options in cases:
        Handler.answers = answers
        # Something new, so that it is read; selections go elsewhere: a mirror stays what it is.
        Handler.files = files() if files else repository(primary() if primary else document([package(extra="<x/>")]))
        target = os.path.join(SCRATCH, "selection") if select else copy
        status, message, seconds, megabytes = mirror(url, target, options + (["--package=good"] if select else []))
        problems = []
        if status != wanted:
            problems.append(f"exit status {status}, not {wanted}")
        if not re.search(words, message):
            problems.append(f"it does not say {words}")
        if len(message) > 8192 or not message.startswith("gn8v-tee-repo: ") or "\x1b" in message:
            problems.append("not one clean error")
        if "Sanitizer" in message:
            problems.append("a sanitizer spoke")
        if seconds > SECONDS * SLOWER or (megabytes > MEGABYTES and "GN8V_SANITIZED" not in os.environ):
            problems.append("too long, or too much memory")
        if tree(copy) != before or os.path.exists(os.path.join(target, ".stage")) or os.path.exists(os.path.join(SCRATCH, "selection/repodata")):
            problems.append("the copy was changed, or something was left behind")
        print(f"{'NOT ' if problems else ''}refused: {name}: {seconds:.1f} s, {megabytes:.0f} MB\n  {message.strip()[:400]}", flush=True)
        for problem in problems:
            print(f"  *** {problem}", flush=True)
        failed += bool(problems)
    print(f"{len(cases)} hostile sources, {failed} not refused as documented")
    sys.exit(1 if failed or not cases else 0)


main()
