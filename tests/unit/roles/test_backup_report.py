"""What a machine knows of backups: a dead run is told as killed, a file that cannot be read is no absent one."""

from __future__ import annotations

import fcntl
import importlib.util
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from types import ModuleType

SOURCE = Path(__file__).parents[3] / "roles/backup_report/library/backup_report_read.py"
RUNNING = {"v": 1, "state": "running", "reason": "", "run": "1"}


def load() -> ModuleType:
    spec = importlib.util.spec_from_file_location("backup_report_read", SOURCE)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


module = load()


@pytest.fixture
def folders(tmp_path: Path) -> dict[str, Path]:
    (tmp_path / "agent/work").mkdir(parents=True)
    (tmp_path / "agent/work/lock").touch()
    (tmp_path / "store/acme").mkdir(parents=True)
    return {"agent": tmp_path / "agent", "store": tmp_path / "store"}


def report(folders: dict[str, Path]) -> dict[str, Any]:
    found: dict[str, Any] = module.report("acme", **folders)
    return found


def write(path: Path, said: object) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(said))


def test_nothing_is_nothing(tmp_path: Path) -> None:
    found = report({"agent": tmp_path / "a", "store": tmp_path / "s"})
    assert found == {"v": 1, "agent": None, "completed": None, "agents": {}, "unreadable": []}


def test_a_run_that_lasts_is_running_and_a_dead_one_was_killed(folders: dict[str, Path]) -> None:
    write(folders["agent"] / "status.json", RUNNING)
    with (folders["agent"] / "work/lock").open("a") as handle:
        fcntl.flock(handle, fcntl.LOCK_EX)
        assert report(folders)["agent"] == RUNNING
    found = report(folders)["agent"]
    assert found == RUNNING | {"state": "failed", "reason": "killed", "text": "the run ended without a word"}
    assert json.loads((folders["agent"] / "status.json").read_text()) == RUNNING


def test_a_run_without_its_lock_was_killed(folders: dict[str, Path]) -> None:
    write(folders["agent"] / "status.json", RUNNING)
    (folders["agent"] / "work/lock").unlink()
    assert report(folders)["agent"]["reason"] == "killed"


def test_a_run_that_ends_while_it_is_looked_at_is_read_again(
    folders: dict[str, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    ended = RUNNING | {"state": "completed"}
    write(folders["agent"] / "status.json", RUNNING)

    def ends(_lock: Path) -> bool:
        write(folders["agent"] / "status.json", ended)
        return False

    monkeypatch.setattr(module, "under_way", ends)
    assert report(folders)["agent"] == ended


def test_a_store_tells_of_the_agents_of_one_client(folders: dict[str, Path]) -> None:
    write(folders["store"] / "acme/ws-01.json", {"v": 1, "at": "1"})
    write(folders["store"] / "other/ws-02.json", {"v": 1, "at": "2"})
    assert report(folders)["agents"] == {"ws-01": {"v": 1, "at": "1"}}


@pytest.mark.parametrize("text", ["", "{", "[]", '{"v": 2}', "[" * 100_000, '"' + "x" * (5 << 20) + '"', "\xff"])
def test_what_cannot_be_read_is_named(text: str, folders: dict[str, Path]) -> None:
    (folders["agent"] / "status.json").write_text(text, encoding="latin-1")
    (folders["store"] / "acme/ws-01.json").write_text(text, encoding="latin-1")
    found = report(folders)
    assert (found["agent"], found["agents"]) == (None, {})
    assert found["unreadable"] == [str(folders["agent"] / "status.json"), str(folders["store"] / "acme/ws-01.json")]
