"""Restore drills: restore a backup, compare, measure, record; or damage copies of it, which must be noticed."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from provisioner.errors import UsageError
from provisioner.ledger.entry import Draft
from provisioner.missions.backup_entries import COMPLETE, LACKING, text_of
from provisioner.missions.backup_task import Run, begin_log, canary_seed, carry_out
from provisioner.missions.recording import under
from provisioner.missions.recover import recover
from provisioner.model.drill import FULL, NOT_BEGUN, SABOTAGES
from provisioner.model.verdict import Reason
from provisioner.planning.backup import CLAUSE
from provisioner.planning.backup_proofs import Drilling, Saved, plan_drill

if TYPE_CHECKING:
    from collections.abc import Iterable

    from provisioner.ledger.book import Book
    from provisioner.ledger.entry import Entry
    from provisioner.missions.backup_task import BackupTask
    from provisioner.missions.services import Services
    from provisioner.model.asset import Asset
    from provisioner.model.drill import ProofReport
    from provisioner.model.intervention import Intervention

DRILL = "backup_drill"
"""The playbook."""

DONE, NOT_DONE, SABOTAGE = "drill", "not_done", "sabotage"
"""The forms of an entry `drill`: one that says something of a backup, one that could not be done, a sabotage."""

MOST_KNOWN = 500
"""So many of the last snapshots in the log are told to the machine that restores."""


@dataclass(frozen=True, kw_only=True)
class DrillWish:
    """What is asked for: the backup of `host`, a `snapshot` ("" for the newest), so many of a thousand files.

    `target` is where it is restored ("" for the site store), `sabotage` the kinds of damage to do to a copy instead.
    """

    host: str
    snapshot: str = ""
    permille: int = FULL
    target: str = ""
    sabotage: tuple[str, ...] = ()
    check: bool = False


@dataclass(frozen=True, kw_only=True)
class Drilled:
    """What came of it: the intervention, what the machine told (None: nothing), the index of the entry (None: none).

    `target` is the machine that restored, `rto` what the contract promises in seconds.
    """

    intervention: Intervention
    host: str
    target: str
    report: ProofReport | None
    entry: int | None
    rto: int | None


def drill(task: BackupTask, services: Services, wish: DrillWish) -> Drilled:
    """Do a drill, or the sabotage of one, as one intervention on the machine that restores; record what it came to.

    A machine that told nothing leaves no entry `drill`: the closing entry says what became of it. Raises UsageError for
    a machine that is none, a target that keeps no vault of it, an unknown damage, and what `perform` raises.
    """
    if unknown := set(wish.sabotage) - set(SABOTAGES):
        raise UsageError(f"no damage is called {', '.join(sorted(unknown))}", hint=f"all, or of {', '.join(SABOTAGES)}")
    at = int(services.now().timestamp())
    agent, target, rto = places(task, at, host=wish.host, target=wish.target)
    work = _work(task, services, wish, agent)
    plan = plan_drill(target, task.content[DRILL], work)
    run = Run(plan=plan, assets=(target,), reasons=not_covered(task, agent, at), check=wish.check)
    intervention = carry_out(task, services, run)
    report = next((one.proof for one in intervention.assets), None)
    entry = None
    if report is not None and not intervention.simulated:
        entry = record(task, services, _body(work, target, report) | {"intervention": intervention.id}, kind="drill")
    return Drilled(intervention=intervention, host=agent.name, target=target.name, report=report, entry=entry, rto=rto)


def _work(task: BackupTask, services: Services, wish: DrillWish, agent: Asset) -> Drilling:
    """What is drilled, with what the log says of it."""
    with services.open_book(task.client) as book:
        recover(book, task.client, services)
        begin_log(task, book, services)
        return Drilling(
            agent=agent,
            snapshot=wish.snapshot,
            permille=wish.permille,
            lot=services.new_id() if wish.permille < FULL else "",
            seed=canary_seed(book, task.client, agent.name),
            known=known_snapshots(book.entries(kinds=("backup_status",)), agent.name),
            sabotage=wish.sabotage,
        )


def places(task: BackupTask, at: int, *, host: str, target: str) -> tuple[Asset, Asset, int | None]:
    """Given a machine and where it is to be restored ("": its site store), return both, and its rto in seconds.

    Raises UsageError for a target that is no store of the machine: only a store has a vault to restore from.
    """
    (agent,) = task.agents(at, host=host)
    (effective,) = task.effective((agent,), {}, at)
    if not effective.stores:
        raise UsageError(f"contract {task.contract.id} names no store for {host}")
    wanted = target or effective.stores[0]
    if wanted not in effective.stores:
        raise UsageError(
            f"{wanted} keeps no vault of {host}", hint=f"a drill restores on a store: {', '.join(effective.stores)}"
        )
    found = next(store for store in task.stores(at) if store.name == wanted)
    return agent, found, effective.policy.rto if effective.policy else None


def not_covered(task: BackupTask, agent: Asset, at: int) -> tuple[Reason, ...]:
    """Why a machine is not to be worked for, though the one that would be worked on is covered."""
    if task.covers(agent, at):
        return ()
    return (Reason(code="uncovered", clause="assets", text=f"{agent.name} is not covered for {CLAUSE}"),)


def known_snapshots(entries: Iterable[Entry], asset: str) -> tuple[Saved, ...]:
    """Given the entries of a log, return what they say of each of the last snapshots of a machine, oldest first."""
    found: dict[str, Saved] = {}
    for entry in entries:
        body = entry.body
        words = [body.get(key) for key in ("snapshot", "arrived")]
        manifest = body.get("manifest")
        if body.get("asset") == asset and body.get("kind") in (COMPLETE, LACKING) and all(map(_is_text, words)):
            before = found.get(str(words[0]))
            digest = manifest if isinstance(manifest, str) else before.manifest if before else ""
            found[str(words[0])] = Saved(str(words[0]), before.arrived if before else str(words[1]), digest)
    return tuple(found.values())[-MOST_KNOWN:]


def _is_text(value: object) -> bool:
    return isinstance(value, str) and bool(value)


def _body(work: Drilling, target: Asset, report: ProofReport) -> dict[str, object]:
    """The body of an entry `drill`: counts, digests, codes and instants; a path of a machine never enters."""
    begun = report.passed or not set(report.reasons) <= NOT_BEGUN
    body: dict[str, object] = {
        "kind": SABOTAGE if work.sabotage else DONE if begun else NOT_DONE,
        "at": text_of(report.at),
        "ended": text_of(report.ended),
        "asset": work.agent.name,
        "on": target.name,
        "passed": report.passed,
        "full": report.full,
        "reasons": list(report.reasons),
        "whole_ms": report.whole_ms,
    }
    if work.sabotage:
        damages = [{"kind": one.kind, "noticed": one.noticed, "reasons": list(one.reasons)} for one in report.sabotage]
        return body | {"sabotage": damages, "untouched": report.untouched}
    return body | _figures(work, report)


def _figures(work: Drilling, report: ProofReport) -> dict[str, object]:
    compared = report.compared
    counts = ("compared", "equal", "different", "moving", "unfaithful", "appeared", "bytes")
    return {
        "snapshot": report.original or report.snapshot or None,
        "copy": report.snapshot or None,
        "manifest": report.manifest or None,
        "manifest_known": report.manifest_known,
        "permille": work.permille,
        "lot": work.lot if work.permille < FULL else None,
        "restic": report.restic or None,
        "restore_ms": report.restore_ms,
        "load_ms": report.load_ms,
        "compare_ms": report.compare_ms,
        "objects": {key: getattr(compared, key) for key in counts} if compared else None,
        "differences": dict(compared.differences) if compared else {},
        "not_kept": dict(compared.not_kept) if compared else {},
        "canaries": dict(report.canaries),
        "databases": dict(report.databases),
    }


def record(task: BackupTask, services: Services, body: dict[str, object], *, kind: str) -> int:
    """Append an entry about a proof under the contract, sign, and return its index."""
    named = {"contract": task.contract.id, "contract_digest": task.contract.digest}
    with services.open_book(task.client) as book:
        draft = Draft(kind, services.now(), book.pseudonym(services.operator), body | named)
        return _append(book, task, services, draft)


def _append(book: Book, task: BackupTask, services: Services, draft: Draft) -> int:
    entry = book.append(under(book, task.contract, draft))[-1]
    book.sign(services.now())
    return entry.index
