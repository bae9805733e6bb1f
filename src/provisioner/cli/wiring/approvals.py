"""What approvals need: the file that `--approval` names, who verifies it, and which keys are the operator's own."""

from __future__ import annotations

import os
import pwd
from base64 import b64decode
from pathlib import Path
from struct import error as CutShort
from struct import unpack_from
from typing import TYPE_CHECKING

from provisioner.errors import UsageError
from provisioner.missions.approvals import Signing
from provisioner.model.approval import NAMESPACE, Offer
from provisioner.model.encoding import fingerprint

if TYPE_CHECKING:
    from collections.abc import Iterator

LIMIT = 64 * 1024
"""Bytes of a request, a signature or a key file beyond which it is none."""

_PRIVATE = ("-----BEGIN OPENSSH PRIVATE KEY-----", "-----END OPENSSH PRIVATE KEY-----")
_MAGIC = b"openssh-key-v1\0"


def read_offer(path: str) -> Offer:
    """Read the request file that `--approval` names, and FILE.sig beside it; UsageError when one is not there."""
    text = _read(Path(path), "the file that the refusal wrote")
    hint = f"the client makes it: ssh-keygen -Y sign -f KEY -n {NAMESPACE} {path}"
    signature = _read(Path(f"{path}.sig"), "the client's signature", hint=hint)
    return Offer(path=path, text=text, signature=signature.decode("ascii", "replace"))


def _read(path: Path, what: str, *, hint: str = "") -> bytes:
    try:
        with path.open("rb") as file:
            data = file.read(LIMIT + 1)
    except OSError as error:
        raise UsageError(f"{path}, {what}, cannot be read: {error.strerror}", hint=hint) from error
    if len(data) > LIMIT:
        raise UsageError(f"{path} is not {what}: it is longer than {LIMIT} bytes")
    return data


def signing(state: Path) -> Signing:
    """Build what approvals need; the operator's own keys are read from `.ssh` at home and from the state folder."""
    from provisioner.bridges.ssh_signature import SshSignatures

    homes = {Path.home(), *(Path(user.pw_dir) for user in pwd.getpwall() if user.pw_uid == os.getuid())}
    files = [path for home in homes for path in _files(home / ".ssh")]
    files += [path for folder in _files(state / "ssh") for path in (folder, *_files(folder))]
    own = frozenset(fingerprint(blob) for path in files for blob in _keys(path))
    return Signing(signatures=SshSignatures(), own_keys=own, requests=state / "requests")


def _files(folder: Path) -> list[Path]:
    try:
        return sorted(folder.iterdir())
    except OSError:  # not there, not a folder, or not ours to look into: no key of ours is in it
        return []


def _keys(path: Path) -> Iterator[bytes]:
    """Yield the public keys in a file: of a `.pub`, or of a private key in OpenSSH's own form."""
    try:
        with path.open("rb") as file:
            text = file.read(LIMIT).decode("ascii", "replace").strip()
    except OSError:
        return
    try:
        if path.suffix == ".pub":
            yield b64decode(text.split()[1], validate=True)
        elif text.startswith(_PRIVATE[0]):
            yield _public(b64decode("".join(text.removeprefix(_PRIVATE[0]).removesuffix(_PRIVATE[1]).split())))
    except (ValueError, IndexError, CutShort):  # no key: a folder of keys holds other files too
        return


def _public(data: bytes) -> bytes:
    """The public half of a private key (PROTOCOL.key of OpenSSH): it stands before what a passphrase protects."""
    if not data.startswith(_MAGIC):
        raise ValueError("another form")
    at = len(_MAGIC)
    for _ in range(3):  # cipher, key derivation, its options
        at += 4 + int(unpack_from(">I", data, at)[0])
    (length,) = unpack_from(">I", data, at + 4)  # behind the number of keys
    return data[at + 8 : at + 8 + int(length)]
