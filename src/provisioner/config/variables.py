"""The variables said in one place of an inventory: keys about reaching a machine, and inputs of roles. Nothing else."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from provisioner.config.document import Document, Loc, did_you_mean
from provisioner.config.host_keys import HOST_KEYS, SECRETS, host_key_problem, is_host_key
from provisioner.config.role_inputs import RESERVED, RoleInputs, secret_places, typed

if TYPE_CHECKING:
    from collections.abc import Iterable

    from provisioner.errors import Problem


@dataclass(frozen=True)
class Variables:
    """Keys about reaching a machine, as text, and inputs of roles, typed. Only valid ones are kept."""

    connection: dict[str, str] = field(default_factory=dict, repr=False)
    inputs: dict[str, object] = field(default_factory=dict, repr=False)


@dataclass(frozen=True)
class Said:
    """What one place says: its variables, every problem, and a warning for every secret that stands there in clear."""

    variables: Variables = field(default_factory=Variables)
    problems: list[Problem] = field(default_factory=list)
    warnings: list[Problem] = field(default_factory=list)


_IN_CLEAR = "a secret that stands here in clear; keep it in a file of its own that `ansible-vault encrypt` made"


def read_variables(document: Document, at: Loc, *, roles: RoleInputs) -> Said:
    """Given a document and the path of a mapping in it, return what it says there."""
    node = document.at(at)
    if node is None or node.value is None:
        return Said()
    if not isinstance(node.value, dict):
        return Said(problems=[document.problem(at, "expected a mapping of keys and values")])
    said, clear = Said(), []
    for key, value in node.value.items():
        loc = (*at, key)
        if is_host_key(key):
            problem = host_key_problem(key, value.value) if value.value is not None or key not in HOST_KEYS else ""
            if problem:
                said.problems.append(document.key_problem(loc, problem))
            elif isinstance(value.value, str):
                said.variables.connection[key] = value.value
                clear += [loc] if key in SECRETS else []
        elif key not in roles:
            said.problems.append(document.key_problem(loc, _stranger(key, roles)))
        elif value.value is not None:
            said.variables.inputs[key], found = typed(roles[key], value)
            said.problems.extend(document.problem((*loc, *inner), message) for inner, message in found)
            clear += [(*loc, *inner) for inner in secret_places(roles[key], said.variables.inputs[key])]
    if not document.secret:
        said.warnings.extend(document.problem(loc, _IN_CLEAR) for loc in clear)
    return said


def _stranger(key: str, roles: RoleInputs) -> str:
    if key.startswith(RESERVED):
        return "each run sets this itself, and no file may; remove it"
    return f"no role has an input of this name{did_you_mean(key, roles)}"


def merged(layers: Iterable[Variables]) -> Variables:
    """Given variables from the weakest place to the strongest, return what holds: the last value of each."""
    result = Variables()
    for layer in layers:
        result.connection.update(layer.connection)
        result.inputs.update(layer.inputs)
    return result
