"""Drills with real restic: green where all is there, red for each kind of damage, truthful where it cannot be done."""

from __future__ import annotations

import fcntl
import subprocess
from pathlib import Path
from typing import Any

import pytest
from tests.unit.roles._backup_proof import proof
from tests.unit.roles._backup_vault import Vault, drill_module, sabotage_module


@pytest.fixture(scope="module")
def vault(tmp_path_factory: pytest.TempPathFactory) -> Vault:
    made = Vault(tmp_path_factory.mktemp("vault"))
    made.save()
    return made


def test_a_drill_of_what_is_there_passes_and_is_measured(vault: Vault) -> None:
    told = vault.drill()
    assert (told["passed"], told["reasons"], told["text"]) == (True, [], "")
    assert told["full"]
    assert told["compared"]["differences"] == {}
    assert told["compared"]["bytes"] > 1 << 20
    assert told["canaries"] == {"expected": 11, "missing": 0, "altered": 0, "named": []}
    assert told["restore_ms"] > 0
    assert told["at"] <= told["ended"]
    digest = proof("backup_manifest").digest(str(vault.state / "manifest.jsonl"))
    assert told["manifest"] == digest
    assert vault.drill(manifests={told["snapshot"]: digest})["manifest_known"]
    assert vault.drill(manifests={told["snapshot"]: "0" * 64})["reasons"] == ["manifest_changed"]


def test_a_look_restores_nothing_and_says_what_is_in_the_way(vault: Vault) -> None:
    told = drill_module.look(vault.order())
    assert (told["passed"], "compared" in told, told["manifest_known"]) == (True, False, False)
    assert drill_module.look(vault.order(snapshot="0" * 64))["reasons"] == ["no_snapshot"]


def test_a_snapshot_whose_time_and_arrival_do_not_go_together_is_red(vault: Vault) -> None:
    at = vault.drill()
    assert vault.drill(arrivals={at["snapshot"]: at["of"]})["passed"]
    for arrived in ("2020-01-01T00:00:00Z", "2099-01-01T00:00:00Z"):
        assert vault.drill(arrivals={at["snapshot"]: arrived})["reasons"] == ["forged_time"]


def test_an_older_snapshot_is_drilled_by_its_name(vault: Vault) -> None:
    first = vault.drill()["snapshot"]
    (vault.saved / "text").write_bytes(b"later")
    second = vault.save()
    assert vault.drill()["snapshot"] == second
    assert vault.drill(snapshot=first[:12])["snapshot"] == first
    assert vault.drill(snapshot="0" * 64)["reasons"] == ["no_snapshot"]


def test_a_sample_restores_some_files_and_every_canary(vault: Vault) -> None:
    told = vault.drill(share=0.3)
    assert (told["passed"], told["full"], told["text"]) == (True, False, "")
    assert told["canaries"]["missing"] == 0
    assert 11 + 2 < told["compared"]["compared"] < 45
    assert vault.drill(share=0.3)["compared"]["compared"] == told["compared"]["compared"]
    assert vault.drill(share=0.3, seed="other")["compared"] != told["compared"]


def test_what_was_altered_after_the_manifest_was_written_is_red(vault: Vault, tmp_path: Path) -> None:
    """The repository is whole, and what is in it is not what the manifest says."""
    made = Vault(tmp_path)
    made.save()
    manifest = made.state / "manifest.jsonl"
    text = manifest.read_text().replace('"m": "0644"', '"m": "0600"', 1)
    manifest.write_text(text)
    run = f"{made.counter:032x}"
    made.restic("backup", "--tag", "manifest", "--tag", f"run:{run}", str(manifest))
    told = made.drill()
    assert (told["passed"], told["reasons"]) == (False, ["different"])
    assert told["compared"]["differences"] == {"mode": 1}


def test_a_canary_of_another_seed_is_red(vault: Vault) -> None:
    told = vault.drill(canary_seed="00" * 16)
    assert told["reasons"] == ["canary"]
    assert told["canaries"]["altered"] == 8  # all but the empty one, the link and the second name


def test_a_place_that_is_not_empty_is_refused_and_left_alone(vault: Vault) -> None:
    folder = vault.base / "drill"
    folder.mkdir()
    (folder / "mine").write_text("mine")
    assert vault.drill()["reasons"] == ["not_empty"]
    assert (folder / "mine").read_text() == "mine"
    (folder / "mine").unlink()
    assert vault.drill()["passed"]


def test_a_drill_that_overruns_says_so_and_leaves_nothing(vault: Vault) -> None:
    assert vault.drill(seconds=0)["reasons"] == ["overrun"]
    assert vault.drill(seconds=1.2)["reasons"] == ["overrun"]
    assert not list((vault.place / "locks").iterdir())


def test_a_drill_waits_for_the_job_that_has_the_vault(vault: Vault) -> None:
    lock = vault.base / "ws-01.lock"
    with lock.open("w") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        told = vault.drill(lock=str(lock), seconds=0.5)
        assert (told["reasons"], str(lock) in told["text"]) == (["locked"], True)
    assert vault.drill(lock=str(lock))["passed"]


@pytest.mark.lab
def test_a_full_disk_is_said_before_and_during_a_restore(vault: Vault, monkeypatch: pytest.MonkeyPatch) -> None:
    place = vault.base / "small"
    place.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", str(place)], check=True)
    try:
        told = vault.drill(folder=str(place / "drill"))
        assert (told["passed"], told["reasons"]) == (False, ["disk_full"])
        assert "bytes free" in told["text"]
        drilling_globals = vars(drill_module)
        monkeypatch.setitem(drilling_globals, "refuse_small", lambda *_: None)  # what was free has gone meanwhile
        told = vault.drill(folder=str(place / "drill"))
        assert (told["passed"], told["reasons"]) == (False, ["disk_full"])
        assert "no space" in told["text"].lower()
        assert not (place / "drill").exists()
    finally:
        subprocess.run(["umount", str(place)], check=True)


WHY = {
    "pack_deleted": "damaged",
    "pack_truncated": "damaged",
    "bit_flipped": "damaged",
    "index_lost": "damaged",
    "wrong_password": "wrong_password",
    "stale_lock": "locked",
    "forged_time": "forged_time",
}


SLOW = ("pack_deleted", "pack_truncated")
"""restic asks ten times for a pack before it gives it up: a minute each."""


QUICK = tuple(kind for kind in WHY if kind not in SLOW)


@pytest.mark.parametrize("kinds", [QUICK, pytest.param(SLOW, marks=pytest.mark.long)])
def test_every_sabotage_is_noticed_for_its_own_reason_and_the_repository_untouched(
    kinds: tuple[str, ...], vault: Vault
) -> None:
    assert set(WHY) == set(sabotage_module.DAMAGES)
    before = sabotage_module.digest(str(vault.place))
    told = sabotage_module.sabotage(vault.order(), kinds)
    assert (told["text"], told["reasons"], told["passed"]) == ("", [], True)
    assert told["untouched"]
    assert sabotage_module.digest(str(vault.place)) == before
    control, *tried = told["sabotage"]
    assert (control["kind"], control["passed"]) == ("none", True)
    assert {one["kind"]: one["reasons"] for one in tried} == {kind: [WHY[kind]] for kind in kinds}
    assert not (vault.base / "drill").exists()


def test_the_control_a_drill_that_notices_nothing_is_the_failure(vault: Vault, monkeypatch: pytest.MonkeyPatch) -> None:
    def blind(order: dict[str, Any]) -> dict[str, Any]:
        return {"passed": True, "reasons": [], "text": ""}

    monkeypatch.setattr(sabotage_module, "drill", blind)
    told = sabotage_module.sabotage(vault.order(), ["bit_flipped", "forged_time"])
    assert (told["passed"], told["reasons"]) == (False, ["unnoticed"])
    assert told["text"] == "not noticed: bit_flipped, forged_time"


def test_a_copy_that_fails_undamaged_proves_nothing(vault: Vault) -> None:
    told = sabotage_module.sabotage(vault.order(canary_seed="00" * 16), ["bit_flipped"])
    assert (told["passed"], told["reasons"]) == (False, ["control_failed"])


def test_a_repository_that_was_touched_is_said(vault: Vault, monkeypatch: pytest.MonkeyPatch) -> None:
    def reaches(_repository: object, order: dict[str, Any]) -> None:
        (Path(order["repository"]) / "data" / "more").write_text("x")

    monkeypatch.setitem(sabotage_module.DAMAGES, "bit_flipped", reaches)
    told = sabotage_module.sabotage(vault.order(), ["bit_flipped"])
    (vault.place / "data" / "more").unlink()
    assert told["reasons"] == ["unnoticed", "touched"]
