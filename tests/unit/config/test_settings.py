"""Settings: the environment's names and defaults, as the interface page lists them."""

from __future__ import annotations

import os
import pwd
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from provisioner.config.outside import (
    AdvisorySettings,
    Outside,
    PrometheusSettings,
    TimestampSettings,
    WitnessSettings,
    load_outside,
)
from provisioner.config.settings import load_settings, prepare_state
from provisioner.errors import ConfigurationError, UsageError
from provisioner.model.values import Duration

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


def settings_file(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "var" / "settings.yml"
    path.parent.mkdir(exist_ok=True)
    path.write_text(text)
    (path.parent / "tsa.pem").touch()
    return path


KEY = "w1.example+bdde10ec+BDtqJ7zOtqQtYqOo0CpvDXNlMhV3HeJDpjrASKGLWdop"
GOOD = f"""\
witnesses:
  - url: http://127.0.0.1:8470/
    key: {KEY}
timestamp:
  url: https://tsa.example/stamp
  authorities: tsa.pem
"""


@pytest.mark.parametrize("text", ["", "# nothing yet\n", "witnesses:\n", "witnesses: []\n"])
def test_a_settings_file_may_hold_nothing(tmp_path: Path, text: str) -> None:
    settings_file(tmp_path, text)
    assert load_settings({}, checkout=tmp_path, login="ada").outside == Outside()


def test_a_settings_file_names_who_vouches(tmp_path: Path) -> None:
    path = settings_file(tmp_path, GOOD)
    found = load_settings({"PROVISIONER_SETTINGS": str(path)}, checkout=tmp_path, login="ada").outside
    assert found.witnesses == (WitnessSettings(url="http://127.0.0.1:8470", key=KEY),)
    assert found.timestamp == TimestampSettings(url="https://tsa.example/stamp", authorities=path.parent / "tsa.pem")


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("witnesses:", "witneses:", r"var/settings.yml:1:1: witneses: unknown key; did you mean witnesses"),
        ("http://127", "ftp://127", r"settings.yml:2:10: witnesses\[0\].url: expected an address"),
        ("http://127", "http://ada:pw@127", "without login or query"),
        ("8470/", "8470/?a=b", "without login or query"),
        ("8470/", "99999/", "expected an address"),
        ("https://tsa.example/stamp", "https://", "settings.yml:5:8: timestamp.url: expected an address"),
        ("bdde10ec", "bdde10ed", r"settings.yml:3:10: witnesses\[0\].key: the key's id does not match"),
        ("+BD", "+AD", "this is not a witness's key"),
        ("tsa.pem", "other.pem", "settings.yml:6:16: timestamp.authorities: no such file beside var/settings.yml"),
        ("    key:", "    keys:", "this key is required"),
        ("timestamp:", f"  - url: https://w1.example\n    key: {KEY}\ntimestamp:", "named twice"),
        (GOOD, "- a\n", "expected a mapping"),
        (GOOD, "timestamp: x\n", "settings.yml:1:12: timestamp: expected a mapping"),
    ],
)
def test_what_is_wrong_in_a_settings_file_is_said_with_its_place(tmp_path: Path, old: str, new: str, said: str) -> None:
    assert old in GOOD
    settings_file(tmp_path, GOOD.replace(old, new, 1))
    with pytest.raises(ConfigurationError, match=said):
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


@pytest.mark.parametrize(
    ("text", "step"),
    [
        ("prometheus: {url: 'http://p.example:9090/'}", "5m"),
        ("prometheus: {url: 'http://p.example:9090', step: 1m}", "1m"),
    ],
)
def test_settings_may_name_a_prometheus(tmp_path: Path, text: str, step: str) -> None:
    (tmp_path / "settings.yml").write_text(text)
    found = load_settings({"PROVISIONER_STATE": str(tmp_path)}, checkout=tmp_path, login="ada").outside
    assert found.prometheus == PrometheusSettings(url="http://p.example:9090", step=Duration.parse(step))


def test_settings_may_name_a_folder_of_advisories(tmp_path: Path) -> None:
    (tmp_path / "settings.yml").write_text("prometheus: {url: 'http://p'}")
    assert load_outside(tmp_path / "settings.yml").advisories == AdvisorySettings(
        folder=None, stale_after=Duration.parse("7d")
    )
    (tmp_path / "settings.yml").write_text("advisories: {folder: tracker, stale_after: 3d}")
    with pytest.raises(ConfigurationError, match=r"settings.yml:1:22: advisories.folder: no such folder beside"):
        load_outside(tmp_path / "settings.yml")
    (tmp_path / "tracker").mkdir()
    found = load_outside(tmp_path / "settings.yml").advisories
    assert found == AdvisorySettings(folder=tmp_path / "tracker", stale_after=Duration.parse("3d"))


@pytest.mark.parametrize("text", ["prometheus: {step: 5m}", "prometheus: {url: 'http://p', step: 0m}"])
def test_a_prometheus_needs_an_address_and_a_step(tmp_path: Path, text: str) -> None:
    (tmp_path / "settings.yml").write_text(text)
    with pytest.raises(ConfigurationError, match="prometheus"):
        load_settings({"PROVISIONER_STATE": str(tmp_path)}, checkout=tmp_path, login="ada")
