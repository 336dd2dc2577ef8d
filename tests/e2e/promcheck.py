#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Prometheus' text format 0.0.4, by its rules: usage: promcheck.py FILE; what is wrong is said, exit status 1."""
import re
import sys

SAMPLE = re.compile(r'^([a-zA-Z_:][a-zA-Z0-9_:]*)(\{(.*)\})? (\S+)$')
LABEL = re.compile(r'([a-zA-Z_][a-zA-Z0-9_]*)="((?:[^"\\\n]|\\\\|\\"|\\n)*)"(,|$)')

with open(sys.argv[1], encoding="utf-8", newline="") as f:
    text = f.read()
assert text.endswith("\n") and "\r" not in text, "lines end with a line feed, the last one too"
typed, helped, series, seen_metrics, last = set(), set(), set(), [], None
for line in text.splitlines():
    if line.startswith("# HELP "):
        name = line.split(" ", 3)[2]
        assert name not in helped, "HELP twice: " + line
        helped.add(name)
        continue
    if line.startswith("# TYPE "):
        _, _, name, kind = line.split(" ")
        assert name not in typed and kind in ("gauge", "counter"), line
        assert name not in seen_metrics, "TYPE after a sample: " + line
        typed.add(name)
        continue
    match = SAMPLE.match(line)
    assert match, "no sample: " + line
    name, labels = match[1], match[3] or ""
    float(match[4])
    assert name in typed and name in helped, "no HELP or TYPE: " + line
    if name != last:
        assert name not in seen_metrics, "the samples of a metric stand together: " + line
        seen_metrics.append(name)
        last = name
    at, pairs = 0, []
    while at < len(labels):
        label = LABEL.match(labels, at)
        assert label, "label: " + line
        pairs.append((label[1], label[2]))
        at = label.end()
    assert len({p[0] for p in pairs}) == len(pairs), "a label twice: " + line
    assert (name, tuple(sorted(pairs))) not in series, "a series twice: " + line
    series.add((name, tuple(sorted(pairs))))
assert len(series) >= 3, "nearly nothing there"
