# Copyright the provisioner authors. SPDX-License-Identifier: Apache-2.0
"""What a store believes of a snapshot, what it copies and what it forgets: pure functions, standard library only.

`time` is what the agent says, so it can be anything. `arrived` is when the store saw the snapshot's file: retention
goes by it alone. Both are aware instants.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

EARLIEST = timedelta(seconds=-120)
"""How far an agent's clock may be ahead of the store's."""

LATEST = timedelta(hours=24)
"""How long a backup may last: its time is its start, it arrives at its end."""

NEWEST = 3
"""So many of the newest snapshots stay, whatever is to be kept."""

MANIFEST = "manifest"
"""The tag of the second snapshot of a run, which holds the digests of the first."""

SPANS = {
    "hourly": (timedelta(hours=1), lambda at: (at.year, at.month, at.day, at.hour)),
    "daily": (timedelta(days=1), lambda at: (at.year, at.month, at.day)),
    "weekly": (timedelta(days=7), lambda at: tuple(at.isocalendar())[:2]),
    "monthly": (timedelta(days=31), lambda at: (at.year, at.month)),
    "yearly": (timedelta(days=366), lambda at: (at.year,)),
}
"""What one may keep a snapshot of: how long the period lasts at most, and the period an instant (UTC) lies in."""


@dataclass(frozen=True)
class Snapshot:
    """A snapshot of a repository. `time` is None where it is no instant; `original` is "" where it was made anew."""

    id: str
    time: datetime | None
    arrived: datetime
    tags: tuple[str, ...] = ()
    original: str = ""

    @property
    def source(self) -> str:
        """The id under which it first came in."""
        return self.original or self.id


def instant(text):
    """Given an instant as restic writes it (RFC 3339, nanoseconds), return it in UTC, or None for anything else."""
    try:
        found = datetime.fromisoformat(text)
        return found.astimezone(UTC) if found.tzinfo else None
    except (TypeError, ValueError, OverflowError):
        return None


def doubt(snapshot):
    """Return (code, sentence) for a snapshot of an inbox that is not what it says it is, or None.

    A snapshot that names an original was rewritten: it would pass for the one that it names.
    """
    if snapshot.original:
        return "forged_origin", f"it says that it was made of {snapshot.original[:8]}, which an agent never does"
    if snapshot.time is None:
        return "forged_time", "its time is no instant"
    late = snapshot.arrived - snapshot.time
    if EARLIEST <= late <= LATEST:
        return None
    way = "after" if late < timedelta(0) else "before"
    return "forged_time", f"its time, {snapshot.time:%Y-%m-%dT%H:%M:%SZ}, is {_long(abs(late))} {way} its arrival"


def _long(span):
    for unit, words in ((timedelta(days=1), "days"), (timedelta(hours=1), "hours")):
        if span >= 2 * unit:
            return f"{span / unit:.1f} {words}"
    return f"{span / timedelta(seconds=1):.0f} s"


def retained(snapshots, keep, now):
    """Return the ids of those snapshots that stay, given `keep` (number by span, such as {"daily": 7}) and the instant.

    For each span the newest snapshot of each of the last N periods that have one; all that is younger than the
    smallest span that is kept; the NEWEST newest. Manifests are counted apart, so that none takes the place of what it
    describes; the manifest of a run that stays, stays. Nothing is forgotten where nothing is asked to be kept.
    """
    asked = {span: int(keep.get(span, 0)) for span in SPANS if int(keep.get(span, 0)) > 0}
    if not asked:
        return {each.id for each in snapshots}
    kinds = ([each for each in snapshots if (MANIFEST in each.tags) is manifest] for manifest in (False, True))
    data, manifests = (_retained(kind, asked, now) for kind in kinds)
    runs = {tag for each in snapshots if each.id in data for tag in each.tags if tag.startswith("run:")}
    return data | manifests | {each.id for each in snapshots if MANIFEST in each.tags and runs.intersection(each.tags)}


def _retained(snapshots, asked, now):
    newest_first = sorted(snapshots, key=lambda each: (each.arrived, each.id), reverse=True)
    young = min(SPANS[span][0] for span in asked)
    stay = {each.id for each in newest_first[:NEWEST]}
    stay |= {each.id for each in newest_first if now - each.arrived < young}
    for span, count in asked.items():
        periods = {}
        for each in newest_first:
            periods.setdefault(SPANS[span][1](each.arrived.astimezone(UTC)), each.id)
        stay |= set(list(periods.values())[:count])
    return stay


def to_copy(inbox, vault, keep, now):
    """Return the snapshots of the inbox that the vault lacks and would not forget at once, in the order they came."""
    there = {each.source for each in vault}
    known = {each.source: Snapshot(each.source, each.time, each.arrived, each.tags) for each in vault}
    stay = retained([*known.values(), *(each for each in inbox if each.id not in there)], keep, now)
    found = [each for each in inbox if each.id in stay and each.id not in there]
    return sorted(found, key=lambda each: (each.arrived, each.id))


def to_forget(vault, keep, now):
    """Return the ids that the vault no longer has to hold."""
    stay = retained(vault, keep, now)
    return [each.id for each in vault if each.id not in stay]
