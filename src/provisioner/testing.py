"""Fakes for those who write a mission, a contract term or a role: what cannot run in a unit test, and small builders.

    executor = FakeExecutor()                            # every run succeeds and changes something
    executor = FakeExecutor(answer=raising(OSError()))   # or anything else: a function from the order to the result
    probe = FakeProbe({"ws-02": UNREACHABLE})            # every other machine is ready
    services = Services(probe=probe, executor=executor, leases=FakeLeases(), now=instants(), …)

Afterwards `probe.reached`, `executor.orders`, `leases.taken` and `progress.told` say what was asked for, in order.
"""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from hashlib import sha256
from typing import TYPE_CHECKING, NoReturn

from provisioner.errors import UsageError
from provisioner.execution.ports import Contact, Reading, Receipt, RunResult, RunStatus, Tally, Trust
from provisioner.model.approval import Flaw, Signed
from provisioner.model.asset import Address, Asset
from provisioner.model.contract import Client, Contract, LoadedContract, Provider, Version
from provisioner.model.event import Event, EventKind
from provisioner.model.intervention import Check, CheckResult
from provisioner.model.mission_terms import Missions, WorkstationSetup
from provisioner.model.plan import Content
from provisioner.model.values import Money

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from provisioner.execution.ports import Order

START = datetime(2026, 11, 23, 14, tzinfo=UTC)

READY = Contact(trust=Trust.PINNED, fingerprint="SHA256:2CqJmFhLZ0yZPgkEiTnrhHXdYG8vRSYf7lIb1KQbN0A")
"""A machine that work can start on."""

UNREACHABLE = Contact(reason="connection_refused", text="nothing listens there; see whether sshd runs")
"""A machine that does not answer."""

PASSED = (Check(name="hostname", asked="ws-01", found="ws-01", result=CheckResult.PASS),)
"""An acceptance table without a failure."""


def instants(start: datetime = START, *, step: timedelta = timedelta(seconds=10)) -> Callable[[], datetime]:
    """Return a clock: `start` when it is first read, `step` more each further time. The same in every test."""
    state = {"next": start}

    def now() -> datetime:
        found = state["next"]
        state["next"] = found + step
        return found

    return now


def succeed(order: Order) -> RunResult:
    """Answer an order as a run does that changed every machine and found it as promised."""
    return result({asset.name: Tally(ok=5, changed=2) for asset in order.assets}, check=order.check)


def result(
    tallies: Mapping[str, Tally],
    *,
    check: bool = False,
    status: RunStatus = RunStatus.FINISHED,
    checks: Mapping[str, tuple[Check, ...]] | None = None,
) -> RunResult:
    """Build a run's result; each machine with a tally has a passed acceptance table unless `checks` are given."""
    found = dict.fromkeys(tallies, PASSED) if checks is None else checks
    return RunResult(status=status, check=check, tallies=tallies, checks=found)


def raising(error: BaseException) -> Callable[[object], NoReturn]:
    """Return a function of one argument that raises: an executor's answer, or what a probe does."""

    def answer(_asked: object) -> NoReturn:
        raise error

    return answer


@dataclass
class FakeExecutor:
    """An executor that runs nothing: it keeps the orders, tells `events`, and returns what `answer` makes of the order.

    `remains` are the events that a dead controller's run left, by intervention, until they are discarded.
    """

    answer: Callable[[Order], RunResult] = succeed
    events: tuple[Event, ...] = (Event(kind=EventKind.TASK, role="host_identity", task="Set the hostname"),)
    remains: dict[str, tuple[Event, ...]] = field(default_factory=dict)
    orders: list[Order] = field(default_factory=list)
    salvaged: list[str] = field(default_factory=list)

    def run(self, order: Order, on_event: Callable[[Event], None]) -> RunResult:
        """Keep the order, tell the events, answer."""
        self.orders.append(order)
        for event in self.events:
            on_event(event)
        return self.answer(order)

    def left(self) -> tuple[str, ...]:
        """Return the interventions that have something in `remains`."""
        return tuple(self.remains)

    def salvage(self, intervention: str) -> tuple[Event, ...]:
        """Keep the intervention's id and return its events."""
        self.salvaged.append(intervention)
        return self.remains.get(intervention, ())

    def discard(self, intervention: str) -> None:
        """Forget its events."""
        self.remains.pop(intervention, None)


def nothing(_asset: Asset) -> None:
    """Do nothing when a machine is reached."""


@dataclass
class FakeProbe:
    """A probe that reaches nothing: it answers from `contacts`, ready for any other machine, and keeps the names.

    `on_reach` is called first: to look at the world at that moment, or to raise.
    """

    contacts: Mapping[str, Contact] = field(default_factory=dict)
    on_reach: Callable[[Asset], None] = nothing
    reached: list[str] = field(default_factory=list)

    def reach(self, asset: Asset, *, accept: Callable[[str], bool]) -> Contact:
        """Answer for the asset; `accept` is never asked."""
        self.reached.append(asset.name)
        self.on_reach(asset)
        return self.contacts.get(asset.name, READY)


@dataclass
class FakeReceipts:
    """A reader of receipts that reaches nothing: it answers from `readings`, and any other machine holds none.

    `on_read` is called first: to look at the world at that moment, or to change it.
    """

    readings: Mapping[str, Reading] = field(default_factory=dict)
    on_read: Callable[[Asset], None] = nothing

    def read(self, asset: Asset, *, accept: Callable[[str], bool]) -> Reading:
        """Answer for the asset; `accept` is never asked."""
        self.on_read(asset)
        return self.readings.get(asset.name, Reading())


@dataclass
class FakeLeases:
    """Leases in memory; `held` are those that another living intervention has, as (client, asset).

    `taken` and `admitting` keep what was asked for: leases, and the clients whose turn it was.
    """

    held: set[tuple[str, str]] = field(default_factory=set)
    taken: list[tuple[str, str]] = field(default_factory=list)
    admitting: list[str] = field(default_factory=list)

    @contextmanager
    def hold(self, client: str, asset: str) -> Iterator[None]:
        """Hold the lease until the context ends; raise UsageError when it is held already."""
        if (client, asset) in self.held:
            raise UsageError(f"another intervention is working on {asset} of client {client}")
        self.held.add((client, asset))
        self.taken.append((client, asset))
        try:
            yield
        finally:
            self.held.remove((client, asset))

    @contextmanager
    def rollout(self, client: str, who: str) -> Iterator[None]:
        """Drive the rollout until the context ends; raise UsageError when somebody does already."""
        with self.hold(client, ".rollout"):
            yield

    @contextmanager
    def admission(self, client: str) -> Iterator[None]:
        """Hold the client's turn; nobody else wants it."""
        self.admitting.append(client)
        yield


@dataclass
class FakeSignatures:
    """Verifies nothing: every signature is what `answer` says, by default one that does not hold."""

    answer: Signed = field(default_factory=lambda: Signed(flaw=Flaw.BROKEN))

    def check(self, message: bytes, signature: str, *, keys: Mapping[str, str], namespace: str) -> Signed:
        """Answer, whatever was signed."""
        return self.answer


@dataclass
class RecordingProgress:
    """Progress that keeps what it was told: `("begin", id)`, `("event", kind)` and `("note", text)`, in order."""

    told: list[tuple[str, str]] = field(default_factory=list)

    def begin(self, intervention: str, *, clause: str, assets: tuple[str, ...], simulated: bool) -> None:
        """Keep the intervention's id."""
        self.told.append(("begin", intervention))

    def event(self, event: Event) -> None:
        """Keep the event's kind."""
        self.told.append(("event", event.kind.value))

    def note(self, text: str) -> None:
        """Keep the sentence."""
        self.told.append(("note", text))


def make_asset(name: str = "ws-01", *, groups: tuple[str, ...] = ("workstations",), **changes: object) -> Asset:
    """Build a machine of the client `demo` on a loopback port; `changes` are fields of `Asset`."""
    address = Address(host="127.0.0.1", port=2201, user="technician")
    fields: dict[str, object] = {"client": "demo", "address": address, "variables": {"host_identity_hostname": name}}
    return Asset(name=name, groups=frozenset({"all", *groups}), **{**fields, **changes})  # type: ignore[arg-type]


def make_contract(**changes: object) -> Contract:
    """Build a contract of 2026 that promises `demo` unlimited set-ups; `changes` are fields of `Contract`."""
    fields: dict[str, object] = {
        "id": "DEMO-2026",
        "client": Client(id="demo", name="Demo"),
        "provider": Provider(name="Provider"),
        "currency": "EUR",
        "timezone": "Europe/Paris",
        "monthly_fee": Money.parse("100.00"),
        "starts": date(2026, 1, 1),
        "ends": date(2026, 12, 31),
        "assets": ("workstations",),
        "missions": Missions(workstation_setup=WorkstationSetup()),
    }
    return Contract(**{**fields, **changes})  # type: ignore[arg-type]


def loaded(contract: Contract, *amended: tuple[date, Contract], text: bytes = b"id: DEMO-2026\n") -> LoadedContract:
    """Build a contract as if read from `text`; `amended` are further versions, each from its day on."""
    versions = (
        Version(effective=contract.starts, contract=contract),
        *(Version(effective=day, contract=terms) for day, terms in amended),
    )
    return LoadedContract(path="demo/contract.yml", text=text, digest=sha256(text).hexdigest(), versions=versions)


def make_content(*roles: str) -> Content:
    """Build content with made-up digests of the named roles; `host_identity` and `acceptance` when none is named."""
    digests = {name: sha256(name.encode()).hexdigest() for name in roles or ("host_identity", "acceptance")}
    return Content(
        playbook="workstation_setup",
        playbook_digest=sha256(b"playbook").hexdigest(),
        roles=digests,
        ansible="2.19.14",
        commit="unknown",
    )


def make_receipt(**changes: object) -> Receipt:
    """Build the receipt of a made-up intervention of the client `demo`; `changes` are fields of `Receipt`."""
    fields: dict[str, object] = {
        "log": "provisioner/demo",
        "client": "demo",
        "intervention": "iv-1",
        "entry": 2,
        "digest": sha256(b"leaf").hexdigest(),
        "plan_digest": sha256(b"plan").hexdigest(),
    }
    return Receipt(**{**fields, **changes})  # type: ignore[arg-type]
