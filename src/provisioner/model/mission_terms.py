"""The terms of each mission: how much of it, when, and within which limits."""

# ruff: noqa: TC001, TC003 - the annotations of nouns are read at run time

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field, fields
from decimal import Decimal
from enum import StrEnum

from provisioner.model.values import (
    NO_TIME,
    AtLeastOne,
    Count,
    Day,
    Elapsed,
    FileSystemPath,
    Flag,
    GroupName,
    HostName,
    Identifier,
    KernelModule,
    PackageVersion,
    PciDevice,
    Percentage,
    Period,
    Share,
    SomeElapsed,
    SomeShare,
    SomeSpace,
    Span,
    Words,
)
from provisioner.model.window import Freeze, Window

_NONE = Percentage(Decimal(0))


class Draws(StrEnum):
    """What a mission's unattended runs draw from the prepaid hours."""

    ELAPSED = "elapsed"


class OnFailure(StrEnum):
    """What a gate does when too much failed."""

    HALT = "halt"
    CONTINUE = "continue"


class Missed(StrEnum):
    """When a machine that missed its window is caught up."""

    NEXT_WINDOW = "next_window"


class Sessions(StrEnum):
    """What becomes of a machine's turn while a person works at it."""

    DEFER = "defer"
    IGNORE = "ignore"


class Reboot(StrEnum):
    """Whether machines are restarted after updates."""

    NEVER = "never"
    IF_NEEDED = "if_needed"
    ALWAYS = "always"


@dataclass(frozen=True, kw_only=True)
class Allowance:
    """How many distinct assets a period may be worked on (rule 12)."""

    count: AtLeastOne
    """Assets a period."""
    per: Period
    """The period."""
    rollover: Flag = False
    """Whether what is left moves on to the next period."""
    expires: Span | None = None
    """How long it may; the end of the next period when absent."""


@dataclass(frozen=True, kw_only=True)
class MissionTerms:
    """What every mission may say."""

    allowance: Allowance | None = None
    """How much is included; unlimited when absent."""
    draws: Draws | None = None
    """`elapsed`: unattended runs draw their time from the prepaid hours; nothing when absent."""


@dataclass(frozen=True, kw_only=True)
class WorkstationSetup(MissionTerms):
    """Preparing machines."""


@dataclass(frozen=True, kw_only=True)
class Hosting(MissionTerms):
    """Keeping machines and services running."""


@dataclass(frozen=True, kw_only=True)
class ServiceDesk(MissionTerms):
    """Answering people."""


@dataclass(frozen=True, kw_only=True)
class Wave:
    """One step of a rollout: so many machines, such a share, a group, or all that are left; then a time to watch."""

    name: Identifier
    """What reports call it."""
    count: AtLeastOne | None = None
    """Number of machines."""
    percent: SomeShare | None = None
    """Share of the covered machines, rounded up."""
    group: GroupName | None = None
    """Only machines of this group of hosts.yml: all of them, or `count`."""
    soak: Elapsed = NO_TIME
    """Time to watch before the next wave."""


@dataclass(frozen=True, kw_only=True)
class Gate:
    """The rule after each batch and between two waves."""

    max_failed: Share = _NONE
    """Highest share of failed machines."""
    max_unreachable: Share = _NONE
    """Highest share of unreachable machines."""
    min_sample: Count = 1
    """Machines that must have ended before the shares say anything."""
    on_failure: OnFailure = OnFailure.HALT
    """What happens beyond them."""


@dataclass(frozen=True, kw_only=True)
class Deadlines:
    """How old a known update may get."""

    critical: SomeElapsed | None = None
    """Security updates rated critical."""
    other: SomeElapsed | None = None
    """All others."""


@dataclass(frozen=True, kw_only=True)
class Pin:
    """A package that is held back, on each machine or only on those with certain hardware or drivers."""

    package: Words
    """Name, or a pattern with `*`."""
    reason: Words
    """Why."""
    owner: Words
    """Who answers for it."""
    until: Day
    """Last day of the hold."""
    hardware: tuple[PciDevice, ...] = ()
    """Only machines that have one of these PCI devices, or one of `modules`, are concerned; all when both are empty."""
    modules: tuple[KernelModule, ...] = ()
    """Only machines that have one of these kernel modules loaded, or one of `hardware`, are."""
    below: PackageVersion | None = None
    """Updates below this version are taken all the same (the last one a licence is good for); none when absent."""


@dataclass(frozen=True, kw_only=True)
class SoftwareUpdates(MissionTerms):
    """Keeping software current, in waves, inside windows."""

    windows: tuple[Window, ...] = ()
    """When change is allowed; at any time when empty."""
    freezes: tuple[Freeze, ...] = ()
    """When it is forbidden."""
    waves: tuple[Wave, ...] = ()
    """The order of a rollout; one wave of all machines when empty."""
    gate: Gate = Gate()
    """The rule after each batch and between two waves."""
    batch: AtLeastOne = 20
    """Machines taken in one run."""
    apart: tuple[tuple[HostName, ...], ...] = ()
    """Machines that are never in one batch."""
    missed: Missed = Missed.NEXT_WINDOW
    """When a machine that missed its window is caught up."""
    reboot: Reboot = Reboot.IF_NEEDED
    """Whether machines are restarted."""
    deadlines: Deadlines = Deadlines()
    """How old a known update may get."""
    pinned: tuple[Pin, ...] = ()
    """Packages that are held back."""
    sessions: Sessions = Sessions.DEFER
    """Whether a machine is put off while a person is at it: a graphical session, neither idle nor locked."""
    free: Mapping[FileSystemPath, SomeSpace] = field(default_factory=dict)
    """Space that must be free on a file system, or the machine is put off; what apt itself needs when empty."""


@dataclass(frozen=True, kw_only=True)
class Keep:
    """How many snapshots of each kind are kept."""

    hourly: Count = 0
    """One an hour."""
    daily: Count = 0
    """One a day."""
    weekly: Count = 0
    """One a week."""
    monthly: Count = 0
    """One a month."""
    yearly: Count = 0
    """One a year."""


@dataclass(frozen=True, kw_only=True)
class BackupTerms:
    """What is saved, how often, how long it is kept and how it is proven."""

    rpo: SomeElapsed | None = None
    """Most work that may be lost."""
    rto: SomeElapsed | None = None
    """Longest time until it is restored."""
    keep: Keep | None = None
    """Snapshots that are kept."""
    paths: tuple[Words, ...] | None = None
    """What is saved."""
    exclude: tuple[Words, ...] | None = None
    """What is left out."""
    stores: tuple[Identifier, ...] | None = None
    """Where copies are kept."""
    drill_every: Span | None = None
    """How often a sample is restored as proof."""
    full_drill_every: Span | None = None
    """How often a whole machine is."""


KEYS = tuple(each.name for each in fields(BackupTerms))
"""The keys that a group may say in its own way."""


@dataclass(frozen=True, kw_only=True)
class Backup(MissionTerms, BackupTerms):
    """Saving data, and restoring it as proof."""

    groups: Mapping[GroupName, BackupTerms] = field(default_factory=dict)
    """Keys that are different for a group of hosts.yml."""

    @property
    def every_store(self) -> tuple[str, ...]:
        """The stores of the mission and of its groups, each once, in the order in which they are named."""
        lists = (self.stores, *(terms.stores for terms in self.groups.values()))
        return tuple(dict.fromkeys(name for names in lists for name in names or ()))

    def of(self, groups: Collection[str]) -> BackupTerms:
        """Given the groups of a machine, return its terms: those of the mission, each key of a group in its place."""
        said = {key: getattr(self, key) for key in KEYS}
        for name in sorted(self.groups.keys() & set(groups)):
            said |= {key: value for key, value in vars(self.groups[name]).items() if value is not None}
        return BackupTerms(**said)

    def contradictions(self, groups: Collection[str]) -> Iterator[tuple[str, str, str]]:
        """Given the groups of a machine, yield (key, group, other group) where two of them say different things."""
        for key in KEYS:
            said = {
                name: value
                for name in sorted(self.groups.keys() & set(groups))
                if (value := getattr(self.groups[name], key)) is not None
            }
            first = next(iter(said), "")
            yield from ((key, name, first) for name, value in said.items() if value != said[first])


@dataclass(frozen=True, kw_only=True)
class Missions:
    """The kinds of work promised; what is absent is not."""

    workstation_setup: WorkstationSetup | None = None
    """Preparing machines."""
    software_updates: SoftwareUpdates | None = None
    """Keeping software current."""
    backup: Backup | None = None
    """Saving data."""
    hosting: Hosting | None = None
    """Keeping services running."""
    service_desk: ServiceDesk | None = None
    """Answering people."""
