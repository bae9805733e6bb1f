"""A client's known hosts, in OpenSSH's form (sshd(8), "SSH_KNOWN_HOSTS FILE FORMAT"): Ansible's ssh reads the file too.

paramiko's HostKeys is not used: when it saves it drops comments, `@revoked` and every line it cannot read.
"""

from __future__ import annotations

import base64
import fcntl
import hmac
import os
import re
import tempfile
from contextlib import contextmanager
from dataclasses import dataclass, replace
from enum import Enum
from pathlib import Path
from typing import TYPE_CHECKING

from provisioner.errors import ExecutionError
from provisioner.model.encoding import fingerprint

if TYPE_CHECKING:
    from collections.abc import Iterator

SSH_PORT = 22
_HINT = "see to the space and the permissions of the state folder"


@dataclass(frozen=True)
class HostKey:
    """A public host key: its type (`ssh-ed25519`) and its bytes as they travel (RFC 4253, section 6.6)."""

    kind: str
    blob: bytes

    @property
    def fingerprint(self) -> str:
        """OpenSSH's `SHA256:…` form: base64 of the SHA-256 of the bytes, without padding."""
        return fingerprint(self.blob)


@dataclass(frozen=True)
class Line:
    """One line of the file. `text` is what is written back; a comment or a line we cannot read has no key."""

    text: str
    marker: str = ""
    names: tuple[str, ...] = ()
    key: HostKey | None = None


@dataclass(frozen=True)
class Known:
    """What a file says about one name: the keys it may present, and those it must not (`@revoked`)."""

    keys: tuple[HostKey, ...] = ()
    revoked: tuple[HostKey, ...] = ()


class Standing(Enum):
    """How a presented key compares with what is known."""

    MATCHES = "matches"
    UNKNOWN = "unknown"
    CHANGED = "changed"
    REVOKED = "revoked"


def name_of(host: str, port: int) -> str:
    """Return the name under which OpenSSH keeps a machine: `host`, or `[host]:port` off port 22; lower case."""
    return host.lower() if port == SSH_PORT else f"[{host.lower()}]:{port}"


def parse(text: str) -> tuple[Line, ...]:
    """Read a file's text; a line that is no valid entry is kept and matches nothing. `render` is the inverse."""
    return tuple(_line(line) for line in text.split("\n"))


def render(lines: tuple[Line, ...]) -> str:
    """Return the text of a file: for lines from `parse`, exactly what was read."""
    return "\n".join(line.text for line in lines)


def entry(names: tuple[str, ...], key: HostKey, *, marker: str = "", comment: str = "") -> Line:
    """Return the line that says: these names present this key."""
    fields = (marker, ",".join(names), key.kind, base64.b64encode(key.blob).decode(), comment)
    return Line(" ".join(field for field in fields if field), marker, names, key)


def known(lines: tuple[Line, ...], name: str) -> Known:
    """Return the keys that `lines` hold for `name`; `@cert-authority` lines are ignored, they name no host's key."""
    found = [(line.marker, line.key) for line in lines if line.key and _matches(line.names, name)]
    return Known(
        keys=tuple(key for marker, key in found if not marker),
        revoked=tuple(key for marker, key in found if marker == "@revoked"),
    )


def judge(presented: HostKey, expected: Known) -> Standing:
    """Compare a presented key with what is known: revoked goes before all, and another type of key is a change too."""
    if presented in expected.revoked:
        return Standing.REVOKED
    if presented in expected.keys:
        return Standing.MATCHES
    return Standing.CHANGED if expected.keys else Standing.UNKNOWN


def read(path: Path) -> tuple[Line, ...]:
    """Read a file; one that is not there yet is empty. Raises ExecutionError when it cannot be read."""
    try:
        return parse(path.read_bytes().decode("utf-8", errors="surrogateescape"))
    except FileNotFoundError:
        return parse("")
    except OSError as error:
        raise ExecutionError(f"{path} cannot be read: {error.strerror}", hint=_HINT) from error


def remember(path: Path, name: str, key: HostKey) -> None:
    """Make `key` the one that `name` presents, durably and atomically (mode 0600); all other lines stay as they are.

    Two writers queue on the folder (made 0700 when missing), so neither loses what the other learned. Raises
    ExecutionError when it cannot be written; the file is then what it was.
    """
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        with _locked(path.parent):
            lines = read(path)
            if known(lines, name).keys != (key,):
                kept = [left for line in lines if (left := _without(line, name)) is not None]
                if kept and not kept[-1].text:
                    kept.pop()
                _replace(path, render((*kept, entry((name,), key), Line(""))))
    except OSError as error:
        raise ExecutionError(f"{path} cannot be written: {error.strerror}", hint=_HINT) from error


def _line(text: str) -> Line:
    fields = text.split()
    marker = fields.pop(0) if fields and fields[0].startswith("@") else ""
    if len(fields) < 3 or fields[0].startswith("#"):
        return Line(text)
    try:
        blob = base64.b64decode(fields[2], validate=True)
    except ValueError:
        return Line(text)
    kind = fields[1].encode(errors="surrogateescape")
    if not blob.startswith(len(kind).to_bytes(4, "big") + kind):
        return Line(text)
    return Line(text, marker, tuple(fields[0].split(",")), HostKey(fields[1], blob))


def _matches(names: tuple[str, ...], name: str) -> bool:
    excluded = any(_glob(pattern[1:], name) for pattern in names if pattern.startswith("!"))
    return not excluded and any(_is(pattern, name) or _glob(pattern, name) for pattern in names)


def _is(pattern: str, name: str) -> bool:
    """Whether a pattern is this very name, in clear or hashed (`|1|salt|HMAC-SHA1`)."""
    if not pattern.startswith("|1|"):
        return pattern.lower() == name
    try:
        salt, digest = (base64.b64decode(part, validate=True) for part in pattern[3:].split("|"))
    except ValueError:
        return False
    return hmac.compare_digest(hmac.digest(salt, name.encode(), "sha1"), digest)


def _glob(pattern: str, name: str) -> bool:
    escaped = re.escape(pattern.lower()).replace(r"\*", ".*").replace(r"\?", ".")
    return re.fullmatch(escaped, name) is not None


def _without(line: Line, name: str) -> Line | None:
    """Return a plain line without this name, None when nothing is left; wildcards are left to whoever wrote them."""
    names = tuple(pattern for pattern in line.names if not _is(pattern, name))
    if line.key is None or line.marker or names == line.names:
        return line
    if not names:
        return None
    return replace(line, text=line.text.replace(",".join(line.names), ",".join(names), 1), names=names)


@contextmanager
def _locked(folder: Path) -> Iterator[None]:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def _replace(path: Path, text: str) -> None:
    descriptor, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}-")
    try:
        with os.fdopen(descriptor, "w", encoding="utf-8", errors="surrogateescape", newline="") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        Path(temporary).replace(path)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise
