"""The next command, after a writer was killed, cut off or refused by its disk: what it finds, and what is wrong."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from tests.campaigns._writer import AT, append, opened

from provisioner.errors import LedgerError
from provisioner.ledger.verify import Status
from provisioner.missions.audit import verify_log

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from provisioner.ledger.book import Book
    from provisioner.ledger.entry import Entry


@dataclass
class Found:
    """What the next command met: `problems` is empty when nothing acknowledged is lost, doubled or damaged."""

    problems: list[str] = field(default_factory=list)
    before: str = ""
    unacknowledged: int = 0
    seconds: float = 0.0


def acknowledged(lines: Iterable[str]) -> dict[int, str]:
    """Given what a writer said, return the text of each index that it acknowledged; a torn last line says nothing."""
    words = (line.split() for line in lines if line.startswith("ack ") and line.endswith("\n"))
    return {int(index): text for _, index, text in words}


def restart(state: Path, promised: dict[int, str]) -> Found:
    """Verify what is there, then open, append and sign as the next command does, then compare with what was promised.

    The state folder is changed. An exception other than our own errors is a defect and comes through.
    """
    found = Found()
    found.before, why = _verified(state)
    if found.before not in (Status.OK, Status.UNANCHORED) and promised:
        found.problems.append(f"before the next command: {found.before} {why}")
    began = time.monotonic()
    try:
        with opened(state) as book:
            append(book, ["next.0.0:0/1"], say=lambda _: None)
            book.sign(AT)
            found.seconds = time.monotonic() - began
            _compare(found, book, promised)
    except LedgerError as error:
        found.problems.append(f"the next command cannot go on: {error}")
        return found
    after, why = _verified(state)
    if after != Status.OK:
        found.problems.append(f"after the next command: {after} {why}")
    return found


def _verified(state: Path) -> tuple[str, str]:
    """What `audit.verify` says, in a word and in a sentence."""
    try:
        with opened(state, read_only=True) as book:
            report = verify_log(book)
    except LedgerError as error:
        return "ERROR", str(error)
    return report.status, "; ".join(report.findings)


def _compare(found: Found, book: Book, promised: dict[int, str]) -> None:
    entries = [entry for entry in book.entries() if entry.kind == "note"]
    texts = {entry.index: str(entry.body["text"]) for entry in entries}
    lost = [f"entry {index} ({text}) is lost" for index, text in promised.items() if texts.get(index) != text]
    doubled = sorted({text for text in texts.values() if list(texts.values()).count(text) > 1})
    found.problems += lost + [f"{text} is there twice" for text in doubled]
    found.problems += _half_groups(texts.values())
    found.problems += [f"the value beside {text} is lost" for text in _without_value(book, entries)]
    found.unacknowledged = len(texts.keys() - promised.keys()) - 1


def _half_groups(texts: Iterable[str]) -> list[str]:
    groups: dict[str, list[int]] = {}
    for text in texts:
        name, _, place = text.partition(":")
        groups.setdefault(name, []).append(int(place.partition("/")[2]))
    return [f"{name}: {len(sizes)} of {sizes[0]} entries" for name, sizes in groups.items() if len(sizes) != sizes[0]]


def _without_value(book: Book, entries: Iterable[Entry]) -> Iterable[str]:
    for entry in entries:
        text = str(entry.body["text"])
        if (text.partition(":")[2]).startswith("0/") and book.reveal(str(entry.body["personal"])) != text:
            yield text
