"""Who may import whom: the table in docs/explanation/architecture.md, to the letter."""

from __future__ import annotations

import ast
import re
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

CHECKOUT = Path(__file__).resolve().parents[2]
HOUSE = CHECKOUT / "src" / "provisioner"
PAGE = CHECKOUT / "docs" / "explanation" / "architecture.md"

Table = dict[str, tuple[str, ...]]


def table(page: str, heading: str) -> Table:
    """Read the table under the heading row that begins with `heading`: names in backticks, first cell to second."""
    _, _, after = page.partition(f"| {heading} |")
    assert after, f"the page has no table {heading}"
    rows: Table = {}
    for line in after.splitlines()[2:]:
        if not line.startswith("|"):
            break
        first, second = line.strip("|").split("|")[:2]
        rows[first.strip(" `")] = tuple(re.findall(r"`([^`]+)`", second))
    return rows


def modules(root: Path) -> Iterator[tuple[str, ast.Module]]:
    """Yield the dotted name, without the house's own, and the syntax of every module under `root`."""
    for path in sorted(root.rglob("*.py")):
        parts = path.relative_to(root).with_suffix("").parts
        yield ".".join(part for part in parts if part != "__init__"), ast.parse(path.read_text(encoding="utf-8"))


def imported(tree: ast.Module) -> Iterator[tuple[int, str]]:
    """Yield the line and dotted name of everything imported, wherever in the file it stands."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from ((node.lineno, alias.name) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            start = "." * node.level + (node.module or "")
            yield from ((node.lineno, f"{start}.{alias.name}") for alias in node.names)


def within(name: str, prefix: str) -> bool:
    return name == prefix or name.startswith(f"{prefix}.")


def row_of(module: str, rows: Mapping[str, object]) -> str | None:
    """The longest row that a module falls under."""
    return max((row for row in rows if within(module, row)), key=len, default=None)


def violations(root: Path, rows: Table) -> list[str]:
    """Every import among our own modules that the table does not allow."""
    found = []
    for module, tree in modules(root):
        if module == "":
            continue
        row = row_of(module, rows)
        if row is None:
            found.append(f"{module} is in no row of the table")
            continue
        allowed = (module.partition(".")[0], *rows[row])
        for line, name in imported(tree):
            target = name.removeprefix("provisioner.")
            if name.startswith("."):
                found.append(f"{module}:{line}: relative import {name}")
            elif target != name and not any(within(target, prefix) for prefix in allowed):
                found.append(f"{module}:{line}: {row} may not import {target}")
    return found


ROWS = table(PAGE.read_text(encoding="utf-8"), "package")


def test_every_import_is_allowed() -> None:
    assert violations(HOUSE, ROWS) == []


def test_every_row_is_a_room() -> None:
    rooms = {path.stem for path in HOUSE.iterdir() if path.suffix == ".py" or (path / "__init__.py").exists()}
    assert {row.partition(".")[0] for row in ROWS} == rooms - {"__init__"}


TREES = {
    "a peer": ("terms/x.py", "from provisioner.config.yaml import load", "terms may not import config.yaml.load"),
    "lazily": ("terms/x.py", "def f():\n    import provisioner.config", "terms may not import config"),
    "for types": (
        "terms/x.py",
        "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    from provisioner.ledger.book import Book",
        "terms may not import ledger.book.Book",
    ),
    "more than the ports": ("missions/x.py", "from provisioner.execution import ansible", "execution.ansible"),
    "upwards": ("model/x.py", "from provisioner import missions", "model may not import missions"),
    "relatively": ("model/x.py", "from . import values", "relative import"),
    "the composition root alone": ("cli/x.py", "import provisioner.ledger.book", "cli may not import ledger.book"),
    "no row": ("attic/x.py", "", "attic.x is in no row"),
}


@pytest.mark.parametrize("name", TREES)
def test_the_control_a_forbidden_import_is_found(name: str, tmp_path: Path) -> None:
    path, text, expected = TREES[name]
    (tmp_path / path).parent.mkdir()
    (tmp_path / path).write_text(text, encoding="utf-8")
    (found,) = violations(tmp_path, ROWS)
    assert expected in found


def test_the_control_an_allowed_import_is_not_found(tmp_path: Path) -> None:
    for path, text in {
        "missions/x.py": "from provisioner.execution.ports import Order\nfrom provisioner.missions import judge",
        "cli/wiring/__init__.py": "def f():\n    from provisioner.execution.ansible import AnsibleExecutor",
        "errors.py": "import json",
    }.items():
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).write_text(text, encoding="utf-8")
    assert violations(tmp_path, ROWS) == []
