"""Real sockets: a service that is not there, hangs, drips, talks too much, or sends us elsewhere."""

from __future__ import annotations

import contextlib
import socket
import time
from contextlib import contextmanager
from threading import Thread
from typing import TYPE_CHECKING

import pytest

from provisioner.bridges.http import post
from provisioner.bridges.timestamp import HttpTimestamp
from provisioner.bridges.witness import HttpWitness
from provisioner.errors import NoAnswer
from provisioner.model.witnessing import Answer

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator


def say(answer: bytes) -> Callable[[socket.socket], None]:
    return lambda peer: peer.sendall(answer)


def drip(peer: socket.socket) -> None:
    peer.sendall(b"HTTP/1.1 200 OK\r\n")
    for _ in range(20):
        peer.sendall(b"X")
        time.sleep(0.05)


def http(status: str, body: bytes, *headers: str) -> bytes:
    return "\r\n".join([f"HTTP/1.1 {status}", f"Content-Length: {len(body)}", *headers, "", ""]).encode() + body


@contextmanager
def service(act: Callable[[socket.socket], None]) -> Iterator[tuple[str, list[bytes]]]:
    """One connection at a time, what it sent is kept, then `act` answers."""
    heard: list[bytes] = []
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def serve() -> None:
            while True:
                try:
                    peer, _ = listener.accept()
                except OSError:
                    return
                with peer, contextlib.suppress(OSError):
                    heard.append(peer.recv(65536))
                    if not heard[-1].endswith(b"body"):
                        heard[-1] += peer.recv(65536)
                    act(peer)

        thread = Thread(target=serve, daemon=True)
        thread.start()
        yield f"http://127.0.0.1:{listener.getsockname()[1]}", heard
        listener.shutdown(socket.SHUT_RDWR)
    thread.join(timeout=10)


def ask(url: str, *, seconds: float = 5.0) -> Answer:
    return post(url, b"body", content_type="text/plain", seconds=seconds, limit=1000)


def test_an_answer_is_handed_over_whatever_its_status() -> None:
    with service(say(http("409 Conflict", b"8\n", "Content-Type: text/x.tlog.size"))) as (url, heard):
        assert ask(url) == Answer(409, "text/x.tlog.size", b"8\n")
    assert b"Content-Type: text/plain" in heard[0]
    assert heard[0].endswith(b"\r\n\r\nbody")


def test_the_environment_has_no_say(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:1")
    with service(say(http("200 OK", b"x"))) as (url, _):
        assert ask(url).status == 200


def test_no_redirect_is_followed() -> None:
    with service(say(http("302 Found", b"", "Location: /elsewhere"))) as (url, heard):
        assert ask(url).status == 302
    assert len(heard) == 1


@pytest.mark.parametrize(
    ("act", "said"),
    [
        (lambda peer: None, "RemoteDisconnected|Remote end closed"),
        (say(b"nonsense\r\n\r\n"), "BadStatusLine|nonsense"),
        (say(http("200 OK", b"x" * 1001)), "longer than 1000 bytes"),
        (say(b"HTTP/1.1 200 OK\r\n\r\n" + b"x" * 5000), "longer than 1000 bytes"),
    ],
)
def test_what_is_no_answer_is_said(act: Callable[[socket.socket], None], said: str) -> None:
    with service(act) as (url, _), pytest.raises(NoAnswer, match=said):
        ask(url)


def test_nobody_there_is_said() -> None:
    with pytest.raises(NoAnswer, match=r"http://127\.0\.0\.1:1: ConnectionError: .*refused"):
        ask("http://127.0.0.1:1")


@pytest.mark.parametrize("act", [drip, lambda peer: peer.recv(1)], ids=["drips", "hangs"])
def test_the_deadline_covers_all_of_it(act: Callable[[socket.socket], None]) -> None:
    with service(act) as (url, _):
        began = time.monotonic()
        with pytest.raises(NoAnswer):
            ask(url, seconds=0.3)
        assert time.monotonic() - began < 2


def test_the_two_protocols_say_what_they_send() -> None:
    with service(say(http("200 OK", b"token"))) as (url, heard):
        assert HttpTimestamp(url, 5).stamp(b"body") == b"token"
        assert HttpWitness(url, 5).add_checkpoint(b"body").body == b"token"
    assert b"Content-Type: application/timestamp-query" in heard[0]
    assert heard[1].startswith(b"POST /add-checkpoint HTTP/1.1\r\n")
    with service(say(http("503 Busy", b"x"))) as (url, _), pytest.raises(NoAnswer, match="HTTP status 503"):
        HttpTimestamp(url, 5).stamp(b"body")
