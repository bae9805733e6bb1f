"""The ports of execution: what cannot run in a unit test. `provisioner.testing` ships a fake of each."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from contextlib import AbstractContextManager

    from provisioner.model.asset import Asset
    from provisioner.model.backup import MachineReport
    from provisioner.model.drill import ProofReport
    from provisioner.model.event import Event
    from provisioner.model.intervention import Check
    from provisioner.model.package import PackageChange
    from provisioner.model.patch_level import PatchLevel
    from provisioner.model.plan import Content, Step


class Trust(StrEnum):
    """What the machine's key was compared with."""

    PINNED = "pinned"
    KNOWN = "known"
    FIRST_USE = "trust_on_first_use"
    CERTIFICATE = "certificate"


@dataclass(frozen=True, kw_only=True)
class Contact:
    """What the preflight found. `reason` is empty when the machine is ready.

    Unreachable (exit 4): `no_route`, `connection_refused`, `timeout`, `host_key_changed`, `host_key_unknown`,
    `certificate_invalid`, `protocol_error`, `login_refused`. Failed (exit 5): `privilege_refused`, `no_python`.
    `text` is one clear sentence with the next step; `fingerprint` the key presented, in OpenSSH's `SHA256:…` form.
    """

    reason: str = ""
    text: str = ""
    trust: Trust | None = None
    fingerprint: str = ""

    @property
    def reached(self) -> bool:
        """Whether the machine answered as itself and let us in; it may still be unfit for work."""
        return self.reason in ("", "privilege_refused", "no_python")


class Probe(Protocol):
    """Reaches one machine and says whether work can start on it."""

    def reach(self, asset: Asset, *, accept: Callable[[str], bool]) -> Contact:
        """Check the peer's key, log in, try privilege escalation and Python.

        `accept` is asked once with the fingerprint when the key is neither pinned nor known. A changed key is refused
        whatever it says. No password is sent before the key is accepted. Raises nothing for bad news: see Contact.
        """
        ...


class Leases(Protocol):
    """One intervention at a time on an asset."""

    def hold(self, client: str, asset: str) -> AbstractContextManager[None]:
        """Hold the asset's lease until the context ends; raise UsageError when a living intervention has it."""
        ...

    def rollout(self, client: str, who: str) -> AbstractContextManager[None]:
        """Drive the client's rollout as `who` until the context ends; raise UsageError, saying who does already."""
        ...

    def admission(self, client: str) -> AbstractContextManager[None]:
        """Wait for the client's turn to admit, and hold it until the context ends."""
        ...


class RunStatus(StrEnum):
    """How the run itself ended; what became of the machines is in the tallies."""

    FINISHED = "finished"
    CANCELLED = "cancelled"
    TIMED_OUT = "timed_out"
    BROKEN = "broken"


@dataclass(frozen=True, kw_only=True)
class Tally:
    """How many tasks ended how on one machine."""

    ok: int = 0
    changed: int = 0
    failed: int = 0
    unreachable: int = 0
    skipped: int = 0
    rescued: int = 0
    ignored: int = 0


@dataclass(frozen=True, kw_only=True)
class Receipt:
    """What a run leaves on a machine: where the log says that the work was going to begin.

    `log` is the log's origin, `entry` the index of the entry `opened`, `digest` its leaf hash in hex, `plan_digest`
    that of the plan. An entry that is written again, with whatever key, has another leaf hash.
    """

    log: str
    client: str
    intervention: str
    entry: int
    digest: str
    plan_digest: str


@dataclass(frozen=True, kw_only=True)
class Reading:
    """The receipts found on one machine. `reason` is empty when all of them were read.

    `receipts` and `damaged` go by the name of the file, printable and bounded; `damaged` says why a file is no receipt.
    The reasons are those of `Contact` that say unreachable, and `no_python`, `folder_unreadable`, `too_many`,
    `not_supported`; `text` is one sentence with the next step.
    """

    receipts: Mapping[str, Receipt] = field(default_factory=dict)
    damaged: Mapping[str, str] = field(default_factory=dict)
    reason: str = ""
    text: str = ""


class Receipts(Protocol):
    """Reads what runs left on one machine."""

    def read(self, asset: Asset, *, accept: Callable[[str], bool]) -> Reading:
        """Log in as for work, but become nobody else and change nothing; `accept` as in `Probe.reach`.

        Raises nothing for bad news: see Reading.
        """
        ...


@dataclass(frozen=True, kw_only=True)
class Order:
    """One run: which content and step, on which assets, for which intervention; `check` is Ansible's check mode.

    `receipt` is what the run leaves on each machine.
    """

    intervention: str
    receipt: Receipt
    content: Content
    step: Step
    assets: tuple[Asset, ...]
    check: bool


@dataclass(frozen=True, kw_only=True)
class RunResult:
    """What a run left: a tally for every machine that was processed, the checks read on it, packages chosen for it, its
    report of backups.

    `levels` are what a scan read, `check` the effective check mode, read back from the command that ran. `message` says
    why a run is BROKEN.
    """

    status: RunStatus
    check: bool
    tallies: Mapping[str, Tally] = field(default_factory=dict)
    checks: Mapping[str, tuple[Check, ...]] = field(default_factory=dict)
    packages: Mapping[str, tuple[PackageChange, ...]] = field(default_factory=dict)
    levels: Mapping[str, PatchLevel] = field(default_factory=dict)
    backups: Mapping[str, MachineReport] = field(default_factory=dict)
    proofs: Mapping[str, ProofReport] = field(default_factory=dict)
    message: str = ""


class Executor(Protocol):
    """Runs one playbook on one batch of assets."""

    def run(self, order: Order, on_event: Callable[[Event], None]) -> RunResult:
        """Given an order, run it and call `on_event` for each event as it happens.

        An exception raised by `on_event` cancels the run and is raised again once the children are dead. Ctrl-C ends
        the run as CANCELLED. Raises ExecutionError when the run could not be carried out, and StillRunning, with
        everything left as it is, when its processes do not die.
        """
        ...

    def left(self) -> tuple[str, ...]:
        """Return the interventions whose runs left something on disk: one under way, or one whose controller died."""
        ...

    def salvage(self, intervention: str) -> tuple[Event, ...]:
        """Given an intervention whose controller died, prove its processes dead and return the events they left.

        Raises StillRunning while one of them lives.
        """
        ...

    def discard(self, intervention: str) -> None:
        """Remove what the run of a closed intervention left on disk, secrets included; raises StillRunning."""
        ...
