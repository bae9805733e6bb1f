"""Modules under 400 lines, functions under 40, five parameters of which two by position; nothing left for later."""

from __future__ import annotations

import ast
import re
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator

CHECKOUT = Path(__file__).resolve().parents[2]
HOUSE = CHECKOUT / "src" / "provisioner"

MODULE, FUNCTION, PARAMETERS, BY_POSITION = 400, 40, 5, 2

LONGER = {"ledger/bundle/standalone/verify.py": 500}
"""A program that travels alone, in one file that somebody outside reads from top to bottom."""

Function = ast.FunctionDef | ast.AsyncFunctionDef


def is_task(node: Function) -> bool:
    """Whether it is a task of invoke, whose flags are its parameters."""
    return any(isinstance(mark, ast.Call) and getattr(mark.func, "id", "") == "command" for mark in node.decorator_list)


def too_many(node: Function) -> Iterator[str]:
    given = [*node.args.posonlyargs, *node.args.args]
    given = given[1:] if given and given[0].arg in ("self", "cls") else given
    if len(given) + len(node.args.kwonlyargs) > PARAMETERS:
        yield f"{len(given) + len(node.args.kwonlyargs)} parameters"


def findings(root: Path) -> list[str]:
    """Everything that is too large, or promises to be finished some day."""
    found = []
    for path in sorted(root.rglob("*.py")):
        text, name = path.read_text(encoding="utf-8"), path.relative_to(root).as_posix()
        if (lines := len(text.splitlines())) >= LONGER.get(name, MODULE):
            found.append(f"{name}: {lines} lines")
        if mark := re.search(r"\b(TODO|FIXME|XXX)\b", text):
            found.append(f"{name}: {mark[0]}")
        for node in ast.walk(ast.parse(text)):
            if isinstance(node, Function):
                length = (node.end_lineno or node.lineno) - node.lineno + 1
                found.extend([f"{name}: {node.name} has {length} lines"] if length >= FUNCTION else [])
                found.extend(f"{name}: {node.name} has {each}" for each in too_many(node) if not is_task(node))
    return found


def test_everything_is_small_and_finished() -> None:
    assert findings(HOUSE) == []


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("x = 1\n" * 400, "400 lines"),
        ("def f():\n" + "    x = 1\n" * 39, "f has 40 lines"),
        ("def f(a, b, *, c, d, e, g): ...\n", "f has 6 parameters"),
        ("class C:\n    def f(self, a, *, b, c, d, e, g): ...\n", "f has 6 parameters"),
        ("# TODO: more\n", "TODO"),
    ],
)
def test_the_control_what_is_too_large_is_found(text: str, expected: str, tmp_path: Path) -> None:
    (tmp_path / "x.py").write_text(text, encoding="utf-8")
    (found,) = findings(tmp_path)
    assert expected in found


def test_the_control_what_is_just_small_enough_is_not(tmp_path: Path) -> None:
    fine = "def f(self, a, b, c, d, e):\n" + "    x = 1\n" * 38
    task = "@command(help={})\ndef t(a, b, c, d, e, f, g): ...\n"
    (tmp_path / "x.py").write_text(fine + task + "y = 1\n" * 350, encoding="utf-8")
    assert findings(tmp_path) == []
