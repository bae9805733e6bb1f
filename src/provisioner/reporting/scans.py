"""A scan for updates, as a document and as a page: what each machine lacks, the worst and oldest first."""

from __future__ import annotations

from typing import TYPE_CHECKING

from provisioner.reporting.interventions import intervention_document
from provisioner.reporting.page import Section
from provisioner.reporting.rollouts import local
from provisioner.reporting.statements import utc

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from provisioner.model.advisory import Assessed, Assessment, Snapshot
    from provisioner.model.intervention import AssetResult, Intervention

MOST_NAMED = 3
"""So many issues of an update are named on a page; a document has all."""


def scan_document(found: Intervention, machines: Sequence[Assessment], snapshot: Snapshot | None) -> dict[str, object]:
    """Given a scan, return the document of `patch.scan`; a machine that was not read is in no `levels`."""
    used = None
    if snapshot is not None:
        used = {"day": str(snapshot.day), "digest": snapshot.digest, "list_digest": snapshot.list_digest}
    pending = {result.name: () for result in found.assets} | {one.asset: one.updates for one in machines}
    return {
        **intervention_document(found),
        "advisories": used,
        "pending": {name: [_row(update) for update in updates] for name, updates in pending.items()},
        "levels": {one.asset: _level(one) for one in machines},
    }


def _row(one: Assessed) -> dict[str, object]:
    severity = one.severity.value if one.severity else None
    return {**one.update._asdict(), "severity": severity, "issues": list(one.issues), "known": utc(one.known)}


def _level(one: Assessment) -> dict[str, object]:
    level = one.level
    return {
        "at": utc(one.at),
        "oldest": None if one.oldest is None else {severity.value: utc(at) for severity, at in one.oldest.items()},
        "reason": one.reason.value if one.reason else None,
        "release": level.release,
        "boot": level.boot,
        "left_out": level.left_out,
        "restart": list(level.restart),
        "failed_units": list(level.failed_units),
        "stale_services": list(level.stale_services),
        "free_mib": dict(level.free_mib),
        "interrupted": level.interrupted,
        "on_battery": level.on_battery,
        "session": level.session,
    }


def scan_page(
    found: Intervention, machines: Sequence[Assessment], snapshot: Snapshot | None, *, zone: str
) -> list[Section]:
    """Given the same, return the page for a person; times are those of a zone."""
    read = {one.asset: one for one in machines}
    rows = [row for result in found.assets for row in _rows(result, read.get(result.name), zone)]
    columns = ("machine", "outcome", "pending", "installed", "offered", "severity", "issues", "known since", "kept")
    entries = ", ".join(map(str, found.entries))
    ended = f"outcome {found.outcome}; clause {found.clause}; log entries {entries}"
    title = f"Pending updates under contract {found.contract}"
    return [
        Section(title=title, lines=(_advisories(machines, snapshot),), columns=columns, rows=tuple(rows)),
        *_state(read),
        Section(lines=(ended, f"intervention {found.id}")),
    ]


def _rows(result: AssetResult, one: Assessment | None, zone: str) -> list[tuple[str, ...]]:
    named = result.name, result.outcome.value
    if one is None:
        said = result.reason.text if result.reason else "it handed no patch level over"
        return [(*named, said, *[""] * 6)]
    rows: list[tuple[str, ...]] = []
    for update, severity, issues, known in one.updates:
        kind = f"{severity.value if severity else 'unknown'}{', security' if update.security else ''}"
        more = f" and {len(issues) - MOST_NAMED} more" if len(issues) > MOST_NAMED else ""
        ended = ", ".join(issues[:MOST_NAMED]) + more
        rows.append((update.name, update.before, update.version, kind, ended, local(known, zone), update.kept))
    nothing = "nothing that could be read" if one.level.left_out else "nothing is pending"
    first, *others = rows or [(nothing, *[""] * 6)]
    return [(*named, *first), *(("", "", *other) for other in others)]


def _advisories(machines: Sequence[Assessment], snapshot: Snapshot | None) -> str:
    """By which advisories, and why an age cannot be said of machines."""
    without: dict[str, list[str]] = {}
    for one in machines:
        if one.reason:
            without.setdefault(one.reason.value, []).append(one.asset)
    said = "; ".join(f"{reason}: {', '.join(names)}" for reason, names in without.items())
    day = f"advisories of {snapshot.day}" if snapshot else "no advisories"
    return f"{day}; no age can be told ({said})" if said else day


def _state(read: Mapping[str, Assessment]) -> list[Section]:
    """What else there is to know before work on the machines begins."""
    rows = tuple((name, what, said) for name, one in read.items() for what, said in _facts(one) if said)
    return [Section(title="Before work on them", columns=("machine", "what", "found"), rows=rows)] if rows else []


def _facts(one: Assessment) -> Sequence[tuple[str, str]]:
    level = one.level
    return (
        ("a restart is due", ", ".join(level.restart)),
        ("run on old files", ", ".join(level.stale_services)),
        ("failed units", ", ".join(level.failed_units)),
        ("dpkg", "was interrupted" if level.interrupted else ""),
        ("power", "on battery" if level.on_battery else ""),
        ("session", level.session),
        ("updates that could not be read", str(level.left_out or "")),
    )
