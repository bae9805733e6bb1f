"""How provisioner gets into the practice machines: one key pair a client, and host keys that podman vouches for."""

from __future__ import annotations

import os
import subprocess
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path


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
    """Return the line of authorized_keys for this client's key, making the pair (0600, no passphrase) at first use."""
    for folder in (access.state, access.key.parent.parent, access.key.parent):
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    if not access.key.exists():
        options = ("-q", "-t", "ed25519", "-N", "", "-C", f"provisioner-{access.client}")
        subprocess.run(["ssh-keygen", *options, "-f", str(access.key)], check=True, capture_output=True)
    return access.key.with_name("id_ed25519.pub").read_text().strip()


def pin(access: Access, host_keys: Mapping[int, str]) -> None:
    """Write the host keys, by loopback port, into the client's known hosts; lines about anything else stay."""
    ours = {f"[127.0.0.1]:{port}": key for port, key in host_keys.items()}
    path = access.known_hosts
    before = path.read_text().splitlines() if path.exists() else []
    kept = [line for line in before if line.split(" ")[0] not in ours]
    after = "".join(f"{line}\n" for line in [*kept, *(f"{host} {key}" for host, key in ours.items())])
    if path.exists() and after == path.read_text():
        return
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    partial = path.with_name(f".{path.name}.{os.getpid()}")
    partial.write_text(after)
    partial.chmod(0o600)
    partial.replace(path)
