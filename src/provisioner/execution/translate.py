"""Translation: a runner's event record to what we are willing to remember, by allow-list.

Nothing that is not named here leaves a run: no arguments, no output, no facts, no diffs.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from provisioner.execution import backup_reports, proof_reports
from provisioner.execution.ports import Tally
from provisioner.execution.texts import clean
from provisioner.model.debian import PACKAGE, RELEASE, VERSION
from provisioner.model.event import Event, EventKind
from provisioner.model.intervention import Check, CheckResult
from provisioner.model.package import PackageChange
from provisioner.model.patch_level import PatchLevel, PendingUpdate

if TYPE_CHECKING:
    from collections.abc import Iterable

    from provisioner.model.backup import MachineReport
    from provisioner.model.drill import ProofReport
    from provisioner.model.plan import Step

KINDS: Mapping[str, EventKind] = {
    "playbook_on_play_start": EventKind.PLAY,
    "playbook_on_task_start": EventKind.TASK,
    "playbook_on_handler_task_start": EventKind.TASK,
    "runner_on_ok": EventKind.OK,
    "runner_on_failed": EventKind.FAILED,
    "runner_on_unreachable": EventKind.UNREACHABLE,
    "runner_on_skipped": EventKind.SKIPPED,
    "warning": EventKind.WARNING,
    "error": EventKind.WARNING,
}
"""The records that become events; every other record is passed over."""

CHECKS = "provisioner_checks"
"""The statistic in which the role `acceptance` leaves its table, by host."""

PACKAGES = "provisioner_packages"
"""The statistic in which `patch_level` leaves what is pending, and `patched_packages` what it chose, by host."""

MOST_PACKAGES = 5000
"""So many a machine has at most; what comes after them is not believed."""

LONGEST_RUN = 1e7
"""Seconds; a task that says it took longer is not believed."""

LEVEL = "provisioner_level"
"""The statistic in which `patch_level` leaves what it read of a machine, by host."""

MOST_PENDING = 2000
"""So many pending updates of a machine are read; with more the level says how many were left out."""

MOST_REASONS, SHORT = 50, 120
"""How many reasons for a restart, units or services are read of a level, and how many characters of each."""

_DIGEST = re.compile("[0-9a-f]{64}")
_UNIT = re.compile(r"[A-Za-z0-9:_.\\@-]{1,120}")
_MOUNT = re.compile("/|/(?:boot|boot/efi|efi|home|opt|srv|tmp|usr|usr/local|var(?:/[a-z]{1,20}){0,3})")
_KEPT = frozenset({"", "held", "phased", "removal", "dependencies"})
_SESSIONS = frozenset({"", "graphical", "text", "remote"})


def _mapping(value: object) -> Mapping[str, object]:
    return value if isinstance(value, Mapping) else {}


def _sequence(value: object) -> Sequence[object]:
    return value if isinstance(value, Sequence) and not isinstance(value, (str, bytes)) else ()


def _text(value: object) -> str:
    """A text or number as text, a list of them joined; a structure is nothing: who knows what else is in it."""
    if isinstance(value, (str, int, float)):
        return str(value)
    return "; ".join(filter(None, (str(item) for item in _sequence(value) if isinstance(item, (str, int, float)))))


def _message(record: Mapping[str, object], result: Mapping[str, object]) -> str:
    items = [_mapping(item) for item in _sequence(result.get("results"))]
    failed_items = [f"{_text(item.get('item'))}: {_text(item.get('msg'))}" for item in items if item.get("failed")]
    if failed_items:
        return "; ".join(failed_items)
    return _text(result.get("argument_errors")) or _text(result.get("msg")) or _text(record.get("stdout"))


def translate(record: Mapping[str, object], secrets: Iterable[str] = ()) -> Event | None:
    """Given one of the runner's records, return the event it stands for, or None when it is none of ours."""
    kind = KINDS.get(str(record.get("event")))
    if kind is None:
        return None
    data = _mapping(record.get("event_data"))
    result = _mapping(data.get("res"))
    if kind is EventKind.OK and result.get("changed") is True:
        kind = EventKind.CHANGED
    if kind is EventKind.FAILED and data.get("ignore_errors"):
        kind = EventKind.IGNORED
    secrets = tuple(secrets)
    telling = kind in (EventKind.FAILED, EventKind.IGNORED, EventKind.UNREACHABLE, EventKind.WARNING)
    duration = data.get("duration")
    return Event(
        kind=kind,
        host=clean(_text(data.get("host"))),
        role=clean(_text(data.get("role")), secrets),
        task=clean(_text(data.get("task")) or _text(data.get("play")), secrets),
        seconds=float(duration) if isinstance(duration, (int, float)) and 0 <= duration < LONGEST_RUN else 0.0,
        message=clean(_message(record, result), secrets) if telling else "",
    )


def tallies(record: Mapping[str, object]) -> dict[str, Tally]:
    """Given the record `playbook_on_stats`, return a tally for each host that it says was processed.

    A host with a count that is no number is left out: what cannot be read was not processed.
    """
    data = _mapping(record.get("event_data"))
    # Ansible's names; its `ok` counts changed tasks too.
    names = {"ok": "ok", "changed": "changed", "failures": "failed", "dark": "unreachable", "skipped": "skipped"}
    names |= {"rescued": "rescued", "ignored": "ignored"}
    counts: dict[str, dict[str, object]] = {str(host): {} for host in _mapping(data.get("processed"))}
    for theirs, ours in names.items():
        for host, count in _mapping(data.get(theirs)).items():
            counts.setdefault(str(host), {})[ours] = count
    numbers = {host: {name: n for name, n in count.items() if type(n) is int} for host, count in counts.items()}
    return {host: Tally(**numbers[host]) for host, count in counts.items() if len(numbers[host]) == len(count)}


def checks(record: Mapping[str, object], step: Step, secrets: Iterable[str] = ()) -> dict[str, tuple[Check, ...]]:
    """Given the record `playbook_on_stats`, return the acceptance table of each asset of the step.

    A row that is not of the agreed form counts as failed: a table that cannot be read proves nothing.
    """
    table = _mapping(_mapping(_mapping(record.get("event_data")).get("artifact_data")).get(CHECKS))
    found = {name: _sequence(table[name]) for name in step.assets if name in table}
    hidden = tuple(secrets)
    return {name: tuple(_check(_mapping(row), hidden) for row in rows) for name, rows in found.items()}


def _check(row: Mapping[str, object], secrets: tuple[str, ...]) -> Check:
    known = {result.value for result in CheckResult}
    result = str(row.get("result"))
    return Check(
        name=clean(row.get("name", "unnamed"), secrets),
        asked=clean(row.get("asked", ""), secrets),
        found=clean(row.get("found", ""), secrets),
        result=CheckResult(result) if result in known else CheckResult.FAIL,
        personal=row.get("personal") is True,
    )


def packages(record: Mapping[str, object], step: Step) -> dict[str, tuple[PackageChange, ...]]:
    """Given the record `playbook_on_stats`, return the packages chosen on each asset of the step.

    A row that is not of Debian's form (Debian Policy 5.6.1, 5.6.12) is left out: its file is never looked for.
    """
    table = _mapping(_mapping(_mapping(record.get("event_data")).get("artifact_data")).get(PACKAGES))
    rows = {name: _sequence(table[name])[:MOST_PACKAGES] for name in step.assets if name in table}
    return {name: tuple(filter(None, map(_package, map(_mapping, found)))) for name, found in rows.items()}


def _package(row: Mapping[str, object]) -> PackageChange | None:
    text = {key: _text(row.get(key)) for key in PackageChange._fields if key != "security"}
    sound = (
        PACKAGE.fullmatch(text["name"])
        and PACKAGE.fullmatch(text["architecture"])
        and VERSION.fullmatch(text["version"])
        and (not text["before"] or VERSION.fullmatch(text["before"]))
        and _DIGEST.fullmatch(text["sha256"])
    )
    return PackageChange(**text, security=row.get("security") is True) if sound else None


def levels(record: Mapping[str, object], step: Step, secrets: Iterable[str] = ()) -> dict[str, PatchLevel]:
    """Given the record `playbook_on_stats`, return the patch level of each asset of the step that handed one over.

    Only the fields of a level are read, each in its form and size. An update that is not of Debian's form, or beyond
    MOST_PENDING, is counted in `left_out`; a package that an update would bring along (no `before`) is none.
    """
    table = _mapping(_mapping(_mapping(record.get("event_data")).get("artifact_data")).get(LEVEL))
    found = {name: _mapping(table[name]) for name in step.assets if name in table}
    hidden = tuple(secrets)
    return {name: _level(row, hidden) for name, row in found.items() if row}


def _level(row: Mapping[str, object], secrets: tuple[str, ...]) -> PatchLevel:
    told = [update for update in map(_mapping, _sequence(row.get("pending"))) if update.get("before") != ""]
    pending = tuple(filter(None, (_update(update, secrets) for update in told[:MOST_PENDING])))
    release, session = _text(row.get("release")), _text(row.get("session"))
    return PatchLevel(
        release=release if RELEASE.fullmatch(release) else "",
        boot=_short(row.get("boot"), secrets),
        pending=pending,
        restart=tuple(_short(one, secrets) for one in _texts(row.get("restart"))),
        failed_units=_units(row.get("failed_units")),
        stale_services=_units(row.get("stale_services")),
        free_mib={
            mount: free
            for mount, free in _mapping(row.get("free_mib")).items()
            if isinstance(mount, str) and _MOUNT.fullmatch(mount) and type(free) is int and 0 <= free < 1 << 40
        },
        interrupted=row.get("interrupted") is not False,
        on_battery=row.get("on_battery") is True,
        session=session if session in _SESSIONS else "unknown",
        left_out=len(told) - len(pending) + (not isinstance(row.get("pending"), list)),
    )


def _short(value: object, secrets: tuple[str, ...]) -> str:
    """A short text in ASCII, which is all that these programs write."""
    return clean(_text(value), secrets).encode("ascii", "replace").decode()[:SHORT]


def _texts(value: object) -> list[str]:
    return [item for item in _sequence(value) if isinstance(item, str)][:MOST_REASONS]


def _units(value: object) -> tuple[str, ...]:
    """Names of units; that of a mount below /home, which is a person's, without it."""
    found = (name for name in _texts(value) if _UNIT.fullmatch(name))
    return tuple("home-*" if name.startswith("home-") else name for name in found)


def _update(row: Mapping[str, object], secrets: tuple[str, ...]) -> PendingUpdate | None:
    text = {key: _text(row.get(key)) for key in PendingUpdate._fields if key not in ("security", "undo")}
    sound = (
        all(PACKAGE.fullmatch(text[key]) for key in ("name", "architecture", "source"))
        and all(VERSION.fullmatch(text[key]) for key in ("before", "version", "source_before", "source_version"))
        and (not text["sha256"] or _DIGEST.fullmatch(text["sha256"]))
        and text["kept"] in _KEPT
    )
    if not sound:
        return None
    text["origin"] = _short(text["origin"], secrets)
    return PendingUpdate(**text, security=row.get("security") is True, undo=row.get("undo") is True)


def backups(record: Mapping[str, object], step: Step, secrets: Iterable[str] = ()) -> dict[str, MachineReport]:
    """Given the record `playbook_on_stats`, return what each asset of the step reports of backups."""
    artifact = _mapping(_mapping(record.get("event_data")).get("artifact_data"))
    return backup_reports.reports(artifact.get(backup_reports.BACKUPS), step.assets, secrets)


def proofs(record: Mapping[str, object], step: Step, secrets: Iterable[str] = ()) -> dict[str, ProofReport]:
    """Given the record `playbook_on_stats`, return what each asset of the step reports of proofs of backups."""
    artifact = _mapping(_mapping(record.get("event_data")).get("artifact_data"))
    return proof_reports.proofs(artifact.get(proof_reports.PROOFS), step.assets, secrets)
