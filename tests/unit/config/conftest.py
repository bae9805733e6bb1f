"""The client folder that the unit tests of the loader change."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from provisioner.config.role_inputs import RoleInputs, load_role_inputs

BASE = Path(__file__).parents[2] / "golden" / "config" / "base"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A valid client folder of this test's own, named acme."""
    return Path(shutil.copytree(BASE / "acme", tmp_path / "clients" / "acme"))


@pytest.fixture(scope="session")
def roles() -> RoleInputs:
    """What the role of the golden cases accepts."""
    return load_role_inputs(BASE / "roles")
