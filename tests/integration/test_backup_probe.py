"""The immutability probe over real sshd and rclone: green where the door appends only, red where it writes."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import subprocess
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from tests.ports import free_port
from tests.unit.roles._backup_http import http2, probing
from tests.unit.roles._backup_proof import load

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = pytest.mark.lab

ALLOWED = ("create_lock", "delete_lock")
TRIES = [f"{how}_{what}" for what in probing.KINDS for how in ("delete", "overwrite", "put")]


class Store:
    """A repository behind an sshd whose only key may run rclone, with these words for it."""

    def __init__(self, base: Path, *words: str) -> None:
        self.base, self.port = base, free_port()
        self.repository, self.password = base / "repository", base / "password"
        self.password.write_text("a long password\n")
        self.restic("init")
        self.restic("backup", str(self.password))
        for name in ("host", "client"):
            subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", base / name], check=True)
        rclone = f"rclone --config '' serve restic --stdio {' '.join(words)} {self.repository}"
        key = (base / "client.pub").read_text()
        (base / "keys").write_text(f'restrict,command="{rclone}" {key}')
        host = (base / "host.pub").read_text()
        (base / "known").write_text(f"[127.0.0.1]:{self.port} {host}")
        settings = {
            "Port": self.port, "ListenAddress": "127.0.0.1", "HostKey": base / "host", "PidFile": base / "pid",
            "AuthorizedKeysFile": base / "keys", "StrictModes": "no", "PermitRootLogin": "yes", "UsePAM": "no",
        }  # fmt: skip
        (base / "sshd_config").write_text("".join(f"{key} {value}\n" for key, value in settings.items()))
        Path("/run/sshd").mkdir(mode=0o755, exist_ok=True)
        command = ["/usr/sbin/sshd", "-D", "-f", base / "sshd_config"]
        self.server = subprocess.Popen(command, stderr=subprocess.DEVNULL)

    def restic(self, *words: str) -> str:
        command = ["restic", "--no-cache", "-r", str(self.repository), "-p", str(self.password), *words]
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout

    @property
    def command(self) -> list[str]:
        options = {"IdentitiesOnly": "yes", "BatchMode": "yes", "UserKnownHostsFile": str(self.base / "known")}
        words = [word for key, value in options.items() for word in ("-o", f"{key}={value}")]
        return [
            "ssh",
            "-F",
            "none",
            "-T",
            "-i",
            str(self.base / "client"),
            *words,
            "-p",
            str(self.port),
            "127.0.0.1",
            "x",
        ]

    def digest(self) -> dict[str, str]:
        files = (path for path in self.repository.rglob("*") if path.is_file())
        return {str(path): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}

    def probe(self, seconds: float = 120) -> dict[str, Any]:
        told: dict[str, Any] = probing.probe(self.command, seconds)
        return told

    def up(self) -> Store:
        deadline = time.monotonic() + 30
        while subprocess.run(["ssh-keyscan", "-p", str(self.port), "127.0.0.1"], capture_output=True).stdout == b"":
            assert time.monotonic() < deadline
        return self

    def down(self) -> None:
        self.server.terminate()
        self.server.wait()


@pytest.fixture
def base(tmp_path: Path) -> Path:
    return tmp_path


def opened(base: Path, *words: str) -> Iterator[Store]:
    store = Store(base, *words)
    try:
        yield store.up()
    finally:
        store.down()


@pytest.fixture
def append_only(base: Path) -> Iterator[Store]:
    yield from opened(base, "--append-only")


@pytest.fixture
def writable(base: Path) -> Iterator[Store]:
    yield from opened(base)


def test_everything_is_refused_and_nothing_changes_where_the_door_appends_only(append_only: Store) -> None:
    before = append_only.digest()
    told = append_only.probe()
    assert (told["passed"], told["reasons"], told["text"]) == (True, [], "")
    assert [one["name"] for one in told["tries"]] == [*ALLOWED, *TRIES]
    assert {one["name"] for one in told["tries"] if one["changed"]} == set(ALLOWED)
    assert {one["answer"] for one in told["tries"] if not one["allowed"]} == {"403", "405"}
    assert append_only.digest() == before
    append_only.restic("check", "--read-data")


def test_a_writable_store_is_red_at_the_first_try_and_what_was_removed_is_put_back(writable: Store) -> None:
    before = writable.digest()
    told = writable.probe()
    assert (told["passed"], told["reasons"]) == (False, ["writable"])
    assert [one["name"] for one in told["tries"]] == [*ALLOWED, "delete_index"]
    assert "it was put back" in told["text"]
    assert writable.digest() == before
    writable.restic("check", "--read-data")


@pytest.mark.parametrize("kind", probing.KINDS)
def test_each_kind_of_object_is_tried_and_put_back(kind: str, writable: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    before = writable.digest()
    monkeypatch.setattr(probing, "KINDS", (kind,))
    told = writable.probe()
    assert (told["tries"][-1]["name"], told["tries"][-1]["changed"]) == (f"delete_{kind}", True)
    assert writable.digest() == before


def test_a_store_that_refuses_to_delete_but_overwrites_is_red(
    append_only: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A door that says 403 and does it all the same: only looking at the object afterwards shows it."""
    real = probing.ask

    def ask(command: list[str], method: str, path: str, **more: Any) -> Any:
        answer = real(command, method, path, **more)
        if method == "POST" and path.startswith("/index/"):
            (append_only.repository / path[1:]).chmod(0o600)
            (append_only.repository / path[1:]).write_bytes(b"overwritten")
        return answer

    monkeypatch.setattr(probing, "ask", ask)
    told = append_only.probe()
    last = told["tries"][-1]
    assert (told["reasons"], last["name"], last["answer"], last["changed"]) == (
        ["writable"],
        "overwrite_index",
        "403",
        True,
    )


def test_a_store_that_cannot_be_reached_proves_nothing(append_only: Store) -> None:
    assert append_only.probe(seconds=0)["reasons"] == ["no_answer"]
    append_only.down()
    told = append_only.probe()
    assert (told["passed"], told["reasons"], told["tries"]) == (False, ["no_answer"], [])


def test_a_repository_without_a_backup_cannot_be_tried(append_only: Store) -> None:
    shutil.rmtree(append_only.repository / "snapshots")
    (append_only.repository / "snapshots").mkdir()
    assert append_only.probe()["reasons"] == ["no_answer"]


def test_the_agents_own_settings_lead_to_the_door(append_only: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    base = append_only.base
    store = {"host": "127.0.0.1", "port": append_only.port, "user": "root", "host_key": "unused"}
    (base / "config.json").write_text(json.dumps({"store": store}))
    shutil.copy(base / "client", base / "id_ed25519")
    shutil.copy(base / "known", base / "known_hosts")
    module = load("backup_probe", "../library/backup_probe")
    command = [*module.door(str(base)), "probe"]
    assert http2.ask(command, "GET", "/config").status == 200
    (base / "known_hosts").write_text("")
    with pytest.raises(http2.NoAnswer):
        http2.ask(command, "GET", "/config")
    assert os.environ  # the caller's own settings of ssh are not read: -F none
