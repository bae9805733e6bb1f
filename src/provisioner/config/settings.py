"""Settings: the environment and settings.yml as one value. Nothing here reads the environment by itself."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from provisioner.config.document import Document, refuse
from provisioner.config.files import label, read_regular
from provisioner.config.yaml import Bounds, parse
from provisioner.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Mapping


@dataclass(frozen=True, kw_only=True)
class Settings:
    """Where things are and who acts: paths are absolute; `vault_password_file` is None when no vault can be opened."""

    checkout: Path
    inventories: Path
    state: Path
    database_url: str
    operator: str
    vault_password_file: Path | None


def load_settings(environ: Mapping[str, str], *, checkout: Path, login: str) -> Settings:
    """Given the environment, the checkout's folder and the login name, return the settings; an empty value is none.

    Raises UsageError when a variable names a file that is missing, and ConfigurationError for a settings.yml with
    keys: it may hold nothing yet.
    """
    checkout = checkout.absolute()
    state = Path(environ.get("PROVISIONER_STATE") or checkout / "var").absolute()
    vault = environ.get("PROVISIONER_VAULT_PASSWORD_FILE") or None
    if vault and not Path(vault).is_file():
        raise UsageError(f"PROVISIONER_VAULT_PASSWORD_FILE names {vault}, which is not a file")
    _check_file(environ.get("PROVISIONER_SETTINGS") or None, state=state)
    return Settings(
        checkout=checkout,
        inventories=Path(environ.get("PROVISIONER_INVENTORIES") or checkout / "inventories").absolute(),
        state=state,
        database_url=environ.get("PROVISIONER_DATABASE_URL") or f"sqlite:///{state / 'ledger.db'}",
        operator=environ.get("PROVISIONER_OPERATOR") or login,
        vault_password_file=Path(vault).absolute() if vault else None,
    )


def _check_file(named: str | None, *, state: Path) -> None:
    path = Path(named).absolute() if named else state / "settings.yml"
    if not path.exists():
        if named:
            raise UsageError(f"PROVISIONER_SETTINGS names {named}, which does not exist")
        return
    file = label(path, folder=path.parent)
    document = Document(
        file, parse(read_regular(path, folder=path.parent, limit=Bounds().size), file=file, bounds=Bounds())
    )
    keys = document.root.value
    if isinstance(keys, dict):
        refuse(document.key_problem((key,), "unknown key; no setting is served yet") for key in keys)
    elif keys is not None:
        refuse([document.problem((), "expected a mapping of keys and values")])
