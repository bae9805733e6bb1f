"""A contract: the dated promise, as `contract.yml` writes it. Every key of the file is a field here.

Field docstrings become docs/reference/contract.md. Durations, money and so on: see `values`.
"""

# ruff: noqa: TC001, TC003 - the annotations of nouns are read at run time

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal
from enum import StrEnum
from typing import Annotated, Any

from provisioner.model.mission import MissionKind
from provisioner.model.mission_terms import Missions, MissionTerms
from provisioner.model.objective import Escalation, Objective, PenaltyCap
from provisioner.model.values import (
    Amount,
    ClientId,
    CurrencyCode,
    Day,
    Flag,
    GroupName,
    Identifier,
    LabourHours,
    Party,
    Percentage,
    Period,
    Share,
    Shorthand,
    SomeElapsed,
    Span,
    SshKey,
    Text,
    Words,
    Zone,
)
from provisioner.model.window import Calendar


class Language(StrEnum):
    """The language of a contract's documents."""

    FR = "fr"
    EN = "en"


class Effect(StrEnum):
    """What a hold does to a clock."""

    PAUSES = "pauses"
    COUNTS = "counts"


class RenewalKind(StrEnum):
    """What happens at the end of the term (rule 9)."""

    NONE = "none"
    EXPRESS = "express"
    TACIT = "tacit"


@dataclass(frozen=True, kw_only=True)
class Client:
    """The party that is served."""

    id: ClientId
    """Name of the client's folder and of its log."""
    name: Words
    """Full name."""
    contacts: Mapping[Identifier, Words] = field(default_factory=dict)
    """Role and address of people."""


@dataclass(frozen=True, kw_only=True)
class Provider:
    """The party that serves."""

    name: Words
    """Full name."""
    contacts: Mapping[Identifier, Words] = field(default_factory=dict)
    """Role and address of people."""


@dataclass(frozen=True, kw_only=True)
class Notice:
    """Notice that was given."""

    on: Day
    """Day of receipt."""
    by: Party
    """Who gave it."""


@dataclass(frozen=True, kw_only=True)
class Renewal:
    """What happens at the end of the term (rule 9)."""

    kind: RenewalKind = RenewalKind.NONE
    """`tacit` runs on by `term` unless notice was received in time; the others end."""
    term: Span | None = None
    """By how much a tacit renewal runs on."""
    notice: Span | None = None
    """How long before the end notice must be received."""
    notice_given: Notice | None = None
    """The notice, once there is one."""


@dataclass(frozen=True, kw_only=True)
class Duty:
    """Something a party owes."""

    name: Words
    """What it is."""
    suspends: Flag = False
    """Whether failing it suspends the other party's duties."""


Duties = tuple[Annotated[Duty, Shorthand(lambda text: {"name": text}, pattern=".*", expected="its name")], ...]


@dataclass(frozen=True, kw_only=True)
class Responsibilities:
    """Who owes what."""

    provider: Duties = ()
    """What the provider owes."""
    client: Duties = ()
    """What the client owes."""


@dataclass(frozen=True, kw_only=True)
class ApprovalKey:
    """A key that may sign approvals (rule 13)."""

    name: Identifier
    """Whose it is."""
    ssh: SshKey
    """OpenSSH public key."""


@dataclass(frozen=True, kw_only=True)
class Approvals:
    """Who signs what."""

    keys: tuple[ApprovalKey, ...] = ()
    """Keys that may sign."""
    second_person: tuple[
        Annotated[str, Text(str, r"[a-z_]{1,40}(\.[a-z_]{1,40})?", "a task such as patch.resume")], ...
    ] = ()
    """Tasks that need a second person."""


@dataclass(frozen=True, kw_only=True)
class Prepaid:
    """Labour paid for in advance (rule 12)."""

    hours: LabourHours
    """Hours a period."""
    per: Period
    """The period."""
    round_up_to: SomeElapsed | None = None
    """Unit that time spent is rounded up to."""
    overage_hourly: Amount | None = None
    """Price of an hour beyond."""
    rollover: Flag = False
    """Whether what is left moves on to the next period."""
    expires: Span | None = None
    """How long it may; the end of the next period when absent."""
    warn_at: tuple[Share, ...] = (Percentage(Decimal(80)), Percentage(Decimal(100)))
    """Shares used at which to warn."""


@dataclass(frozen=True, kw_only=True)
class Retention:
    """How long personal details are kept."""

    details: Span | None = None
    """Kept without limit when absent."""


@dataclass(frozen=True, kw_only=True)
class Holds:
    """Which causes pause a clock (rule 4)."""

    client: Effect = Effect.PAUSES
    """Waiting for the client."""
    third_party: Effect = Effect.COUNTS
    """Waiting for somebody else."""
    provider: Effect = Effect.COUNTS
    """Waiting for ourselves."""
    force_majeure: Effect = Effect.COUNTS
    """Events beyond both parties."""


@dataclass(frozen=True, kw_only=True)
class Amendment:
    """A change of terms from a day on: mappings are merged, lists replaced, `null` takes a key away (rule 8)."""

    effective: Day
    """First day on which the new terms bind."""
    set: Mapping[str, Any]
    """The keys that change, in the shape of the contract; as text here, typed in the version it makes."""


@dataclass(frozen=True, kw_only=True)
class Contract:
    """The dated promise between a provider and a client."""

    id: Identifier
    """Number of the contract."""
    client: Client
    """The party that is served."""
    provider: Provider
    """The party that serves."""
    language: Language = Language.EN
    """Language of its documents."""
    currency: CurrencyCode
    """Currency of every amount, without VAT."""
    timezone: Zone = ""
    """Zone of its days and months; the one all calendars share when absent, required when there is no such zone."""
    monthly_fee: Amount
    """The fee that percentages refer to."""
    starts: Day
    """First day in force."""
    ends: Day
    """Last day in force of the first term."""
    renewal: Renewal = Renewal()
    """What happens at the end of the term."""
    review_every: Span | None = None
    """How often the parties meet over it."""
    responsibilities: Responsibilities = Responsibilities()
    """Who owes what."""
    approvals: Approvals = Approvals()
    """Who signs what."""
    calendars: Mapping[Identifier, Calendar] = field(default_factory=dict)
    """Service times by name."""
    assets: tuple[GroupName, ...]
    """Groups of hosts.yml that are covered; anything else is uncovered."""
    missions: Missions
    """The kinds of work promised."""
    objectives: tuple[Objective, ...] = ()
    """What is promised in numbers."""
    penalty_cap: PenaltyCap | None = None
    """The most that credits can come to; no limit when absent."""
    prepaid: Prepaid | None = None
    """Labour paid for in advance."""
    retention: Retention = Retention()
    """How long personal details are kept."""
    holds: Holds = Holds()
    """Which causes pause a clock."""
    escalation: tuple[Escalation, ...] = ()
    """Who is told when."""
    amendments: tuple[Amendment, ...] = ()
    """Changes of terms, each from its day on."""

    def __post_init__(self) -> None:
        zones = {calendar.timezone for calendar in self.calendars.values()}
        if not self.timezone and len(zones) == 1:
            object.__setattr__(self, "timezone", zones.pop())

    def mission(self, kind: MissionKind) -> MissionTerms | None:
        """Given a kind of work, return its terms; None when the contract does not promise it."""
        terms: MissionTerms | None = getattr(self.missions, kind.value)
        return terms


@dataclass(frozen=True, kw_only=True)
class Version:
    """The terms in force from a day on: the contract as signed, or as amended."""

    effective: date
    contract: Contract


@dataclass(frozen=True, kw_only=True)
class LoadedContract:
    """A contract as it was read: its text, the SHA-256 digest of that in hex, every version of its terms, oldest first.

    The first version is effective on `starts`. `warnings` are sentences about terms that load and may not be meant.
    """

    path: str
    text: bytes = field(repr=False)
    digest: str
    versions: tuple[Version, ...]
    warnings: tuple[str, ...] = ()

    @property
    def id(self) -> str:
        """Number of the contract, which no amendment changes."""
        return self.versions[0].contract.id

    @property
    def timezone(self) -> str:
        """Zone of its days and months, which no amendment changes."""
        return self.versions[0].contract.timezone

    def as_of(self, day: date) -> Contract:
        """Given a day, return the terms of that day; before the first day, those of the first version."""
        in_force = [version.contract for version in self.versions if version.effective <= day]
        return in_force[-1] if in_force else self.versions[0].contract
