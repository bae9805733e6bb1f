"""Time comes in as an argument: the wall clock is read in cli/wiring and nowhere else."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

HOUSE = Path(__file__).resolve().parents[2] / "src" / "provisioner"
ROOT = "cli/wiring/__init__.py"

READS = {
    *(f"{kind}.{name}" for kind in ("datetime", "date") for name in ("now", "utcnow", "today")),
    *(f"time.{name}" for name in ("time", "time_ns", "localtime", "gmtime", "strftime", "ctime")),
}


def readings(root: Path) -> list[str]:
    """Every reading of the wall clock outside the composition root."""
    found = []
    for path in sorted(root.rglob("*.py")):
        name = path.relative_to(root).as_posix()
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.ImportFrom) and node.module == "time":
                called = [f"time.{alias.name}" for alias in node.names]
            elif isinstance(node, ast.Attribute):
                called = [".".join(ast.unparse(node).split(".")[-2:])]
            else:
                continue
            found.extend(f"{name}:{node.lineno}: {each}" for each in called if each in READS and name != ROOT)
    return found


def test_only_the_composition_root_reads_the_clock() -> None:
    assert readings(HOUSE) == []


def test_the_composition_root_does() -> None:
    assert "datetime.now(UTC)" in (HOUSE / ROOT).read_text(encoding="utf-8")


@pytest.mark.parametrize(
    "text",
    [
        "from datetime import datetime\nx = datetime.now()",
        "import datetime\nx = datetime.datetime.now()",
        "from datetime import date\nread = date.today",
        "import time\nx = time.time()",
        "from time import time\nx = time()",
    ],
)
def test_the_control_a_reading_is_found(text: str, tmp_path: Path) -> None:
    (tmp_path / "x.py").write_text(text, encoding="utf-8")
    assert len(readings(tmp_path)) == 1
    (tmp_path / ROOT).parent.mkdir(parents=True)
    (tmp_path / "x.py").rename(tmp_path / ROOT)
    assert readings(tmp_path) == []


def test_patience_is_no_clock(tmp_path: Path) -> None:
    (tmp_path / "x.py").write_text("import time\nx = time.monotonic()", encoding="utf-8")
    assert readings(tmp_path) == []
