"""A time-stamp authority for the tests: `openssl ts` behind an HTTP server of this process. Nothing is faked."""

from __future__ import annotations

import subprocess
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Lock, Thread
from typing import TYPE_CHECKING

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

CONFIGURATION = """
[tsa]
default_tsa = here
[here]
serial = {folder}/serial
signer_cert = {folder}/tsa.pem
certs = {folder}/chain.pem
signer_key = {folder}/tsa.key
signer_digest = sha256
default_policy = 1.2.3.4.1
digests = sha256, sha384, sha512
ess_cert_id_alg = sha256
"""


def _name(text: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text)])


@dataclass(frozen=True)
class Holder:
    """A certificate and its private key."""

    certificate: x509.Certificate
    key: ec.EllipticCurvePrivateKey

    @property
    def pem(self) -> bytes:
        return self.certificate.public_bytes(serialization.Encoding.PEM)


def certify(name: str, *, by: Holder | None = None, until: datetime, purpose: bool = False) -> Holder:
    """Make a certificate valid from yesterday `until`: a root without `by`; with `purpose` one that may stamp time."""
    key = ec.generate_private_key(ec.SECP256R1())
    issuer = by.certificate.subject if by else _name(name)
    built = x509.CertificateBuilder(issuer, _name(name), key.public_key(), x509.random_serial_number())
    built = built.not_valid_before(datetime.now(UTC) - timedelta(days=1)).not_valid_after(until)
    built = built.add_extension(x509.BasicConstraints(ca=not purpose, path_length=None), critical=True)
    built = built.add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
    signer = by.key if by else key
    above = x509.AuthorityKeyIdentifier.from_issuer_public_key(signer.public_key())
    built = built.add_extension(above, critical=False)
    if purpose:
        built = built.add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.TIME_STAMPING]), critical=True)
    return Holder(built.sign(signer, hashes.SHA256()), key)


class Authority:
    """A root, an intermediate and a signer whose certificate ends after `seconds`; its answers carry all three."""

    def __init__(self, folder: Path, *, seconds: float = 86400.0) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.folder = folder
        self.roots = folder / "roots.pem"
        self.ends = (datetime.now(UTC) + timedelta(seconds=seconds)).replace(microsecond=0)
        late = datetime.now(UTC) + timedelta(days=365)
        root = certify("Root", until=late)
        middle = certify("Middle", by=root, until=late)
        signer = certify("Stamps", by=middle, until=self.ends, purpose=True)
        pem, form, locked = serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        self.roots.write_bytes(root.pem)
        (folder / "tsa.pem").write_bytes(signer.pem)
        (folder / "chain.pem").write_bytes(middle.pem + root.pem)
        (folder / "tsa.key").write_bytes(signer.key.private_bytes(pem, form, locked))
        (folder / "serial").write_text("01\n")
        (folder / "tsa.cnf").write_text(CONFIGURATION.format(folder=folder))
        self._turn = Lock()

    def answer(self, query: bytes) -> bytes:
        """Return the TimeStampResp to a TimeStampReq, both DER."""
        with self._turn:
            (self.folder / "query").write_bytes(query)
            arguments = ["-config", "tsa.cnf", "-queryfile", "query", "-out", "reply"]
            subprocess.run(["openssl", "ts", "-reply", *arguments], cwd=self.folder, check=True, capture_output=True)
            return (self.folder / "reply").read_bytes()


@contextmanager
def serving(authority: Authority) -> Iterator[str]:
    """Answer at the address that is yielded, as RFC 3161 section 3.4 says, until the block is left."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            assert self.headers["Content-Type"] == "application/timestamp-query"
            reply = authority.answer(self.rfile.read(int(self.headers["Content-Length"])))
            self.send_response(200)
            self.send_header("Content-Type", "application/timestamp-reply")
            self.send_header("Content-Length", str(len(reply)))
            self.end_headers()
            self.wfile.write(reply)

        def log_message(self, format: str, *args: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
