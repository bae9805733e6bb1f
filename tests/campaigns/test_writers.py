"""Eight writers at once: every entry is there once, in one order. In full by `invoke dev.campaign --name writers`.

In `make test` 8 x 50 entries on SQLite and on PostgreSQL; in full 8 x 500 on each. The control has no write lock.
"""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import time
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pytest

from provisioner.ledger.book import open_book
from provisioner.missions.audit import verify_log

if TYPE_CHECKING:
    from pathlib import Path

    from tests.postgresql import Server

FULL = os.environ.get("PROVISIONER_CAMPAIGN") == "full"
WRITERS, EACH = 8, 500 if FULL else 50

WRITER = """
import sys
import time
from datetime import UTC, datetime
from pathlib import Path
from provisioner.ledger import postgresql, sqlite
from provisioner.ledger.book import open_book
from provisioner.ledger.entry import Draft
url, state, who, each, locked = sys.argv[1], Path(sys.argv[2]), sys.argv[3], int(sys.argv[4]), sys.argv[5]
if locked == "no":
    sqlite.queue = postgresql.queue
    sqlite.begin = lambda connection, writes: connection.exec_driver_sql("BEGIN")
    postgresql.begin = lambda connection, writes: None
at = datetime(2026, 11, 23, tzinfo=UTC)
with open_book(url, "demo", state=state) as book:
    print("ready", flush=True)
    sys.stdin.readline()
    for number in range(each):
        began = time.monotonic()
        (entry,) = book.append([Draft("note", at, "op-1", {"who": who, "number": number})])
        print(entry.index, entry.hash.hex(), time.monotonic() - began, flush=True)
    book.sign(at)
"""


@dataclass(frozen=True)
class Outcome:
    """What the writers said: (index, hash) of each entry acknowledged, how long each append took, how each ended."""

    acknowledged: list[tuple[int, str]]
    waits: list[float]
    errors: list[str]
    seconds: float


def contend(url: str, state: Path, *, writers: int, each: int, locked: bool = True) -> Outcome:
    """Let the writers loose at the same moment and wait for all of them."""
    command = [sys.executable, "-c", WRITER, url, str(state)]
    started = [
        subprocess.Popen(
            [*command, str(who), str(each), "yes" if locked else "no"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for who in range(writers)
    ]
    for writer in started:
        assert writer.stdout and writer.stdout.readline() == "ready\n"
    began = time.monotonic()
    for writer in started:
        assert writer.stdin
        writer.stdin.write("go\n")
        writer.stdin.flush()
    said = [writer.communicate(timeout=600) for writer in started]
    rows = [line.split() for out, _ in said for line in out.splitlines()]
    return Outcome(
        acknowledged=sorted((int(index), digest) for index, digest, _ in rows),
        waits=[float(wait) for *_, wait in rows],
        errors=[
            err.strip().splitlines()[-1] for (_, err), writer in zip(said, started, strict=True) if writer.returncode
        ],
        seconds=time.monotonic() - began,
    )


@pytest.fixture
def state(tmp_path: Path) -> Path:
    return tmp_path / "state"


def test_eight_writers_at_once_lose_nothing(state: Path, database_url: str, database_server: Server | None) -> None:
    outcome = contend(database_url, state, writers=WRITERS, each=EACH)
    assert outcome.errors == [] and len(outcome.acknowledged) == WRITERS * EACH
    with open_book(database_url, "demo", state=state, read_only=True) as book:
        _key, *entries = book.entries()
        report = verify_log(book)
    assert [(entry.index, entry.hash.hex()) for entry in entries] == outcome.acknowledged
    assert Counter(str(entry.body["who"]) for entry in entries) == {str(who): EACH for who in range(WRITERS)}
    for who in range(WRITERS):
        assert [entry.body["number"] for entry in entries if entry.body["who"] == str(who)] == list(range(EACH))
    assert (report.status, report.size) == ("OK", WRITERS * EACH + 1)
    waits = sorted(outcome.waits)
    assert waits[-1] < 120, "somebody starves"
    where = "PostgreSQL" if database_server else "SQLite"
    print(
        f"{where}: {WRITERS} writers x {EACH} entries in {outcome.seconds:.1f} s, "
        f"{len(waits) / outcome.seconds:.0f} appends/s; an append took {statistics.median(waits) * 1000:.0f} ms "
        f"(median), {waits[int(len(waits) * 0.99)] * 1000:.0f} ms (99 %), {waits[-1] * 1000:.0f} ms (longest); lost 0"
    )


def test_without_the_lock_writers_fail(state: Path, database_url: str, database_server: Server | None) -> None:
    """Negative control."""
    open_book(database_url, "demo", state=state).close()
    outcome = contend(database_url, state, writers=3, each=20, locked=False)
    assert outcome.errors and len(outcome.acknowledged) < 3 * 20
    print(
        f"{'PostgreSQL' if database_server else 'SQLite'} without the lock: {len(outcome.errors)} of 3 writers failed"
    )
