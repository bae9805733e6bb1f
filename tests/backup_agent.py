"""The backup agent's program, as its machines have it, and a machine's folders for it."""

from __future__ import annotations

import json
import shutil
import subprocess
import uuid
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from provisioner_backup import manifest, run, settings

if TYPE_CHECKING:
    from collections.abc import Iterable

    from tests.backup_door import Door

PROGRAM = Path(__file__).parents[1] / "roles/backup_agent/files"

PASSWORD = "S3cret-of-this-agent"
SEED = "5eed" * 16


@dataclass(frozen=True)
class Agent:
    """A machine that is backed up: its folders under `root`, of which `source` is what is saved."""

    root: Path
    door: Door

    @property
    def source(self) -> Path:
        return self.root / "source"

    @property
    def places(self) -> Any:
        return settings.Places(self.root / "settings", self.root / "state", self.root / "metrics")

    def configure(self, **changed: object) -> None:
        """Write what the role writes, for `source` and no database unless told otherwise."""
        self.source.mkdir(parents=True, exist_ok=True)
        folder = self.places.settings
        folder.mkdir(exist_ok=True)
        shutil.copy(self.door.key, folder / "id_ed25519")
        (folder / "id_ed25519").chmod(0o600)
        (folder / "known_hosts").write_text(f"[127.0.0.1]:{self.door.port} {self.door.store['host_key']}\n")
        (folder / "password").write_text(PASSWORD + "\n")
        said = {"agent": "ws-01", "store": self.door.store, "paths": [str(self.source)], "exclude": []}
        (folder / "config.json").write_text(json.dumps(said | {"databases": [], "seed": SEED} | changed))

    def machine(self, **changed: object) -> Any:
        """What the program is run with: the real clock and store."""
        found = run.Machine(places=self.places, now=lambda: datetime.now(UTC), new_id=lambda: uuid.uuid4().hex)
        return replace(found, **changed)  # type: ignore[arg-type]

    def back_up(self, **changed: object) -> tuple[int, dict[str, Any]]:
        """Run the program once; return its exit code and status.json."""
        code = run.run(self.machine(**changed))
        return code, self.status()

    def status(self) -> dict[str, Any]:
        found: dict[str, Any] = json.loads(self.places.status.read_text())
        return found

    def rows(self) -> dict[str, dict[str, Any]]:
        """The manifest's rows by path, percent-encoded."""
        with self.places.manifest.open("rb") as handle:
            return {row["p"]: row for row in manifest.read(handle)[1]}

    def restic(self, *arguments: str | Path, password: str = PASSWORD) -> subprocess.CompletedProcess[str]:
        """Run restic on the store's folder itself, behind the door's back."""
        words = ["restic", "-r", self.door.inbox, "--no-cache", *arguments]
        environment = {"PATH": "/usr/bin:/bin", "RESTIC_PASSWORD": password, "HOME": str(self.root)}
        return subprocess.run(words, env=environment, capture_output=True, text=True, check=False)

    def snapshots(self) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = json.loads(self.restic("snapshots", "--json").stdout)
        return found

    def restored(self, snapshot: str, target: Path) -> Path:
        """Restore a snapshot into an empty folder, and return the folder that `source` became."""
        done = self.restic("restore", snapshot, "--target", target)
        assert done.returncode == 0, done.stderr
        return target / str(self.source).lstrip("/")


def folder_of(names: Iterable[bytes], root: Path) -> None:
    """Make files with these names, the folders above them too; the name is the content."""
    for name in names:
        path = root / name.decode(errors="surrogateescape")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(name)
