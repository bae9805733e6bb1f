"""Fourteen kinds of tampering under three adversaries: what verification says of each is what the table says of it.

50 cases a pair in `make test`, 500 in full (`invoke dev.campaign --name tampering`). Each case is a genuine log,
copied, tampered with and verified: with nothing outside, with a checkpoint kept from before or from after the place,
and with the fingerprint of the key (in the quick form with nothing, and one of the three in turn). As many untouched
logs are never flagged. Then the same of cosigned checkpoints, and of bundles, of which two programs must say the same.
"""

from __future__ import annotations

import json
import os
import shutil
import sqlite3
import tempfile
import time
from collections import Counter
from contextlib import closing
from pathlib import Path
from random import Random
from typing import TYPE_CHECKING

import pytest
from tests.acceptance.conftest import Desk
from tests.campaigns._tampering_bundle import answers as bundle_answers
from tests.campaigns._tampering_bundle import forged, written
from tests.campaigns._tampering_judge import DETECTED, FULL, differences, first_bad
from tests.campaigns._tampering_logs import BEGAN, CLIENT, LOG, Log, book_of, make_log
from tests.campaigns._tampering_table import (
    OF_BUNDLES,
    TABLE,
    TOLD,
    Adversary,
    ExpectedOfBundle,
    Fate,
    Kind,
    Said,
    Way,
    rows_for,
)
from tests.campaigns._tampering_ways import Case, fits, tamper
from tests.campaigns._tampering_witness import told

from provisioner.ledger import entry, verify
from provisioner.ledger.entry import Draft
from provisioner.ledger.verify import Status
from provisioner.missions.anchors import Trusted
from provisioner.missions.audit import verify_log
from provisioner.missions.export import verify_exported

if TYPE_CHECKING:
    from collections.abc import Iterator


CASES = 500 if FULL else 50
LOGS = 48 if FULL else 12
PAIRS = [(kind, adversary) for kind in Kind for adversary in Adversary]


@pytest.fixture(scope="module")
def logs(tmp_path_factory: pytest.TempPathFactory) -> list[Log]:
    folder = tmp_path_factory.mktemp("logs")
    made = [(number % 2 == 1, number % 3 == 2) for number in range(LOGS)]
    return [
        make_log(folder / str(number), Random(number), tail=tail, rotated=rotated)
        for number, (tail, rotated) in enumerate(made)
    ]


@pytest.fixture
def scratch(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Where cases come and go: in memory where there is a place for that."""
    memory = Path("/dev/shm")
    base = memory if os.access(memory, os.W_OK) else tmp_path_factory.getbasetemp()
    with tempfile.TemporaryDirectory(prefix="tampering-", dir=base) as folder:
        yield Path(folder)


@pytest.fixture(scope="module")
def figures() -> Iterator[dict[tuple[Kind, Adversary], Counter[str]]]:
    """What was counted for each pair; printed at the end."""
    counted: dict[tuple[Kind, Adversary], Counter[str]] = {}
    began = time.monotonic()
    yield counted
    seen = ("detected", "index right", "warned", "UNANCHORED", "not detected", "next refused", "not as told")
    columns = ("cases", "answers", *seen)
    print(f"\n{'kind':<26}" + "".join(f"{name:>14}" for name in ("adversary", *columns)))
    for (kind, adversary), counts in counted.items():
        print(f"{kind:<26}{adversary:>14}" + "".join(f"{counts[name]:>14}" for name in columns))
    total = sum(counted.values(), Counter())
    print(f"{'all':<26}{'':>14}" + "".join(f"{total[name]:>14}" for name in columns))
    print(f"index right: of the answers that name an entry; {time.monotonic() - began:.0f} s")


def cases(logs: list[Log], kind: Kind, adversary: Adversary, *, folder: Path) -> Iterator[Case]:
    """Yield CASES cases of a pair, the ways in turn; each is gone when the next is asked for."""
    rows = rows_for(kind, adversary)
    for number in range(CASES):
        random, row = Random(f"{kind} {adversary} {number}"), rows[number % len(rows)]
        log = random.choice([log for log in logs if fits(log, row, kind)])
        case = tamper(log, row, kind, state=folder / "state", random=random)
        yield case
        shutil.rmtree(case.state)


@pytest.mark.parametrize(("kind", "adversary"), PAIRS)
def test_what_is_said_is_what_the_table_says(
    kind: Kind,
    adversary: Adversary,
    logs: list[Log],
    figures: dict[tuple[Kind, Adversary], Counter[str]],
    scratch: Path,
) -> None:
    rows, counts = rows_for(kind, adversary), Counter[str]()
    figures[kind, adversary] = counts
    for number, case in enumerate(cases(logs, kind, adversary, folder=scratch)):
        if number == 0 and (FULL or PAIRS.index((kind, adversary)) % 7 == 0):
            check_command(case)
        counts["cases"] += 1
        about = f"case {counts['cases']}: {case.row.way}, place {case.place} of {case.log.size}: "
        assert [about + wrong for wrong in differences(case, counts, number // len(rows))] == []
    assert counts["cases"] == CASES


def check_command(case: Case) -> None:
    """Type audit.verify on it, once for each pair, with what is kept that tells most."""
    desk = Desk(case.state.parent)
    said, words = case.row.nothing, list[str]()
    if case.newer is not None:
        (desk.folder / "kept").write_text(case.newer.note)
        said, words = case.row.newer, ["--checkpoint", str(desk.folder / "kept")]
    done = desk.invoke("audit.verify", "--client", CLIENT, *words)
    word = "TAMPERED" if said in DETECTED else "UNANCHORED" if said is Said.UNANCHORED else "OK"
    assert done.returncode == (7 if word == "TAMPERED" else 0), done.stdout
    assert done.stdout.splitlines()[-1].startswith(f"{word}: "), done.stdout
    assert ("warning: " in done.stdout) == (said is Said.WARNED)
    index = first_bad(case, said, case.newer)
    assert (f"first bad entry: {index}\n" in done.stdout) == (index is not None), done.stdout


def test_the_table_speaks_of_every_kind_under_every_adversary_and_each_row_was_tried() -> None:
    assert len(Kind) == 14 and len(PAIRS) == 42
    assert [pair for pair in PAIRS if not rows_for(*pair)] == []
    assert max(len(rows_for(*pair)) for pair in PAIRS) <= CASES // 5


def test_untouched_logs_are_never_flagged(logs: list[Log], tmp_path: Path) -> None:
    """As many as cases of one kind: whole logs and earlier moments of them, copied, vacuumed, or backed up."""
    random, counts = Random(0), Counter[str]()
    for number in range(CASES * len(Adversary)):
        log = random.choice(logs)
        folder, size = random.choice([(log.folder, log.size), *((one.folder, one.size) for one in log.moments)])
        state = tmp_path / str(number)
        shutil.copytree(folder, state)
        touched = random.choice(["copied", "vacuumed", "backed up"])
        harmless(state / "ledger.db", touched)
        below = [one for one in log.checkpoints if one.size <= size]
        (tmp_path / "kept").write_text(random.choice(below).note)
        with book_of(state) as book:
            report = verify_log(book, kept=tmp_path / "kept", fingerprint=log.fingerprint)
        status = Status.OK if below[-1].size == size else Status.UNANCHORED
        assert (report.status, report.size, report.first_bad, report.warnings) == (status, size, None, ())
        counts[f"{touched}, {status}"] += 1
        shutil.rmtree(state)
    print(f"\n{counts.total()} untouched logs, none flagged: {dict(counts)}")


def harmless(path: Path, how: str) -> None:
    with closing(sqlite3.connect(path)) as database:
        if how == "vacuumed":
            database.execute("VACUUM")
        if how == "backed up":
            with closing(sqlite3.connect(path.with_name("backup.db"))) as copy:
                database.backup(copy)
    if how == "backed up":
        path.with_name("backup.db").replace(path)


def test_a_database_whose_write_ahead_log_held_everything_is_no_ledger(tmp_path: Path) -> None:
    with book_of(tmp_path / "state", read_only=False) as book:
        book.append([Draft("note", BEGAN, "op-0011223344556677", {})])
        book.sign(BEGAN)
        shutil.copy(tmp_path / "state" / "ledger.db", tmp_path / "alone.db")
    shutil.move(tmp_path / "alone.db", tmp_path / "state" / "ledger.db")
    done = Desk(tmp_path).invoke("audit.verify", "--client", CLIENT)
    assert done.returncode == 7, done.stdout + done.stderr


@pytest.mark.parametrize("fate", Fate)
def test_the_holder_of_the_key_cannot_take_a_witness_along(logs: list[Log], fate: Fate, scratch: Path) -> None:
    (row,) = (row for row in TABLE if row.way is Way.SIGNED)
    for number in range(CASES // 4):
        random, kind = Random(f"{fate} {number}"), row.kinds[number % len(row.kinds)]
        log = random.choice([log for log in logs if fits(log, row, kind)])
        case = tamper(log, row, kind, state=scratch / "state", random=random)
        if case.older:
            assert told(case, fate) == TOLD[fate], f"{kind}, place {case.place}"
        shutil.rmtree(case.state)


# Bundles: what was done to a log before one was written, and to one on its way.


@pytest.mark.parametrize("row", OF_BUNDLES, ids=lambda row: row.way.name)
def test_what_both_programs_say_of_a_bundle_is_what_the_table_says(
    row: ExpectedOfBundle, logs: list[Log], scratch: Path
) -> None:
    counts = Counter[str]()
    for kind in row.kinds:
        for number in range(CASES // 25):
            random = Random(f"{row.way} {kind} {number}")
            case, given = forged(logs, row, kind, folder=scratch, random=random)
            counts["bundles"] += 1
            for name, *three in bundle_answers(case, row, given):
                counts[three[0][0]] += 1
                assert len(set(three)) == 1, f"{kind}, place {case.place}, with {name}: {three}"
            shutil.rmtree(case.state)
    print(f"\n{row.way}: {dict(counts)}, both programs agree")


def test_bundles_of_untouched_logs_are_never_flagged(logs: list[Log], scratch: Path) -> None:
    for log in [log for log in logs if log.size == log.covered]:
        report = verify_exported(
            written(log.folder, scratch), kept=None, fingerprint=log.fingerprint, trusted=Trusted()
        )
        assert (report.status, report.size, report.warnings) == (Status.OK, log.size, ())


# Negative controls: verifiers that are worse than ours. The campaign goes red with each.


def red(logs: list[Log], way: Way, folder: Path) -> int:
    """Return in how many of twenty cases of (a) the answer is not the one of the table."""
    row = next(row for row in TABLE if row.way is way)
    random, found = Random(1), 0
    for number in range(20):
        log = random.choice([log for log in logs if fits(log, row, Kind.EDIT)])
        case = tamper(log, row, Kind.EDIT, state=folder / str(number), random=random)
        found += bool(differences(case, Counter()))
    return found


def test_the_control_none_is_red_with_our_verifier(logs: list[Log], tmp_path: Path) -> None:
    assert red(logs, Way.LEFT, tmp_path / "left") == red(logs, Way.ANEW, tmp_path / "anew") == 0


def test_the_control_a_verifier_that_compares_no_root(
    logs: list[Log], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(verify, "_root_findings", lambda *_: [])
    assert red(logs, Way.LEFT, tmp_path / "left") == red(logs, Way.ANEW, tmp_path / "anew") == 20


def test_the_control_a_verifier_that_trusts_cached_nodes(
    logs: list[Log], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It takes the hash of an entry from the cache instead of from its bytes."""
    log = next(log for log in logs if fits(log, TABLE[0], Kind.EDIT))
    with closing(sqlite3.connect(log.folder / "ledger.db")) as database:
        query = "SELECT position, hash FROM nodes WHERE level = 0 AND log = ?"
        cached = dict(database.execute(query, (LOG,)).fetchall())
    monkeypatch.setattr(entry, "leaf_hash", lambda leaf: cached[json.loads(leaf)["index"]])
    assert red([log], Way.LEFT, tmp_path / "left") == 20


def test_the_control_a_table_that_is_wrong(logs: list[Log], tmp_path: Path) -> None:
    """An untouched log is no case of anything: every row that says TAMPERED with nothing outside is contradicted."""
    log = next(log for log in logs if fits(log, TABLE[0], Kind.EDIT) and log.size == log.covered)
    rows = [row for row in TABLE if row.nothing in DETECTED and row.newer is not Said.NO_SUCH]
    for number, row in enumerate(rows):
        case = Case(log=log, kind=row.kinds[0], row=row, state=tmp_path / str(number), place=1, bad=1)
        shutil.copytree(log.folder, case.state)
        assert len(differences(case, Counter())) >= 2
    assert len(rows) > 5
