"""The anatomy every role keeps. Run this file as a program to write the variable tables of the READMEs."""

from __future__ import annotations

import re
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import yaml

if TYPE_CHECKING:
    from collections.abc import Iterable

CHECKOUT = Path(__file__).resolve().parents[2]
ROLES = sorted(path.parent.parent for path in CHECKOUT.glob("roles/*/tasks/main.yml"))
ANATOMY = (
    "README.md",
    "defaults/main.yml",
    "meta/argument_specs.yml",
    "meta/main.yml",
    "molecule/alternative/molecule.yml",
    "molecule/alternative/verify.yml",
    "molecule/default/molecule.yml",
    "molecule/default/verify.yml",
    "tasks/main.yml",
    "vars/main.yml",
)
README_SECTIONS = ("## Outcome", "## Idempotent, reversible, check mode", "## Example", "## Variables")
TABLE = re.compile(r"(<!-- variables -->\n).*?(<!-- /variables -->)", re.DOTALL)
BLOCKS = ("block", "rescue", "always")
NOT_MODULES = {
    "always", "async", "become", "block", "changed_when", "check_mode", "diff", "delegate_to", "failed_when", "listen",
    "loop", "loop_control", "name", "no_log", "notify", "poll", "register", "rescue", "until", "retries", "delay",
    "vars", "when",
}  # fmt: skip


def load(path: Path) -> Any:
    return yaml.safe_load(path.read_text())


def options(role: Path) -> dict[str, dict[str, Any]]:
    return load(role / "meta/argument_specs.yml")["argument_specs"]["main"].get("options", {})


def tasks_of(path: Path) -> list[dict[str, Any]]:
    """Given a task file, return its tasks, those inside blocks too."""
    found: list[dict[str, Any]] = []
    pending = list(load(path) or [])
    while pending:
        task = pending.pop(0)
        found.append(task)
        pending = [inner for key in BLOCKS for inner in task.get(key, [])] + pending
    return found


def modules_of(task: dict[str, Any]) -> list[str]:
    return [key for key in task if key not in NOT_MODULES]


def own_modules(role: Path) -> set[str]:
    return {path.stem for path in role.glob("library/*.py")}


def one_line(text: str | list[str]) -> str:
    words = " ".join(text) if isinstance(text, list) else text
    return re.sub(r"\b[CIBV]\(([^)]*)\)", r"`\1`", words).replace("|", "\\|")


def rows(specs: dict[str, dict[str, Any]], *, prefix: str = "") -> list[str]:
    """Given options, return the lines of the table, those of nested options below their parent."""
    lines: list[str] = []
    for name, spec in specs.items():
        kind = spec.get("type", "str") + (f" of {spec['elements']}" if "elements" in spec else "")
        default = "required" if spec.get("required") else f"`{spec['default']!r}`" if "default" in spec else "none"
        choices = f" One of {', '.join(f'`{choice}`' for choice in spec['choices'])}." if "choices" in spec else ""
        lines.append(f"| `{prefix}{name}` | {kind} | {default} | {one_line(spec['description'])}{choices} |")
        lines += rows(spec.get("options", {}), prefix=f"{prefix}{name}.")
    return lines


def with_table(role: Path) -> str:
    """Given a role, return its README with the table its argument specification says."""
    head = ["| variable | type | default | meaning |", "|---|---|---|---|"]
    table = "\n".join(head + rows(options(role))) + "\n"
    return TABLE.sub(lambda found: found[1] + table + found[2], (role / "README.md").read_text())


every_role = pytest.mark.parametrize("role", ROLES, ids=lambda role: role.name)


@every_role
def test_has_the_anatomy(role: Path) -> None:
    assert [part for part in ANATOMY if not (role / part).is_file()] == []
    dispatched = {path.stem.split("_", 1)[1] for path in role.glob("tasks/*_[A-Z]*.yml")}
    assert dispatched <= {path.stem for path in role.glob("vars/[A-Z]*.yml")}, "vars/<Os>.yml for each tasks/*_<Os>.yml"


@every_role
def test_defaults_are_those_of_the_specification(role: Path) -> None:
    specified = {name: spec["default"] for name, spec in options(role).items() if "default" in spec}
    assert (load(role / "defaults/main.yml") or {}) == specified
    assert all("default" in spec or spec.get("required") for spec in options(role).values())


@every_role
def test_every_option_is_described_and_named_after_the_role(role: Path) -> None:
    assert [name for name in options(role) if not name.startswith(f"{role.name}_")] == []
    assert [name for name, spec in options(role).items() if not spec.get("description")] == []


@every_role
def test_internals_are_named_after_the_role(role: Path) -> None:
    names = {name for path in role.glob("vars/*.yml") for name in load(path) or {}}
    names |= {task["register"] for path in role.glob("tasks/*.yml") for task in tasks_of(path) if "register" in task}
    assert [name for name in sorted(names) if not name.startswith(f"__{role.name}_")] == []


@every_role
def test_readme_tells_the_outcome_and_its_table_is_current(role: Path) -> None:
    readme = (role / "README.md").read_text()
    assert [section for section in README_SECTIONS if section not in readme] == []
    assert TABLE.search(readme)
    assert readme == with_table(role), "run: python tests/architecture/test_roles.py"


@every_role
def test_tasks_are_prefixed_by_their_file_and_fully_qualified(role: Path) -> None:
    problems = []
    for path in sorted(role.glob("tasks/*.yml")):
        prefix = "" if path.stem == "main" else f"{path.stem} | "
        for task in tasks_of(path):
            problems += [f"{path.name}: {task.get('name')}" for _ in [0] if not task.get("name", "").startswith(prefix)]
            problems += [
                f"{path.name}: {module}"
                for module in modules_of(task)
                if module.count(".") < 2 and module not in own_modules(role)
            ]
    assert problems == []


@every_role
def test_commands_say_when_they_change_and_nothing_is_ignored(role: Path) -> None:
    problems = []
    for path in [*role.glob("tasks/*.yml"), *role.glob("handlers/*.yml")]:
        for task in tasks_of(path):
            runs = {"ansible.builtin.command", "ansible.builtin.shell", "ansible.builtin.raw"} & set(task)
            if runs and "changed_when" not in task:
                problems.append(f"{path.name}: {task['name']}: no changed_when")
            if "ignore_errors" in task:
                problems.append(f"{path.name}: {task['name']}: ignore_errors")
    assert problems == []


@every_role
def test_main_is_a_table_of_contents(role: Path) -> None:
    assert len((role / "tasks/main.yml").read_text().splitlines()) <= 40
    assert all(set(modules_of(task)) <= {"ansible.builtin.import_tasks", "ansible.builtin.include_tasks"}
               for task in tasks_of(role / "tasks/main.yml"))  # fmt: skip


@every_role
def test_knows_nothing_of_its_test_harness(role: Path) -> None:
    own = [path for part in ("tasks", "handlers", "vars", "defaults", "templates", "library", "module_utils")
           for path in role.glob(f"{part}/**/*") if path.is_file() and path.suffix != ".pyc"]  # fmt: skip
    assert [path.name for path in own if "molecule" in path.read_text().lower()] == []


def test_a_task_without_a_qualified_module_is_seen(tmp_path: Path) -> None:
    """Negative control: the reader of tasks finds what the rules above forbid, inside a block too."""
    (tmp_path / "main.yml").write_text("- block:\n    - name: bad\n      command: reboot\n      ignore_errors: true\n")
    bad = tasks_of(tmp_path / "main.yml")[1]
    assert bad["name"] == "bad"
    assert "command" in modules_of(bad)
    assert "ignore_errors" in bad


def test_nested_options_stand_in_the_table() -> None:
    nested = {"a": {"type": "list", "elements": "dict", "default": [], "description": "x", "options":
                    {"b": {"type": "str", "required": True, "description": "see C(y)"}}}}  # fmt: skip
    assert rows(nested) == ["| `a` | list of dict | `[]` | x |", "| `a.b` | str | required | see `y` |"]


def twice(sources: Iterable[str]) -> list[str]:
    """Kinds of checks that more than one file of readers knows: the table would ask whichever came last."""
    tables = [re.search(r"^READERS = \{(.*?)\}", source, re.DOTALL | re.MULTILINE) for source in sources]
    kinds = [kind for table in tables if table for kind in re.findall(r'"(\w+)":', table[1])]
    return sorted(kind for kind, times in Counter(kinds).items() if times > 1)


def test_each_kind_of_check_has_one_reader() -> None:
    sources = [path.read_text() for path in (CHECKOUT / "roles/acceptance/module_utils").glob("acceptance_*.py")]
    assert twice(sources) == []


def test_the_control_a_kind_that_two_files_know_is_found() -> None:
    assert twice(['READERS = {\n    "told": told,\n}\n', 'READERS = {"told": other, "more": more}\n']) == ["told"]


if __name__ == "__main__":
    for each in ROLES:
        (each / "README.md").write_text(with_table(each))
