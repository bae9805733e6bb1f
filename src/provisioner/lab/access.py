"""How provisioner gets into the practice machines: one key pair a client, and host keys that podman vouches for."""

from __future__ import annotations

import fcntl
import os
import subprocess
import tempfile
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from provisioner.errors import ExecutionError, MissingTool
from provisioner.lab.engine import last_line

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping


@dataclass(frozen=True)
class Access:
    """The files through which one client's machines are reached, under the state folder."""

    state: Path
    client: str

    @property
    def key(self) -> Path:
        """The private key that logs in as `technician`; its public half is beside it."""
        return self.state / "ssh" / self.client / "id_ed25519"

    @property
    def known_hosts(self) -> Path:
        """The client's known hosts, in OpenSSH's form."""
        return self.state / "known_hosts" / self.client


def ensure_key(access: Access) -> str:
    """Return the line of authorized_keys for this client's key, making the pair (0600, no passphrase) at first use.

    Raises MissingTool without `ssh-keygen`, ExecutionError when it makes no pair.
    """
    for folder in (access.state, access.key.parent.parent, access.key.parent):
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    if not access.key.exists():
        options = ("-q", "-t", "ed25519", "-N", "", "-C", f"provisioner-{access.client}")
        command = ["ssh-keygen", *options, "-f", str(access.key)]
        try:
            done = subprocess.run(command, capture_output=True, text=True, stdin=subprocess.DEVNULL, check=False)
        except FileNotFoundError:
            raise MissingTool("ssh-keygen is not on this machine", hint="apt-get install openssh-client") from None
        if done.returncode:
            raise ExecutionError(f"ssh-keygen made no key pair {access.key}: {last_line(done.stderr)}")
    return access.key.with_name("id_ed25519.pub").read_text().strip()


def pin(access: Access, host_keys: Mapping[int, str]) -> None:
    """Write the host keys, by loopback port, into the client's known hosts; lines about anything else stay.

    Durable and atomic. The lock is that of `execution.known_hosts`, flock(2) on the folder of the file, so that
    neither loses what the other writes. Raises ExecutionError when the file cannot be written; it is then what it was.
    """
    ours = {f"[127.0.0.1]:{port}": key for port, key in host_keys.items()}
    path = access.known_hosts
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        with _locked(path.parent):
            before = path.read_bytes() if path.exists() else b""
            kept = [line for line in before.splitlines() if line.split(b" ")[0].decode("ascii", "replace") not in ours]
            lines = [*kept, *(f"{host} {key}".encode() for host, key in ours.items())]
            after = b"".join(line + b"\n" for line in lines)
            if after != before:
                _replace(path, after)
    except OSError as error:
        hint = "see to the space and the permissions of the state folder"
        raise ExecutionError(f"{path} cannot be written: {error.strerror}", hint=hint) from error


@contextmanager
def _locked(folder: Path) -> Iterator[None]:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def _replace(path: Path, data: bytes) -> None:
    descriptor, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}-")
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        Path(temporary).replace(path)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise
