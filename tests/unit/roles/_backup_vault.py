"""A vault with snapshots and manifests as an agent and a store leave them, made with restic and this file alone."""

from __future__ import annotations

import json
import os
import subprocess
from typing import TYPE_CHECKING, Any

from tests.unit.roles._backup_proof import drilling, mark_moving, plant_canaries, write_manifest

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from pathlib import Path

drill_module, sabotage_module = drilling()

SEED = "5eed" * 8


class Vault:
    """A repository with snapshots of one tree, each with its manifest, as a store has it."""

    def __init__(self, base: Path) -> None:
        self.base, self.place, self.password = base, base / "vault", base / "password"
        base.mkdir(parents=True, exist_ok=True)
        self.saved, self.state, self.counter = base / "saved", base / "state", 0
        self.before_backup: Callable[[], object] = tuple
        self.password.write_text("a long password\n")
        self.restic("init")
        (self.saved / "d").mkdir(parents=True)
        (self.saved / "text").write_bytes(b"text" * 1000)
        (self.saved / "d" / "data").write_bytes(os.urandom(1 << 20))
        os.symlink("text", self.saved / "link")
        os.link(self.saved / "text", self.saved / "d" / "twin")
        for number in range(40):
            (self.saved / "d" / f"file {number} [*?]\\").write_bytes(b"%d" % number)

    def restic(self, *words: str) -> str:
        command = ["restic", "--no-cache", "-r", str(self.place), "-p", str(self.password), *words]
        environment = {"PATH": os.environ["PATH"]}
        return subprocess.run(command, capture_output=True, text=True, check=True, env=environment).stdout

    def save(self, meanwhile: Callable[[], Iterable[bytes]] = tuple) -> str:
        """One run of an agent; return the id of the snapshot. `meanwhile` says, after it, what moved."""
        self.counter += 1
        run = f"{self.counter:032x}"
        plant_canaries(self.state / "canary", bytes.fromhex(SEED), self.counter)
        tops = [bytes(self.saved), bytes(self.state / "canary")]
        if (self.state / "dumps").exists():
            tops.append(bytes(self.state / "dumps"))
        manifest = write_manifest(self.state / "manifest.jsonl", tops, run=run, counter=self.counter)
        self.before_backup()
        self.restic("backup", "--tag", f"run:{run}", *map(os.fsdecode, tops))
        mark_moving(manifest, set(meanwhile()))
        self.restic("backup", "--tag", "manifest", "--tag", f"run:{run}", str(self.state / "manifest.jsonl"))
        return str(json.loads(self.restic("snapshots", "--json"))[-2]["id"])

    def order(self, **more: object) -> dict[str, Any]:
        return {
            "repository": str(self.place), "password_file": str(self.password), "snapshot": "", "share": 1, "seed": "s",
            "canary_seed": SEED, "manifests": {}, "arrivals": {}, "folder": str(self.base / "drill"),
            "seconds": 300, "agent_state": str(self.state), "lock": "",
        } | more  # fmt: skip

    def drill(self, **more: object) -> dict[str, Any]:
        told: dict[str, Any] = drill_module.drill(self.order(**more))
        assert not (self.base / "drill").exists() or "not_empty" in told["reasons"]
        return told
