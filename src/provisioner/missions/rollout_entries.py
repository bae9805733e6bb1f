"""Entries that tell of a rollout: their bodies, and the rollout that is read back from a log.

A rollout begins with `plan`. Each batch of it is an intervention whose `opened` names it, so what became of a machine
is in `closed` and nowhere else; `halt` and `resume` are between them, and `wave` ends it.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from provisioner.errors import LedgerError
from provisioner.model.intervention import CheckResult, Outcome
from provisioner.model.package import PackageChange
from provisioner.model.rollout import Attempt, Halt, HostStanding, HostState, UpdateTry, WavePlan

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from provisioner.ledger.entry import Entry
    from provisioner.model.contract import LoadedContract

KINDS = ("plan", "opened", "closed", "halt", "resume", "wave", "ticket")
"""The kinds of entries that a rollout is read from."""

PUT_OFF, PACKAGE, KEPT = "update", "package ", "kept back "
"""Rows of the acceptance table: a machine whose turn is put off, and the beginnings of those of packages."""

SUPERSEDED = re.compile(r"superseded: security version (\S+),")
"""Why a package is kept back that has a newer security update than the lock."""

_STATES = {
    Outcome.CHANGED: HostState.PATCHED,
    Outcome.UNCHANGED: HostState.PATCHED,
    Outcome.UNREACHABLE: HostState.UNREACHABLE,
    Outcome.FAILED: HostState.FAILED,
}
"""What an outcome makes of a machine; what is not here is unknown."""


@dataclass(frozen=True)
class Batch:
    """One batch that has ended: its wave, and what became of each machine."""

    wave: str
    attempts: tuple[Attempt, ...]


@dataclass(frozen=True)
class Resumed:
    """Somebody said to go on."""

    at: int


@dataclass(frozen=True)
class Incident:
    """A ticket about a machine of the rollout was opened."""

    at: int


Happened = Batch | Halt | Resumed | Incident


@dataclass(kw_only=True)
class RolloutLog:
    """A rollout as its log tells it. `lock` is None until a machine of it was patched; instants are POSIX seconds.

    `superseded` has the security updates, name and version, that machines were offered beyond the lock; `known` those
    that were so in rollouts before. `tries` are those of each update, in rollouts before as well. `at_work` are the
    machines of a batch that is open.
    """

    id: str
    contract: str
    digest: str
    begun: int
    waves: tuple[WavePlan, ...]
    happened: list[Happened] = field(default_factory=list)
    reasons: dict[str, str] = field(default_factory=dict)
    lock: tuple[PackageChange, ...] | None = None
    superseded: frozenset[tuple[str, str]] = frozenset()
    known: frozenset[tuple[str, str]] = frozenset()
    tries: list[UpdateTry] = field(default_factory=list)
    at_work: frozenset[str] = frozenset()
    ended: int | None = None
    given_up: bool = False
    not_evaluable: tuple[str, ...] = ()
    by: str = ""
    """The pseudonym of whoever acted last."""

    @property
    def assets(self) -> tuple[str, ...]:
        """Every machine of it, wave by wave."""
        return tuple(asset for wave in self.waves for asset in wave.assets)

    @property
    def states(self) -> dict[str, HostState]:
        """What each machine ended as last; their number is that of the machines."""
        found = dict.fromkeys(self.assets, HostState.UNTOUCHED)
        for event in self.happened:
            if isinstance(event, Batch):
                found |= {attempt.asset: attempt.state for attempt in event.attempts}
        return found

    @property
    def untouched(self) -> frozenset[str]:
        """The machines whose turn has not come."""
        return frozenset(asset for asset, state in self.states.items() if state is HostState.UNTOUCHED)

    @property
    def halted(self) -> Halt | None:
        """Why it stands still; None while it goes on."""
        told = [event for event in self.happened if isinstance(event, Halt | Resumed)]
        return told[-1] if told and isinstance(told[-1], Halt) else None


def plan_body(log: RolloutLog) -> dict[str, object]:
    """The body of `plan`: the machines of each wave, in order, and the contract that it rests on."""
    waves = [{"name": wave.name, "soak_seconds": wave.soak, "assets": list(wave.assets)} for wave in log.waves]
    named = {"contract": log.contract, "contract_digest": log.digest, "clause": "missions.software_updates"}
    return {"rollout": log.id, **named, "waves": waves}


def halt_body(rollout: str, halt: Halt) -> dict[str, object]:
    """The body of `halt`: the wave, why in a code and a sentence."""
    return {"rollout": rollout, "wave": halt.wave, "code": halt.code, "text": halt.text}


def resume_body(rollout: str, reason: str) -> dict[str, object]:
    """The body of `resume`; the reason is a person's own words."""
    return {"rollout": rollout, "reason": reason}


def end_body(log: RolloutLog, not_evaluable: Sequence[str], *, given_up: str | None = None) -> dict[str, object]:
    """The body of `wave`: how the rollout ended, each machine in one state with the reason where it is not patched.

    `given_up` is a reference to the words of the person who ended it.
    """
    machines = [{"asset": row.asset, "state": row.state.value, "reason": row.reason} for row in standings(log)]
    said = {"given_up": given_up} if given_up else {}
    return {"rollout": log.id, "not_evaluable": list(not_evaluable), "machines": machines, **said}


def standings(log: RolloutLog) -> tuple[HostStanding, ...]:
    """Every machine of a rollout, wave by wave, in exactly one state."""
    states = log.states
    return tuple(
        HostStanding(asset, wave.name, states[asset], log.reasons.get(asset, ""), asset in log.at_work)
        for wave in log.waves
        for asset in wave.assets
    )


def latest(entries: Iterable[Entry]) -> RolloutLog | None:
    """Given a log (KINDS of its entries are looked at), return its newest rollout, None where there was none.

    A batch that was interrupted is no try: its machines are still to have their turn. Raises LedgerError for an entry
    that is not of our form.
    """
    found: RolloutLog | None = None
    opened: dict[str, Entry] = {}
    for entry in entries:
        try:
            if entry.kind == "plan":
                found, opened = _begun(entry, found), {}
            elif found is not None:
                _tell(found, entry, opened)
        except (KeyError, TypeError, ValueError) as error:
            hint = "`invoke audit.show --entry N` shows it; `invoke audit.verify` says whether it is as it was signed"
            said = f"entry {entry.index}, kind {entry.kind}, is not of our form: {error}"
            raise LedgerError(said, hint=hint) from error
    if found is not None:
        found.at_work = frozenset(str(name) for entry in opened.values() for name in _named(entry))
    return found


def _named(opened: Entry) -> Sequence[str]:
    body: Mapping[str, Any] = opened.body
    return tuple(body["assets"])


def _begun(entry: Entry, before: RolloutLog | None) -> RolloutLog:
    body: Mapping[str, Any] = entry.body
    waves = tuple(
        WavePlan(name=wave["name"], soak=wave["soak_seconds"], assets=tuple(wave["assets"])) for wave in body["waves"]
    )
    return RolloutLog(
        id=body["rollout"],
        contract=body["contract"],
        digest=body["contract_digest"],
        begun=int(entry.at.timestamp()),
        waves=waves,
        known=before.known | before.superseded if before else frozenset(),
        tries=before.tries if before else [],
        by=entry.operator,
    )


def _tell(log: RolloutLog, entry: Entry, opened: dict[str, Entry]) -> None:
    """Add to a rollout what an entry says of it."""
    body: Mapping[str, Any] = entry.body
    at = int(entry.at.timestamp())
    if entry.kind == "opened" and body.get("rollout", {}).get("rollout") == log.id:
        opened[body["intervention"]] = entry
        log.by = entry.operator
    elif entry.kind == "closed" and body["intervention"] in opened:
        _ended(log, opened.pop(body["intervention"]), entry)
    elif entry.kind == "ticket" and body["kind"] == "opened" and body.get("asset") in log.assets:
        log.happened.append(Incident(at))
    elif entry.kind in ("halt", "resume", "wave") and body["rollout"] == log.id:
        log.by = entry.operator
        if entry.kind == "halt":
            log.happened.append(Halt(wave=body["wave"], code=body["code"], text=body["text"]))
        elif entry.kind == "resume":
            log.happened.append(Resumed(at))
        else:
            log.ended = at
            log.not_evaluable, log.given_up = tuple(body["not_evaluable"]), "given_up" in body
            log.reasons = {row["asset"]: row["reason"] for row in body["machines"] if row["reason"]}


def _ended(log: RolloutLog, opened: Entry, closed: Entry) -> None:
    body: Mapping[str, Any] = closed.body
    span = int(opened.at.timestamp()), int(closed.at.timestamp())
    results = [result for result in body["assets"] if Outcome(result["outcome"]) is not Outcome.INTERRUPTED]
    attempts = tuple(_attempt(result, span) for result in results)
    if attempts:
        log.happened.append(Batch(opened.body["rollout"]["wave"], attempts))  # type: ignore[index]
    for result, attempt in zip(results, attempts, strict=True):
        log.tries += _tries(result, attempt)
        log.superseded |= frozenset(_superseded(result))
        log.reasons.pop(attempt.asset, None)
        if attempt.state is not HostState.PATCHED:
            log.reasons[attempt.asset] = _why(result)
        elif result.get("packages") or log.lock is None:
            log.lock = _locked(log.lock, result.get("packages", ()))


def _tries(result: Mapping[str, Any], attempt: Attempt) -> Iterator[UpdateTry]:
    """What a machine's table says of each update that was chosen for it."""
    for row in result["checks"]:
        if row["name"].startswith(PACKAGE):
            name, installed = row["name"].removeprefix(PACKAGE), row["result"] == CheckResult.PASS
            yield UpdateTry(attempt.asset, name, row["asked"], attempt.ended, installed)


def _superseded(result: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """The security updates that a machine was offered beyond the lock, name and version."""
    for row in result["checks"]:
        newer = SUPERSEDED.match(row["found"]) if row["name"].startswith(KEPT) else None
        if newer is not None:
            yield row["name"].removeprefix(KEPT), newer[1]


def _attempt(result: Mapping[str, Any], span: tuple[int, int]) -> Attempt:
    state = state_of(result)
    begun = state not in (HostState.UNREACHABLE, HostState.DEFERRED)
    return Attempt(str(result["name"]), state, *span, begun=begun)


def state_of(result: Mapping[str, Any]) -> HostState:
    """Given what `closed` says of a machine, return its state.

    Patched is what the installer and the second reading both say. A failed one of which a package has its version is
    partial; one whose turn was put off is deferred; what nobody saw the end of is unknown.
    """
    outcome, checks = Outcome(result["outcome"]), result["checks"]
    if any(row["name"] == PUT_OFF and row["result"] == CheckResult.NOT_APPLICABLE for row in checks):
        return HostState.DEFERRED
    state = _STATES.get(outcome, HostState.UNKNOWN)
    done = any(row["name"].startswith(PACKAGE) and row["result"] == CheckResult.PASS for row in checks)
    return HostState.PARTIAL if state is HostState.FAILED and done else state


def _why(result: Mapping[str, Any]) -> str:
    """Why a machine is not patched, in one text: what was put off, the first row that failed, or the reason's code."""
    for row in result["checks"]:
        if row["result"] == CheckResult.FAIL or row["name"] == PUT_OFF:
            return f"{row['name']}: {row['found']}"
    code = str(result["reason"]["code"]) if result["reason"] else "no reason was recorded"
    return f"{code}: {result['failed_task']}" if result["failed_task"] else code


def _locked(lock: tuple[PackageChange, ...] | None, packages: Iterable[Mapping[str, Any]]) -> tuple[PackageChange, ...]:
    """A lock with what a machine proved more: what is in it already stays."""
    known = {(package.name, package.architecture): package for package in lock or ()}
    for row in packages:
        package = PackageChange(**row)
        known.setdefault((package.name, package.architecture), package)
    return tuple(known[key] for key in sorted(known))


def new_log(rollout: str, loaded: LoadedContract, waves: Sequence[WavePlan], *, at: int) -> RolloutLog:
    """A rollout that is about to begin."""
    return RolloutLog(id=rollout, contract=loaded.id, digest=loaded.digest, begun=at, waves=tuple(waves))
