"""What wiring refuses before anything is opened, and what `contract.check` hears of."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from provisioner.cli import wiring
from provisioner.config.settings import load_settings
from provisioner.errors import UsageError
from provisioner.testing import RecordingProgress, make_asset

if TYPE_CHECKING:
    from pathlib import Path


def test_a_state_folder_that_a_run_would_misread_is_refused_before_anything_is_opened(tmp_path: Path) -> None:
    settings = load_settings({"PROVISIONER_STATE": str(tmp_path / "a:b")}, checkout=tmp_path, login="tester")
    with pytest.raises(UsageError, match="cannot be configured in a folder with ':'"):
        wiring.services(wiring.Site(tmp_path, settings), make_asset(), RecordingProgress())
    assert list(tmp_path.iterdir()) == []


def test_the_warnings_of_an_inventory_reach_the_one_who_checks(tmp_path: Path) -> None:
    settings = load_settings({"PROVISIONER_STATE": str(tmp_path)}, checkout=wiring.CHECKOUT, login="tester")
    found = wiring.check_clients(wiring.Site(wiring.CHECKOUT, settings), "demo")
    assert found.problems == ()
    (warning,) = found.warnings
    assert warning.startswith("demo/group_vars/all.yml:") and "ansible_become_password: a secret" in warning
