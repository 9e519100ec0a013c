"""The scripted model: a server on loopback that real agent programs take for their provider.

Promises: any number of programs at once; every request is on record; once it is closed, no thread and no
connection of it is left, whoever still waits for an answer.
"""

from __future__ import annotations

import json
import threading
from collections import Counter, defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any

from tests.agents_real.dialects import Dialect, Json, Messages, Responses
from tests.agents_real.script import Cut, Fail, Garbage, Hang, Reply, Scripts, Turn, marked, say

DIALECTS: Mapping[str, Dialect] = {"/v1/messages": Messages(), "/v1/responses": Responses()}

PATIENCE = 60.0
"""Seconds after which those who were to be together are given up."""

ASIDE = say("A title")
"""What a program gets that asks for something beside the work: a title, a summary."""


@dataclass(frozen=True, slots=True)
class Asked:
    """One request: its path, the script that it bears the mark of, its body, its key, and what it got."""

    path: str
    script: str | None
    body: Json
    key: str
    reply: Reply

    @property
    def text(self) -> str:
        """The body as text."""
        return json.dumps(self.body, ensure_ascii=False)


class ScriptedModel:
    """The server; to be used as a context manager."""

    def __init__(self, scripts: Scripts) -> None:
        self._scripts = scripts
        self._lock = threading.Condition()
        self._asked: list[Asked] = []
        self._given: Counter[str] = Counter()
        self._met: defaultdict[int, set[str]] = defaultdict(set)
        self.closing = threading.Event()
        self._server = _Server(("127.0.0.1", 0), _Handler)
        self._server.model = self
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,))

    @property
    def url(self) -> str:
        """Where it listens."""
        return f"http://127.0.0.1:{self._server.server_port}"

    def asked(self, script: str | None = None) -> list[Asked]:
        """All requests so far, or those of one script."""
        with self._lock:
            return [each for each in self._asked if script is None or each.script == script]

    def answer(self, path: str, body: Json, key: str) -> tuple[Reply, int]:
        """What a request gets, and its number; the request is on record from here on."""
        dialect = DIALECTS[path]
        script = next(filter(None, map(marked, dialect.prompts(body))), None)
        with self._lock:
            # Who offers no tools asks for something beside the work.
            reply: Reply = ASIDE
            if script is not None and dialect.tools(body):
                replies = self._scripts.get(script) or (Fail(404, f"no script {script}"),)
                reply = replies[min(self._given[script], len(replies) - 1)]
                self._given[script] += 1
            self._asked.append(Asked(path, script, body, key, reply))
            number = len(self._asked)
            if isinstance(reply, Turn) and reply.together and script is not None:
                self._met[reply.together].add(script)
                self._lock.notify_all()
                here = self._met[reply.together]
                if not self._lock.wait_for(lambda: len(here) >= reply.together, PATIENCE):
                    return Fail(500, f"only {sorted(here)} came"), number
        return reply, number

    def close(self) -> None:
        """End it; whoever waits for an answer finds the connection closed."""
        self.closing.set()
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()

    def __enter__(self) -> ScriptedModel:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


class _Server(ThreadingHTTPServer):
    # Closing waits for every answer that is under way.
    daemon_threads = False
    block_on_close = True
    request_queue_size = 64
    model: ScriptedModel

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A program that was killed in the middle of an answer is no error."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: _Server
    timeout = PATIENCE

    def log_message(self, format: str, *args: object) -> None:
        """Nothing is printed."""

    def do_HEAD(self) -> None:
        """Whether the server is there."""
        self._send(200, b"")

    def do_GET(self) -> None:
        """Whatever a program looks up: nothing is known."""
        self._send(404, b"{}")

    def do_POST(self) -> None:
        """A request to the model."""
        body = json.loads(self.rfile.read(int(self.headers["content-length"])))
        path = self.path.partition("?")[0]
        if path not in DIALECTS:
            self._send(404, b"{}")
            return
        key = self.headers.get("x-api-key") or self.headers.get("authorization", "").removeprefix("Bearer ")
        reply, number = self.server.model.answer(path, body, key)
        dialect = DIALECTS[path]
        match reply:
            case Fail():
                self._send(reply.status, json.dumps(dialect.error(reply)).encode(), *reply.headers)
            case Hang():
                self.close_connection = True
                self.server.model.closing.wait()
            case Garbage():
                self._send(200, b"<html>Welcome to the hotel's network</html>")
            case Cut():
                self._stream(dialect, Turn(reply.text), body, number, cut=True)
            case Turn() if body.get("stream"):
                self._stream(dialect, reply, body, number)
            case Turn():
                self._send(200, json.dumps(dialect.whole(reply, body, number)).encode())

    def _send(self, status: int, body: bytes, *headers: tuple[str, str]) -> None:
        self._head(status, ("Content-Type", "application/json"), ("Content-Length", str(len(body))), *headers)
        self.wfile.write(body)

    def _stream(self, dialect: Dialect, turn: Turn, body: Json, number: int, *, cut: bool = False) -> None:
        self._head(200, ("Content-Type", "text/event-stream"), ("Transfer-Encoding", "chunked"))
        for name, data in dialect.frames(turn, body, number):
            text = f"event: {name}\ndata: {json.dumps({'type': name, **data})}\n\n".encode()
            self.wfile.write(b"%x\r\n%b\r\n" % (len(text), text))
            if cut and "delta" in name:
                return  # no last chunk: for the other side the connection breaks
        self.wfile.write(b"0\r\n\r\n")

    def _head(self, status: int, *headers: tuple[str, str]) -> None:
        # One request a connection: closing the server waits for none that is only kept open.
        self.close_connection = True
        self.send_response(status)
        for name, value in (*headers, ("Connection", "close")):
            self.send_header(name, value)
        self.end_headers()
