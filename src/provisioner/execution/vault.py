"""Vault files: what `ansible-vault` encrypted, decrypted by that program; the plain text is never on a disk."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from provisioner.errors import ConfigurationError, MissingTool, Problem, UsageError

HEADER = b"$ANSIBLE_VAULT;"
_PATIENCE = 60  # seconds; the program takes about one


def decrypt(path: Path, data: bytes, *, password_file: Path) -> bytes:
    """Given the bytes of the vault file `path`, return the plain bytes, by the password in `password_file`.

    Raises ConfigurationError, naming `path`, for bytes that are no vault, are damaged, or were made with another
    password; UsageError when there is no such password file; MissingTool when `ansible-vault` is not installed.
    """
    if not data.startswith(HEADER):
        raise _refused(path, "is not a vault file", hint=f"encrypt it with `ansible-vault encrypt {path}`")
    if not password_file.is_file():
        hint = "set PROVISIONER_VAULT_PASSWORD_FILE to a file that holds the password"
        raise UsageError(f"{password_file}: there is no such vault password file", hint=hint)
    command = [_program(), "decrypt", "--vault-password-file", str(password_file.resolve()), "--output", "-", "-"]
    with tempfile.TemporaryDirectory(
        prefix="provisioner-vault-"
    ) as folder:  # for Ansible's own scratch, nothing of ours
        environment = _environment(Path(folder))
        try:
            done = subprocess.run(
                command, input=data, capture_output=True, env=environment, timeout=_PATIENCE, check=False
            )
        except subprocess.TimeoutExpired:
            hint = f"does {password_file} ask for something?"
            raise _refused(path, f"was not decrypted within {_PATIENCE} s", hint=hint) from None
    if done.returncode != 0:
        hint = f"was it made with the password of {password_file}? try `ansible-vault view {path}`"
        raise _refused(path, "cannot be decrypted: wrong password, or a damaged file", hint=hint)
    return done.stdout


def _program() -> str:
    """Return the `ansible-vault` of our own environment, else the one on PATH."""
    beside = Path(sys.executable).with_name("ansible-vault")
    found = str(beside) if beside.is_file() else shutil.which("ansible-vault")
    if found is None:
        raise MissingTool("ansible-vault is not installed", hint="install the project: make demo")
    return found


def _environment(folder: Path) -> dict[str, str]:
    """Return what the program may see: an empty ansible.cfg, and no ANSIBLE_* setting of whoever calls."""
    config = folder / "ansible.cfg"
    config.touch()
    kept = {name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ}
    return {**kept, "LC_ALL": "C.UTF-8", "ANSIBLE_CONFIG": str(config), "ANSIBLE_HOME": str(folder)}


def _refused(path: Path, what: str, *, hint: str) -> ConfigurationError:
    return ConfigurationError((Problem(str(path), 0, 0, "", what),), hint=hint)
