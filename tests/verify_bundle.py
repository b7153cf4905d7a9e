#!/usr/bin/env python3
"""Verifies a bundle with ssh-keygen. Usage: verify_bundle.py BUNDLE KEY ALLOWED_SIGNERS   (KEY: ssh-ed25519 AAAA…)"""
import base64, hashlib, json, os, subprocess, sys, tempfile

def sha(*parts): return hashlib.sha256(b"".join(parts)).digest()
def check(good, what): return good or sys.exit(f"refused: {what}")

# Ed25519 without its modules (RFC 8032, section 6).
p, q = 2**255 - 19, 2**252 + 27742317777372353535851937790883648493
d = -121665 * pow(121666, -1, p) % p
def add(P, Q):
    k = d * P[0] * Q[0] * P[1] * Q[1]
    return ((P[0] * Q[1] + Q[0] * P[1]) * pow(1 + k, -1, p) % p, (P[1] * Q[1] + P[0] * Q[0]) * pow(1 - k, -1, p) % p)
def mul(n, P):
    R = (0, 1)
    while n: R, P, n = add(R, P) if n & 1 else R, add(P, P), n >> 1
    return R
def point(raw):
    sign, y = raw[31] >> 7, int.from_bytes(raw, "little") % 2**255
    x = pow((y * y - 1) * pow(d * y * y + 1, -1, p), (p + 3) // 8, p)
    if (x * x * (d * y * y + 1) - y * y + 1) % p: x = x * pow(2, (p - 1) // 4, p) % p
    check((x * x * (d * y * y + 1) - y * y + 1) % p == 0, "no point")
    return (p - x if x & 1 != sign else x, y)
def ed25519(key, text, sig):
    s, h = int.from_bytes(sig[32:], "little"), int.from_bytes(hashlib.sha512(sig[:32] + key + text).digest(), "little")
    B = point(bytes.fromhex("58" + "66" * 31))
    return s < q and mul(s, B) == add(point(sig[:32]), mul(h % q, point(key)))

def ssh(namespace, signed, signers, who=None):
    check(set(signed) == {"signature", "statement"}, "the fields of what was signed")
    with tempfile.TemporaryDirectory() as at:
        sig, text = os.path.join(at, "sig"), signed["statement"].encode()
        open(sig, "w").write(signed["signature"])
        run = lambda *args: subprocess.run(["ssh-keygen", "-Y", *args, "-f", signers, "-s", sig], input=text, capture_output=True)
        who = who or run("find-principals").stdout.decode().split("\n")[0]
        check(run("verify", "-I", who, "-n", namespace).returncode == 0, f"a signature for {namespace}")
        return who

def once(pairs): return check(len(dict(pairs)) == len(pairs), "a name that comes twice") and dict(pairs)
bundle = json.load(open(sys.argv[1]), object_pairs_hook=once)
check(set(bundle) - {"cosignatures"} == {"checkpoint", "command", "contents", "entries", "key", "purpose", "signed", "version"}, "its fields")
check((bundle["purpose"], bundle["version"], bundle["key"]) == ("expacti-bundle", 1, sys.argv[2]), "purpose, version or key")
key = base64.b64decode(sys.argv[2].split()[1])[-32:]
origin, size, root, nothing, line, end = bundle["checkpoint"].split("\n")
body, blob = f"{origin}\n{size}\n{root}\n".encode(), base64.b64decode(line.split(" ")[2])
check(line == f"\u2014 {origin} {base64.b64encode(blob).decode()}" and nothing == end == "", "the form of the checkpoint")
check(blob[:4] == sha(origin.encode(), b"\n\x01", key)[:4] and ed25519(key, body, blob[4:]), "the checkpoint's signature")
entries, before = [], -1
for one in bundle["entries"]:
    check(set(one) == {"index", "line", "proof"} and one["index"] > before, "the fields or order of entries")
    at, last, node = one["index"], int(size) - 1, sha(b"\0", one["line"].encode())
    for other in map(base64.b64decode, one["proof"]):
        if at & 1 or at == last:
            node = sha(b"\1", other, node)
            while not at & 1 and at: at, last = at >> 1, last >> 1
        else: node = sha(b"\1", node, other)
        at, last = at >> 1, last >> 1
    check(last == 0 and node == base64.b64decode(root), f"entry {one['index'] + 1} is not in the log")
    entries.append(json.loads(one["line"]))
    before = one["index"]
    check(entries[-1]["seq"] == before + 1 and entries[-1]["command_id"] == bundle["command"], "what an entry is about")
check(entries and bundle["signed"] == [s for e in entries for s in e.get("signed", [])], "what was signed is not in the entries")
for entry in entries:
    for signed in entry.get("signed", []):
        items = [one["item"] for one in json.loads(signed["statement"])["decisions"]]
        check(any((i["sha256"], i["session_id"]) == (entry["command_sha256"], entry["session_id"]) for i in items), "a signature over another command")
        print("signed by", ssh("expacti-decision", signed, sys.argv[3]))
submitted = entries[0] if entries[0]["kind"] == "command_submitted" else {}
for entry in entries:
    if "report" not in entry: continue
    report = json.loads(entry["report"]["statement"])
    outcome, released = report["outcome"], report.get("released")
    with tempfile.NamedTemporaryFile("w") as gate:
        gate.write(f"gate {report['gate']}\n"), gate.flush()
        ssh("expacti-report", entry["report"], gate.name, "gate")
        finger = subprocess.run(["ssh-keygen", "-lf", "-"], input=report["gate"].encode(), capture_output=True).stdout.decode().split(" ")[1]
    check((report["purpose"], report["version"], report["command_id"], finger) == ("expacti-report", 1, bundle["command"], submitted["gate_fingerprint"]), "a report of something else")
    if released: check((released["session_id"], released["sha256"], released["item_sha256"]) == (entry["session_id"], entry["command_sha256"], submitted["item_sha256"]), "a report of another command")
    told = {"comment": outcome.get("unknown")}
    if entry["kind"] != "withdrawn":
        told.update({name: outcome.get(name) for name in ("exit_status", "exit_signal", "duration_us")})
        told.update({f"{name}_{part}": (outcome.get(name) or {}).get(part) for name in ("stdin", "stdout", "stderr") for part in ("bytes", "sha256")})
    check(all(entry.get(name) == value for name, value in told.items()), "the entry says something else than the gate")
    print("the gate with the key", finger, "signed how it ended")
with tempfile.NamedTemporaryFile("w") as own:
    own.write(f"broker {bundle['key']}\n"), own.flush()
    ssh("expacti-contents", bundle["contents"], own.name, "broker")
contents = json.loads(bundle["contents"]["statement"])
check((contents["purpose"], contents["command"], contents["size"]) == ("expacti-contents", bundle["command"], int(size)), "contents of something else")
check(contents["entries"] == [one["index"] for one in bundle["entries"]], "an entry is missing")
check(contents.get("recording", entries[0])["session_id"] == entries[0]["session_id"], "another recording")
print(f"{len(entries)} entries of {bundle['command']} are in {origin}, {size} entries")
