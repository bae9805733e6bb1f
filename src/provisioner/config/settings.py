"""Settings: the environment and settings.yml as one value. Nothing here reads the environment by itself."""

from __future__ import annotations

import os
import pwd
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from provisioner.config.outside import Outside, load_outside
from provisioner.errors import UsageError
from provisioner.model.values import shown

if TYPE_CHECKING:
    from collections.abc import Mapping


@dataclass(frozen=True, kw_only=True)
class Settings:
    """Where things are, who acts, and who outside vouches for checkpoints (`outside`, from settings.yml).

    Paths are absolute; `vault_password_file` is None when no vault can be opened.
    """

    checkout: Path
    inventories: Path
    state: Path
    database_url: str
    operator: str
    vault_password_file: Path | None
    outside: Outside


def load_settings(environ: Mapping[str, str], *, checkout: Path, login: str) -> Settings:
    """Given the environment, the checkout's folder and the login name, return the settings; an empty value is none.

    Raises UsageError when a variable names a file that is missing, the state folder is somebody else's or the operator
    is no printable text, and ConfigurationError with every problem in settings.yml. Makes nothing.
    """
    checkout = checkout.absolute()
    state = state_folder(environ, checkout=checkout)
    vault = environ.get("PROVISIONER_VAULT_PASSWORD_FILE") or None
    if vault and not Path(vault).is_file():
        raise UsageError(f"PROVISIONER_VAULT_PASSWORD_FILE names {vault}, which is not a file")
    operator = environ.get("PROVISIONER_OPERATOR") or login
    if not operator.isprintable():
        raise UsageError(f"PROVISIONER_OPERATOR is {shown(operator)}: it must be printable text on one line")
    return Settings(
        checkout=checkout,
        inventories=Path(environ.get("PROVISIONER_INVENTORIES") or checkout / "inventories").absolute(),
        state=state,
        database_url=environ.get("PROVISIONER_DATABASE_URL") or f"sqlite:///{state / 'ledger.db'}",
        operator=operator,
        vault_password_file=Path(vault).absolute() if vault else None,
        outside=_outside(environ.get("PROVISIONER_SETTINGS") or None, state=state),
    )


def state_folder(environ: Mapping[str, str], *, checkout: Path) -> Path:
    """Given the environment and the checkout's folder, return the state folder, absolute; it need not be there."""
    return Path(environ.get("PROVISIONER_STATE") or checkout / "var").absolute()


def prepare_state(state: Path) -> None:
    """Make the state folder (0700) if there is none; UsageError unless it is ours to write in and closed to others."""
    try:
        state.mkdir(mode=0o700, parents=True, exist_ok=True)
        mode = state.stat().st_mode
    except OSError as error:
        why = "it is a file" if isinstance(error, FileExistsError) else error.strerror
        raise UsageError(f"{state} cannot be the state folder: {why}{_owned(state)}", hint=_ELSE) from error
    if mode & 0o077:
        raise UsageError(f"{state} is open to others: it holds keys and secrets", hint=f"chmod 700 {state}")
    if not os.access(state, os.W_OK | os.X_OK, effective_ids=True):
        raise UsageError(f"{state} cannot be written{_owned(state)}", hint=_ELSE)


_ELSE = "work as its owner, or set PROVISIONER_STATE to a folder of your own"


def _owned(path: Path) -> str:
    """Say whose a file or folder is, or the nearest folder above it that is there, when it is not ours."""
    for there in (path, *path.parents):
        try:
            owner = there.stat().st_uid
        except OSError:
            continue
        return "" if owner == os.geteuid() else f"; {there} belongs to {_name(owner)}"
    return ""


def _name(owner: int) -> str:
    try:
        return pwd.getpwuid(owner).pw_name
    except KeyError:
        return f"user {owner}"


def _outside(named: str | None, *, state: Path) -> Outside:
    path = Path(named).absolute() if named else state / "settings.yml"
    try:
        there = path.exists()
    except OSError as error:
        raise UsageError(f"{path} cannot be looked for: {error.strerror}{_owned(path)}", hint=_ELSE) from error
    if not there and named:
        raise UsageError(f"PROVISIONER_SETTINGS names {named}, which does not exist")
    return load_outside(path) if there else Outside()
