"""Where the backups of one machine stand, out of what stores, the machine and the log say. Pure.

A snapshot counts when it is in a vault and its run was complete: its manifest is there too, and nothing says that it
lacks something. Its instant is its own time, or its arrival where that is earlier: a clock that is fast gains nothing.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

from provisioner.model.backup import INCOMPLETE, BackupStanding, BackupState, RunState
from provisioner.planning.three_two_one import rules

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from provisioner.model.backup import AgentReport, BackupPolicy, Snapshot, StoreReport
    from provisioner.model.backup_seen import Seen

VAULT_LAG = 2 * 3600
"""Seconds that a store may take from a snapshot's arrival to its copy in the vault: its job runs every hour."""

LONGEST_OFF = 30 * 86400
"""Seconds after which a machine that was not seen is taken to be off no more: it may be lost."""

BROKEN = (BackupState.SILENT, BackupState.INCOMPLETE, BackupState.UNKNOWN)
"""The states that break the promise when they last for longer than the rpo: a store that is silent is silence too."""

Judged = tuple[BackupState, str]


def taken(snapshot: Snapshot) -> int:
    """The instant whose state a snapshot saved, as far as it is believed."""
    return min(snapshot.at, snapshot.arrived)


def sort_out(snapshots: Iterable[Snapshot], agent: AgentReport | None) -> tuple[list[Snapshot], list[Snapshot]]:
    """Given the snapshots of a repository, return those of complete runs and those known to lack something.

    One whose manifest is not there yet is in neither: nobody can say. Manifests are in neither.
    """
    known = tuple(snapshots)
    manifests = {one.run: one for one in known if one.is_manifest and one.run}
    complete, lacking = [], []
    for one in sorted(known, key=taken):
        if one.is_manifest or not one.sound:
            continue
        last = agent is not None and agent.run == one.run and agent.state is not RunState.COMPLETED
        marked = INCOMPLETE in one.tags or (one.run in manifests and INCOMPLETE in manifests[one.run].tags)
        if last or marked:
            lacking.append(one)
        elif one.run in manifests:
            complete.append(one)
    return complete, lacking


def stand(asset: str, seen: Seen) -> BackupStanding:
    """Given what is known of a machine, return where its backups stand.

    Of a store that could not be read, what the log has of it counts for the age, and for nothing else.
    """
    reports = {name: report for name, report in seen.stores.items() if report is not None}
    newest = {name: taken(found[-1]) for name, report in reports.items() if (found := _complete(report, seen))}
    remembered = [one.at for one in seen.recorded if one.store in seen.stores.keys() - reports.keys()]
    success = max([*newest.values(), *remembered], default=None)
    state, reason = _judge(seen, success, read=max(newest.values(), default=None))
    checks = [report.vault_checked for report in reports.values() if report.vault_checked]
    return BackupStanding(
        asset=asset,
        state=state,
        reason=reason,
        policy=seen.policy,
        breached=state in BROKEN and _too_old(seen, success),
        success=success,
        age=None if success is None else max(seen.at - success, 0),
        size=sum(report.vault_bytes for report in reports.values()) if reports else None,
        checked=min(checks, key=lambda one: one.at, default=None),
        proven=max((one for one in seen.drills if one.passed), key=lambda one: one.ended, default=None),
        rules=rules(seen, newest),
        problems=tuple(_problems(seen, newest)),
        ticket=seen.ticket,
    )


def _too_old(seen: Seen, success: int | None) -> bool:
    """Whether the rpo has passed since the newest complete snapshot, or since it was set up where there is none."""
    since = seen.configured if success is None and not seen.recorded else success
    if seen.policy is None:
        return False
    return (since is None and bool(seen.recorded)) or (since is not None and seen.at - since > seen.policy.rpo)


def _complete(report: StoreReport, seen: Seen) -> list[Snapshot]:
    return sort_out(report.vault, seen.agent)[0]


def _judge(seen: Seen, success: int | None, *, read: int | None) -> Judged:
    """`read` is the newest one that a store reports now: what the log remembers proves no state."""
    policy = seen.policy
    if policy is None:
        return BackupState.UNKNOWN, seen.lacking
    unread = [name for name, report in seen.stores.items() if report is None]
    if len(unread) == len(seen.stores):
        return BackupState.UNKNOWN, f"no store could be read: {', '.join(unread)}"
    lacking = _lacking_since(seen, success)
    if unread and (read is None or seen.at - read > policy.rpo):
        return BackupState.UNKNOWN, f"{', '.join(unread)} could not be read, and nothing young is elsewhere"
    if success is None:
        return _never(seen, policy, lacking)
    if lacking:
        return BackupState.INCOMPLETE, lacking
    if seen.at - success <= policy.rpo:
        return _in_time(seen, policy, seen.at - success)
    on_its_way = _on_its_way(seen, policy)
    if on_its_way:
        return BackupState.LATE, on_its_way
    off = _off(seen, policy, success)
    if off:
        return BackupState.OFF, off
    return BackupState.SILENT, f"nothing complete is in a vault since {_utc(success)}{_last_words(seen)}"


def _never(seen: Seen, policy: BackupPolicy, lacking: str) -> Judged:
    if seen.recorded:
        return BackupState.SILENT, "no snapshot is in a vault any more, and the log knows some"
    if lacking:
        return BackupState.INCOMPLETE, lacking
    if seen.configured is None:
        return BackupState.NEVER, "it was not set up: invoke backup.configure"
    if seen.at - seen.configured > policy.rpo:
        said = f"set up at {_utc(seen.configured)}, and nothing complete is in a vault"
        return BackupState.SILENT, said + _last_words(seen)
    return BackupState.NEVER, f"set up at {_utc(seen.configured)}; nothing is in a vault yet"


def _in_time(seen: Seen, policy: BackupPolicy, age: int) -> Judged:
    agent = seen.agent
    if agent is not None and agent.state is RunState.FAILED:
        return BackupState.LATE, f"the last run failed: {agent.reason or 'no reason'}"
    if age > policy.expected:
        return BackupState.LATE, "the next one is due"
    return BackupState.OK, ""


def _lacking_since(seen: Seen, success: int | None) -> str:
    """What the newest run lacks, where it is newer than the newest complete one; nothing when that is not known."""
    since = -1 if success is None else success
    agent = seen.agent
    if agent is not None and agent.state is RunState.INCOMPLETE and agent.begun > since:
        return f"the last run lacks something: {agent.reason or 'incomplete'}"
    for report in filter(None, seen.stores.values()):
        if any(taken(one) > since for one in sort_out(report.vault, agent)[1]):
            return "the newest snapshot lacks something"
    return ""


def _on_its_way(seen: Seen, policy: BackupPolicy) -> str:
    """Whether a complete run that is young enough has just arrived and waits for the store's job."""
    report = seen.stores.get(policy.site)
    for one in sort_out(report.inbox, seen.agent)[0] if report else ():
        if seen.at - taken(one) <= policy.rpo and 0 <= seen.at - one.arrived <= VAULT_LAG:
            return f"arrived at {_utc(one.arrived)}, not in the vault yet"
    return ""


def _off(seen: Seen, policy: BackupPolicy, success: int) -> str:
    """Why it is taken to have been off; nothing when it is not.

    Never a machine whose availability is promised, one that a ticket calls silent already, one that was not seen for
    LONGEST_OFF, or one of which the log knows a newer snapshot: that one is lost. It does not answer now; or it was
    started after its next run was due, and has not had the time for delay, run and copy since.
    """
    if seen.always_on or seen.ticket is not None or seen.at - success > LONGEST_OFF:
        return ""
    if any(one.at > success for one in seen.recorded):
        return ""
    if not seen.answers:
        return f"it does not answer; its last snapshot is of {_utc(success)}"
    booted = seen.machine.booted if seen.machine else None
    if booted is None or booted <= success + policy.interval * 60:
        return ""
    if seen.at <= booted + policy.delay * 60 + policy.duration + VAULT_LAG:
        return f"it was started at {_utc(booted)} and catches up"
    return ""


def _last_words(seen: Seen) -> str:
    agent = seen.agent
    if not seen.answers:
        return "; it does not answer"
    if agent is None:
        return "; it reports no run"
    ended = "still running, or killed" if agent.state is RunState.RUNNING else agent.state.value
    return f"; its last run: {ended}" + (f", {agent.reason}" if agent.reason else "")


def _problems(seen: Seen, newest: Mapping[str, int]) -> Iterator[str]:
    """What a person has to look at besides: what stores say, a job that stands still, a snapshot that is gone."""
    for name, report in seen.stores.items():
        if report is None:
            yield f"{name}: could not be read"
            continue
        yield from (f"{name}: {one.code}" for one in report.problems)
        if seen.at - report.at > VAULT_LAG:
            yield f"{name}: its job has not run since {_utc(report.at)}"
        if report.vault_checked is not None and not report.vault_checked.ok:
            yield f"{name}: the vault does not check"
        known = max((one.at for one in seen.recorded if one.store == name), default=None)
        if known is not None and newest.get(name, -1) < known:
            yield f"{name}: the snapshot of {_utc(known)} was there and is gone"


def _utc(at: int) -> str:
    return datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
