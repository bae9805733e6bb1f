"""What advisories make of a machine's pending updates: severity, the issues they end, since when they were known. Pure.

An update ends an issue when its version of the source package is at least the one that ends it in the machine's
release, and the installed one is less: versions of Debian, never of upstream, which a backport stays below.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

from provisioner.model.advisory import Assessed, Assessment, Severity, Unaged, Urgency
from provisioner.model.debian import version_key

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from provisioner.model.advisory import Advisory, Issue, Snapshot
    from provisioner.model.patch_level import PatchLevel, PendingUpdate

Seen = dict[tuple[str, str], int]
"""By name and offered version of a package, when a scan of this client first saw it, in POSIX seconds."""

_RATED = tuple(Urgency)
_WORST = (Urgency.HIGH, Urgency.UNRATED)


def usable(snapshot: Snapshot | None, *, stale_after: int, at: int) -> Unaged | None:
    """Return why the newest snapshot is of no use at an instant: there is none, or its day began too long ago."""
    if snapshot is None:
        return Unaged.NO_ADVISORIES
    begun = int(datetime(snapshot.day.year, snapshot.day.month, snapshot.day.day, tzinfo=UTC).timestamp())
    return Unaged.STALE_ADVISORIES if at - begun > stale_after else None


def assess(
    asset: str, level: PatchLevel, snapshot: Snapshot | Unaged, *, seen: Mapping[tuple[str, str], int], at: int
) -> Assessment:
    """Given what a scan read of a machine, and the advisories or why there are none, return what that proves.

    Every pending update counts, those that are held back or phased too: they are not installed. Without advisories no
    severity is known, and nothing is said of an age.
    """
    reason = snapshot if isinstance(snapshot, Unaged) else _unsaid(level, snapshot)
    told = None if isinstance(snapshot, Unaged) or reason is Unaged.OTHER_RELEASE else snapshot
    updates = sorted((_assessed(update, level, told, seen, at) for update in level.pending), key=_worst_first)
    oldest: dict[Severity, int] = {}
    for one in updates:
        if one.severity is not None:
            oldest[one.severity] = min(one.known, oldest.get(one.severity, one.known))
    return Assessment(
        asset=asset,
        at=at,
        level=level,
        updates=tuple(updates),
        oldest=None if reason else oldest,
        reason=reason,
    )


def _unsaid(level: PatchLevel, snapshot: Snapshot) -> Unaged | None:
    if level.release not in snapshot.releases:
        return Unaged.OTHER_RELEASE
    return Unaged.INCOMPLETE if level.left_out else None


def _assessed(
    update: PendingUpdate,
    level: PatchLevel,
    snapshot: Snapshot | None,
    seen: Mapping[tuple[str, str], int],
    at: int,
) -> Assessed:
    known = min(at, seen.get((update.name, update.version), at))
    if snapshot is None:
        return Assessed(update, None, (), known)
    key = update.source, level.release
    ended = [issue for issue in snapshot.issues.get(key, ()) if _brings(update, issue.fixed)]
    ended.sort(key=lambda issue: (_RATED.index(issue.urgency), issue.id))
    published = [one.at for one in _published(update, snapshot.advisories.get(key, ()))]
    return Assessed(update, _severity(update, ended), tuple(issue.id for issue in ended), min(known, *published, at))


def _brings(update: PendingUpdate, fixed: str) -> bool:
    """Whether the update goes from a version of the source below that one to it, or past it."""
    key = version_key(fixed)
    return version_key(update.source_before) < key <= version_key(update.source_version)


def _published(update: PendingUpdate, advisories: Iterable[Advisory]) -> Iterable[Advisory]:
    return (one for one in advisories if _brings(update, one.fixed))


def _severity(update: PendingUpdate, ended: Sequence[Issue]) -> Severity:
    """Critical: rated high, or not rated by anybody while it is a security update or ends an issue."""
    unrated = update.security and not ended
    return Severity.CRITICAL if unrated or any(issue.urgency in _WORST for issue in ended) else Severity.OTHER


def _worst_first(one: Assessed) -> tuple[object, ...]:
    rank = 0 if one.severity is Severity.CRITICAL else 1 if one.update.security else 2
    return rank, one.known, one.update.name, one.update.architecture
