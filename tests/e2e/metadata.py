#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""A look-alike of the cloud's metadata service, good or bad. usage: metadata.py MODE PORT-FILE LOG KEY=VALUE...
Modes: hardened, plain, silent (accepts, never answers), drip (a byte a second), endless, endless-fields, redirect, chunks (malformed), garbage."""
import socketserver
import sys
import time

MODE, PORT_FILE, LOG = sys.argv[1:4]
KEYS = dict(word.split("=", 1) for word in sys.argv[4:])
TOKEN = "AQAEtestTOKEN=="


class Handler(socketserver.StreamRequestHandler):
    def say(self, status, body=""):
        self.wfile.write(f"HTTP/1.1 {status}\r\nContent-Length: {len(body)}\r\nConnection: close\r\n\r\n{body}".encode())

    def forever(self, head, piece, pause=0):
        self.wfile.write(head)
        while True:
            self.wfile.write(piece)
            time.sleep(pause)

    def handle(self):
        request = self.rfile.readline().decode("latin-1").split()
        fields = {}
        while (line := self.rfile.readline().decode("latin-1").strip()):
            name, _, value = line.partition(":")
            fields[name.lower()] = value.strip()
        with open(LOG, "a", encoding="utf-8") as log:
            log.write(" ".join(request[:2]) + (" token" if "x-aliyun-ecs-metadata-token" in fields else "") + "\n")
        try:
            self.answer(request[0], request[1], fields)
        except (BrokenPipeError, ConnectionResetError):
            pass

    def answer(self, method, path, fields):
        if MODE == "silent":
            time.sleep(60)
        elif MODE == "drip":
            for byte in b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\necs.x":
                self.wfile.write(bytes([byte]))
                time.sleep(1)
        elif MODE == "endless":
            self.forever(b"HTTP/1.1 200 OK\r\n\r\n", b"x" * 65536)
        elif MODE == "endless-fields":
            self.forever(b"HTTP/1.1 200 OK\r\n", b"X-Field: x\r\n" * 4096)
        elif MODE == "redirect":
            self.wfile.write(b"HTTP/1.1 302 Found\r\nLocation: http://127.0.0.1:1/\r\nContent-Length: 0\r\n\r\n")
        elif MODE == "chunks":
            self.wfile.write(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n-5\r\necs.x\r\n0\r\n\r\n")
        elif MODE == "garbage":
            self.wfile.write(b"\0\x1b[2J\xff" * 100 + b"\n\n")
        elif method == "PUT":
            if MODE == "hardened" and path == "/latest/api/token" and 1 <= int(fields.get("x-aliyun-ecs-metadata-token-ttl-seconds", 0)) <= 21600:
                self.say("200 OK", TOKEN)
            else:
                self.say("405 Method Not Allowed" if MODE == "plain" else "400 Bad Request")
        elif MODE == "hardened" and fields.get("x-aliyun-ecs-metadata-token") != TOKEN:
            self.say("403 Forbidden")
        else:
            key = path.removeprefix("/latest/meta-data/")
            self.say("200 OK", KEYS[key]) if key in KEYS else self.say("404 Not Found", "<html></html>")


class Server(socketserver.ThreadingTCPServer):
    allow_reuse_address = True
    daemon_threads = True


with Server(("127.0.0.1", 0), Handler) as server:
    with open(PORT_FILE, "w", encoding="ascii") as f:  # a pipe: whoever reads it knows that we listen
        f.write(str(server.server_address[1]))
    server.serve_forever()
