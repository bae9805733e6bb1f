"""Scan entries: what a scan of one machine proved, to the body of its entry and back. Their form is public.

docs/reference/ledger_format.md describes the body: the service event that `patch_age` reads, and the evidence for it.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, NamedTuple, cast

from provisioner.ledger.canonical import instant
from provisioner.model.advisory import Unaged
from provisioner.model.redaction import redacted

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from provisioner.ledger.entry import Entry
    from provisioner.model.advisory import Assessed, Assessment, Snapshot

MOST_ISSUES = 20
"""So many issues of an update are named in an entry, the worst first; `issues` says how many there are."""

_LEVEL = "level"
_NAMES = frozenset(
    {"kind", "at", "asset", "intervention", "reason", "dated", "oldest.critical", "oldest.other"}
    | {f"advisories.{key}" for key in ("day", "digest", "list_digest")}
    | {"level.release", "level.session", "level.pending[].named[]"}
    | {
        f"level.pending[].{key}"
        for key in ("name", "architecture", "before", "version", "sha256", "kept", "source", "source_before")
    }
    | {f"level.pending[].{key}" for key in ("source_version", "severity", "known")}
)
"""Where a body holds words of ours, instants, digests, and names and versions of Debian's form: no secrets."""


def scan_body(
    intervention: str, found: Assessment, snapshot: Snapshot | None, *, hide: Callable[[str], str]
) -> dict[str, object]:
    """The body of `scan`: since when the oldest missing update was known, or why that cannot be said; the level read.

    `hide` takes the secrets of the machines out of every text but names, versions, digests and instants.
    """
    said: dict[str, object] = {"kind": "scan", "at": _text(found.at), "asset": found.asset}
    if found.oldest is not None:
        said["oldest"] = {severity.value: _text(at) for severity, at in found.oldest.items()}
    if found.reason is not None:
        said["reason"] = found.reason.value
    if found.reason is Unaged.STALE_ADVISORIES and snapshot is not None:
        said["dated"] = str(snapshot.day)
    used = None
    if snapshot is not None:
        used = {"day": str(snapshot.day), "digest": snapshot.digest, "list_digest": snapshot.list_digest}
    body = {**said, "intervention": intervention, "advisories": used, _LEVEL: _level(found)}
    return cast("dict[str, object]", redacted(body, hide, names=_NAMES))


def _level(found: Assessment) -> dict[str, object]:
    level = found.level
    return {
        "release": level.release,
        "boot": level.boot,
        "pending": [_pending(one) for one in found.updates],
        "left_out": level.left_out,
        "restart": list(level.restart),
        "failed_units": list(level.failed_units),
        "stale_services": list(level.stale_services),
        "free_mib": dict(level.free_mib),
        "interrupted": level.interrupted,
        "on_battery": level.on_battery,
        "session": level.session,
    }


def _pending(one: Assessed) -> dict[str, object]:
    return {
        **one.update._asdict(),
        "severity": one.severity.value if one.severity else None,
        "issues": len(one.issues),
        "named": list(one.issues[:MOST_ISSUES]),
        "known": _text(one.known),
    }


def first_seen(entries: Iterable[Entry]) -> dict[tuple[str, str], int]:
    """Given a log (its entries of kind `scan` are looked at), return when each package and version was first seen.

    What is not of our form is passed over: it was seen by somebody who knows more.
    """
    found: dict[tuple[str, str], int] = {}
    for entry in entries:
        level = entry.body.get(_LEVEL)
        pending = level.get("pending") if entry.kind == "scan" and isinstance(level, dict) else None
        at = int(entry.at.timestamp())
        for row in pending if isinstance(pending, list) else ():
            name, version = (row.get("name"), row.get("version")) if isinstance(row, dict) else (None, None)
            if isinstance(name, str) and isinstance(version, str):
                found[name, version] = min(at, found.get((name, version), at))
    return found


class SeenUpdate(NamedTuple):
    """One pending update as an entry has it: whether it would be taken, and could be undone."""

    name: str
    security: bool
    kept: bool
    undo: bool


def last_seen(entries: Iterable[Entry]) -> dict[str, tuple[int, tuple[SeenUpdate, ...]]]:
    """Given a log (its entries of kind `scan` are looked at), return when each asset was scanned last, and what waits.

    What is not of our form is passed over, as in `first_seen`.
    """
    found: dict[str, tuple[int, tuple[SeenUpdate, ...]]] = {}
    for entry in entries:
        asset, level = entry.body.get("asset"), entry.body.get(_LEVEL)
        pending = level.get("pending") if entry.kind == "scan" and isinstance(level, dict) else None
        if isinstance(asset, str) and isinstance(pending, list):
            rows = tuple(_seen(row) for row in pending if isinstance(row, dict))
            found[asset] = int(entry.at.timestamp()), rows
    return found


def _seen(row: Mapping[str, object]) -> SeenUpdate:
    return SeenUpdate(str(row.get("name")), row.get("security") is True, bool(row.get("kept")), row.get("undo") is True)


def _text(at: int) -> str:
    return instant(datetime.fromtimestamp(at, UTC))
