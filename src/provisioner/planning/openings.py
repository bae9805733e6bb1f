"""Openings: when a contract allows change. Windows (rule 3) within its term, less its freezes."""

from __future__ import annotations

from datetime import datetime, time
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

from provisioner.terms.days import first_instant
from provisioner.terms.term import ONE_DAY, last_day
from provisioner.terms.windows import occurrences

if TYPE_CHECKING:
    from datetime import date

    from provisioner.model.contract import Contract
    from provisioner.model.mission_terms import SoftwareUpdates
    from provisioner.model.window import Freeze

_LOOK_AHEAD = 400 * 86_400
"""How far a window that is long enough is looked for: a rule that recurs once a year is found."""

_STEP = 35 * 86_400
_OPEN_END = 1 << 40

Span = tuple[int, int]


class Openings:
    """When change is allowed under the terms of one day: spans of POSIX seconds, one for each window that opens.

    A freeze ends a span at the first instant of its first day, and lets it go on after its last. Without windows the
    whole term is one. Windows that overlap stay apart: a batch ends before the window closes in which it began.
    """

    def __init__(self, contract: Contract, updates: SoftwareUpdates) -> None:
        """Given terms and their mission of software updates; spans are unfolded as they are asked for."""
        self._contract = contract
        self._updates = updates
        self._zone = ZoneInfo(contract.timezone or "UTC")
        last = last_day(contract)
        self._begins = self._midnight(contract.starts)
        self._ends = _OPEN_END if last is None else self._midnight(last + ONE_DAY)
        self._frozen = [(self._frozen_span(freeze), freeze) for freeze in updates.freezes]
        self._known: Span = (0, 0)
        self._spans: list[Span] = []

    def fitting(self, at: int, seconds: int) -> Span | None:
        """Given an instant and a length, return the earliest span that has so much left from then on.

        The span begins where work may: at `at` itself when it is open. None when none is to come.
        """
        step = max(at, self._begins)
        until = step + _LOOK_AHEAD
        while step < min(until, self._ends):
            for opens, closes in self._between(step, step + _STEP):
                begins = max(opens, at)
                if begins + seconds <= closes:
                    return begins, closes
            step += _STEP
        return None

    def opened(self, at: int) -> int | None:
        """When the span began that an instant is in: of several the last one to begin, None where none is open."""
        return max((opens for opens, closes in self._between(at, at + 1) if opens <= at < closes), default=None)

    def is_open(self, at: int) -> bool:
        """Whether change is allowed at an instant."""
        return any(opens <= at < closes for opens, closes in self._between(at, at + 1))

    def frozen(self, at: int) -> Freeze | None:
        """The freeze that an instant is in, or None."""
        return next((freeze for (first, end), freeze in self._frozen if first <= at < end), None)

    def _between(self, first: int, end: int) -> list[Span]:
        """The spans that touch two instants, earliest first."""
        if not (self._known[0] <= first and end <= self._known[1]):
            self._known = (first, end + _STEP)
            self._spans = sorted(part for span in self._windows(*self._known) for part in self._thawed(span))
        return [span for span in self._spans if span[0] < end and span[1] > first]

    def _windows(self, first: int, end: int) -> list[Span]:
        if not self._updates.windows:
            return [self._cut((self._begins, self._ends))]
        starts, zone = self._contract.starts, self._contract.timezone
        found = (
            span
            for window in self._updates.windows
            for span in occurrences(window, starts=starts, zone=zone, between=(first, end))
        )
        return [self._cut(span) for span in found]

    def _cut(self, span: Span) -> Span:
        return max(span[0], self._begins), min(span[1], self._ends)

    def _thawed(self, span: Span) -> list[Span]:
        """What freezes leave of a span."""
        parts = [span]
        for (first, end), _ in self._frozen:
            cut = [piece for a, b in parts for piece in ((a, min(b, first)), (max(a, end), b))]
            parts = [(a, b) for a, b in cut if a < b]
        return [(a, b) for a, b in parts if a < b]

    def _frozen_span(self, freeze: Freeze) -> Span:
        return self._midnight(freeze.from_), self._midnight(freeze.to + ONE_DAY)

    def _midnight(self, day: date) -> int:
        return first_instant(datetime.combine(day, time.min), self._zone)
