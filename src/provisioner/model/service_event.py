"""Service events: what happened on a ticket, or to an asset, as `sla.replay --events` and the entries of a log say it.

Instants are whole POSIX seconds: a year of tickets is many events, and arithmetic on days belongs to calendars.
`place` is the line of a file or the index of an entry; messages name it.
"""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import date
    from decimal import Decimal

    from provisioner.model.advisory import Unaged
    from provisioner.model.mission import MissionKind
    from provisioner.model.values import Cause, Duration, Party


class TicketEventKind(StrEnum):
    """What can happen on a ticket (rule 6); `accepted` is an accepted workstation (setup_lead_time)."""

    OPENED = "opened"
    RESPONDED = "responded"
    REPLIED = "replied"
    HELD = "held"
    RESUMED = "resumed"
    PRIORITY_CHANGED = "priority_changed"
    RESOLVED = "resolved"
    REOPENED = "reopened"
    ACCEPTED = "accepted"


class AssetEventKind(StrEnum):
    """What can happen to an asset (rule 11)."""

    DOWN = "down"
    UP = "up"
    UNKNOWN = "unknown"
    MAINTENANCE = "maintenance"


class TicketEvent(NamedTuple):
    """One event of a ticket.

    `opened` has a priority, may have an asset, and a mission when it orders work; `replied` has `by`, `held` a cause,
    `priority_changed` a priority. `spent` is labour (rule 12), on any of them.
    """

    at: int
    place: int
    ticket: str
    kind: TicketEventKind
    priority: str | None = None
    asset: str | None = None
    by: Party | None = None
    cause: Cause | None = None
    mission: MissionKind | None = None
    spent: Duration | None = None


class AssetEvent(NamedTuple):
    """One event of an asset. `down` may have a cause; `maintenance` lasts until `until`.

    `recorded` is the instant at which it was written down: that of the entry, or `at` in a file that does not say.
    """

    at: int
    place: int
    asset: str
    kind: AssetEventKind
    recorded: int
    until: int | None = None
    cause: Cause | None = None


class Scan(NamedTuple):
    """What a scan for updates found on an asset: since when the oldest missing update of each severity was known.

    An empty `oldest` is an asset that lacks none; None says that nobody can tell, for the `reason`. `dated` is the day
    of advisories that were stale.
    """

    at: int
    place: int
    asset: str
    oldest: Mapping[str, int] | None
    reason: Unaged | None = None
    dated: date | None = None


class BackupStatus(NamedTuple):
    """A snapshot of an asset that a store holds; `at` is the instant whose state it saved."""

    at: int
    place: int
    asset: str
    store: str


class Drill(NamedTuple):
    """A restore drill of an asset: from its start `at` to `ended`, whether it passed, whether it was a full one."""

    at: int
    place: int
    asset: str
    ended: int
    passed: bool
    full: bool


class Figure(NamedTuple):
    """One measured value of a source, in the unit of the objective's target."""

    at: int
    value: Decimal
