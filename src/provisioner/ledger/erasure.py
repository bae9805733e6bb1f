"""Erasure: which rows of `details` are to go, what becomes of contract texts, and the entry that says so. Pure.

No entry is touched: it holds references, and these can no longer be resolved afterwards. A contract's text that named
the person stays without the name, under the field `contract_redacted`; the entry vouches for what is left of it.
"""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

from provisioner.ledger import names
from provisioner.ledger.canonical import texts
from provisioner.ledger.store import Detail
from provisioner.model.person import occurrences, same_name

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from datetime import datetime

    from provisioner.ledger.entry import Entry

_REFERENCE = re.compile(r"(op|pv)-[0-9a-f]{16,64}")


class Reason(StrEnum):
    """Why details were erased."""

    REQUEST = "request"
    RETENTION = "retention"


@dataclass(frozen=True, kw_only=True)
class Erasure:
    """What is to go: `rows` as they are now, and contract texts as they are to be, each under its digest."""

    rows: tuple[Detail, ...] = ()
    blanked: tuple[Detail, ...] = ()

    def __bool__(self) -> bool:
        return bool(self.rows or self.blanked)

    @property
    def fields(self) -> dict[str, int]:
        """How many rows of each field go, contract texts counted as `contract`, by name."""
        counted = Counter(row.field for row in self.rows)
        return dict(sorted((counted + Counter({names.CONTRACT: len(self.blanked)})).items()))

    def body(self, reason: Reason) -> dict[str, object]:
        """The body of the `erase` entry: references, counts and digests; no name and no value."""
        return {
            "reason": reason.value,
            "references": [row.reference for row in self.rows],
            "fields": self.fields,
            "blanked": {row.reference: names.contract_digest(row.value) for row in self.blanked},
        }


def of_person(details: Iterable[Detail], person: str, *, blank: Callable[[bytes, tuple[str, ...]], bytes]) -> Erasure:
    """Given all details, return what belongs to a person: a name, or the pseudonym of an operator.

    The rows of operators of that name, and every personal value that holds the name as whole words. `blank` returns a
    contract's text without the names it is given, the same text where it names nobody of them.
    """
    kept = list(details)
    operators = [row for row in kept if row.field == names.OPERATOR and _is(row, person)]
    known = tuple(dict.fromkeys([*([] if person.startswith("op-") else [person]), *map(_text, operators)]))
    values = [row for row in kept if row.field not in names.NOT_PERSONAL and _names(row, known)]
    texts = [row for row in kept if row.field in (names.CONTRACT, names.CONTRACT_REDACTED)]
    blanked = [(row, blank(row.value, known)) for row in texts]
    return Erasure(
        rows=(*operators, *values),
        blanked=tuple(
            Detail(row.reference, names.CONTRACT_REDACTED, b"", left) for row, left in blanked if left != row.value
        ),
    )


def of_age(details: Iterable[Detail], entries: Iterable[Entry], *, is_over: Callable[[datetime], bool]) -> Erasure:
    """Given details and the whole log, return the personal values and operators that only old entries cite.

    `is_over` says whether an entry of that instant is beyond the term. Contract texts stay, and so does what no entry
    cites: nothing tells its age.
    """
    over: dict[str, bool] = {}
    for entry in entries:
        old = is_over(entry.at)
        for reference in filter(_REFERENCE.fullmatch, texts([entry.operator, entry.body])):
            over[reference] = over.get(reference, True) and old
    return Erasure(
        rows=tuple(
            row
            for row in details
            if row.field not in (names.CONTRACT, names.CONTRACT_REDACTED) and over.get(row.reference, False)
        )
    )


def _text(row: Detail) -> str:
    return row.value.decode("utf-8", "replace")


def _is(row: Detail, person: str) -> bool:
    return row.reference == person or same_name(_text(row), person)


def _names(row: Detail, known: tuple[str, ...]) -> bool:
    return any(occurrences(_text(row), name) for name in known)
