"""Where advisories are looked for, and that a snapshot that is not one stops a scan before any machine is touched."""

from __future__ import annotations

import copy
import json
from typing import TYPE_CHECKING

import pytest

from provisioner.cli import wiring
from provisioner.cli.collection import namespace
from provisioner.cli.wiring import rollouts

if TYPE_CHECKING:
    from pathlib import Path

SOUND = {"openssl": {"CVE-2026-1": {"releases": {"bookworm": {"status": "open", "urgency": "low"}}}}}


@pytest.fixture
def state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "state"
    folder.mkdir(mode=0o700)
    monkeypatch.setenv("PROVISIONER_STATE", str(folder))
    return folder


def write(folder: Path, document: object, day: str = "2026-01-01") -> Path:
    folder.mkdir(exist_ok=True)
    (folder / f"{day}.json").write_text(json.dumps(document))
    return folder


def test_the_folder_of_the_settings_goes_before_that_of_the_state_folder(state: Path) -> None:
    found = rollouts.advisories(wiring.site())
    assert (found.snapshot, found.stale_after) == (None, 7 * 86_400)
    write(state / "advisories", SOUND)
    found = rollouts.advisories(wiring.site())
    assert found.snapshot is not None and str(found.snapshot.day) == "2026-01-01"
    write(state / "elsewhere", SOUND, "2026-01-02")
    (state / "settings.yml").write_text("advisories: {folder: elsewhere, stale_after: 12h}")
    found = rollouts.advisories(wiring.site())
    assert found.snapshot is not None and str(found.snapshot.day) == "2026-01-02"
    assert found.stale_after == 12 * 3600


def test_a_snapshot_that_is_none_ends_a_scan_with_code_2(state: Path, capsys: pytest.CaptureFixture[str]) -> None:
    from invoke.program import Program

    write(state / "advisories", {"openssl": 5})
    with pytest.raises(SystemExit) as stop:
        Program(namespace=copy.deepcopy(namespace), name="invoke", version="0").run(
            ["invoke", "patch.scan", "--client", "demo", "--json"], exit=True
        )
    told = json.loads(capsys.readouterr().out)
    assert (stop.value.code, told["exit_code"]) == (2, 2)
    assert told["problems"][0]["file"] == "advisories/2026-01-01.json"
    assert not (state / "ledger.db").exists()
