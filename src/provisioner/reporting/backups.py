"""Backups as documents and as pages: what was set up, and where each machine stands."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING

from provisioner.model.backup import BackupState
from provisioner.reporting.page import Section
from provisioner.reporting.rollouts import local
from provisioner.reporting.statements import utc

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from provisioner.model.backup import BackupPolicy, BackupStanding, Checked, Effective
    from provisioner.model.mission_terms import Keep
    from provisioner.model.service_event import Drill


def policy_document(policy: BackupPolicy | None) -> dict[str, object] | None:
    """Given a policy, return what the contract makes of one agent; seconds, None stays None."""
    if policy is None:
        return None
    return {
        "rpo_seconds": policy.rpo,
        "rto_seconds": policy.rto,
        "interval_seconds": policy.interval * 60,
        "delay_seconds": policy.delay * 60,
        "duration_seconds": policy.duration,
        "duration_measured": policy.measured,
        "expected_seconds": policy.expected,
        "keep": asdict(policy.keep),
        "paths": list(policy.paths),
        "exclude": list(policy.exclude),
        "stores": list(policy.stores),
    }


def effective_document(found: Iterable[Effective]) -> list[dict[str, object]]:
    """Given the policies of agents, return what `backup.configure --json` says under `policies`."""
    return [{"asset": one.agent, "policy": policy_document(one.policy)} for one in found]


def effective_page(found: Sequence[Effective]) -> list[Section]:
    """Given the policies of agents, return the page of what is asked of each."""
    rows = tuple(_policy_row(one.agent, one.policy) for one in found if one.policy is not None)
    columns = ("machine", "every", "delay", "a run", "at most", "rpo", "kept", "paths", "stores")
    return [Section(title="what the contract makes of each machine", columns=columns, rows=rows)] if rows else []


def _policy_row(agent: str, policy: BackupPolicy) -> tuple[str, ...]:
    run = length(policy.duration) + ("" if policy.measured else " (taken)")
    return (
        agent,
        length(policy.interval * 60),
        length(policy.delay * 60),
        run,
        length(policy.expected),
        length(policy.rpo),
        _kept(policy.keep),
        " ".join(policy.paths),
        ", ".join(policy.stores),
    )


def _kept(keep: Keep) -> str:
    said = ", ".join(f"{count} {name}" for name, count in vars(keep).items() if count)
    return said or "everything"


def status_document(client: str, contract: str, at: int, standings: Iterable[BackupStanding]) -> dict[str, object]:
    """Given where the machines stand, return the document of `backup.status`; instants in UTC, sizes in bytes."""
    rows = list(standings)
    return {
        "client": client,
        "contract": contract,
        "as_of": utc(at),
        "states": {state.value: sum(one.state is state for one in rows) for state in BackupState},
        "machines": [_standing(one) for one in rows],
    }


def _standing(one: BackupStanding) -> dict[str, object]:
    return {
        "asset": one.asset,
        "proven": _proven(one.proven),
        "state": one.state.value,
        "reason": one.reason or None,
        "breached": one.breached,
        "success": utc(one.success),
        "age_seconds": one.age,
        "size_bytes": one.size,
        "checked": _checked(one.checked),
        "policy": policy_document(one.policy),
        "rules": [rule._asdict() for rule in one.rules],
        "problems": list(one.problems),
        "ticket": one.ticket,
    }


def _proven(drill: Drill | None) -> dict[str, object] | None:
    return {"at": utc(drill.ended), "full": drill.full, "entry": drill.place} if drill else None


def _checked(checked: Checked | None) -> dict[str, object] | None:
    return {"at": utc(checked.at), "ok": checked.ok, "subset": checked.subset or None} if checked else None


COLUMNS = ("machine", "last proven restore", "state", "last success", "age", "rpo", "size", "last check", "3-2-1-1-0")


def status_page(standings: Sequence[BackupStanding], *, zone: str) -> list[Section]:
    """Given where the machines stand, return the page of `backup.status`, in a time zone."""
    rows = tuple(_row(one, zone) for one in standings)
    sections = [Section(title="", columns=COLUMNS, rows=rows)]
    told = tuple(line for one in standings for line in _told(one))
    if told:
        sections.append(Section(title="to look at", lines=told))
    lacking = tuple(
        f"{one.asset}: {rule.asks}: {rule.evidence}" for one in standings for rule in one.rules if not rule.proven
    )
    if lacking:
        sections.append(Section(title="3-2-1-1-0, not proven", lines=lacking))
    return sections


def _row(one: BackupStanding, zone: str) -> tuple[str, ...]:
    proven = f"{local(one.proven.ended, zone)}{'' if one.proven.full else ', a sample'}" if one.proven else "never"
    checked = f"{local(one.checked.at, zone)}{'' if one.checked.ok else ': DAMAGED'}" if one.checked else "never"
    return (
        one.asset,
        proven,
        one.state.value,
        "never" if one.success is None else local(one.success, zone),
        "" if one.age is None else length(one.age),
        length(one.policy.rpo) if one.policy else "",
        "" if one.size is None else size(one.size),
        checked,
        "-".join(rule.name if rule.proven else "?" for rule in one.rules),
    )


def _told(one: BackupStanding) -> Iterator[str]:
    if one.reason:
        ticket = f"; ticket {one.ticket}" if one.ticket else ""
        yield f"{one.asset}: {one.state.value}: {one.reason}{ticket}"
    yield from (f"{one.asset}: {problem}" for problem in one.problems)


def length(seconds: int) -> str:
    """Seconds as `1d 2h`, `25h 30m` or `45s`: at most two parts, nothing rounded up."""
    if seconds < 60:
        return f"{seconds}s"
    parts = [(seconds // 86400, "d"), (seconds // 3600 % 24, "h"), (seconds // 60 % 60, "m")]
    return " ".join(f"{count}{unit}" for count, unit in [one for one in parts if one[0]][:2])


def size(count: int) -> str:
    """Bytes as `1.4 GiB`, rounded down to a tenth."""
    value, unit = count * 10, "B"
    for larger in ("KiB", "MiB", "GiB", "TiB"):
        if value < 10240:
            break
        value, unit = value // 1024, larger
    return f"{value // 10} B" if unit == "B" else f"{value // 10}.{value % 10} {unit}"
