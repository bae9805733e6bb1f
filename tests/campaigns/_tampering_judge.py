"""What verification says of a case, held against the table."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from tests.campaigns._tampering_logs import BEGAN, book_of
from tests.campaigns._tampering_table import GOES_ON, REFUSES, Adversary, Said

from provisioner.errors import LedgerError
from provisioner.ledger.entry import Draft
from provisioner.ledger.verify import Report, Status
from provisioner.missions.audit import verify_log

if TYPE_CHECKING:
    from collections import Counter
    from collections.abc import Iterator
    from pathlib import Path

    from tests.campaigns._tampering_ways import Case

    from provisioner.ledger.book import Book
    from provisioner.ledger.checkpoint import Checkpoint

FULL = os.environ.get("PROVISIONER_CAMPAIGN") == "full"
DETECTED = (Said.EXACT, Said.RANGE, Said.FIRST, Said.BESIDE)


def answers(case: Case, number: int) -> Iterator[tuple[str, Said, Checkpoint | None, Report]]:
    """Verify a case with each thing that can be kept outside; yield what was kept, what the table says, the report."""
    row, fingerprint = case.row, case.log.fingerprint
    asked = ("newer", "fingerprint", "older") if FULL else (("newer", "fingerprint", "older")[number % 3],)
    with book_of(case.state) as book:
        yield "nothing", row.nothing, None, _answer(book)
        if "fingerprint" in asked:
            yield "fingerprint", row.fingerprint, None, _answer(book, fingerprint=fingerprint)
        for name, said, kept in (("older", row.older, case.older), ("newer", row.newer, case.newer)):
            if said is Said.NO_SUCH:
                assert kept is None
            elif kept is not None and name in asked:
                path = case.state / "kept.checkpoint"
                path.write_text(kept.note)
                yield name, said, kept, _answer(book, kept=path)


def _answer(book: Book, *, kept: Path | None = None, fingerprint: str = "") -> Report:
    """What audit.verify says; an error of the ledger is exit code 7 without an entry."""
    try:
        return verify_log(book, kept=kept, fingerprint=fingerprint)
    except LedgerError as error:
        return Report(status=Status.TAMPERED, size=0, compared_with="", findings=(str(error),))


def first_bad(case: Case, said: Said, kept: Checkpoint | None) -> int | None:
    """Return the index that the answer must name.

    Of a range that is the size of the last checkpoint that still holds. What lies in the folder and what was kept are
    asked apart, since the holder of the key can publish what fits; the earlier answer counts.
    """
    if said is Said.EXACT:
        return case.bad
    if said is not Said.RANGE:
        return 0 if said is Said.FIRST else None
    bad = case.bad
    assert bad is not None
    published = case.log.checkpoints if case.row.adversary is Adversary.DATABASE else ()
    groups = [[one.size for one in group] for group in (published, [kept] if kept else [])]
    contradicted = [sizes for sizes in groups if any(size > bad for size in sizes)]
    return min(max((size for size in sizes if size <= bad), default=0) for sizes in contradicted)


def differences(case: Case, counts: Counter[str], number: int = 0) -> list[str]:
    """Say where an answer is not the one of the table; count what was found."""
    wrong = []
    for name, said, kept, report in answers(case, number):
        status = Status.TAMPERED if said in DETECTED else Status.UNANCHORED if said is Said.UNANCHORED else Status.OK
        index = first_bad(case, said, kept)
        got, wanted = (report.status, report.first_bad), (status, index)
        warned = bool(report.warnings) == (said is Said.WARNED)
        if got != wanted or not warned or report.exit_code != (7 if said in DETECTED else 0):
            wrong.append(f"with {name}: {got} instead of {wanted}; {report.findings} {report.warnings}")
        counts["answers"] += 1
        counts["detected"] += said in DETECTED
        counts["index right"] += index is not None
        counts["warned"] += said is Said.WARNED
        counts["UNANCHORED"] += said is Said.UNANCHORED
        counts["not detected"] += said is Said.FINE
    if case.row.following and (FULL or number % 4 == 0):
        goes_on = next_command(case.state)
        counts["next refused"] += not goes_on
        if goes_on != (case.row.following == GOES_ON):
            wrong.append(f"the next command {GOES_ON if goes_on else REFUSES}")
    counts["not as told"] += len(wrong)
    return wrong


def next_command(state: Path) -> bool:
    """Append and sign, as the next command of ours would; say whether it went on."""
    try:
        with book_of(state, read_only=False) as book:
            book.append([Draft("note", BEGAN, "op-0011223344556677", {"text": "next"})])
            book.sign(BEGAN)
    except LedgerError as error:
        assert error.exit_code == 7
        return False
    return True
