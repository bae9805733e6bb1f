"""Signatures of OpenSSH: `ssh-keygen -Y verify` decides; what key and namespace one has is read from it before.

The form is that of PROTOCOL.sshsig in OpenSSH: armour around `SSHSIG`, a version, the public key and the namespace.
"""

from __future__ import annotations

import struct
import subprocess
from base64 import b64decode
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

from provisioner.errors import MissingTool, NoAnswer
from provisioner.model.approval import Flaw, Signed
from provisioner.model.encoding import fingerprint

if TYPE_CHECKING:
    from collections.abc import Mapping

HEAD, FOOT = "-----BEGIN SSH SIGNATURE-----", "-----END SSH SIGNATURE-----"
MAGIC = b"SSHSIG"


@dataclass(frozen=True)
class SshSignatures:
    """Verifies with the ssh-keygen of this machine, which has `seconds` for it."""

    seconds: float = 10.0
    program: str = "ssh-keygen"

    def check(self, message: bytes, signature: str, *, keys: Mapping[str, str], namespace: str) -> Signed:
        """Given a message, its armoured signature and public keys by name (OpenSSH's one line), say what it is.

        Flaws, the first that is found: UNREADABLE, NAMESPACE (made for something else), KEY (by a key that nobody
        named), BROKEN (the message is not what was signed). Raises MissingTool where there is no ssh-keygen, NoAnswer
        when it does not end in time.
        """
        try:
            blob, said = _read(signature)
        except ValueError:
            return Signed(flaw=Flaw.UNREADABLE)
        shown = fingerprint(blob)
        if said != namespace:
            return Signed(fingerprint=shown, flaw=Flaw.NAMESPACE)
        for name, key in keys.items():
            if b64decode(key.split()[1]) == blob:
                holds = self._holds(message, signature, signer=(name, key), namespace=namespace)
                return Signed(signer=name, fingerprint=shown, flaw=None if holds else Flaw.BROKEN)
        return Signed(fingerprint=shown, flaw=Flaw.KEY)

    def _holds(self, message: bytes, signature: str, *, signer: tuple[str, str], namespace: str) -> bool:
        name, key = signer
        with TemporaryDirectory(prefix="provisioner-approval-") as folder:
            allowed, signed = Path(folder, "allowed_signers"), Path(folder, "signature")
            allowed.write_text(f'{name} namespaces="{namespace}" {" ".join(key.split()[:2])}\n')
            signed.write_text(signature)
            words = ["-Y", "verify", "-f", str(allowed), "-I", name, "-n", namespace, "-s", str(signed)]
            try:
                done = subprocess.run(
                    [self.program, *words], input=message, capture_output=True, timeout=self.seconds, check=False
                )
            except FileNotFoundError as error:
                hint = "apt-get install openssh-client"
                raise MissingTool(
                    f"{self.program} is not on this machine: no signature was verified", hint=hint
                ) from error
            except subprocess.TimeoutExpired as error:
                raise NoAnswer(f"{self.program} did not verify a signature within {self.seconds:g} s") from error
        return done.returncode == 0


def _read(signature: str) -> tuple[bytes, str]:
    """Given an armoured signature, return its public key and its namespace; ValueError when it is none."""
    lines = signature.strip().splitlines()
    if len(lines) < 3 or (lines[0], lines[-1]) != (HEAD, FOOT):
        raise ValueError("no armour")
    data = b64decode("".join(lines[1:-1]), validate=True)
    try:
        (version,) = struct.unpack_from(">I", data, len(MAGIC))
        key, rest = _string(data[len(MAGIC) + 4 :])
        namespace, _ = _string(rest)
    except struct.error as error:
        raise ValueError("cut short") from error
    if not data.startswith(MAGIC) or version != 1:
        raise ValueError("another form")
    return key, namespace.decode()


def _string(data: bytes) -> tuple[bytes, bytes]:
    """Take a string of RFC 4251 off the front; return it and what follows."""
    (length,) = struct.unpack_from(">I", data)
    if len(data) < 4 + length:
        raise ValueError("cut short")
    return data[4 : 4 + length], data[4 + length :]
