"""What both probes share: bad news, deadlines that hold, the first TCP connection; and whom TLS trusts."""

from __future__ import annotations

import socket
import ssl
import threading
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from provisioner.model.asset import Asset


class BadNews(Exception):
    """Why a machine is not ready: leaves a probe as a Contact with this `reason` and `text`, never as an exception."""

    def __init__(self, reason: str, text: str, *, fingerprint: str = "") -> None:
        """Take one of Contact's reasons, the sentence, and the key that was presented if that is what it is about."""
        super().__init__(text)
        self.reason = reason
        self.text = text
        self.fingerprint = fingerprint


@dataclass(frozen=True, kw_only=True)
class Deadlines:
    """How long each step of a first contact may take, in seconds; a step that is not done by then is `timeout`."""

    connect: float = 10.0
    handshake: float = 15.0
    login: float = 30.0
    command: float = 30.0


@contextmanager
def deadline(seconds: float, give_up: Callable[[], None]) -> Iterator[threading.Event]:
    """Call `give_up` from another thread if the block has not ended in time; the event yielded says whether it did.

    `give_up` closes what the block waits on: no library here bounds every wait of its own, a closed socket does.
    """
    expired = threading.Event()

    def fire() -> None:
        expired.set()
        give_up()

    timer = threading.Timer(seconds, fire)
    timer.daemon = True
    timer.start()
    try:
        yield expired
    finally:
        timer.cancel()
        timer.join()


def where(asset: Asset) -> str:
    """Return how sentences name a machine: `ws-01 (192.0.2.7:22)`."""
    return f"{asset.name} ({asset.address.host}:{asset.address.port})"


def connect(asset: Asset, *, seconds: float) -> socket.socket:
    """Open the TCP connection, or raise BadNews: `timeout`, `connection_refused`, `no_route` (an unknown name too)."""
    try:
        return socket.create_connection((asset.address.host, asset.address.port), timeout=seconds)
    except TimeoutError:
        text = f"{where(asset)} did not answer within {seconds:g} s; is it switched on, and does a firewall drop us?"
        raise BadNews("timeout", text) from None
    except ConnectionRefusedError:
        text = f"{where(asset)} refused the connection; is its service started, and is the port right in hosts.yml?"
        raise BadNews("connection_refused", text) from None
    except socket.gaierror:
        text = f"{where(asset)}: the name does not resolve; correct ansible_host in hosts.yml, or the DNS"
        raise BadNews("no_route", text) from None
    except OSError as error:
        text = f"{where(asset)} cannot be reached: {error.strerror or error}; is the network or the VPN up?"
        raise BadNews("no_route", text) from None


def trusted(authorities: Path | None) -> Path:
    """Given a client's CA file, if it has one, return the file or folder of authorities that decides: else OpenSSL's.

    OpenSSL's own defaults, not those that SSL_CERT_FILE names. None of them may exist.
    """
    paths = ssl.get_default_verify_paths()
    candidates = (authorities, Path(paths.openssl_cafile), Path(paths.openssl_capath))
    return next((path for path in candidates if path and path.exists()), Path(paths.openssl_cafile))


def printable(text: str, asset: Asset) -> str:
    """Make a peer's words fit for a sentence: one line, 160 characters, no control characters, no secret of `asset`."""
    for secret in filter(None, asset.secrets.values()):
        text = text.replace(secret, "***")
    return "".join(char if char.isprintable() else " " for char in text).strip()[:160]
