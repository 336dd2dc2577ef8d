#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""odd.py SIM DIR: a simulated GPU's evidence, report, chain and driver manifest as nobody should keep them, and as some do; "STATUS FILE" lines."""
import base64
import copy
import glob
import gzip
import json
import os
import shutil
import sys

sim, out = sys.argv[1:]
report = open(sim + "/devices/gpu-0.report", "rb").read()
chain = open(sim + "/devices/gpu-0.chain", "rb").read()
evidence = json.load(open(sim + "/gpu_evidence.json"))[:1]
manifest = glob.glob(sim + "/rims/NV_GPU_DRIVER_*.xml")[0]
rim = open(manifest, "rb").read()
BEGIN, END = b"-----BEGIN CERTIFICATE-----\n", b"-----END CERTIFICATE-----\n"
BOM = b"\xef\xbb\xbf"


def put(status, name, data):
    path = os.path.join(out, name)
    with open(path, "wb") as f:
        f.write(data if isinstance(data, bytes) else data.encode())
    print(status, path)


def rims(status, name, make):
    path = os.path.join(out, name)
    shutil.copytree(sim + "/rims", path)
    file = os.path.join(path, os.path.basename(manifest))
    os.remove(file)
    if isinstance(make, bytes):
        open(file, "wb").write(make)
    else:
        make(file)
    print(status, path)


hex_text = report.hex()
lines = "\r\n".join(hex_text.upper()[i:i + 64] for i in range(0, len(hex_text), 64))
put(0, "wrapped.report", lines + "\r\n\r\n")
for name, data in {"0x": "0x" + hex_text, "odd": hex_text[:-1], "short": hex_text[:-2], "long": hex_text + "00", "newline": report + b"\n", "twice": report * 2,
                   "empty": b"", "blank": " \n", "base64": base64.b64encode(report), "gzip": gzip.compress(report), "bom": BOM + hex_text.encode()}.items():
    put(6, name + ".report", data)

ders = [base64.b64decode(b"".join(part.split(END)[0].split())) for part in chain.split(BEGIN)[1:]]
pem = [BEGIN + base64.encodebytes(der) + END for der in ders]
put(0, "crlf.chain", BOM + chain.replace(b"\n", b"\r\n"))
put(0, "text.chain", b"Certificate:\n" + chain.replace(END, END + b"i:/CN=somebody\n") + b"\0")
put(5, "reversed.chain", b"".join(pem[::-1]))
put(5, "four.chain", b"".join(pem[:4]))
put(5, "alone.chain", pem[0])
put(5, "root-twice.chain", b"".join(pem + pem[-1:]))
put(5, "swapped.chain", b"".join([pem[0], pem[2], pem[1]] + pem[3:]))
for name, data in {"der": b"".join(ders), "key": chain + b"-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n", "cut": chain[:-9], "text": b"none\n",
                   "trusted": chain.replace(b"BEGIN CERT", b"BEGIN TRUSTED CERT"), "utf16": chain.decode().encode("utf-16"), "many": chain * 4}.items():
    put(6, name + ".chain" if name != "text" else "words.chain", data)


def changed(**members):
    copies = copy.deepcopy(evidence)
    copies[0].update(members)
    return json.dumps(copies)


put(0, "plain.json", changed(unknown={"a": [1, 2, None]}, version=1e308, number=10 ** 15))
put(0, "wrapped.json", changed(evidence="\r\n".join(evidence[0]["evidence"][i:i + 76] for i in range(0, len(evidence[0]["evidence"]), 76)),
                               certificate="# a chain\n" + chain.decode()))
put(5, "other-arch.json", changed(arch="BLACKWELL"))
put(5, "other-nonce.json", changed(nonce="00" * 32))
put(6, "cut.json", changed(evidence=base64.b64encode(report[:-1]).decode()))
for name, members in {"null-nonce": {"nonce": None}, "0x-nonce": {"nonce": "0x" + evidence[0]["nonce"]}, "no-chain": {"certificate": ""},
                      "number": {"evidence": 1}, "no-report": {"evidence": ""}, "not-base64": {"evidence": "!!"}}.items():
    put(6, name + ".json", changed(**members))
for name, data in {"twice": changed() * 2, "huge": changed()[:-2] + ', "x": ' + "9" * 400 + "}]", "deep": "[" * 100000, "gzip": gzip.compress(changed().encode()),
                   "same-name": changed()[:-2] + ', "nonce": "' + evidence[0]["nonce"] + '"}]', "empty": "[]", "utf16": changed().encode("utf-16")}.items():
    put(6, name + ".json", data)

rims(0, "bom-crlf", BOM + rim.replace(b"\n", b"\r\n"))
rims(0, "declared", b'<?xml version="1.0" encoding="UTF-8"?>\n' + rim + b"\n\n")
rims(5, "changed", rim.replace(b"Made Corporation", b"Nade Corporation"))
for name, data in {"latin1": b'<?xml version="1.0" encoding="ISO-8859-1"?>\n' + rim, "xml11": b'<?xml version="1.1"?>\n' + rim, "utf16": rim.decode().encode("utf-16"),
                   "empty": b"", "cut": rim[:-20], "twice": rim * 2, "gzip": gzip.compress(rim), "large": rim + b" " * (1 << 20), "comment": b"<!-- -->" + rim}.items():
    rims(6, name, data)
rims(0, "link", lambda file: os.symlink(manifest, file))
for name, make in {"directory": os.mkdir, "pipe": os.mkfifo, "nowhere": lambda file: os.symlink("/nowhere", file), "device": lambda file: os.symlink("/dev/zero", file),
                   "below": lambda file: (os.mkdir(os.path.dirname(file) + "/more"), shutil.copy(manifest, os.path.dirname(file) + "/more"))}.items():
    rims(11, name, make)
