"""The witness's HTTP interface: `POST /add-checkpoint`, `GET /<SHA-256 of the origin>/checkpoint`, until a deadline.

Nothing here is secret and every submission carries its own signature, so there is no login. What a stranger can take is
bounded: bytes of a body, seconds of a connection, connections at a time.
"""

from __future__ import annotations

import socket
import socketserver
import sys
import time
from contextlib import suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Lock
from typing import TYPE_CHECKING, Any

from provisioner.errors import ProvisionerError, UsageError
from provisioner.model.witnessing import BODY_LIMIT, Answer

if TYPE_CHECKING:
    from collections.abc import Callable

    from provisioner.serving.witness import Witness

CONNECTION_SECONDS = 30
CONNECTIONS = 64
TICK = 0.25


class Listener(ThreadingHTTPServer):
    """A witness that listens on one address. A context manager: left, it listens no more."""

    daemon_threads = True
    request_queue_size = CONNECTIONS

    def __init__(self, address: tuple[str, int], witness: Witness, *, told: Callable[[str], None]) -> None:
        """Listen at once; UsageError for an address that cannot be had. `told` gets one line a request."""
        self.witness = witness
        self.told = told
        self._open: dict[socket.socket, float] = {}
        self._guard = Lock()
        try:
            super().__init__(address, _Handler)
        except OSError as error:
            raise UsageError(f"cannot listen on {address[0]}:{address[1]}: {error.strerror or error}") from error

    @property
    def url(self) -> str:
        """Where it listens: the submission prefix and the monitoring prefix of the protocol."""
        return f"http://{self.server_address[0]!s}:{self.server_address[1]}"

    def serve_for(self, seconds: float) -> None:
        """Answer requests for that long, then return."""
        end = time.monotonic() + seconds
        while (left := end - time.monotonic()) > 0:
            self.timeout = min(TICK, left)
            self.handle_request()
            self._hang_up()

    def server_bind(self) -> None:
        """Bind without asking a name server for our name, as http.server would."""
        socketserver.TCPServer.server_bind(self)
        self.server_name, self.server_port = str(self.server_address[0]), int(self.server_address[1])

    def verify_request(self, request: Any, client_address: Any) -> bool:
        """Take no more connections than we hold at a time."""
        with self._guard:
            if len(self._open) >= CONNECTIONS:
                return False
            self._open[request] = time.monotonic() + CONNECTION_SECONDS
        return True

    def shutdown_request(self, request: Any) -> None:
        """Let go of a connection that is done."""
        with self._guard:
            self._open.pop(request, None)
        super().shutdown_request(request)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Say in one line what went wrong with a connection; the others go on."""
        error = sys.exc_info()[1]
        self.told(f"a connection ended: {type(error).__name__}: {error}")

    def _hang_up(self) -> None:
        with self._guard:
            overdue = [request for request, end in self._open.items() if end < time.monotonic()]
        for request in overdue:
            with suppress(OSError):
                request.shutdown(socket.SHUT_RDWR)


class _Handler(BaseHTTPRequestHandler):
    server: Listener
    protocol_version = "HTTP/1.1"
    server_version = "provisioner"
    sys_version = ""
    timeout = CONNECTION_SECONDS

    def do_POST(self) -> None:
        length = self.headers.get("Content-Length", "")
        if not (length.isascii() and length.isdecimal()) or "Transfer-Encoding" in self.headers:
            self._last(Answer(411, "text/plain", b"a Content-Length is needed\n"))
        elif len(length) > 9 or int(length) > BODY_LIMIT:
            self._last(Answer(413, "text/plain", b"the body is too long\n"))
        else:
            body = self.rfile.read(int(length))
            if len(body) < int(length):
                self.close_connection = True
            elif self.path.rstrip("/") == "/add-checkpoint":
                self._answer(lambda: self.server.witness.add_checkpoint(body))
            else:
                self._answer(_nowhere)

    def do_GET(self) -> None:
        name = self.path.removeprefix("/").removesuffix("/checkpoint")
        known = self.path == f"/{name}/checkpoint"
        self._answer((lambda: self.server.witness.checkpoint(name)) if known else _nowhere)

    def _answer(self, ask: Callable[[], Answer]) -> None:
        try:
            answer = ask()
        except ProvisionerError as error:
            self.server.told(f"error: {error}")
            self._last(Answer(500, "text/plain", b"the witness cannot answer; its operator was told\n"))
        else:
            self._send(answer)

    def _last(self, answer: Answer) -> None:
        self.close_connection = True
        self._send(answer)

    def _send(self, answer: Answer) -> None:
        self.server.told(f"{self.client_address[0]} {self.command} {self.path[:100]!a} {answer.status}")
        self.send_response_only(answer.status)
        self.send_header("Content-Type", answer.content_type)
        self.send_header("Content-Length", str(len(answer.body)))
        if self.close_connection:
            self.send_header("Connection", "close")
        self.end_headers()
        self.wfile.write(answer.body)

    def log_message(self, format: str, *args: object) -> None:
        """Say in one line what http.server answered by itself: a request that is none."""
        self.server.told(f"{self.client_address[0]} {format % args!a}")


def _nowhere() -> Answer:
    return Answer(404, "text/plain", b"there are /add-checkpoint and /<SHA-256 of an origin>/checkpoint\n")
