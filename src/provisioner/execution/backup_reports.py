"""What machines report of backups, by a strict allow-list: forms that are ours, bounded; the rest is left out.

A machine may lie; it cannot make an entry hold a path, a command or a text of its own choice. What is not of its form
is not there: a snapshot that cannot be read is none, a report that cannot be read is no report.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import datetime
from typing import TYPE_CHECKING

from provisioner.execution.forms import CODE, DIGEST, mapping, matching, number, sequence
from provisioner.execution.texts import clean
from provisioner.model.backup import (
    AgentReport,
    Checked,
    MachineReport,
    RunState,
    Snapshot,
    StoreProblem,
    StoreReport,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

BACKUPS = "provisioner_backups"
"""The statistic in which the role `backup_report` leaves what it read, by host."""

MOST_SNAPSHOTS = 5000
MOST_AGENTS = 1000
MOST_PROBLEMS = 20

_RUN = re.compile("[0-9a-f]{32}")
_TAG = re.compile("[a-z0-9][a-z0-9:._-]{0,79}")
_SUBSET = re.compile("[0-9]{1,3}/[0-9]{1,3}")
_NAME = re.compile("[a-z0-9]([a-z0-9.-]{0,251}[a-z0-9])?")
_INSTANT = re.compile(
    r"([0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2})(?:\.[0-9]{1,9})?(Z|[+-][0-9]{2}:[0-9]{2})"
)


def machine_report(value: object, secrets: tuple[str, ...]) -> MachineReport | None:
    """Given what one machine left, return it; None where it is no report at all."""
    if not isinstance(value, Mapping):
        return None
    agents = mapping(value.get("agents"))
    stored = {
        name: report
        for name, said in list(agents.items())[:MOST_AGENTS]
        if isinstance(name, str) and _NAME.fullmatch(name) and (report := _store(mapping(said), secrets)) is not None
    }
    return MachineReport(
        booted=instant(value.get("booted")),
        agent=_agent(mapping(value.get("agent")), secrets),
        completed=_agent(mapping(value.get("completed")), secrets),
        unreadable=len(sequence(value.get("unreadable"))),
        agents=stored,
    )


def instant(value: object) -> int | None:
    """Given `2026-11-30T20:00:00Z`, with a fraction or an offset too, return whole POSIX seconds; None for another."""
    found = _INSTANT.fullmatch(value) if isinstance(value, str) else None
    if found is None:
        return None
    try:
        return max(int(datetime.fromisoformat(found[1] + found[2].replace("Z", "+00:00")).timestamp()), 0)
    except (ValueError, OverflowError):
        return None


def _agent(said: Mapping[str, object], secrets: tuple[str, ...]) -> AgentReport | None:
    begun, state = instant(said.get("begun")), said.get("state")
    run = matching(said.get("run"), _RUN)
    known = {one.value: one for one in RunState}
    if begun is None or not run or not isinstance(state, str) or state not in known:
        return None
    missing = said.get("missing")
    return AgentReport(
        run=run,
        begun=begun,
        ended=instant(said.get("ended")),
        state=known[state],
        reason=matching(said.get("reason"), CODE),
        text=clean(said.get("text") or "", secrets),
        snapshot=matching(said.get("snapshot"), DIGEST),
        manifest=matching(said.get("manifest"), DIGEST),
        missing=len(missing) if isinstance(missing, list) else 0,
        **{key: number(said.get(key)) for key in ("unreadable", "files", "bytes", "seconds")},
    )


def _store(said: Mapping[str, object], secrets: tuple[str, ...]) -> StoreReport | None:
    at = instant(said.get("at"))
    if at is None:
        return None
    inbox, vault = mapping(said.get("inbox")), mapping(said.get("vault"))
    return StoreReport(
        at=at,
        inbox=tuple(_snapshots(inbox.get("snapshots"))),
        inbox_checked=_checked(mapping(inbox.get("checked")), secrets),
        quota=number(inbox.get("quota_bytes")),
        free=number(inbox.get("free_bytes")),
        vault=tuple(_snapshots(vault.get("snapshots"))),
        vault_checked=_checked(mapping(vault.get("checked")), secrets),
        vault_bytes=number(vault.get("bytes")),
        problems=tuple(_problems(said.get("problems"), at, secrets)),
    )


def _snapshots(value: object) -> Iterator[Snapshot]:
    """A snapshot whose verdict is another word than ok is not believed; a vault's have none."""
    for said in map(mapping, sequence(value)[-MOST_SNAPSHOTS:]):
        name, at, arrived = matching(said.get("id"), DIGEST), instant(said.get("time")), instant(said.get("arrived"))
        if not name or at is None or arrived is None:
            continue
        tags = (tag for tag in sequence(said.get("tags"))[:16] if isinstance(tag, str) and _TAG.fullmatch(tag))
        original = matching(said.get("original"), DIGEST)
        yield Snapshot(name, original, at, arrived, tuple(tags), sound=said.get("verdict", "ok") == "ok")


def _checked(said: Mapping[str, object], secrets: tuple[str, ...]) -> Checked | None:
    at = instant(said.get("at"))
    if at is None:
        return None
    text = clean(said.get("text") or "", secrets)
    return Checked(at, said.get("ok") is True, text, matching(said.get("subset"), _SUBSET))


def _problems(value: object, at: int, secrets: tuple[str, ...]) -> Iterator[StoreProblem]:
    """One that cannot be read is a problem all the same."""
    for said in map(mapping, sequence(value)[:MOST_PROBLEMS]):
        since = instant(said.get("since"))
        code = matching(said.get("code"), CODE) or "unreadable_problem"
        yield StoreProblem(code, clean(said.get("text") or "", secrets), at if since is None else since)


def reports(table: object, names: Iterable[str], secrets: Iterable[str]) -> dict[str, MachineReport]:
    """Given the statistic BACKUPS, return the report of each of the machines that left one."""
    said, hidden = mapping(table), tuple(secrets)
    found = {name: machine_report(said.get(name), hidden) for name in names}
    return {name: report for name, report in found.items() if report is not None}
