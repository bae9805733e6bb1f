"""The WinRM probe against a TLS peer of the tests' own: a minimal WSMan responder with a real NTLM.

It proves who gets no credential and how answers are read. It proves nothing about a real Windows.
"""

from __future__ import annotations

import base64
import contextlib
import http.server
import ipaddress
import re
import socket
import ssl
import threading
import time
import warnings
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest
import spnego
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from provisioner.execution.first_contact import Deadlines
from provisioner.execution.ports import Trust
from provisioner.execution.winrm import WinrmProbe
from provisioner.model.asset import Address, Asset, Transport

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

SECRET = "S3cret-of-the-test"
NOW = datetime.now(UTC)
DAY = timedelta(days=1)
ELEVATED = "Mandatory Label\\High Mandatory Level  Label  S-1-16-12288\r\n"
MEDIUM = "Mandatory Label\\Medium Mandatory Level  Label  S-1-16-8192\r\n"


@dataclass(frozen=True)
class Pair:
    """A certificate and its key."""

    certificate: x509.Certificate
    key: ec.EllipticCurvePrivateKey

    @property
    def pem(self) -> bytes:
        return self.certificate.public_bytes(serialization.Encoding.PEM)

    def context(self, folder: Path) -> ssl.SSLContext:
        form = serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        path = folder / f"{self.certificate.serial_number}.pem"
        path.write_bytes(self.pem + self.key.private_bytes(*form))
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(path)
        return context


def certify(
    name: str, *, by: Pair | None, starts: datetime = NOW - DAY, ends: datetime = NOW + DAY, address: str = ""
) -> Pair:
    """Make a certificate: an authority when `address` is empty, signed by itself when there is no `by`."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    builder = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(by.certificate.subject if by else subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(starts)
        .not_valid_after(ends)
        .add_extension(x509.BasicConstraints(ca=not address, path_length=None), critical=True)
    )
    if address:
        names = x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address(address))])
        builder = builder.add_extension(names, critical=False)
    return Pair(builder.sign(by.key if by else key, hashes.SHA256()), key)


AUTHORITY = certify("client's authority", by=None)
ROGUE = certify("another authority", by=None)
GOOD = certify("pc-01", by=AUTHORITY, address="127.0.0.1")

BAD_CERTIFICATES = {
    "expired": (certify("pc-01", by=AUTHORITY, address="127.0.0.1", starts=NOW - 3 * DAY, ends=NOW - DAY), "expired"),
    "not yet valid": (
        certify("pc-01", by=AUTHORITY, address="127.0.0.1", starts=NOW + DAY, ends=NOW + 2 * DAY),
        "not yet valid",
    ),
    "wrong name": (certify("127.0.0.1", by=AUTHORITY, address="127.0.0.2"), "mismatch"),
    "self-signed": (certify("pc-01", by=None, address="127.0.0.1"), "self-signed"),
    "another authority": (certify("pc-01", by=ROGUE, address="127.0.0.1"), "unable to get local issuer"),
}


@dataclass
class Peer:
    """A WSMan responder over TLS. `received` is every byte that a client sent inside TLS, `met` how many connected."""

    port: int = 0
    received: bytearray = field(default_factory=bytearray)
    met: int = 0
    logins: list[bool] = field(default_factory=list)
    offers: str = "Negotiate, NTLM"
    groups: str = ELEVATED
    answer: Callable[[Any], bool] | None = None

    @property
    def scheme_of_logins(self) -> set[str]:
        return set(re.findall(r"(?im)^Authorization: (\w+) ", self.received.decode("latin-1")))


class Handler(http.server.BaseHTTPRequestHandler):
    """One connection: NTLM authenticates it as a whole, as Windows does."""

    protocol_version = "HTTP/1.1"
    peer: Peer
    context: Any = None

    def setup(self) -> None:
        super().setup()
        self.rfile = Tee(self.rfile, self.peer.received)

    def log_message(self, *_: object) -> None:
        pass

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length", "0")))
        if self.peer.answer and self.peer.answer(self):
            return
        if self.context is None or not self.context.complete:
            self._authenticate()
        else:
            self._respond(200, wsman(body.decode(), self.peer))

    def _authenticate(self) -> None:
        scheme, _, token = self.headers.get("Authorization", "").partition(" ")
        if scheme not in ("Negotiate", "NTLM"):
            return self._respond(401, b"", ("WWW-Authenticate", self.peer.offers))
        if self.context is None:
            self.context = spnego.server(protocol="ntlm")
        try:
            reply = self.context.step(base64.b64decode(token))
        except spnego.exceptions.SpnegoError:
            self.peer.logins.append(False)
            self.context = None
            return self._respond(401, b"", ("WWW-Authenticate", self.peer.offers))
        if not self.context.complete:
            return self._respond(401, b"", ("WWW-Authenticate", f"{scheme} {base64.b64encode(reply).decode()}"))
        self.peer.logins.append(True)
        return self._respond(200, wsman("transfer/Create", self.peer))

    def _respond(self, status: int, body: bytes, *headers: tuple[str, str]) -> None:
        self.send_response(status)
        for name, value in (*headers, ("Content-Length", str(len(body)))):
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)


class Tee:
    """A stream that remembers what was read from it."""

    def __init__(self, stream: Any, kept: bytearray) -> None:
        self._stream, self._kept = stream, kept

    def read(self, size: int) -> bytes:
        data: bytes = self._stream.read(size)
        self._kept += data
        return data

    def readline(self, limit: int = -1) -> bytes:
        data: bytes = self._stream.readline(limit)
        self._kept += data
        return data

    def close(self) -> None:
        self._stream.close()


def wsman(request: str, peer: Peer) -> bytes:
    """Answer the five requests of one command, as [MS-WSMV] shapes them."""
    shell = 'xmlns:rsp="http://schemas.microsoft.com/wbem/wsman/1/windows/shell"'
    relates = "".join(re.findall(r"MessageID>(uuid:[^<]+)<", request))
    body = ""
    if "transfer/Create" in request:
        body = f'<rsp:Shell {shell}><s Name="ShellId">11111111-1111-1111-1111-111111111111</s></rsp:Shell>'
    elif "shell/Command<" in request:
        body = f"<rsp:CommandResponse {shell}><rsp:CommandId>2222</rsp:CommandId></rsp:CommandResponse>"
    elif "shell/Receive" in request:
        output = base64.b64encode(peer.groups.encode()).decode()
        done = "http://schemas.microsoft.com/wbem/wsman/1/windows/shell/CommandState/Done"
        body = (
            f'<rsp:ReceiveResponse {shell}><rsp:Stream Name="stdout" CommandId="2222">{output}</rsp:Stream>'
            f'<rsp:CommandState CommandId="2222" State="{done}"><rsp:ExitCode>0</rsp:ExitCode></rsp:CommandState>'
            "</rsp:ReceiveResponse>"
        )
    envelope = 'xmlns:s="http://www.w3.org/2003/05/soap-envelope"'
    header = f"<s:Header><RelatesTo>{relates}</RelatesTo></s:Header>"
    return f"<s:Envelope {envelope}>{header}<s:Body>{body}</s:Body></s:Envelope>".encode()


class Server(http.server.ThreadingHTTPServer):
    """Serves over TLS when there is a context, each handshake in its own thread; shuts every connection at the end."""

    daemon_threads = False
    tls: ssl.SSLContext | None = None
    peer: Peer

    def __init__(self, peer: Peer, tls: ssl.SSLContext | None) -> None:
        handler = type("Bound", (Handler,), {"peer": peer})
        self.peer, self.tls, self._open = peer, tls, []  # type: ignore[assignment]
        super().__init__(("127.0.0.1", 0), handler)
        peer.port = self.server_address[1]

    def process_request_thread(self, request: Any, client_address: Any) -> None:
        self.peer.met += 1
        self._open.append(request.dup())
        try:
            if self.tls:
                request = self.tls.wrap_socket(request, server_side=True)
        except OSError:
            return self.shutdown_request(request)
        return super().process_request_thread(request, client_address)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that hangs up is what these tests are about."""

    def hang_up(self) -> None:
        self.shutdown()
        for connection in self._open:
            with contextlib.suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)
            connection.close()
        self.server_close()


@pytest.fixture
def start(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    users = tmp_path / "users"
    users.write_text(f":ops:{SECRET}\n")
    monkeypatch.setenv("NTLM_USER_FILE", str(users))
    with contextlib.ExitStack() as stack:

        def begin(pair: Pair | None = GOOD, *, tls: ssl.SSLContext | None = None, **settings: Any) -> Peer:
            peer = Peer(**settings)
            server = Server(peer, tls or (pair.context(tmp_path) if pair else None))
            thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
            thread.start()
            stack.callback(thread.join)
            stack.callback(server.hang_up)
            return peer

        yield begin


@pytest.fixture
def authorities(tmp_path: Path) -> Path:
    folder = tmp_path / "ca"
    folder.mkdir()
    (folder / "demo.pem").write_bytes(AUTHORITY.pem)
    return folder


def asset(port: int, *, password: str = SECRET, host: str = "127.0.0.1") -> Asset:
    address = Address(host=host, port=port, user="ops", transport=Transport.WINRM)
    return Asset(client="demo", name="pc-01", groups=frozenset(), address=address, secrets={"password": password})


def test_a_machine_with_a_valid_certificate_is_ready(start: Any, authorities: Path) -> None:
    peer = start()

    contact = WinrmProbe(authorities).reach(asset(peer.port), accept=pytest.fail)

    assert (contact.reason, contact.text, contact.trust) == ("", "", Trust.CERTIFICATE)
    digest = base64.b64encode(GOOD.certificate.fingerprint(hashes.SHA256())).decode().rstrip("=")
    assert contact.fingerprint == f"SHA256:{digest}"
    assert peer.logins == [True]
    assert peer.scheme_of_logins <= {"Negotiate", "NTLM"}
    assert SECRET.encode() not in peer.received
    assert b"whoami" in peer.received, "control: the peer does see what is sent"


@pytest.mark.parametrize("case", BAD_CERTIFICATES)
def test_a_peer_with_a_bad_certificate_gets_no_byte(case: str, start: Any, authorities: Path) -> None:
    pair, words = BAD_CERTIFICATES[case]
    peer = start(pair)

    contact = WinrmProbe(authorities).reach(asset(peer.port), accept=lambda _: True)

    assert (contact.reason, contact.trust, contact.fingerprint) == ("certificate_invalid", None, "")
    assert words in contact.text
    assert str(authorities / "demo.pem") in contact.text
    assert (bytes(peer.received), peer.logins) == (b"", [])
    assert peer.met == 1


def test_the_name_of_the_machine_is_what_counts(start: Any, authorities: Path) -> None:
    peer = start()

    contact = WinrmProbe(authorities).reach(asset(peer.port, host="localhost"), accept=pytest.fail)

    assert contact.reason == "certificate_invalid"
    assert peer.received == b""


def test_a_client_without_an_authority_of_its_own_relies_on_the_systems(start: Any, tmp_path: Path) -> None:
    peer = start()

    contact = WinrmProbe(tmp_path / "nowhere").reach(asset(peer.port), accept=pytest.fail)

    assert contact.reason == "certificate_invalid"
    assert peer.received == b""


def test_the_environment_chooses_neither_authority_nor_proxy(
    start: Any, authorities: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "rogue.pem").write_bytes(ROGUE.pem)
    (tmp_path / "netrc").write_text("machine 127.0.0.1 login other password other\n")
    proxy, good, rogue = start(None), start(), start(BAD_CERTIFICATES["another authority"][0])
    for name in ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "SSL_CERT_FILE"):
        monkeypatch.setenv(name, str(tmp_path / "rogue.pem"))
    for name in ("HTTPS_PROXY", "https_proxy", "ALL_PROXY", "HTTP_PROXY"):
        monkeypatch.setenv(name, f"http://127.0.0.1:{proxy.port}")
    monkeypatch.setenv("NETRC", str(tmp_path / "netrc"))

    probe = WinrmProbe(authorities)
    assert probe.reach(asset(good.port), accept=pytest.fail).reason == ""
    assert probe.reach(asset(rogue.port), accept=pytest.fail).reason == "certificate_invalid"
    assert WinrmProbe(tmp_path).reach(asset(rogue.port), accept=pytest.fail).reason == "certificate_invalid"

    assert (proxy.met, bytes(rogue.received)) == (0, b"")


def test_a_wrong_password_is_tried_once(start: Any, authorities: Path) -> None:
    peer = start()

    contact = WinrmProbe(authorities).reach(asset(peer.port, password="Wrong-1"), accept=pytest.fail)

    assert (contact.reason, contact.trust) == ("login_refused", Trust.CERTIFICATE)
    assert peer.logins == [False]
    assert "Wrong-1" not in repr(contact)


def test_without_a_password_nothing_is_tried(start: Any, authorities: Path) -> None:
    peer = start()

    contact = WinrmProbe(authorities).reach(asset(peer.port, password=""), accept=pytest.fail)

    assert contact.reason == "login_refused"
    assert "no password is given" in contact.text
    assert peer.received == b""


def test_a_peer_that_offers_basic_only_gets_no_password(start: Any, authorities: Path) -> None:
    peer = start(offers='Basic realm="WSMAN"')

    contact = WinrmProbe(authorities).reach(asset(peer.port), accept=pytest.fail)

    assert contact.reason == "login_refused"
    assert peer.scheme_of_logins == set()
    assert base64.b64encode(f"ops:{SECRET}".encode()) not in peer.received


def test_an_account_without_elevation_is_refused(start: Any, authorities: Path) -> None:
    peer = start(groups=MEDIUM)

    contact = WinrmProbe(authorities).reach(asset(peer.port), accept=pytest.fail)

    assert contact.reason == "privilege_refused"
    assert contact.reached


def test_a_redirect_is_not_followed(start: Any, authorities: Path) -> None:
    elsewhere = start(None)

    def redirect(handler: Handler) -> bool:
        handler._respond(307, b"", ("Location", f"http://127.0.0.1:{elsewhere.port}/wsman"))
        return True

    contact = WinrmProbe(authorities).reach(asset(start(answer=redirect).port), accept=pytest.fail)

    assert contact.reason == "protocol_error"
    assert elsewhere.met == 0


@pytest.mark.parametrize(
    "answer",
    [
        lambda handler: handler._respond(200, b"<html>not WSMan</html>") or True,
        lambda handler: handler._respond(200, b"\x00\xff") or True,
        lambda handler: handler._respond(404, b"no such page") or True,
        lambda handler: handler._respond(500, b"<fault>") or True,
        lambda handler: handler._respond(401, b"", ("WWW-Authenticate", "NTLM !!!")) or True,
        lambda handler: handler.connection.shutdown(socket.SHUT_RDWR) or True,
        lambda handler: handler.wfile.write(b"SSH-2.0-x\r\n" * 3) and False,
    ],
    ids=["html", "bytes", "404", "500", "bad challenge", "hang-up", "no HTTP"],
)
def test_a_peer_that_speaks_no_wsman_is_bad_news(answer: Any, start: Any, authorities: Path) -> None:
    contact = WinrmProbe(authorities).reach(asset(start(answer=answer).port), accept=pytest.fail)

    assert contact.reason in ("protocol_error", "login_refused")
    assert contact.text.startswith("pc-01 (127.0.0.1:")
    assert SECRET not in repr(contact)


@pytest.mark.parametrize("drip", [False, True], ids=["silent", "tarpit"])
def test_a_peer_that_never_answers_is_a_timeout(drip: bool, start: Any, authorities: Path) -> None:
    def stall(handler: Handler) -> bool:
        with contextlib.suppress(OSError):
            for _ in range(200):
                if drip:
                    handler.wfile.write(b"H")
                elif not handler.connection.recv(1):
                    break
                time.sleep(0.05)
        return True

    before = time.monotonic()

    probe = WinrmProbe(authorities, deadlines=Deadlines(login=0.5, command=0.5))
    contact = probe.reach(asset(start(answer=stall).port), accept=pytest.fail)

    assert (contact.reason, contact.trust) == ("timeout", Trust.CERTIFICATE)
    assert time.monotonic() - before < 5


def test_old_tls_is_refused(start: Any, authorities: Path, tmp_path: Path) -> None:
    old = GOOD.context(tmp_path)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        old.minimum_version = ssl.TLSVersion.TLSv1
        old.maximum_version = ssl.TLSVersion.TLSv1_1
    old.set_ciphers("ALL:@SECLEVEL=0")
    peer = start(tls=old)

    contact = WinrmProbe(authorities).reach(asset(peer.port), accept=pytest.fail)

    assert contact.reason == "protocol_error"
    assert "TLS 1.2 or newer" in contact.text
    assert peer.received == b""


def test_a_plain_http_peer_gets_no_credential(start: Any, authorities: Path) -> None:
    peer = start(None)

    contact = WinrmProbe(authorities).reach(asset(peer.port), accept=pytest.fail)

    assert contact.reason == "protocol_error"
    assert peer.scheme_of_logins == set()
    assert b"ops" not in peer.received
