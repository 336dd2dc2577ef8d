#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""front.py DIR PORT-FILE RIM-PORT: what stands before the servers of a simulated system (attest-sim DIR): manifests of a web server at RIM-PORT,
revocation by one `openssl ocsp` for each authority. Every answer comes DELAY ms late, as from far away. DIR/behaviour, read anew for each request:

  delay MS | replay (the first answer to a question is given again) | unauthorized (says that it has none) |
  other (the answer about another certificate of that issuer, without a nonce) |
  signer NAME (answers for gpu-ica are signed by ocsp/NAME.pem) | silent (no answer) | closed (the connection ends) | error (HTTP 500) |
  rim-id, rim-sha256, rim-json (that is wrong in what the service sends) | large | redirect-file

DIR/requests gets one line a request. Ends its responders when it ends."""
import asyncio
import glob
import os
import re
import signal
import sys

folder, port_file, rim_port = sys.argv[1], sys.argv[2], int(sys.argv[3])
responders, swapped, first, log = {}, {}, {}, open(folder + "/requests", "a", buffering=1)
children = []
NONCE = b"\x2b\x06\x01\x05\x05\x07\x30\x01\x02"  # id-pkix-ocsp-nonce; its 32 bytes come last


def behaviour():
    try:
        words = open(folder + "/behaviour").read().split()
    except OSError:
        words = []
    delay = float(words[words.index("delay") + 1]) / 1000 if "delay" in words else 0
    return words, delay


async def start_responder(name, signer):
    child = await asyncio.create_subprocess_exec(
        "openssl", "ocsp", "-port", "0", "-index", folder + "/ocsp/index.txt", "-CA", name + ".pem", "-rsigner", signer + ".pem",
        "-rkey", signer + ".key", "-rmd", "sha384", "-nmin", "60", "-ignore_err", stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT)
    children.append(child)
    while True:
        line = (await child.stdout.readline()).decode()
        if not line:
            sys.exit("openssl ocsp ended")
        match = re.search(r"ACCEPT .*:(\d+) PID", line)
        if match:
            break
    asyncio.ensure_future(drain(child))
    return int(match.group(1))


async def start_responders():
    for path in sorted(glob.glob(folder + "/ocsp/*.hash")):
        port = await start_responder(path[:-5], path[:-5] + "-responder")
        for digest in open(path).read().split():
            responders[bytes.fromhex(digest)] = path[:-5], port


async def drain(child):
    while await child.stdout.read(4096):
        pass


async def ask(port, head, body):
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(head + body)
    await writer.drain()
    answer = await reader.read()
    writer.close()
    return answer


def split(answer):
    head, _, body = answer.partition(b"\r\n\r\n")
    return int(head.split()[1]), body


async def ocsp(body, words):
    key = body[:-32] if NONCE in body else body
    if "unauthorized" in words:
        return 200, b"\x30\x03\x0a\x01\x06"
    if "replay" in words and key in first:
        return 200, first[key]
    issuer, (name, port) = next(((h, r) for h, r in responders.items() if h in body), (b"", (None, None)))
    if port is None:
        return 404, b""
    others = [answer for question, answer in first.items() if issuer in question and NONCE not in question and question not in body]
    if "other" in words and others:
        return 200, others[0]
    if "signer" in words and name.endswith("/gpu-ica"):
        signer = folder + "/ocsp/" + words[words.index("signer") + 1]
        if signer not in swapped:
            swapped[signer] = asyncio.ensure_future(start_responder(name, signer))
        port = await swapped[signer]
    head = b"POST / HTTP/1.0\r\nContent-Type: application/ocsp-request\r\nContent-Length: %d\r\n\r\n" % len(body)
    status, answer = split(await ask(port, head, body))
    first.setdefault(key, answer)
    return status, answer


async def rim(path, words):
    status, answer = split(await ask(rim_port, b"GET " + path + b" HTTP/1.0\r\nHost: x\r\n\r\n", b""))
    if "rim-id" in words:
        answer = answer.replace(b'"id": "NV', b'"id": "XX')
    if "rim-sha256" in words:
        answer = re.sub(rb'"sha256": "..', b'"sha256": "zz', answer)
    if "rim-json" in words:
        answer = answer[:-1]
    return status, answer


async def one(reader, writer):
    line = await reader.readline()
    if not line:
        return False
    length = 0
    while True:
        header = await reader.readline()
        if header in (b"\r\n", b""):
            break
        if header.lower().startswith(b"content-length:"):
            length = int(header.split(b":")[1])
    body = await reader.readexactly(length)
    method, path = line.split()[:2]
    words, delay = behaviour()
    log.write("%s %s\n" % (method.decode(), path.decode()))
    if "silent" in words:
        await asyncio.sleep(600)
    if "closed" in words:
        return False
    extra = b""
    if "error" in words:
        status, answer = 500, b"no"
    elif "large" in words:
        status, answer = 200, b"x" * (1 << 23)
    elif "redirect-file" in words:
        status, answer, extra = 302, b"", b"Location: file:///etc/passwd\r\n"
    elif method == b"POST":
        status, answer = await ocsp(body, words)
    else:
        status, answer = await rim(path, words)
    await asyncio.sleep(delay)
    writer.write(b"HTTP/1.1 %d X\r\n%sContent-Length: %d\r\n\r\n" % (status, extra, len(answer)) + answer)
    await writer.drain()
    return True


async def serve(reader, writer):
    try:
        while await one(reader, writer):
            pass
    except (ConnectionError, asyncio.IncompleteReadError):
        pass
    writer.close()


async def main():
    await start_responders()
    server = await asyncio.start_server(serve, "127.0.0.1", 0, backlog=256)
    with open(port_file + ".new", "w") as f:
        f.write(str(server.sockets[0].getsockname()[1]))
    stop = asyncio.Event()
    asyncio.get_event_loop().add_signal_handler(signal.SIGTERM, stop.set)
    os.rename(port_file + ".new", port_file)
    await stop.wait()
    for child in children:
        child.terminate()
    os._exit(0)


asyncio.run(main())
