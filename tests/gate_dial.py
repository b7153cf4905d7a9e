#!/usr/bin/env python3
"""A ProxyCommand (with ProxyUseFdpass) that dials the local gate as the helper of `expacti wrap` does.

It registers itself with the broker, whose socket lies beside the gate's. It lets a stock ssh client use options that wrap keeps to itself, such as ControlMaster. The gate
holds each command all the same. Usage: gate_dial.py SOCKET HOST PORT USER KEY KNOWN_HOSTS
"""
import array
import http.client
import json
import os
import socket
import sys

path, host, port, user, key, known_hosts = sys.argv[1:]


class Broker(http.client.HTTPConnection):
    def connect(self):
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.connect(os.path.join(os.path.dirname(path), "broker.sock"))


# The client that runs this program: it lives as long as the connection.
wrap = {"pid": os.getppid(), "agent": "gate_dial", "isolation": "client"}
broker = Broker("broker")
broker.request("POST", "/v1/wraps", json.dumps(wrap), {"Content-Type": "application/json"})
answer = broker.getresponse()
granted = answer.read()
if answer.status != 200:
    sys.exit(f"the broker refused: {granted.decode()}")
gate = socket.socket(socket.AF_UNIX)
gate.connect(path)
head = {
    "protocol": 1,
    "token": json.loads(granted)["token"],
    "agent": "gate_dial",
    "program": ["ssh"],
    "wrap_pid": os.getppid(),
    "status_line": False,
    "route": {
        "alias": "target",
        "host": host,
        "port": int(port),
        "user": user,
        "identity_files": [key],
        "identities_only": True,
        "known_hosts_files": [known_hosts],
    },
}
gate.sendall(json.dumps(head).encode() + b"\n")
line = b""
while not line.endswith(b"\n"):
    byte = gate.recv(1)
    if not byte:
        sys.exit("the gate closed the connection")
    line += byte
reply = json.loads(line)
if not reply["ok"]:
    sys.exit(f"the gate refused: {reply.get('error')}")
passed = array.array("i", [gate.fileno()])
stdout = socket.socket(fileno=os.dup(1))
stdout.sendmsg([b"\0"], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, passed)])
