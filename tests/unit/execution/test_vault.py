from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from provisioner.errors import ConfigurationError, MissingTool, UsageError
from provisioner.execution import vault

PLAIN = "become_password: \u00e9t\u00e9 2026\n".encode()
PROGRAM = Path(sys.executable).with_name("ansible-vault")


@pytest.fixture(scope="module")
def password_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("vault") / "password"
    path.write_text("correct horse\n")
    return path


@pytest.fixture(scope="module")
def encrypted(password_file: Path) -> bytes:
    command = [PROGRAM, "encrypt", "--vault-password-file", password_file, "--output", "-", "-"]
    return subprocess.run(command, input=PLAIN, check=True, capture_output=True).stdout


def test_a_vault_is_decrypted_and_nothing_is_left_on_disk(
    encrypted: bytes, password_file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("TMPDIR", str(tmp_path))

    assert vault.decrypt(Path("vault.yml"), encrypted, password_file=password_file) == PLAIN
    assert not [path for path in tmp_path.rglob("*") if path.is_file()]


def test_the_callers_ansible_settings_do_not_matter(
    encrypted: bytes, password_file: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "ansible.cfg").write_text("[defaults]\nvault_password_file = /nowhere\n")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("ANSIBLE_VAULT_PASSWORD_FILE", "/nowhere")
    monkeypatch.setenv("ANSIBLE_LOG_PATH", str(tmp_path / "log"))
    monkeypatch.setenv("ANSIBLE_DEBUG", "1")
    monkeypatch.setenv("ANSIBLE_CONFIG", str(tmp_path / "ansible.cfg"))

    assert vault.decrypt(Path("vault.yml"), encrypted, password_file=password_file) == PLAIN
    assert not (tmp_path / "log").exists()


@pytest.mark.parametrize("damage", ["another password", "cut short"])
def test_what_cannot_be_decrypted_names_the_file_and_no_secret(
    encrypted: bytes, password_file: Path, tmp_path: Path, damage: str
) -> None:
    other = tmp_path / "password"
    other.write_text("battery staple\n")
    data, used = (encrypted, other) if damage == "another password" else (encrypted[:-40], password_file)

    with pytest.raises(ConfigurationError, match=r"^acme/vault.yml: cannot be decrypted") as refusal:
        vault.decrypt(Path("acme/vault.yml"), data, password_file=used)

    assert str(used) in refusal.value.hint
    assert "staple" not in f"{refusal.value} {refusal.value.hint}"
    assert "horse" not in f"{refusal.value} {refusal.value.hint}"


def test_bytes_that_are_no_vault_start_no_program(password_file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(subprocess, "run", None)

    with pytest.raises(ConfigurationError, match=r"^acme/vault.yml: is not a vault file"):
        vault.decrypt(Path("acme/vault.yml"), b"password: x\n", password_file=password_file)


def test_a_missing_password_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="no such vault password file") as refusal:
        vault.decrypt(Path("vault.yml"), vault.HEADER, password_file=tmp_path / "gone")

    assert "PROVISIONER_VAULT_PASSWORD_FILE" in refusal.value.hint


def test_a_missing_program_is_named(password_file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "executable", str(tmp_path / "python"))
    monkeypatch.setenv("PATH", str(tmp_path))

    with pytest.raises(MissingTool, match="ansible-vault is not installed"):
        vault.decrypt(Path("vault.yml"), vault.HEADER, password_file=password_file)


def test_a_program_that_does_not_end_is_ended(
    password_file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    program = tmp_path / "ansible-vault"
    program.write_text("#!/bin/sh\nexec sleep 60\n")
    program.chmod(0o755)
    monkeypatch.setattr(sys, "executable", str(tmp_path / "python"))
    monkeypatch.setattr(vault, "_PATIENCE", 0.2)

    with pytest.raises(ConfigurationError, match=r"was not decrypted within 0\.2 s"):
        vault.decrypt(Path("vault.yml"), vault.HEADER, password_file=password_file)
