"""Promises that cannot be kept, seen before anybody signs them (rule 15)."""

from __future__ import annotations

from bisect import bisect_right
from datetime import date, datetime, time, timedelta
from itertools import accumulate
from typing import TYPE_CHECKING, NamedTuple
from zoneinfo import ZoneInfo

from provisioner.model.values import Duration
from provisioner.terms.days import first_instant, step
from provisioner.terms.windows import occurrences

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from provisioner.model.contract import Contract
    from provisioner.model.mission_terms import SoftwareUpdates
    from provisioner.model.values import SomeElapsed
    from provisioner.model.window import Freeze

ONE_DAY = timedelta(days=1)
_TERM = Duration(24, "mo")
"""How much of a term is looked at."""

_ROLLOUT = Duration(13, "mo")
"""How long a rollout that begins at the end of it may take: longer is never."""

NEVER = 1 << 60
PATH = ("missions", "software_updates", "deadlines")

BACKUP_INTERVALS = (15, 30, 60, 120, 180, 240, 360, 480, 720, 1440)
"""How often an agent may run, in minutes; each divides a day."""

FIRST_RUN = 30 * 60
"""How long a run of an agent is taken to last before any was measured, in seconds."""

Span = tuple[int, int]


def backup_delay(interval: int) -> int:
    """Given an agent's interval in minutes, return its largest random delay in minutes: a quarter, at most an hour."""
    return min(60, interval // 4)


class Unkept(NamedTuple):
    """A promise of the contract: where it stands, and why it cannot always (`refused`: cannot ever) be kept."""

    path: tuple[str, ...]
    message: str
    refused: bool


class _Open:
    """When change is possible: spans of POSIX seconds, in order and apart."""

    def __init__(self, spans: Iterable[Span]) -> None:
        merged: list[Span] = []
        for opens, closes in sorted(spans):
            if merged and opens <= merged[-1][1]:
                merged[-1] = (merged[-1][0], max(closes, merged[-1][1]))
            elif opens < closes:
                merged.append((opens, closes))
        self.spans = merged
        self._closes = [closes for _, closes in merged]

    def without(self, closed: Sequence[Span]) -> _Open:
        """The same without some times."""
        spans = self.spans
        for first, last in closed:
            before = [(opens, min(closes, first)) for opens, closes in spans if opens < first]
            spans = before + [(max(opens, last), closes) for opens, closes in spans if closes > last]
        return _Open(spans)

    def age(self, known: int, soaks: Sequence[int]) -> int:
        """How old an update is when the last wave begins, known at an instant, each wave in the open; or NEVER."""
        at = self._first(known)
        for soak in soaks:
            at = self._first(at + soak)
        return min(at - known, NEVER)

    def _first(self, at: int) -> int:
        index = bisect_right(self._closes, at)
        return max(at, self.spans[index][0]) if index < len(self.spans) else 2 * NEVER


def unkept(contract: Contract) -> Iterator[Unkept]:
    """Given a contract's terms, yield the promises of backups and of updates that cannot be kept.

    An rpo is refused that not even the smallest interval with its delay keeps, whatever a run lasts; one that leaves
    little time for a run is told.

    Deadlines for updates are those that windows, waves and freezes do not keep. Refused is one that every update
    misses, even one known when a window opens, with nothing frozen: each wave begins in an open window, after the soak
    of the one before. Otherwise the worst case, freezes included, is told where it misses the deadline. Looked at are
    the first two years of the term.
    """
    yield from _rpos(contract)
    updates = contract.missions.software_updates
    if updates is not None:
        yield from _deadlines(contract, updates)


def _rpos(contract: Contract) -> Iterator[Unkept]:
    backup = contract.missions.backup
    if backup is None:
        return
    least = BACKUP_INTERVALS[0]
    taken, where = (least + backup_delay(least)) * 60, ("missions", "backup")
    named: list[tuple[tuple[str, ...], SomeElapsed | None]] = [((*where, "rpo"), backup.rpo)]
    named += [((*where, "groups", name, "rpo"), terms.rpo) for name, terms in backup.groups.items()]
    said = f"every {least}m and up to {backup_delay(least)}m of delay"
    for path, rpo in named:
        if rpo is None or rpo.seconds >= taken + FIRST_RUN:
            continue
        if rpo.seconds < taken:
            yield Unkept(path, f"{rpo} cannot be kept: {said} add up to more", refused=True)
        else:
            left = (rpo.seconds - taken) // 60
            yield Unkept(path, f"{rpo} leaves {left}m for a run: {said} take the rest", refused=False)


def _deadlines(contract: Contract, updates: SoftwareUpdates) -> Iterator[Unkept]:
    begin, end = _instant(contract, contract.starts), _instant(contract, _last(contract) + ONE_DAY)
    soaks = [wave.soak.seconds for wave in updates.waves[:-1]]
    change = _Open(_windows(updates, contract, begin=begin))
    best = min((change.age(opens, soaks) for opens, _ in change.spans if opens < end), default=NEVER)
    thawed = change.without([_frozen(freeze, contract) for freeze in updates.freezes])
    worst = max(thawed.age(known, soaks) for known in _unlucky(thawed, soaks, begin=begin, end=end))
    for name, deadline in vars(updates.deadlines).items():
        if deadline is None:
            continue
        if best > deadline.seconds:
            text = f"{deadline} cannot be kept: an update known when a window opens is on every machine {_after(best)}"
            yield Unkept((*PATH, name), text, refused=True)
        elif worst > deadline.seconds:
            text = f"an update may be on every machine {_after(worst)} with these windows, waves and freezes"
            yield Unkept((*PATH, name), f"{text}; {deadline} is promised", refused=False)


def _last(contract: Contract) -> date:
    return min(contract.ends, step(contract.starts, _TERM, 1))


def _instant(contract: Contract, day: date) -> int:
    return first_instant(datetime.combine(day, time()), ZoneInfo(contract.timezone or "UTC"))


def _windows(updates: SoftwareUpdates, contract: Contract, *, begin: int) -> Iterator[Span]:
    until = _instant(contract, step(_last(contract), _ROLLOUT, 1))
    if not updates.windows:
        yield begin, until
    for window in updates.windows:
        yield from occurrences(window, starts=contract.starts, zone=contract.timezone, between=(begin, until))


def _frozen(freeze: Freeze, contract: Contract) -> Span:
    return _instant(contract, freeze.from_), _instant(contract, freeze.to + ONE_DAY)


def _unlucky(change: _Open, soaks: Sequence[int], *, begin: int, end: int) -> Iterator[int]:
    """Instants at which it is worst to learn of an update: one of the waves has just missed the end of a window."""
    yield begin
    for _, closes in change.spans:
        for soaked in accumulate(soaks, initial=0):
            if begin <= closes - soaked < end:
                yield closes - soaked


def _after(seconds: int) -> str:
    if seconds >= NEVER:
        return "never"
    days, rest = divmod(seconds, 86400)
    parts = [(days, "d"), (rest // 3600, "h"), (rest // 60 % 60, "m")]
    return "after " + (" ".join(f"{amount}{unit}" for amount, unit in parts if amount) or "no time")
