"""The witness over HTTP: routes, bounds, the deadline. Threads of this process; `tests/integration` has a real one."""

from __future__ import annotations

import http.client
import socket
import time
from threading import Thread
from typing import TYPE_CHECKING

import pytest

from provisioner.errors import LedgerError, UsageError
from provisioner.model.witnessing import BODY_LIMIT, SIZE_TYPE
from provisioner.serving import listener as module
from provisioner.serving.listener import Listener
from provisioner.serving.memory import digest

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.unit.serving.conftest import Tree

    from provisioner.serving.witness import Witness


class Served:
    """A listener in a thread, and what it told."""

    def __init__(self, witness: Witness, seconds: float) -> None:
        self.told: list[str] = []
        self.listener = Listener(("127.0.0.1", 0), witness, told=self.told.append)
        self.thread = Thread(target=self.listener.serve_for, args=(seconds,))
        self.thread.start()

    @property
    def port(self) -> int:
        return int(self.listener.server_address[1])

    def connect(self) -> http.client.HTTPConnection:
        return http.client.HTTPConnection("127.0.0.1", self.port, timeout=10)

    def ask(self, method: str, path: str, body: bytes | None = None) -> tuple[int, str, bytes]:
        connection = self.connect()
        connection.request(method, path, body=body)
        answer = connection.getresponse()
        found = answer.status, answer.headers["Content-Type"], answer.read()
        connection.close()
        return found


@pytest.fixture
def served(witness: Witness, monkeypatch: pytest.MonkeyPatch) -> Iterator[Served]:
    monkeypatch.setattr(module, "CONNECTION_SECONDS", 1)
    served = Served(witness, 600)
    yield served
    monkeypatch.setattr(time, "monotonic", lambda clock=time.monotonic: clock() + 3600)
    served.thread.join()
    served.listener.server_close()


def test_the_two_calls_of_the_protocol(served: Served, tree: Tree) -> None:
    status, kind, line = served.ask("POST", "/add-checkpoint", tree.body(0, 8))
    assert (status, kind) == (200, "text/plain; charset=utf-8")
    assert served.ask("POST", "/add-checkpoint", tree.body(0, 9)) == (409, SIZE_TYPE, b"8\n")
    status, _, note = served.ask("GET", f"/{digest('provisioner/demo')}/checkpoint")
    assert (status, note) == (200, tree.checkpoint(8).note.encode() + line)
    assert [text.split()[-1] for text in served.told] == ["200", "409", "200"]


def test_one_connection_may_ask_twice(served: Served, tree: Tree) -> None:
    connection = served.connect()
    for old, new in ((0, 8), (8, 9)):
        connection.request("POST", "/add-checkpoint", body=tree.body(old, new))
        answer = connection.getresponse()
        assert (answer.status, len(answer.read()) > 0) == (200, True)
    connection.close()


@pytest.mark.parametrize(
    ("method", "path", "body", "status"),
    [
        ("POST", "/", b"x", 404),
        ("POST", "/add-checkpoint", b"x", 400),
        ("POST", "/add-checkpoint", b"x" * (BODY_LIMIT + 1), 413),
        ("GET", "/", None, 404),
        ("GET", "/add-checkpoint", None, 404),
        ("GET", "/checkpoint", None, 404),
        ("GET", f"/{'0' * 64}/checkpoint", None, 404),
        ("GET", "/../../witness.key", None, 404),
        ("GET", "/..%2fwitness.key/checkpoint", None, 404),
        ("PUT", "/add-checkpoint", b"x", 501),
    ],
)
def test_anything_else_is_refused(served: Served, method: str, path: str, body: bytes | None, status: int) -> None:
    assert served.ask(method, path, body)[0] == status


@pytest.mark.parametrize("head", ["Content-Length: -1", "Content-Length: ٣", "Transfer-Encoding: chunked", "X: y"])
def test_a_body_without_a_length_is_refused(served: Served, head: str) -> None:
    with socket.create_connection(("127.0.0.1", served.port), timeout=10) as raw:
        raw.sendall(f"POST /add-checkpoint HTTP/1.1\r\n{head}\r\n\r\n".encode())
        assert raw.recv(100).startswith(b"HTTP/1.1 411 ")


def test_a_connection_that_drips_is_cut_and_the_others_are_answered(served: Served, tree: Tree) -> None:
    with socket.create_connection(("127.0.0.1", served.port), timeout=10) as slow:
        slow.sendall(b"POST /add-checkpoint HTTP/1.1\r\nContent-Length: 99999\r\n\r\n")
        assert served.ask("POST", "/add-checkpoint", tree.body(0, 8))[0] == 200
        assert slow.recv(100) == b"", "cut without an answer"


def test_more_connections_than_it_holds_are_turned_away(
    served: Served, tree: Tree, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "CONNECTIONS", 1)
    with socket.create_connection(("127.0.0.1", served.port), timeout=10):
        deadline = time.monotonic() + 5
        turned = 0
        while not turned and time.monotonic() < deadline:
            try:
                served.ask("GET", "/")
            except (http.client.RemoteDisconnected, ConnectionResetError):
                turned += 1
        assert turned


def test_a_memory_that_fails_is_a_500_that_says_nothing_of_it(
    served: Served, tree: Tree, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(body: bytes) -> None:
        raise LedgerError("/secret/place: no space")

    monkeypatch.setattr(served.listener.witness, "add_checkpoint", broken)
    status, _, body = served.ask("POST", "/add-checkpoint", tree.body(0, 8))
    assert (status, b"secret" in body) == (500, False)
    assert served.told[0] == "error: /secret/place: no space"


def test_a_folder_that_cannot_be_locked_is_a_500(served: Served, tree: Tree, folder: Path) -> None:
    (folder / "lock").unlink()
    (folder / "lock").mkdir()
    assert served.ask("POST", "/add-checkpoint", tree.body(0, 8))[0] == 500
    assert served.told[0].startswith(f"error: {folder}: the witness cannot write here: ")


def test_it_ends_by_itself(witness: Witness) -> None:
    served = Served(witness, 0.3)
    served.thread.join(timeout=10)
    assert not served.thread.is_alive()
    served.listener.server_close()
    with pytest.raises(OSError):
        socket.create_connection(("127.0.0.1", served.port), timeout=5)


def test_an_address_that_is_taken_is_a_usage_error(served: Served, witness: Witness) -> None:
    with pytest.raises(UsageError, match=r"cannot listen on 127\.0\.0\.1"):
        Listener(("127.0.0.1", served.port), witness, told=print)
