"""What our roles accept: the options of every `roles/*/meta/argument_specs.yml`, and the typing of values by them."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from provisioner.config.decode import plain
from provisioner.config.document import Document, Loc, did_you_mean
from provisioner.config.files import read_regular
from provisioner.config.yaml import Bounds, parse
from provisioner.errors import ConfigurationError, Problem
from provisioner.model.asset import HIDDEN

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping
    from pathlib import Path

    from provisioner.config.yaml import Node

_BOUNDS = Bounds()
_TYPES = {
    "str": "text",
    "path": "a path",
    "raw": "a value",
    "int": "a whole number such as 20",
    "bool": "true or false",
    "list": "a list",
    "dict": "a mapping of keys and values",
}


@dataclass(frozen=True, kw_only=True)
class Option:
    """One input: its type as Ansible names it, and what narrows it; `options` are the keys of its dicts.

    With `no_log` its value is a secret, with everything in it.
    """

    type: str = "str"
    description: str = ""
    elements: str = "raw"
    choices: tuple[str, ...] = ()
    required: bool = False
    no_log: bool = False
    options: Mapping[str, Option] = field(default_factory=dict)

    @property
    def element(self) -> Option:
        """What each item of a list is."""
        return Option(type=self.elements, options=self.options, choices=self.choices, no_log=self.no_log)

    @property
    def confidential(self) -> bool:
        """Whether it is, or may hold, a secret."""
        return self.no_log or any(inner.confidential for inner in self.options.values())


RESERVED = (
    "intervention_receipt_",
    "patch_level_",
    "patched_packages_",
    "backup_agent_client",
    "backup_agent_delay_minutes",
    "backup_agent_exclude",
    "backup_agent_interval_minutes",
    "backup_agent_paths",
    "backup_agent_seed",
    "backup_agent_start",
    "backup_agent_store",
    "backup_drill_agent",
    "backup_drill_canary_seed",
    "backup_drill_client",
    "backup_drill_known",
    "backup_drill_lot",
    "backup_drill_permille",
    "backup_drill_sabotage",
    "backup_drill_seconds",
    "backup_drill_snapshot",
    "backup_probe_",
    "backup_proof_",
    "backup_report_",
    "backup_restore_",
    "backup_store_agents",
    "backup_store_client",
    "backup_store_readers",
    "backup_store_site",
)
"""How the inputs begin that a run itself sets: no client's file may, so they are no inputs to it."""

Typed = tuple[object, list[tuple[Loc, str]]]
"""A value, and what is wrong with it by path within it."""

RoleInputs = dict[str, Option]
"""Every input of every role, by name."""


def load_role_inputs(roles: Path) -> RoleInputs:
    """Given the folder of our roles, return every input of every role's entry point `main` but the RESERVED ones.

    Raises ConfigurationError when a specification is unreadable, or names a type that is not served.
    """
    inputs: RoleInputs = {}
    for path in sorted(roles.glob("*/meta/argument_specs.yml")):
        role = path.parent.parent
        file = f"roles/{role.name}/meta/argument_specs.yml"
        document = Document(file, parse(read_regular(path, folder=role, limit=_BOUNDS.size), file=file, bounds=_BOUNDS))
        node = document.at(("argument_specs", "main", "options"))
        inputs.update(_options(plain(node) if node else {}, file=file))
    return {name: option for name, option in inputs.items() if not name.startswith(RESERVED)}


def _options(raw: object, *, file: str, no_log: bool = False) -> RoleInputs:
    if not isinstance(raw, dict):
        return {}
    return {name: _option(name, spec or {}, file=file, no_log=no_log) for name, spec in raw.items()}


def _option(name: str, spec: dict[str, object], *, file: str, no_log: bool) -> Option:
    kind, elements = str(spec.get("type", "str")), str(spec.get("elements", "raw"))
    for word in (kind, elements):
        if word not in _TYPES:
            raise ConfigurationError((Problem(file, 0, 0, name, f"the type {word} is not one we serve"),))
    described = spec.get("description", "")
    choices = spec.get("choices", [])
    no_log = no_log or spec.get("no_log") == "true"
    return Option(
        type=kind,
        description=" ".join(described) if isinstance(described, list) else str(described),
        elements=elements,
        choices=tuple(choices) if isinstance(choices, list) else (),
        required=spec.get("required") == "true",
        no_log=no_log,
        options=_options(spec.get("options"), file=file, no_log=no_log),
    )


def typed(option: Option, node: Node) -> Typed:
    """Given an input and what a file holds for it, return the typed value and what is wrong with it.

    A secret is never shown.
    """
    value = node.value
    if option.type in ("list", "dict") or (option.type == "raw" and not isinstance(value, str)):
        return _structure(option, node)
    if not isinstance(value, str):
        return None, [((), f"expected {_TYPES[option.type]}")]
    if option.choices and value not in option.choices:
        hint = did_you_mean(value, option.choices)
        return None, [((), f"expected one of {', '.join(option.choices)}{_found(option, value, hint)}")]
    if option.type == "bool" and value in ("true", "false"):
        return value == "true", []
    if option.type == "int" and re.fullmatch("-?(0|[1-9][0-9]{0,14})", value):
        return int(value), []
    if option.type in ("str", "path", "raw"):
        return value, []
    return None, [((), f"expected {_TYPES[option.type]}{_found(option, value)}")]


def _found(option: Option, value: str, hint: str = "") -> str:
    return "" if option.no_log else f", found {value[:60]!a}{hint}"


def _structure(option: Option, node: Node) -> Typed:
    value = node.value
    if isinstance(value, tuple) and option.type != "dict":
        items = [typed(option.element, item) for item in value]
        return [item for item, _ in items], _below((index, found) for index, (_, found) in enumerate(items))
    if isinstance(value, dict) and option.type != "list":
        return _mapping(option, value)
    return None, [((), f"expected {_TYPES[option.type]}")]


def _mapping(option: Option, values: dict[str, Node]) -> Typed:
    given = {key: node for key, node in values.items() if node.value is not None}
    if not option.options:
        free = Option(type="raw")
        pairs = {key: typed(free, node) for key, node in given.items()}
        return {key: value for key, (value, _) in pairs.items()}, _below((k, found) for k, (_, found) in pairs.items())
    known = {key: typed(option.options[key], node) for key, node in given.items() if key in option.options}
    problems = _below((key, found) for key, (_, found) in known.items())
    unknown = given.keys() - option.options.keys()
    problems += [((key,), f"unknown key{did_you_mean(key, option.options)}") for key in unknown]
    missing = [key for key, inner in option.options.items() if inner.required and key not in given]
    problems += [((), f"the key {key} is required") for key in missing]
    return {key: value for key, (value, _) in known.items()}, problems


def _below(found: Iterable[tuple[str | int, list[tuple[Loc, str]]]]) -> list[tuple[Loc, str]]:
    return [((part, *loc), message) for part, inner in found for loc, message in inner]


def masked(option: Option, value: object) -> object:
    """Given an input and its typed value, return the value with every secret in it replaced by HIDDEN."""
    if option.no_log:
        return HIDDEN
    if isinstance(value, list) and option.confidential:
        return [masked(option.element, item) for item in value]
    if isinstance(value, dict) and option.confidential:
        return {key: masked(option.options[key], item) for key, item in value.items()}
    return value


def secret_places(option: Option, value: object) -> Iterator[Loc]:
    """Given an input and its typed value, yield the path of every secret in it; an empty one is none."""
    if option.no_log:
        if value:
            yield ()
    elif isinstance(value, list):
        yield from ((index, *loc) for index, item in enumerate(value) for loc in secret_places(option.element, item))
    elif isinstance(value, dict) and option.options:
        yield from ((key, *loc) for key, item in value.items() for loc in secret_places(option.options[key], item))
