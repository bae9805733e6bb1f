"""Dumps are loaded, not only hashed: rows by table are compared, and a dump cannot run a program."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from tests.unit.roles._backup_proof import proof

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = pytest.mark.lab

database = proof("backup_database")
restic = proof("backup_restic")

TABLES = """
CREATE TABLE people (id int PRIMARY KEY, name text);
INSERT INTO people SELECT i, 'n' || i FROM generate_series(1, 40) i;
CREATE SCHEMA "Odd schema"; CREATE TABLE "Odd schema"."a.b" (x int); INSERT INTO "Odd schema"."a.b" VALUES (1), (2);
CREATE TABLE nothing (x int);
"""
ROWS = {"public.people": 40, '"Odd schema"."a.b"': 2, "public.nothing": 0}


class Case:
    """A restored tree with the dump of a real database, and a place to load it in."""

    def __init__(self, base: Path) -> None:
        self.base, self.dumps = base, base / "tree/state/dumps"
        self.dumps.mkdir(parents=True)

    def dump(self, sql: str, counts: dict[str, Any]) -> None:
        (self.base / "source").mkdir(mode=0o711)
        with database._Cluster(str(self.base / "source"), time.monotonic() + 60) as source:
            source.run("createdb", "--username=postgres", "app")
            for words in sql.split("--next\n"):
                source.run("psql", "-XAtq", "-U", "postgres", "-d", "app", "-c", words)
            with (self.dumps / "app.dump").open("wb") as file:
                command = source._as([f"{source.programs}/pg_dump", "--format=custom", "-U", "postgres", "app"])
                subprocess.run(command, stdout=file, check=True)
        (self.dumps / "counts.json").write_text(json.dumps(counts))

    def load(self, seconds: float = 120) -> list[dict[str, Any]]:
        (self.base / "drill").mkdir(mode=0o700, exist_ok=True)
        tree, drill = str(self.base / "tree"), str(self.base / "drill")
        told: list[dict[str, Any]] = database.load_dumps(tree, "/state", drill, time.monotonic() + seconds)
        return told


@pytest.fixture
def case() -> Iterator[Case]:
    base = Path(tempfile.mkdtemp(dir="/var/tmp"))  # where the server's own user gets through
    base.chmod(0o711)
    yield Case(base)
    shutil.rmtree(base)


def test_every_row_is_counted_and_the_server_is_gone(case: Case) -> None:
    case.dump(TABLES, {"app": ROWS})
    assert case.load() == [{"name": "app", "tables": 3, "rows": 42, "text": ""}]
    assert list((case.base / "drill").iterdir()) == []
    assert os.stat(case.base / "drill").st_mode & 0o777 == 0o700
    for file in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            assert str(case.base) not in file.read_text()
        except OSError:
            continue


@pytest.mark.parametrize(
    ("counts", "said"),
    [
        ({**ROWS, "public.people": 41}, "1 tables differ: public.people: 41 rows dumped, 40 loaded"),
        ({**ROWS, "public.more": 0}, "1 tables differ: public.more: 0 rows dumped, None loaded"),
        ({"public.people": 40, "public.nothing": 0}, '1 tables differ: "Odd schema"."a.b": None rows dumped, 2 loaded'),
    ],
)
def test_rows_that_are_not_there_are_said(counts: dict[str, int], said: str, case: Case) -> None:
    case.dump(TABLES, {"app": counts})
    assert [one["text"] for one in case.load()] == [said]


def test_a_damaged_dump_is_said(case: Case) -> None:
    case.dump(TABLES, {"app": ROWS})
    text = (case.dumps / "app.dump").read_bytes()
    (case.dumps / "app.dump").write_bytes(text[: len(text) // 2])
    (told,) = case.load()
    assert told["text"].startswith("pg_restore ended with 1")


def test_a_dump_of_a_broken_machine_runs_no_program_here(case: Case) -> None:
    """A view whose function runs a program: restored by a superuser, and read, it would."""
    mark = case.base / "was here"
    trap = f"""CREATE TABLE people (x text);
--next
CREATE FUNCTION trap() RETURNS text LANGUAGE plpgsql AS $$ BEGIN
EXECUTE 'COPY (SELECT 1) TO PROGRAM ''touch "{mark}"'''; RETURN 'x'; END $$;
CREATE TABLE trapped (x text CHECK (trap() IS NOT NULL));
"""
    case.base.chmod(0o777)
    case.dump(trap + "INSERT INTO trapped VALUES ('a');", {"app": {"public.people": 0, "public.trapped": 1}})
    assert mark.exists()  # the trap works where its owner is a superuser
    mark.unlink()
    (told,) = case.load()
    assert "must be superuser or have privileges" in told["text"]
    assert not mark.exists()


def test_what_cannot_be_loaded_is_said(case: Case, monkeypatch: pytest.MonkeyPatch) -> None:
    assert case.load() == []
    (case.dumps / "counts.json").write_text('{"app": {}, "../x": {}}')
    assert {one["name"]: one["text"] for one in case.load()} == dict.fromkeys(["app", "../x"], "there is no dump of it")
    (case.dumps / "stray.dump").touch()
    with pytest.raises(restic.Red, match=r"stray\.dump"):
        case.load()
    (case.dumps / "stray.dump").unlink()
    with pytest.raises(restic.Red, match="time limit"):
        case.load(seconds=0)
    monkeypatch.setattr(database.glob, "glob", lambda _: [])
    with pytest.raises(restic.Red, match="no PostgreSQL here"):
        case.load()
