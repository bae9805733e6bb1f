"""A store for the tests: an sshd on loopback whose one key does one thing, `rclone serve restic` on a folder."""

from __future__ import annotations

import getpass
import shutil
import subprocess
import time
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from tests.ports import free_port

if TYPE_CHECKING:
    from collections.abc import Iterator

SSHD = shutil.which("sshd", path="/usr/sbin:/sbin:/usr/bin") or "/usr/sbin/sshd"


class Door:
    """The store: `inbox` is the folder behind it; `store` what config.json says of it; `key` lets in."""

    def __init__(self, folder: Path, inbox: Path) -> None:
        self.folder, self.inbox, self.port = folder, inbox, free_port()
        self.key = make_key(folder / "id_ed25519")
        self.host_key = make_key(folder / "host_key")
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def store(self) -> dict[str, object]:
        words = self.host_key.with_suffix(".pub").read_text().split()[:2]
        return {"host": "127.0.0.1", "port": self.port, "user": getpass.getuser(), "host_key": " ".join(words)}

    def authorize(self) -> None:
        """Let the key in, to what `inbox` names now."""
        serve = f"rclone --config '' serve restic --stdio --append-only {self.inbox}"
        public = self.key.with_suffix(".pub").read_text()
        (self.folder / "authorized_keys").write_text(f'restrict,command="{serve}" {public}')

    def start(self) -> None:
        """Let it listen."""
        Path("/run/sshd").mkdir(exist_ok=True)
        self.authorize()
        settings = {
            "Port": self.port, "ListenAddress": "127.0.0.1", "HostKey": self.host_key, "UsePAM": "no",
            "AuthorizedKeysFile": self.folder / "authorized_keys", "StrictModes": "no", "PidFile": "none",
            "PermitRootLogin": "yes",
        }  # fmt: skip
        (self.folder / "sshd_config").write_text("".join(f"{key} {value}\n" for key, value in settings.items()))
        words = [SSHD, "-D", "-e", "-f", self.folder / "sshd_config"]
        with (self.folder / "sshd.log").open("wb") as log:
            self._process = subprocess.Popen(words, stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        while b"Server listening" not in (self.folder / "sshd.log").read_bytes():
            assert self._process.poll() is None, (self.folder / "sshd.log").read_text()
            time.sleep(0.01)

    def stop(self) -> None:
        if self._process:
            self._process.terminate()
            self._process.wait()
            self._process = None


def make_key(path: Path) -> Path:
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", path], check=True)
    return path


@contextmanager
def door(folder: Path, inbox: Path) -> Iterator[Door]:
    """A store that listens; gone afterwards."""
    folder.mkdir(parents=True, exist_ok=True)
    found = Door(folder, inbox)
    found.start()
    try:
        yield found
    finally:
        found.stop()
