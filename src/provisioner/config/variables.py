"""The variables said in one place of an inventory: keys about reaching a machine, and inputs of roles. Nothing else."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from provisioner.config.document import Document, Loc, did_you_mean
from provisioner.config.host_keys import HOST_KEYS, host_key_problem, is_host_key
from provisioner.config.role_inputs import RoleInputs, typed

if TYPE_CHECKING:
    from collections.abc import Iterable

    from provisioner.errors import Problem


@dataclass(frozen=True)
class Variables:
    """Keys about reaching a machine, as text, and inputs of roles, typed. Only valid ones are kept."""

    connection: dict[str, str] = field(default_factory=dict, repr=False)
    inputs: dict[str, object] = field(default_factory=dict)


def read_variables(document: Document, at: Loc, *, roles: RoleInputs) -> tuple[Variables, list[Problem]]:
    """Given a document and the path of a mapping in it, return the variables there and every problem."""
    node = document.at(at)
    if node is None or node.value is None:
        return Variables(), []
    if not isinstance(node.value, dict):
        return Variables(), [document.problem(at, "expected a mapping of keys and values")]
    said = Variables()
    problems: list[Problem] = []
    for key, value in node.value.items():
        loc = (*at, key)
        if is_host_key(key):
            problem = host_key_problem(key, value.value) if value.value is not None or key not in HOST_KEYS else ""
            if problem:
                problems.append(document.key_problem(loc, problem))
            elif isinstance(value.value, str):
                said.connection[key] = value.value
        elif key not in roles:
            problems.append(document.key_problem(loc, f"no role has an input of this name{did_you_mean(key, roles)}"))
        elif value.value is not None:
            said.inputs[key], found = typed(roles[key], value)
            problems.extend(document.problem((*loc, *inner), message) for inner, message in found)
    return said, problems


def merged(layers: Iterable[Variables]) -> Variables:
    """Given variables from the weakest place to the strongest, return what holds: the last value of each."""
    result = Variables()
    for layer in layers:
        result.connection.update(layer.connection)
        result.inputs.update(layer.inputs)
    return result
