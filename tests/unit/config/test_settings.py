"""Settings: the environment's names and defaults, as the interface page lists them."""

from __future__ import annotations

import os
import pwd
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from provisioner.config.settings import load_settings, prepare_state
from provisioner.errors import ConfigurationError, UsageError

if TYPE_CHECKING:
    from collections.abc import Iterator


def test_nothing_set_gives_the_defaults(tmp_path: Path) -> None:
    settings = load_settings({}, checkout=tmp_path, login="ada")
    assert settings.inventories == tmp_path / "inventories"
    assert settings.state == tmp_path / "var"
    assert settings.database_url == f"sqlite:///{tmp_path}/var/ledger.db"
    assert settings.operator == "ada"
    assert settings.vault_password_file is None


def test_what_is_set_counts_and_an_empty_value_is_none(tmp_path: Path) -> None:
    password = tmp_path / "password"
    password.write_text("x")
    environ = {
        "PROVISIONER_INVENTORIES": str(tmp_path / "clients"),
        "PROVISIONER_STATE": str(tmp_path / "state"),
        "PROVISIONER_OPERATOR": "",
        "PROVISIONER_VAULT_PASSWORD_FILE": str(password),
    }
    settings = load_settings(environ, checkout=tmp_path, login="ada")
    assert settings.inventories == tmp_path / "clients"
    assert settings.database_url == f"sqlite:///{tmp_path}/state/ledger.db"
    assert settings.operator == "ada"
    assert settings.vault_password_file == password


@pytest.mark.parametrize("name", ["PROVISIONER_VAULT_PASSWORD_FILE", "PROVISIONER_SETTINGS"])
def test_a_named_file_that_is_missing_is_a_usage_error(tmp_path: Path, name: str) -> None:
    with pytest.raises(UsageError, match=name):
        load_settings({name: str(tmp_path / "none")}, checkout=tmp_path, login="ada")


def test_a_settings_file_may_hold_nothing_yet(tmp_path: Path) -> None:
    state = tmp_path / "var"
    state.mkdir()
    path = state / "settings.yml"
    path.write_text("# nothing yet\n")
    load_settings({}, checkout=tmp_path, login="ada")
    path.write_text("witnesses: []\n")
    with pytest.raises(ConfigurationError, match=r"var/settings.yml:1:1: witnesses: unknown key"):
        load_settings({}, checkout=tmp_path, login="ada")
    path.write_text("- a\n")
    with pytest.raises(ConfigurationError, match="expected a mapping"):
        load_settings({}, checkout=tmp_path, login="ada")


@pytest.fixture
def closed() -> Iterator[Path]:
    """A state folder that its owner has closed, seen by a user whom permissions stop."""
    with tempfile.TemporaryDirectory() as folder:
        Path(folder).chmod(0o755)
        state = Path(folder) / "var"
        state.mkdir(mode=0o000)
        root = os.geteuid() == 0
        if root:
            os.seteuid(65534)
        yield state
        if root:
            os.seteuid(0)
        state.chmod(0o700)


def test_a_state_folder_that_is_somebody_else_s_is_named_with_its_owner(closed: Path) -> None:
    owner = closed.stat().st_uid
    whose = "" if owner == os.geteuid() else f"; {closed} belongs to {pwd.getpwuid(owner).pw_name}"
    with pytest.raises(UsageError, match=f"var/settings.yml cannot be looked for: Permission denied{whose}") as raised:
        load_settings({}, checkout=closed.parent, login="ada")
    assert "PROVISIONER_STATE" in raised.value.hint
    with pytest.raises(UsageError, match=f"{closed} cannot be written{whose}"):
        prepare_state(closed)


def test_looking_makes_no_state_folder(tmp_path: Path) -> None:
    state = load_settings({}, checkout=tmp_path, login="ada").state
    assert not state.exists()
    prepare_state(state)
    assert state.stat().st_mode & 0o777 == 0o700


def test_a_state_folder_that_is_a_file_or_in_one_is_a_usage_error(tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.touch()
    for state in (file, file / "state"):
        with pytest.raises(UsageError, match=f"{state} cannot be the state folder") as raised:
            prepare_state(state)
        assert "PROVISIONER_STATE" in raised.value.hint


def test_a_state_folder_open_to_others_is_refused_with_the_remedy(tmp_path: Path) -> None:
    tmp_path.chmod(0o750)
    with pytest.raises(UsageError, match="open to others") as raised:
        prepare_state(tmp_path)
    assert raised.value.hint == f"chmod 700 {tmp_path}"


@pytest.mark.parametrize("name", ["Ada\nBob", "\udcff", "a\x1b[2J"])
def test_an_operator_that_no_entry_could_name_is_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(UsageError, match="PROVISIONER_OPERATOR"):
        load_settings({"PROVISIONER_OPERATOR": name}, checkout=tmp_path, login="ada")
