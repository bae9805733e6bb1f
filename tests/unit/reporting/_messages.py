"""Every text that the code says to a person in a language: read from its syntax."""

from __future__ import annotations

import ast
from pathlib import Path
from typing import TYPE_CHECKING

from provisioner.reporting import vocabulary
from provisioner.reporting.statement_tables import WHOSE

if TYPE_CHECKING:
    from collections.abc import Iterator

HOUSE = Path(__file__).resolve().parents[3] / "src" / "provisioner"


ROOMS = ("terms", "config", "missions", "reporting")
"""Where sentences for documents are made."""


def messages(root: Path = HOUSE) -> set[str]:
    """Return the texts given to `say`, `each` and `Sentence`, plain reasons of `terms`, and the vocabulary."""
    found = {*vocabulary.PHRASES.values(), *vocabulary.REASONS, *vocabulary.WHY, *WHOSE.values()}
    for path in sorted(path for room in ROOMS for path in (root / room).rglob("*.py")):
        nodes = list(ast.walk(ast.parse(path.read_text(encoding="utf-8"))))
        assigned = [node for node in nodes if isinstance(node, ast.Assign)]
        for node in nodes:
            if isinstance(node, ast.Call):
                found.update(_of(node, assigned))
    return found


def _of(call: ast.Call, assigned: list[ast.Assign]) -> Iterator[str]:
    name = call.func.attr if isinstance(call.func, ast.Attribute) else getattr(call.func, "id", "")
    given = {"say": call.args[:1], "Sentence": call.args[:1], "each": call.args}.get(name, [])
    if name == "Measurement":
        given = [keyword.value for keyword in call.keywords if keyword.arg == "reason"]
    for argument in given:
        yield from _texts(argument)
        if name == "Sentence" and isinstance(argument, ast.Name):
            yield from _assigned(argument.id, assigned)


def _assigned(name: str, assigned: list[ast.Assign]) -> Iterator[str]:
    """The texts that a variable of this name is given anywhere in the module."""
    for each in assigned:
        if any(isinstance(target, ast.Name) and target.id == name for target in each.targets):
            yield from _texts(each.value)


def _texts(node: ast.expr) -> Iterator[str]:
    if isinstance(node, ast.IfExp):
        yield from (*_texts(node.body), *_texts(node.orelse))
    if isinstance(node, ast.Constant) and isinstance(node.value, str) and node.value:
        yield node.value
