"""Make a store with the vault of one agent on this machine, as backup_store and backup_agent do, for Molecule.

Given the folder to save, and `dumps` where a database is to be dumped. Needs restic, and root.
"""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

from _backup_proof import plant_canaries, write_manifest  # type: ignore[import-not-found]

SEED = "5eed" * 8
STATE, SECRETS = Path("/var/lib/provisioner/backup"), Path("/etc/provisioner/store/demo")
VAULT = Path("/srv/backup/demo/vault/ws-01")


def restic(*words: str) -> None:
    subprocess.run(["restic", "-q", "-r", VAULT, "-p", SECRETS / "vault_password", *words], check=True)


def postgres(*words: str) -> bytes:
    return subprocess.run(["runuser", "-u", "postgres", "--", *words], check=True, capture_output=True).stdout


def dump() -> None:
    sql = "CREATE TABLE people (id int); INSERT INTO people SELECT generate_series(1, 1000);"
    postgres("createdb", "app")
    postgres("psql", "-q", "-d", "app", "-c", sql)
    (STATE / "dumps").mkdir()
    (STATE / "dumps/app.dump").write_bytes(postgres("pg_dump", "--format=custom", "app"))
    (STATE / "dumps/counts.json").write_text('{"app": {"public.people": 1000}}\n')
    subprocess.run(["pg_dropcluster", "--stop", *sys.argv[3:4], "main"], check=True)


def main() -> None:
    saved = Path(sys.argv[1])
    for folder in (STATE, SECRETS, VAULT.parent):
        folder.mkdir(mode=0o700, parents=True)
    (SECRETS / "vault_password").write_text("a password that no agent has\n")
    (SECRETS / "agents.json").write_text(json.dumps({"client": "demo", "root": "/srv/backup", "agents": []}))
    if sys.argv[2:3] == ["dumps"]:
        dump()
    plant_canaries(STATE / "canary", bytes.fromhex(SEED), 1)
    tops = [saved, STATE / "canary", *([STATE / "dumps"] if (STATE / "dumps").exists() else [])]
    manifest = write_manifest(STATE / "manifest.jsonl", [bytes(top) for top in tops], run="1" * 32)
    restic("init")
    restic("backup", "--tag", "run:" + "1" * 32, *map(str, tops))
    restic("backup", "--tag", "manifest", "--tag", "run:" + "1" * 32, str(manifest))


if __name__ == "__main__":
    main()
