#!/usr/bin/env python3
"""A scripted model for agents under test: it asks for one command, waits for its end, and stops.

    model_server.py PORT_FILE COMMAND

Speaks enough of two APIs, both with server-sent events: OpenAI's Responses (POST /v1/responses, as
Codex uses it) and Anthropic's Messages (POST /v1/messages, as Claude Code does). Listens on
127.0.0.1 only, writes its port to PORT_FILE, and what it was asked to PORT_FILE.log.
"""

import http.server
import json
import os
import re
import sys

PORT_FILE, COMMAND = sys.argv[1:3]


def codex(request):
    """The next item: a command, a look at it while it runs, or the final message."""
    outputs = [item for item in request["input"] if item.get("type") == "function_call_output"]
    said = json.dumps(outputs[-1].get("output", "")) if outputs else ""
    running = re.search(r"session ID (\d+)", said)
    if not outputs:
        call = "exec_command", {"cmd": COMMAND, "yield_time_ms": 30000}
    elif running and "exited with code" not in said:
        call = "write_stdin", {"session_id": int(running[1]), "chars": "", "yield_time_ms": 30000}
    else:
        text = [{"type": "output_text", "text": "finished", "annotations": []}]
        return {"type": "message", "id": "m", "role": "assistant", "content": text}
    return {
        "type": "function_call",
        "id": f"f{len(outputs)}",
        "call_id": f"call{len(outputs)}",
        "name": call[0],
        "arguments": json.dumps(call[1]),
    }


def responses(request):
    item = codex(request)
    usage = {"input_tokens": 1, "output_tokens": 1, "total_tokens": 2}
    yield {"type": "response.created", "response": {"id": "r"}}
    yield {"type": "response.output_item.added", "output_index": 0, "item": item}
    yield {"type": "response.output_item.done", "output_index": 0, "item": item}
    yield {"type": "response.completed", "response": {"id": "r", "usage": usage}}


def messages(request):
    """Only the request that offers the tool is the agent's own; others ask for titles and such."""
    offered = any(tool.get("name") == "Bash" for tool in request.get("tools", []))
    used = '"tool_result"' in json.dumps(request["messages"])
    if offered and not used:
        block = {"type": "tool_use", "id": "toolu_1", "name": "Bash", "input": {}}
        given = {"command": COMMAND, "description": "Run it", "timeout": 120000}
        delta = {"type": "input_json_delta", "partial_json": json.dumps(given)}
        stop = "tool_use"
    else:
        block = {"type": "text", "text": ""}
        delta = {"type": "text_delta", "text": "finished"}
        stop = "end_turn"
    message = {
        "id": "msg_1",
        "type": "message",
        "role": "assistant",
        "model": request.get("model"),
        "content": [],
        "stop_reason": None,
        "stop_sequence": None,
        "usage": {"input_tokens": 1, "output_tokens": 1},
    }
    yield {"type": "message_start", "message": message}
    yield {"type": "content_block_start", "index": 0, "content_block": block}
    yield {"type": "content_block_delta", "index": 0, "delta": delta}
    yield {"type": "content_block_stop", "index": 0}
    end = {"stop_reason": stop, "stop_sequence": None}
    yield {"type": "message_delta", "delta": end, "usage": {"output_tokens": 1}}
    yield {"type": "message_stop"}


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *_):
        pass

    def reply(self, status, kind, body):
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def do_HEAD(self):
        self.reply(200, "application/json", b"")

    def do_GET(self):
        self.reply(200, "application/json", b'{"object": "list", "data": []}')

    def do_POST(self):
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        with open(f"{PORT_FILE}.log", "ab") as log:
            log.write(self.path.encode() + b" " + body + b"\n")
        path = self.path.partition("?")[0]
        answer = {"/v1/responses": responses, "/v1/messages": messages}.get(path)
        if answer is None:
            self.reply(404, "application/json", b'{"error": {"message": "not scripted"}}')
            return
        events = "".join(
            f"event: {event['type']}\ndata: {json.dumps(event)}\n\n"
            for event in answer(json.loads(body))
        )
        self.reply(200, "text/event-stream", events.encode())


server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
with open(f"{PORT_FILE}.new", "w") as file:
    file.write(str(server.server_address[1]))
os.rename(f"{PORT_FILE}.new", PORT_FILE)
server.serve_forever()
