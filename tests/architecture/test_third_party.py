"""A library from outside has the homes that docs/explanation/architecture.md names, and loads only when needed."""

from __future__ import annotations

import importlib.util
import json
import subprocess
import sys
from pathlib import Path

import pytest

CHECKOUT = Path(__file__).resolve().parents[2]
HOUSE = CHECKOUT / "src" / "provisioner"
PAGE = CHECKOUT / "docs" / "explanation" / "architecture.md"


_spec = importlib.util.spec_from_file_location("_imports", Path(__file__).with_name("test_imports.py"))
assert _spec is not None and _spec.loader is not None
_imports = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(_imports)

HOMES = _imports.table(PAGE.read_text(encoding="utf-8"), "library")


def strays(root: Path, homes: dict[str, tuple[str, ...]]) -> list[str]:
    """Every import of somebody else's library outside its homes, and every library that no row names."""
    found = []
    for module, tree in _imports.modules(root):
        for line, name in _imports.imported(tree):
            library = name.partition(".")[0]
            if name.startswith(".") or library in sys.stdlib_module_names or library in ("provisioner", "__future__"):
                continue
            if library not in homes:
                found.append(f"{module}:{line}: {library} is in no row of the table")
            elif not any(_imports.within(module, home) for home in homes[library]):
                found.append(f"{module}:{line}: {library} has its home in {', '.join(homes[library])}")
    return found


def test_every_library_is_at_home() -> None:
    assert strays(HOUSE, HOMES) == []


def test_every_home_is_lived_in() -> None:
    used = {
        (library, home)
        for module, tree in _imports.modules(HOUSE)
        for _, name in _imports.imported(tree)
        for library, homes in HOMES.items()
        for home in homes
        if name.partition(".")[0] == library and _imports.within(module, home)
    }
    assert {(library, home) for library, homes in HOMES.items() for home in homes} == used


@pytest.mark.parametrize(
    ("path", "text", "expected"),
    [
        ("missions/x.py", "import yaml", "yaml has its home in config.yaml"),
        ("execution/winrm.py", "def f():\n    import paramiko", "paramiko has its home"),
        ("model/x.py", "from numpy import array", "numpy is in no row"),
    ],
)
def test_the_control_a_stray_is_found(path: str, text: str, expected: str, tmp_path: Path) -> None:
    (tmp_path / path).parent.mkdir()
    (tmp_path / path).write_text(text, encoding="utf-8")
    (found,) = strays(tmp_path, HOMES)
    assert expected in found


def loaded(program: str, folder: Path = CHECKOUT) -> set[str]:
    """The top-level modules that are loaded after a program."""
    text = f"import json, sys\n{program}\nprint(json.dumps(sorted(m.partition('.')[0] for m in sys.modules)))"
    run = subprocess.run([sys.executable, "-c", text], cwd=folder, capture_output=True, text=True, check=True)
    return set(json.loads(run.stdout.splitlines()[-1]))


LIST = """
from invoke.main import program
program.run(["invoke", "--list"], exit=False)
"""
HEAVY = {
    "ansible",
    "ansible_runner",
    "pydantic",
    "sqlalchemy",
    "alembic",
    "rich",
    "yaml",
    "paramiko",
    "winrm",
    "cryptography",
    "babel",
    "holidays",
    "icalendar",
    "dateutil",
}


def test_listing_the_tasks_loads_nothing_heavy(tmp_path: Path) -> None:
    (tmp_path / "tasks.py").write_text("from invoke.collection import Collection\nnamespace = Collection()\n")
    bare = loaded(LIST, tmp_path)  # invoke itself reads its settings with PyYAML
    found = loaded(LIST, CHECKOUT)
    assert "provisioner" in found - bare
    assert (found - bare) & HEAVY == set()


def test_the_control_a_heavy_library_is_seen() -> None:
    assert loaded("import yaml") & HEAVY == {"yaml"}


AUDITORS = ("provisioner.missions.audit", "provisioner.ledger.verify", "provisioner.cli.audit.reading")


@pytest.mark.parametrize("module", AUDITORS)
def test_an_auditor_needs_no_ansible(module: str) -> None:
    assert loaded(f"import {module}") & {"ansible", "ansible_runner", "alembic", "paramiko"} == set()


def imports_ansible(root: Path) -> list[str]:
    """Modules that import Ansible itself, which is licensed under the GPL: it is driven as a program."""
    return [
        module
        for module, tree in _imports.modules(root)
        if any(_imports.within(name, "ansible") for _, name in _imports.imported(tree))
    ]


def test_ansible_is_never_imported(tmp_path: Path) -> None:
    assert imports_ansible(HOUSE) == []
    (tmp_path / "x.py").write_text("def f():\n    from ansible.parsing.vault import VaultLib", encoding="utf-8")
    assert imports_ansible(tmp_path) == ["x"], "the control"


def test_the_table_reader_reads_what_is_there() -> None:
    page = "| library | home |\n|---|---|\n| `a` | `b.c`, `d` |\n\n| other | x |\n"
    assert _imports.table(page, "library") == {"a": ("b.c", "d")}
