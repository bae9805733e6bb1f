"""Molecule, by pytest: each role's `default` and the shared `alternative` in `make test`, the rest in dev.full.

Each runs create, check mode on the fresh machine, converge, idempotence, verify, destroy.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

import pytest

from provisioner.lab.engine import cache_folder
from provisioner.lab.image import ensure_image

if TYPE_CHECKING:
    from provisioner.lab.engine import Engine

CHECKOUT = Path(__file__).resolve().parents[2]
BIN = Path(sys.executable).parent
ROLES = sorted(path.parent.name for path in (CHECKOUT / "roles").glob("*/molecule"))


@pytest.fixture(scope="session")
def molecule_environment(lab_engine: Engine) -> dict[str, str]:
    """The environment in which Molecule finds our virtual environment, podman's settings, and the images."""
    cache = cache_folder(os.environ)
    for release in ("bookworm", "trixie"):
        ensure_image(lab_engine, release, cache=cache, say=print)
    found = {**os.environ, **lab_engine.environment(cache / "bin")}
    return {**found, "PATH": f"{BIN}{os.pathsep}{found['PATH']}", "ANSIBLE_FORCE_COLOR": "0", "NO_COLOR": "1"}


def molecule(folder: Path, scenario: str, environment: dict[str, str]) -> None:
    with TemporaryDirectory() as fresh:  # what Molecule remembers of a run that was killed is no machine
        _molecule(folder, scenario, {**environment, "MOLECULE_EPHEMERAL_DIRECTORY": fresh})


def _molecule(folder: Path, scenario: str, environment: dict[str, str]) -> None:
    done = subprocess.run(
        [BIN / "molecule", "test", "-s", scenario],
        cwd=folder,
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout[-12000:]
    print(done.stdout)


@pytest.mark.molecule
def test_all_roles_alternative(molecule_environment: dict[str, str]) -> None:
    """The longest by far: it begins first, where scenarios run side by side."""
    molecule(CHECKOUT / "tests/workstation_setup", "alternative", molecule_environment)


@pytest.mark.molecule
@pytest.mark.parametrize("role", ROLES)
def test_default(role: str, molecule_environment: dict[str, str]) -> None:
    molecule(CHECKOUT / "roles" / role, "default", molecule_environment)


@pytest.mark.long
@pytest.mark.parametrize("role", ROLES)
def test_alternative(role: str, molecule_environment: dict[str, str]) -> None:
    molecule(CHECKOUT / "roles" / role, "alternative", molecule_environment)
