"""`invoke dev.*`: what the engineers of provisioner type. Everything runs from the checkout with its own tools."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from provisioner.cli.command import JSON_HELP, command, print_json, required, say
from provisioner.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from invoke.context import Context

BIN = Path(sys.executable).parent

STATIC: tuple[tuple[str, ...], ...] = (
    ("ruff", "check"),
    ("ruff", "format", "--check"),
    ("mypy",),
    ("yamllint", "--strict", "."),
    ("ansible-lint", "--offline"),
)
QUICK = ("pytest", "tests/unit", "tests/golden", "tests/architecture")
TWO_AT_A_TIME = ("-n", "2", "--dist", "worksteal", "--durations=10")
TESTS = ("pytest", "-m", "not molecule and not long", *TWO_AT_A_TIME, "--cov", "--cov-report=term:skip-covered")
MOLECULE = ("pytest", "-m", "molecule", *TWO_AT_A_TIME, "tests/molecule")
LONG = ("pytest", "-m", "molecule or long", "--durations=10", "tests/molecule", "tests/campaigns")


@dataclass(frozen=True)
class _Step:
    """A program that ran: its command line, its exit code and how long it took."""

    command: str
    code: int
    seconds: float


def _run(commands: Sequence[Sequence[str]], *, json: bool, environment: dict[str, str] | None = None) -> list[_Step]:
    """Run programs of the virtual environment one after the other, all of them."""
    env = {**os.environ, **(environment or {}), "PATH": f"{BIN}{os.pathsep}{os.environ.get('PATH', '')}"}
    steps = []
    for program, *arguments in commands:
        line = f"{program} {' '.join(arguments)}"
        say(f"== {line}")
        began = time.monotonic()
        out = sys.stderr if json else None
        code = subprocess.run([BIN / program, *arguments], env=env, stdout=out, check=False).returncode
        steps.append(_Step(line, code, round(time.monotonic() - began, 1)))
    return steps


def _report(steps: list[_Step], *, json: bool) -> int:
    """Say how programs ended; 1 when one failed."""
    if json:
        print_json({"steps": [vars(step) for step in steps]})
    for step in steps:
        say(f"{'FAILED' if step.code else 'ok    '} {step.seconds:>7} s  {step.command}")
    return 1 if any(step.code for step in steps) else 0


@command(help={"json": JSON_HELP})
def check(_context: Context, json: bool = False) -> int:
    """Lint, types, unit and golden tests: what runs before each commit. Example: invoke dev.check"""
    return _report(_run((*STATIC, QUICK), json=json), json=json)


@command(help={"json": JSON_HELP})
def test(_context: Context, json: bool = False) -> int:
    """All that `make test` runs: lint, types, every test against real machines, Molecule. Example: invoke dev.test"""
    return _report(_run((*STATIC, TESTS, MOLECULE), json=json), json=json)


@command(help={"json": JSON_HELP})
def full(_context: Context, json: bool = False) -> int:
    """`dev.test`, then every Molecule scenario of every role and the campaigns in full. Example: invoke dev.full"""
    steps = _run((*STATIC, TESTS), json=json)
    steps += _run((LONG,), json=json, environment={"PROVISIONER_CAMPAIGN": "full"})
    return _report(steps, json=json)


@command(help={"json": JSON_HELP})
def generate(_context: Context, json: bool = False) -> int:
    """Write what is generated: schemas, reference pages, the variable tables of roles. Example: invoke dev.generate"""
    from provisioner.cli import wiring

    wiring.write_generated()
    scripts = [
        str(path) for path in sorted(Path("tests/architecture").glob("test_*.py")) if "__main__" in path.read_text()
    ]
    return _report(_run([("python", script) for script in scripts], json=json), json=json)


@command(
    help={
        "role": "the role (default: the shared scenarios)",
        "scenario": "default, alternative (default: both)",
        "json": JSON_HELP,
    }
)
def molecule(_context: Context, role: str = "", scenario: str = "", json: bool = False) -> int:
    """Run the Molecule scenarios of one role. Example: invoke dev.molecule --role host_identity --scenario default"""
    name = required("role", role, "invoke dev.molecule --role host_identity")
    if not (Path("roles") / name / "molecule").is_dir():
        roles = ", ".join(sorted(path.parent.name for path in Path("roles").glob("*/molecule")))
        raise UsageError(f"no role named {name} has Molecule scenarios", hint=f"one of: {roles}")
    wanted = f"{name} and {scenario}" if scenario else name
    steps = _run((("pytest", "-m", "molecule or long", "-k", wanted, "-s", "tests/molecule"),), json=json)
    return _report(steps, json=json)


@command(help={"name": "which benchmark (default: list them)", "json": JSON_HELP})
def bench(_context: Context, name: str = "", json: bool = False) -> int:
    """Run a benchmark beside its peer and print figures and ratios. Example: invoke dev.bench --name onboard"""
    return _named("benchmarks", name, prefix="", json=json, full=True)


@command(
    help={
        "name": "which campaign (default: list them)",
        "quick": "the short form that `make test` runs",
        "json": JSON_HELP,
    }
)
def campaign(_context: Context, name: str = "", quick: bool = False, json: bool = False) -> int:
    """Run a campaign in full and print its figures. Example: invoke dev.campaign --name kill"""
    return _named("tests/campaigns", name, prefix="test_", json=json, full=not quick)


def _named(folder: str, name: str, *, prefix: str, json: bool, full: bool) -> int:
    found = {
        path.stem.removeprefix(prefix): path
        for path in sorted(Path(folder).glob(f"{prefix}*.py"))
        if not path.stem.startswith("_")
    }
    if name not in found:
        if name:
            raise UsageError(f"there is no {name} in {folder}", hint=f"one of: {', '.join(found)}")
        print_json(list(found)) if json else print("\n".join(found))
        return 0
    if folder == "benchmarks":
        return subprocess.run([sys.executable, found[name], *(["--json"] if json else [])], check=False).returncode
    environment = {"PROVISIONER_CAMPAIGN": "full" if full else "quick"}
    return _report(_run((("pytest", "-s", str(found[name])),), json=json, environment=environment), json=json)
