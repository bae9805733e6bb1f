"""The ledger: appends beside a plain SQLite insert loop as durable, then verification, proofs and a bundle.

Appends are interleaved with their peer and the peer again (A/A). The peer inserts lines of the same length into one
table with the same settings, a transaction for each group; it hashes nothing and signs nothing.
"""

from __future__ import annotations

import json
import random
import sqlite3
import statistics
import subprocess
import sys
import tempfile
import time
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from _bench import arguments

from provisioner.ledger import published, sqlite
from provisioner.ledger.book import open_book
from provisioner.ledger.entry import Draft
from provisioner.ledger.prover import Prover
from provisioner.missions.export import Wanted, export

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from provisioner.ledger.book import Book

AT = datetime(2026, 11, 23, 14, tzinfo=UTC)
BODY = {
    "intervention": "iv-20261123-140000-0f3a",
    "outcome": "changed",
    "assets": [{"name": "ws-01", "outcome": "changed", "ok": 60, "changed": 12, "failed_task": "", "reason": ""}],
    "simulated": False,
}
BATCH = 50
"""The events of one run."""

GROUPS = {"one by one": (200, 1), f"in groups of {BATCH}": (200, BATCH)}
SIZES = (100_000, 1_000_000)
PROOFS = 2000
BUNDLED = 10_000


@dataclass(frozen=True)
class Rate:
    """So many things a second, by the wall clock and by our CPU."""

    wall: float
    cpu: float


def timed(work: Callable[[], object], *, count: int) -> Rate:
    wall, cpu = time.monotonic(), time.process_time()
    work()
    return Rate(count / (time.monotonic() - wall), count / (time.process_time() - cpu))


@contextmanager
def ledger(folder: Path) -> Iterator[Book]:
    with open_book(f"sqlite:///{folder}/ledger.db", "demo", state=folder) as book:
        yield book


def drafts(count: int) -> list[Draft]:
    return [Draft("closed", AT, "op-0011223344556677", BODY) for _ in range(count)]


def ours(groups: int, each: int) -> Rate:
    """Append `groups` groups of `each` entries to a fresh log."""
    with tempfile.TemporaryDirectory() as folder, ledger(Path(folder)) as book:
        book.append(drafts(1))
        group = drafts(each)
        return timed(lambda: [book.append(group) for _ in range(groups)], count=groups * each)


def peer(groups: int, each: int) -> Rate:
    """Insert as many lines of the same length with plain sqlite3, as durably."""
    with tempfile.TemporaryDirectory() as folder:
        connection = sqlite3.connect(Path(folder) / "peer.db", isolation_level=None)
        sqlite.set_pragmas(connection, sqlite.WRITING)
        connection.execute("CREATE TABLE entries (place INTEGER PRIMARY KEY, leaf BLOB NOT NULL) STRICT")
        rows = [(b"x" * 380,)] * each

        def insert() -> None:
            for _ in range(groups):
                connection.execute("BEGIN IMMEDIATE")
                connection.executemany("INSERT INTO entries (leaf) VALUES (?)", rows)
                connection.execute("COMMIT")

        rate = timed(insert, count=groups * each)
        connection.close()
    return rate


def appends(rounds: int) -> dict[str, dict[str, Rate]]:
    """Medians of interleaved rounds, for entries one by one and in groups; the first round is not counted."""
    found: dict[str, dict[str, Rate]] = {}
    for name, (groups, each) in GROUPS.items():
        runs: dict[str, list[Rate]] = {"ours": [], "peer": [], "peer again": []}
        for number in range(rounds + 1):
            for who, rates in runs.items():
                rate = (ours if who == "ours" else peer)(groups, each)
                print(f"{name}, round {number}: {who}: {rate.wall:.0f} entries/s", file=sys.stderr)
                rates += [rate] if number else []
        found[name] = {
            who: Rate(statistics.median(run.wall for run in rates), statistics.median(run.cpu for run in rates))
            for who, rates in runs.items()
        }
    return found


def grow(book: Book, size: int) -> None:
    """Append until the log has `size` entries, signing every 10,000."""
    last = book.last()
    there = last.index + 1 if last else 1
    while there < size:
        there = book.append(drafts(min(10_000, size - there)))[-1].index + 1
        book.sign(AT)


VERIFIER = """
import json, re, sys, time
from pathlib import Path
from provisioner.ledger.book import open_book
from provisioner.missions.audit import verify_log
def peak():
    return int(re.search(r"VmHWM:\\s+(\\d+)", Path("/proc/self/status").read_text())[1]) / 1024
state = Path(sys.argv[1])
with open_book(f"sqlite:///{state}/ledger.db", "demo", state=state, read_only=True) as book:
    before, wall, cpu = peak(), time.monotonic(), time.process_time()
    assert verify_log(book).status == "OK"
    took = {"seconds": time.monotonic() - wall, "CPU seconds": time.process_time() - cpu}
    print(json.dumps({**took, "peak MiB": peak(), "of it before": before}))
"""


def verified(folder: Path) -> dict[str, float]:
    """Verify the log in a process of its own; its memory at the peak, and before it read an entry."""
    done = subprocess.run([sys.executable, "-c", VERIFIER, folder], stdout=subprocess.PIPE, text=True, check=True)
    return {name: round(value, 1) for name, value in json.loads(done.stdout).items()}


def proofs(book: Book) -> dict[str, Rate]:
    """How many proofs a second; each is checked against the signed root before it is given."""
    *older, newest = sorted(published.read_all(book.checkpoint_folder)[0], key=lambda one: one.size)
    chosen = random.Random(3)
    few, start = PROOFS // 10, newest.size // 2
    scattered, period = chosen.sample(range(newest.size), few), range(start, start + PROOFS)
    hashes = {index: entry.hash for index in (*scattered, *period) if (entry := book.entry(index))}

    def together() -> None:
        prover = Prover(book, newest)
        prover.prepare(period)
        for index in period:
            prover.inclusion(index, hashes[index])

    return {
        "inclusion, each alone": timed(
            lambda: [Prover(book, newest).inclusion(index, hashes[index]) for index in scattered], count=few
        ),
        f"inclusion, a period of {PROOFS}": timed(together, count=PROOFS),
        "consistency, each alone": timed(
            lambda: [Prover(book, newest).consistency(chosen.choice(older)) for _ in range(few)], count=few
        ),
    }


def bundle() -> dict[str, float]:
    """Export a log of BUNDLED entries, and verify the bundle with its own verify.py."""
    with tempfile.TemporaryDirectory() as name, ledger(Path(name)) as book:
        folder = Path(name)
        grow(book, BUNDLED)
        out = folder / "demo.tar.gz"
        began = time.monotonic()
        export(book, Wanted(), out)
        written = time.monotonic()
        script = Path(published.__file__).with_name("standalone") / "verify.py"
        subprocess.run([sys.executable, "-I", script, out], check=True, stdout=sys.stderr)
        took = {"export seconds": written - began, "verify.py seconds": time.monotonic() - written}
        return {name: round(value, 1) for name, value in {**took, "MiB": out.stat().st_size / 2**20}.items()}


def ratios(rates: dict[str, Rate]) -> dict[str, Rate]:
    """Time of ours over that of the peer, and of the peer over itself."""
    base = rates["peer"]
    named = {"ours / peer": rates["ours"], "A/A: peer again / peer": rates["peer again"]}
    return {name: Rate(base.wall / rate.wall, base.cpu / rate.cpu) for name, rate in named.items()}


def show(rows: dict[str, Rate], *, unit: str, digits: int = 0) -> None:
    for name, rate in rows.items():
        print(f"  {name:<30} wall {rate.wall:12,.{digits}f} {unit}   CPU {rate.cpu:12,.{digits}f} {unit}")


def main() -> None:
    appended = appends(max(arguments().rounds, 5))
    verification: dict[int, dict[str, float]] = {}
    with tempfile.TemporaryDirectory() as name, ledger(Path(name)) as book:
        for size in SIZES:
            print(f"growing a log to {size} entries", file=sys.stderr)
            grow(book, size)
            verification[size] = verified(Path(name))
        proven = proofs(book)
    bundled = bundle()
    if arguments().json:
        found = {"appends": appended, "ratios": {name: ratios(rates) for name, rates in appended.items()}}
        whole = {**found, "verification": verification, "proofs": proven, "bundle": bundled}
        print(json.dumps(whole, indent=2, default=asdict))
        return
    for name, rates in appended.items():
        print(f"appends {name} (medians)")
        show(rates, unit="/s")
        show(ratios(rates), unit="", digits=2)
    print(f"proofs from a log of {SIZES[-1]:,} entries")
    show(proven, unit="/s")
    for size, figures in verification.items():
        print(f"verification of {size:,} entries: {figures}")
    print(f"bundle of {BUNDLED:,} entries: {bundled}")


if __name__ == "__main__":
    main()
