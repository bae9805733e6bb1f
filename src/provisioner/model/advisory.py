"""Advisory: what Debian's security team published about a package, and what it makes of an update that is pending."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import date

    from provisioner.model.patch_level import PatchLevel, PendingUpdate


class Severity(StrEnum):
    """Which of the contract's two deadlines an update is under."""

    CRITICAL = "critical"
    OTHER = "other"


class Urgency(StrEnum):
    """How the security team rates an issue. What it does not rate is `UNRATED`, and never taken for harmless."""

    HIGH = "high"
    UNRATED = "not yet assigned"
    MEDIUM = "medium"
    LOW = "low"
    UNIMPORTANT = "unimportant"


class Unaged(StrEnum):
    """Why a scan cannot say since when an update was known."""

    NO_ADVISORIES = "no_advisories"
    STALE_ADVISORIES = "stale_advisories"
    OTHER_RELEASE = "other_release"
    """The advisories know nothing of the release that the machine runs."""
    INCOMPLETE = "incomplete"
    """The machine told of updates that could not be read, or of more than are read."""


class Issue(NamedTuple):
    """One vulnerability that a source package has in a release, and the version of the source that ends it."""

    id: str
    fixed: str
    urgency: Urgency


class Advisory(NamedTuple):
    """One advisory (DSA, DLA) on a source package in a release: its day as an instant, the version that it names."""

    id: str
    at: int
    fixed: str


@dataclass(frozen=True, kw_only=True)
class Snapshot:
    """What the security tracker said on a day. `digest` and `list_digest` are SHA-256 of its files, hex.

    `issues` (those that a version ends) and `advisories` go by source package and release; `releases` are all that it
    speaks of.
    """

    day: date
    digest: str
    list_digest: str | None = None
    releases: frozenset[str] = frozenset()
    issues: Mapping[tuple[str, str], tuple[Issue, ...]] = field(default_factory=dict)
    advisories: Mapping[tuple[str, str], tuple[Advisory, ...]] = field(default_factory=dict)


class Assessed(NamedTuple):
    """A pending update: its severity (None: nobody knows), the issues that it ends, since when it was known."""

    update: PendingUpdate
    severity: Severity | None
    issues: tuple[str, ...]
    known: int


@dataclass(frozen=True, kw_only=True)
class Assessment:
    """What a scan of one machine proves. `updates` are the worst and oldest first; instants are POSIX seconds.

    `oldest` is, by severity, since when the oldest of them was known; None, with the reason, where that cannot be said.
    """

    asset: str
    at: int
    level: PatchLevel
    updates: tuple[Assessed, ...] = ()
    oldest: Mapping[Severity, int] | None = None
    reason: Unaged | None = None
