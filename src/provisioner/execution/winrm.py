"""The WinRM probe, and the only home of pywinrm: TLS with a certificate that validates, then NTLM, then one command.

It was tested against peers of the tests' own and has met no real Windows: see docs/explanation/first_contact.md.
"""

from __future__ import annotations

import socket
import ssl
from contextlib import closing, suppress
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any

import requests
import urllib3
from winrm.exceptions import InvalidCredentialsError
from winrm.protocol import Protocol

from provisioner.execution.first_contact import BadNews, Deadlines, connect, deadline, printable, trusted, where
from provisioner.execution.ports import Contact, Trust
from provisioner.model.encoding import fingerprint

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from provisioner.model.asset import Asset

HTTP_PORTS = frozenset({80, 5985})
_ELEVATED = (b"S-1-16-12288", b"S-1-16-16384")  # mandatory levels high and system: well-known SIDs, in any language


class WinrmProbe:
    """Reaches machines over WinRM on TLS; `authorities` is the folder that may hold `<client>.pem`, the client's CA.

    Without that file the system's authorities decide. Nothing is taken from the environment: no proxy, no CA, no netrc.
    """

    def __init__(self, authorities: Path, *, deadlines: Deadlines | None = None) -> None:
        self._authorities = authorities
        self._deadlines = deadlines or Deadlines()

    def reach(self, asset: Asset, *, accept: Callable[[str], bool]) -> Contact:
        """Check the machine's certificate, log in, ask for its privileges: see `provisioner.execution.ports.Probe`.

        `accept` is never asked: a certificate that does not validate is refused.
        """
        met = Contact()
        try:
            if asset.address.port in HTTP_PORTS:
                text = f"{where(asset)} is the port of WinRM over http, which sends work in clear; use TLS on 5986"
                raise BadNews("protocol_error", text)
            authorities = self._trusted(asset.client)
            met = Contact(trust=Trust.CERTIFICATE, fingerprint=self._certificate(asset, authorities))
            self._try_work(asset, authorities)
        except BadNews as news:
            return replace(met, reason=news.reason, text=news.text)
        return met

    def _trusted(self, client: str) -> Path:
        """Return the file or folder of authorities, which exists."""
        path = trusted(self._file(client))
        if path.exists():
            return path
        text = f"no certificate authority is known here; put the client's into {self._file(client)}"
        raise BadNews("certificate_invalid", text)

    def _file(self, client: str) -> Path:
        return self._authorities / f"{client}.pem"

    def _certificate(self, asset: Asset, authorities: Path) -> str:
        """Shake hands over TLS, send nothing, and return the fingerprint of the certificate, which is valid."""
        context, seconds = _context(authorities), self._deadlines.handshake
        raw = connect(asset, seconds=self._deadlines.connect)
        raw.settimeout(2 * seconds)  # ours, over the whole, comes first
        broken: OSError | None = None  # ssl's errors are OSErrors
        with raw, raw.dup() as handle, deadline(seconds, partial(handle.shutdown, socket.SHUT_RDWR)) as expired:
            try:
                with context.wrap_socket(raw, server_hostname=asset.address.host) as wrapped:
                    return fingerprint(wrapped.getpeercert(binary_form=True) or b"")
            except OSError as error:
                broken = error
        if expired.is_set():
            text = f"{where(asset)} accepts connections but did not finish the TLS handshake in {seconds:g} s"
            raise BadNews("timeout", f"{text}; is WinRM listening for https on this port?")
        if isinstance(broken, ssl.SSLCertVerificationError):
            text = f"{where(asset)} presents a certificate that is refused: {broken.verify_message}; nothing was sent. "
            remedy = f"Give it a valid certificate in that name, and put its authority into {self._file(asset.client)}"
            raise BadNews("certificate_invalid", text + remedy)
        text = f"{where(asset)} does not speak TLS 1.2 or newer ({printable(str(broken), asset)})"
        raise BadNews("protocol_error", f"{text}; is WinRM listening for https on this port?")

    def _try_work(self, asset: Asset, authorities: Path) -> None:
        """Log in once and run one command, or raise BadNews."""
        user, password = asset.address.user, asset.secrets.get("password", "")
        if not password:
            text = f"{where(asset)}: no password is given for {user}; put ansible_password into the client's vault file"
            raise BadNews("login_refused", text)
        protocol, adapter = _protocol(asset, authorities, password=password)
        broken: Exception | None = None
        said = b""
        with closing(adapter), deadline(self._deadlines.login + self._deadlines.command, adapter.hang_up) as expired:
            try:
                said = _groups(protocol)
            except Exception as error:  # a peer's bytes make pywinrm raise almost anything; all of it is bad news
                broken = error
        if expired.is_set():
            raise BadNews("timeout", f"{where(asset)} speaks TLS but did not answer WinRM in time; see its WinRM log")
        if isinstance(broken, InvalidCredentialsError | PermissionError):
            text = f"{where(asset)} refused the login of {user} by NTLM (tried once); correct ansible_user and "
            raise BadNews("login_refused", text + "ansible_password, and see whether the account is locked")
        if broken is not None:
            detail = printable(f"{type(broken).__name__}: {broken}", asset)
            raise BadNews("protocol_error", f"{where(asset)} does not speak WinRM as expected ({detail}); see its log")
        if not any(level in said for level in _ELEVATED):
            text = f"{where(asset)}: {user} works without elevation; use an account of the Administrators group"
            raise BadNews("privilege_refused", text)


class _Adapter(requests.adapters.HTTPAdapter):
    """requests' way to https, which keeps a handle of every connection: a deadline can hang up."""

    def __init__(self) -> None:
        self._handles: list[socket.socket] = []
        super().__init__()

    def init_poolmanager(self, *args: Any, **options: Any) -> None:
        """Make the pools of connections: https only."""
        super().init_poolmanager(*args, **options)
        handles = self._handles

        class Connection(urllib3.connection.HTTPSConnection):
            def _new_conn(self) -> socket.socket:
                fresh = super()._new_conn()
                handles.append(fresh.dup())
                return fresh

        class Pool(urllib3.HTTPSConnectionPool):
            ConnectionCls = Connection

        self.poolmanager.pool_classes_by_scheme = {"https": Pool}

    def hang_up(self) -> None:
        """End every wait for a peer."""
        for handle in self._handles:
            with suppress(OSError):
                handle.shutdown(socket.SHUT_RDWR)

    def close(self) -> None:
        """Close the pools and the handles."""
        super().close()
        for handle in self._handles:
            handle.close()


def _context(authorities: Path) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)  # validates certificate and name; TLS 1.2 at least
    folder = authorities.is_dir()
    try:
        context.load_verify_locations(cafile=None if folder else authorities, capath=authorities if folder else None)
    except OSError:
        raise BadNews(
            "certificate_invalid", f"{authorities} holds no usable certificate; write it anew as PEM"
        ) from None
    return context


def _protocol(asset: Asset, authorities: Path, *, password: str) -> tuple[Protocol, _Adapter]:
    """Return pywinrm's protocol over a session of ours: https only, no redirect, nothing from the environment."""
    host = f"[{asset.address.host}]" if ":" in asset.address.host else asset.address.host
    protocol = Protocol(
        endpoint=f"https://{host}:{asset.address.port}/wsman",
        transport="ntlm",
        username=asset.address.user,
        password=password,
        ca_trust_path=str(authorities),
        proxy=None,
    )
    session, adapter = protocol.transport.build_session(), _Adapter()
    session.trust_env = False
    session.max_redirects = 0
    session.adapters.clear()
    session.mount("https://", adapter)
    return protocol, adapter


def _groups(protocol: Protocol) -> bytes:
    """Return what `whoami /groups` prints for the account, its mandatory level among it."""
    shell = protocol.open_shell()
    command = protocol.run_command(shell, "whoami", ["/groups"])
    output: bytes = protocol.get_command_output(shell, command)[0]
    protocol.cleanup_command(shell, command)
    protocol.close_shell(shell)
    return output
