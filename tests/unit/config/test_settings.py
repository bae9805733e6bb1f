"""Settings: the environment's names and defaults, as the interface page lists them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from provisioner.config.settings import load_settings
from provisioner.errors import ConfigurationError, UsageError

if TYPE_CHECKING:
    from pathlib import Path


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
