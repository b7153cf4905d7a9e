#!/usr/bin/env python3
"""A reviewer that shares no code with expacti: WebSocket over TCP or a Unix socket.

Written from docs/PROTOCOL.md, with the standard library alone. It prints each message it gets as
a JSON line and decides every pending command: --allow, --deny COMMENT, or --lie (allow, with the
digest of another command). It ends after --count decisions were answered.
"""
import argparse
import base64
import hashlib
import json
import os
import socket
import struct
import sys
from urllib.parse import urlsplit


class WebSocket:
    """RFC 6455, the client's side, text messages only."""

    def __init__(self, url, path, token):
        parts = urlsplit(url)
        if parts.scheme == "unix":
            self.socket = socket.socket(socket.AF_UNIX)
            self.socket.connect(parts.path)
        else:
            self.socket = socket.create_connection((parts.hostname, parts.port))
        key = base64.b64encode(os.urandom(16)).decode()
        lines = [
            f"GET {path} HTTP/1.1",
            f"Host: {parts.netloc or 'localhost'}",
            "Connection: Upgrade",
            "Upgrade: websocket",
            "Sec-WebSocket-Version: 13",
            f"Sec-WebSocket-Key: {key}",
        ]
        if token:
            lines.append(f"Authorization: Bearer {token}")
        self.socket.sendall(("\r\n".join(lines) + "\r\n\r\n").encode())
        self.stream = self.socket.makefile("rb")
        status = self.stream.readline().decode().strip()
        headers = {}
        while (line := self.stream.readline().strip()) != b"":
            name, _, value = line.decode().partition(":")
            headers[name.lower()] = value.strip()
        magic = (key + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11").encode()
        accept = base64.b64encode(hashlib.sha1(magic).digest()).decode()
        if " 101 " not in status + " " or headers.get("sec-websocket-accept") != accept:
            body = self.stream.read(int(headers.get("content-length", 0))).decode()
            sys.exit(f"no WebSocket: {status} {body}")

    def send(self, message):
        self.frame(1, json.dumps(message).encode())

    def frame(self, opcode, payload):
        mask = os.urandom(4)
        size = len(payload)
        if size < 126:
            head = struct.pack("!BB", 0x80 | opcode, 0x80 | size)
        elif size < 1 << 16:
            head = struct.pack("!BBH", 0x80 | opcode, 0x80 | 126, size)
        else:
            head = struct.pack("!BBQ", 0x80 | opcode, 0x80 | 127, size)
        masked = bytes(byte ^ mask[at % 4] for at, byte in enumerate(payload))
        self.socket.sendall(head + mask + masked)

    def messages(self):
        text = b""
        while len(head := self.stream.read(2)) == 2:
            opcode, size = head[0] & 15, head[1] & 127
            if size == 126:
                (size,) = struct.unpack("!H", self.stream.read(2))
            elif size == 127:
                (size,) = struct.unpack("!Q", self.stream.read(8))
            payload = self.stream.read(size)
            if opcode == 8:
                return
            if opcode == 9:
                self.frame(10, payload)
            elif opcode in (0, 1):
                text += payload
                if head[0] & 0x80:
                    yield json.loads(text)
                    text = b""


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--broker", required=True, help="unix:///path or http://host:port")
    parser.add_argument("--token", default=os.environ.get("EXPACTI_TOKEN"))
    parser.add_argument("--count", type=int, default=1)
    group = parser.add_mutually_exclusive_group(required=True)
    group.add_argument("--allow", action="store_true")
    group.add_argument("--deny", metavar="COMMENT")
    group.add_argument("--lie", action="store_true")
    options = parser.parse_args()

    connection = WebSocket(options.broker, "/v1/ws/reviewer", options.token)
    answered = 0
    for message in connection.messages():
        print(json.dumps(message), flush=True)
        if message["type"] == "pending_command":
            command = message["command"].encode()
            if message.get("command_base64"):
                command = base64.b64decode(message["command_base64"])
            digest = hashlib.sha256(b"something else" if options.lie else command).hexdigest()
            connection.send({
                "type": "decision",
                "ref": 1,
                "id": message["id"],
                "allow": options.deny is None,
                "comment": options.deny or "decided elsewhere",
                "sha256": digest,
            })
        elif message["type"] in ("ack", "error"):
            answered += 1
            if answered == options.count:
                return


if __name__ == "__main__":
    main()
