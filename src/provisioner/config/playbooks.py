"""Playbooks: which roles one names. A playbook of ours lists roles and has no tasks of its own."""

from __future__ import annotations

from typing import TYPE_CHECKING

from provisioner.config.decode import plain
from provisioner.config.files import label, read_regular
from provisioner.config.yaml import Bounds, parse
from provisioner.errors import ConfigurationError, Problem

if TYPE_CHECKING:
    from pathlib import Path


def playbook_roles(path: Path) -> tuple[str, ...]:
    """Given a playbook, return the roles of its plays in order, each once; ConfigurationError when it has none."""
    file = label(path, folder=path.parent)
    plays = plain(parse(read_regular(path, folder=path.parent, limit=Bounds().size), file=file, bounds=Bounds()))
    names: list[str] = []
    for play in plays if isinstance(plays, (list, tuple)) else ():
        roles = play.get("roles") if isinstance(play, dict) else None
        for role in roles if isinstance(roles, (list, tuple)) else ():
            names.append(str(role.get("role", "")) if isinstance(role, dict) else str(role))
    if not names or "" in names:
        raise ConfigurationError((Problem(file, 0, 0, "", "names no roles"),))
    return tuple(dict.fromkeys(names))
