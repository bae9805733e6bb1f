"""Backup: the effective policy of a machine, what agents and stores report, and where each machine stands.

Instants are whole POSIX seconds. Words: docs/glossary.md.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Mapping

    from provisioner.model.mission_terms import Keep
    from provisioner.model.service_event import Drill
    from provisioner.model.verdict import Reason

MANIFEST, INCOMPLETE = "manifest", "incomplete"
"""The tags of the snapshot that holds the manifest of another one (`run:ID` says of which), and of a run that lacks
something."""


@dataclass(frozen=True, kw_only=True)
class BackupPolicy:
    """What the contract makes of one agent: which paths, how often, into which stores (the first is its site store).

    `rpo`, `rto` and `duration` are seconds, `interval` and `delay` minutes. `duration` is the longest of the last runs
    where `measured`, else what a first run is taken to last.
    """

    agent: str
    rpo: int
    rto: int | None
    keep: Keep
    paths: tuple[str, ...]
    exclude: tuple[str, ...]
    stores: tuple[str, ...]
    interval: int
    delay: int
    duration: int
    measured: bool

    @property
    def site(self) -> str:
        """The store with the agent's inbox."""
        return self.stores[0]

    @property
    def expected(self) -> int:
        """The largest age in seconds that the newest snapshot has while all goes well: what the rpo has room for."""
        return (self.interval + self.delay) * 60 + self.duration


@dataclass(frozen=True, kw_only=True)
class Effective:
    """The policy of one agent, or the reasons for which there is none: a promise that cannot be kept is not begun.

    `stores` and `keep` are there either way: a store goes on knowing an agent whose promise can no longer be kept.
    """

    agent: str
    policy: BackupPolicy | None
    stores: tuple[str, ...]
    keep: Keep
    reasons: tuple[Reason, ...] = ()


class RunState(StrEnum):
    """How an agent's run ended; `running` is also what a run that was killed left behind."""

    RUNNING = "running"
    COMPLETED = "completed"
    INCOMPLETE = "incomplete"
    FAILED = "failed"


class AgentReport(NamedTuple):
    """What an agent says of its last run. `snapshot` and `manifest` are digests, hex, empty where there is none.

    `missing` and `unreadable` count what is not in the snapshot though it should be; `text` is for a person's eyes.
    """

    run: str
    begun: int
    ended: int | None
    state: RunState
    reason: str
    text: str
    snapshot: str
    manifest: str
    missing: int
    unreadable: int
    files: int
    bytes: int
    seconds: int


class Snapshot(NamedTuple):
    """A snapshot in a repository: `at` is its own time, `arrived` when the store saw it come.

    `original` is its id in the inbox where this is a copy; `sound` whether the store's gate believes its time.
    """

    id: str
    original: str
    at: int
    arrived: int
    tags: tuple[str, ...]
    sound: bool = True

    @property
    def run(self) -> str:
        """The run it is of; empty where it does not say."""
        return next((tag.removeprefix("run:") for tag in self.tags if tag.startswith("run:")), "")

    @property
    def is_manifest(self) -> bool:
        """Whether it holds a manifest, and no data."""
        return MANIFEST in self.tags

    @property
    def source(self) -> str:
        """Its id in the inbox."""
        return self.original or self.id


class Checked(NamedTuple):
    """When a repository was last checked, and whether nothing was wrong; `subset` is the part whose data was read."""

    at: int
    ok: bool
    text: str
    subset: str = ""


class StoreProblem(NamedTuple):
    """Something at a store that a person has to look at."""

    code: str
    text: str
    since: int


@dataclass(frozen=True, kw_only=True)
class StoreReport:
    """What one store says of one agent, as of its last job `at`; an off-site store has no inbox.

    Sizes are bytes; `quota` and `free` are those of the client's inboxes together.
    """

    at: int
    inbox: tuple[Snapshot, ...] = ()
    inbox_checked: Checked | None = None
    quota: int = 0
    free: int = 0
    vault: tuple[Snapshot, ...] = ()
    vault_checked: Checked | None = None
    vault_bytes: int = 0
    problems: tuple[StoreProblem, ...] = ()


@dataclass(frozen=True, kw_only=True)
class MachineReport:
    """What one machine handed over: since when it is up, its last runs if it is an agent, by agent what it stores.

    `agent` is its last run, `completed` the last one that completed; `unreadable` counts reports that are illegible.
    """

    booted: int | None = None
    agent: AgentReport | None = None
    completed: AgentReport | None = None
    unreadable: int = 0
    agents: Mapping[str, StoreReport] = field(default_factory=dict)

    def of_run(self, run: str) -> AgentReport | None:
        """What it says of a run, where that has ended and is one of the two it knows."""
        known = (one for one in (self.agent, self.completed) if one is not None and one.run == run)
        return next((one for one in known if one.state is not RunState.RUNNING), None)


class BackupState(StrEnum):
    """Where the backups of one machine stand; docs/how-to/backup.md says by which rule."""

    OK = "ok"
    LATE = "late"
    SILENT = "silent"
    INCOMPLETE = "incomplete"
    OFF = "deferred: off"
    NEVER = "never"
    UNKNOWN = "unknown"


class Rule(NamedTuple):
    """One part of 3-2-1-1-0 for one machine: what it asks, whether it is proven, and by what."""

    name: str
    asks: str
    proven: bool
    evidence: str


class Recorded(NamedTuple):
    """A snapshot that the log has an entry of. `seconds` is how long its run took, None where nobody measured it."""

    asset: str
    store: str
    snapshot: str
    at: int
    place: int
    seconds: int | None


class Probe(NamedTuple):
    """An immutability probe in the log: of which agent, at which store, whether everything was refused."""

    asset: str
    store: str
    at: int
    passed: bool
    place: int


@dataclass(frozen=True, kw_only=True)
class BackupStanding:
    """Where one machine stands. `success` is the instant of its newest complete snapshot in a vault.

    `breached` says that the promise is broken now, without an excuse. `size` is that of its vaults in bytes, `proven`
    the last drill that passed, `ticket` the open one about silence.
    """

    asset: str
    state: BackupState
    reason: str
    policy: BackupPolicy | None
    breached: bool = False
    success: int | None = None
    age: int | None = None
    size: int | None = None
    checked: Checked | None = None
    proven: Drill | None = None
    rules: tuple[Rule, ...] = ()
    problems: tuple[str, ...] = ()
    ticket: str | None = None

    @property
    def well(self) -> bool:
        """Whether nobody has to look at it."""
        return self.state in (BackupState.OK, BackupState.LATE, BackupState.OFF) and not self.problems
