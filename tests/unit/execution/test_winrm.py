from __future__ import annotations

import contextlib
import socket
import ssl
import threading
import time
from typing import TYPE_CHECKING

import pytest
from tests.ports import free_port

from provisioner.execution.first_contact import Deadlines
from provisioner.execution.winrm import HTTP_PORTS, WinrmProbe, _protocol
from provisioner.model.asset import Address, Asset, Transport

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

SECRET = "S3cret-of-the-test"
QUICK = Deadlines(connect=0.4, handshake=0.6, login=0.4, command=0.4)


def asset(port: int) -> Asset:
    address = Address(host="127.0.0.1", port=port, user="ops", transport=Transport.WINRM)
    return Asset(client="demo", name="pc-01", groups=frozenset(), address=address, secrets={"password": SECRET})


@pytest.fixture
def silent() -> Iterator[int]:
    """A port whose connections the kernel accepts and nobody serves."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        yield listener.getsockname()[1]


@pytest.mark.parametrize("port", sorted(HTTP_PORTS))
def test_http_is_refused_before_any_packet(port: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(socket, "create_connection", pytest.fail)

    contact = WinrmProbe(tmp_path).reach(asset(port), accept=pytest.fail)

    assert contact.reason == "protocol_error"
    assert "use TLS on 5986" in contact.text


def test_a_damaged_authority_is_named_before_any_packet(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(socket, "create_connection", pytest.fail)
    (tmp_path / "demo.pem").write_text("no certificate")

    contact = WinrmProbe(tmp_path).reach(asset(5986), accept=pytest.fail)

    assert contact.reason == "certificate_invalid"
    assert f"{tmp_path / 'demo.pem'} holds no usable certificate" in contact.text


def test_no_authority_at_all_trusts_nobody(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    nowhere = str(tmp_path / "nowhere")
    paths = ssl.DefaultVerifyPaths(None, None, "SSL_CERT_FILE", nowhere, "SSL_CERT_DIR", nowhere)
    monkeypatch.setattr(ssl, "get_default_verify_paths", lambda: paths)

    contact = WinrmProbe(tmp_path).reach(asset(5986), accept=pytest.fail)

    assert contact.reason == "certificate_invalid"
    assert "no certificate authority is known here" in contact.text


def test_nobody_listening_is_connection_refused(tmp_path: Path) -> None:
    port = free_port()

    assert WinrmProbe(tmp_path).reach(asset(port), accept=pytest.fail).reason == "connection_refused"


def test_a_peer_that_accepts_and_is_silent_is_a_timeout(silent: int, tmp_path: Path) -> None:
    before = time.monotonic()

    contact = WinrmProbe(tmp_path, deadlines=QUICK).reach(asset(silent), accept=pytest.fail)

    assert contact.reason == "timeout"
    assert "did not finish the TLS handshake in 0.6 s" in contact.text
    assert time.monotonic() - before < 3


@pytest.mark.parametrize(
    ("said", "pause", "reason"),
    [
        (b"HTTP/1.1 400 Bad Request\r\n\r\n", 0, "protocol_error"),
        (b"SSH-2.0-OpenSSH_9.2\r\n", 0, "protocol_error"),
        (b"", 0, "protocol_error"),
        (b"\x16\x03\x03\x40\x00" + b"\x02" * 600, 0.05, "timeout"),  # a server hello, one byte at a time
    ],
)
def test_a_peer_that_is_no_tls_server_is_bad_news_in_time(
    said: bytes, pause: float, reason: str, tmp_path: Path
) -> None:
    received: list[bytes] = []

    def serve() -> None:
        with contextlib.suppress(OSError):
            connection, _ = listener.accept()
            with connection:
                received.append(connection.recv(65536))
                for chunk in [said] if not pause else [said[at : at + 1] for at in range(len(said))]:
                    connection.sendall(chunk)
                    time.sleep(pause)

    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=serve)
        thread.start()
        before = time.monotonic()
        contact = WinrmProbe(tmp_path, deadlines=QUICK).reach(asset(listener.getsockname()[1]), accept=pytest.fail)
        took = time.monotonic() - before
        thread.join()

    assert contact.reason == reason
    assert took < 3
    assert SECRET.encode() not in b"".join(received)
    assert b"Authorization" not in b"".join(received)


def test_the_session_takes_nothing_from_the_environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTPS_PROXY", "http://192.0.2.1:3128")

    protocol, adapter = _protocol(asset(5986), tmp_path, password=SECRET)

    with contextlib.closing(adapter):
        session = protocol.transport.session
        assert session.trust_env is False
        assert "https" not in session.proxies
        assert list(session.adapters) == ["https://"]
        assert session.verify == str(tmp_path)
