#!/usr/bin/env python3
"""Verifies an exported audit log, from its description alone. Usage: verify_audit.py < FILE"""
import hashlib
import json
import sys

prev = "0" * 64
count = 0
for number, raw in enumerate(sys.stdin.buffer.read().split(b"\n")[:-1], 1):
    entry = json.loads(raw)
    # RFC 8785 for what entries hold (strings and whole numbers): sorted keys, no spaces.
    canonical = json.dumps(entry, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    if canonical.encode() != raw:
        sys.exit(f"line {number} is not canonical")
    if entry["prev"] != prev:
        sys.exit(f"line {number} does not follow line {number - 1}")
    command, digest = entry.get("command"), entry.get("command_sha256")
    if command is not None and digest is not None and "command_base64" not in entry:
        if hashlib.sha256(command.encode()).hexdigest() != digest:
            sys.exit(f"line {number}: the digest is not that of the command")
    prev = hashlib.sha256(raw).hexdigest()
    count = number
print(f"{count} entries, head {prev}")
