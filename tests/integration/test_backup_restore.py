"""A real restoration: never over what is there, into an empty place first, compared, then moved."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest
from tests.unit.roles._backup_proof import load
from tests.unit.roles._backup_vault import Vault

restoring = load("backup_restore", "backup_restoring")


def order(vault: Vault, to: Path, **more: object) -> dict[str, Any]:
    known = vault.order()
    keys = ("repository", "password_file", "snapshot", "manifests", "arrivals", "agent_state", "seconds")
    return {key: known[key] for key in keys} | {
        "options": [], "to": str(to), "paths": [], "overwrite": False, "id": "iv-1", "look": False,
    } | more  # fmt: skip


@pytest.fixture(scope="module")
def vault(tmp_path_factory: pytest.TempPathFactory) -> Vault:
    made = Vault(tmp_path_factory.mktemp("vault"))
    made.save()
    return made


def test_a_tree_comes_back_as_it_was_and_nothing_else_does(vault: Vault, tmp_path: Path) -> None:
    to = tmp_path / "to"
    told = restoring.restore(order(vault, to))
    assert (told["passed"], told["text"]) == (True, "")
    assert told["plan"] == [{"path": str(vault.saved), "there": False}]
    place = Path(f"{to}{vault.saved}")
    assert (place / "text").read_bytes() == b"text" * 1000
    assert os.stat(place / "text").st_ino == os.stat(place / "d" / "twin").st_ino
    assert not Path(f"{to}{vault.state}").exists()  # canary files are not of the machine
    assert [path.name for path in to.iterdir()] == ["tmp"]


def test_a_target_that_is_not_empty_is_refused_and_left_alone(vault: Vault, tmp_path: Path) -> None:
    (tmp_path / "mine").write_text("mine")
    told = restoring.restore(order(vault, tmp_path))
    assert (told["passed"], told["reasons"]) == (False, ["not_empty"])
    assert [path.name for path in tmp_path.iterdir()] == ["mine"]
    (tmp_path / "link").symlink_to(tmp_path)
    assert restoring.restore(order(vault, tmp_path / "link"))["reasons"] == ["no_folder"]


def test_what_is_in_the_way_is_moved_aside_never_overwritten(vault: Vault, tmp_path: Path) -> None:
    place = Path(f"{tmp_path}{vault.saved}")
    place.mkdir(parents=True)
    (place / "text").write_text("newer")
    (tmp_path / "mine").write_text("mine")
    told = restoring.restore(order(vault, tmp_path, overwrite=True))
    assert (told["passed"], told["plan"]) == (True, [{"path": str(vault.saved), "there": True}])
    assert (place / "text").read_bytes() == b"text" * 1000
    assert Path(f"{place}.before-iv-1/text").read_text() == "newer"
    assert (tmp_path / "mine").read_text() == "mine"


def test_only_the_paths_that_were_asked_for(vault: Vault, tmp_path: Path) -> None:
    to = tmp_path / "to"
    told = restoring.restore(
        order(vault, to, paths=[f"{vault.saved}/d", f"{vault.saved}/d/data", f"{vault.saved}/link"])
    )
    assert (told["passed"], told["full"], told["text"]) == (True, False, "")
    place = Path(f"{to}{vault.saved}")
    assert sorted(path.name for path in place.iterdir()) == ["d", "link"]
    assert restoring.restore(order(vault, tmp_path / "x", paths=["/nowhere"]))["reasons"] == ["no_path"]
    assert not (tmp_path / "x").exists() or list((tmp_path / "x").iterdir()) == []


def test_a_look_says_what_from_when_and_how_big_and_changes_nothing(vault: Vault, tmp_path: Path) -> None:
    told = restoring.restore(order(vault, tmp_path, look=True))
    assert (told["passed"], told["plan"][0]["there"], "compared" in told) == (True, False, False)
    assert told["bytes"] > 1 << 20
    assert told["of"].endswith("Z")
    assert list(tmp_path.iterdir()) == []


def test_what_came_back_of_a_damaged_repository_is_kept(tmp_path: Path) -> None:
    made = Vault(tmp_path / "vault")
    made.save()
    manifest = made.state / "manifest.jsonl"
    manifest.write_text(manifest.read_text().replace('"m": "0644"', '"m": "0600"', 1))
    made.restic("backup", "--tag", "manifest", "--tag", f"run:{made.counter:032x}", str(manifest))
    to = tmp_path / "to"
    told = restoring.restore(order(made, to))
    assert told["reasons"] == ["different"]
    kept = Path(f"{to}/.provisioner-restore-iv-1/tree{made.saved}/text")
    assert kept.read_bytes() == b"text" * 1000
    assert "what came back is in" in told["text"]
    assert not Path(f"{to}{made.saved}").exists()
