"""Audit: read, show and verify a client's log. Needs the database and what is public beside it; no signing key."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from provisioner.config.document import did_you_mean
from provisioner.errors import LedgerError, UsageError
from provisioner.ledger import keys, published
from provisioner.ledger.canonical import texts
from provisioner.ledger.consistency import prove_consistency
from provisioner.ledger.names import client_of
from provisioner.ledger.verify import Anchor, Evidence, Report, verify
from provisioner.missions.anchors import NOBODY
from provisioner.model.values import shown

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime
    from pathlib import Path

    from provisioner.ledger.book import Book
    from provisioner.ledger.checkpoint import Checkpoint
    from provisioner.ledger.entry import Entry
    from provisioner.missions.anchors import Vouched

_REFERENCE = re.compile(r"(op|pv)-[0-9a-f]+")
_DIGITS = 18
"""An index with more has no place in a database."""
_FINGERPRINT = re.compile(r"[0-9a-fA-F]{64}")


@dataclass(frozen=True, kw_only=True)
class Filter:
    """Which rows to list; what is not given filters nothing. `since` is included, `until` is not; both are aware."""

    host: str | None = None
    since: datetime | None = None
    until: datetime | None = None
    outcome: str | None = None
    operator: str | None = None


@dataclass(frozen=True, kw_only=True)
class Row:
    """One entry on one line. A closing entry takes mission, hosts and ticket from the entry that opened it.

    `operator` is the pseudonym, `person` who that is, where that is still known; `outcome` is empty for an entry that
    has none.
    """

    index: int
    at: datetime
    kind: str
    operator: str
    person: str | None
    intervention: str
    mission: str
    clause: str
    hosts: tuple[str, ...]
    outcome: str
    ticket: str
    simulated: bool


@dataclass(frozen=True, kw_only=True)
class Shown:
    """An entry in full: `known` says what the references in it stand for, where that is still kept."""

    entry: Entry
    known: Mapping[str, str]


def log(book: Book, chosen: Filter) -> list[Row]:
    """Return the rows of the log that the filter lets through, oldest first; kinds nobody knows are rows like others.

    Raises UsageError when the client has no log, LedgerError at an entry whose bytes are not an entry: `verify_log`
    says more.
    """
    refuse_unknown(book)
    people: dict[str, str | None] = {}
    opened: dict[str, Row] = {}
    rows = []
    for entry in book.entries():
        if entry.operator not in people:
            people[entry.operator] = book.person(entry.operator)
        row = _row(entry, opened, person=people[entry.operator])
        if entry.kind == "opened":
            opened[row.intervention] = row
        if _chosen(row, chosen):
            rows.append(row)
    return rows


def show(book: Book, wanted: str) -> tuple[Shown, ...]:
    """Return the entry with the index `wanted`, or every entry of the intervention with that id.

    Raises UsageError when there is none, or the client has no log.
    """
    refuse_unknown(book)
    if wanted.isdecimal() and len(wanted) <= _DIGITS:
        entry = book.entry(int(wanted))
        found = [entry] if entry else []
    else:
        found = [entry for entry in book.entries() if entry.body.get("intervention") == wanted]
    if not found:
        raise UsageError(f"{book.origin} has no entry and no intervention {shown(wanted)}", hint="see audit.log")
    return tuple(Shown(entry=entry, known=_known(book, entry)) for entry in found)


def refuse_unknown(book: Book) -> None:
    """Raise UsageError, naming the clients that there are, when the client has no log.

    Raises LedgerError when the log has no entry, but a checkpoint of it was published: it had entries.
    """
    if not _is_empty(book):
        return
    client, clients = client_of(book.origin), book.clients()
    heads, unreadable = published.read_all(book.checkpoint_folder)
    if not heads and not unreadable:
        hint = f"there are logs of: {', '.join(clients)}" if clients else "nothing was recorded here yet"
        raise UsageError(f"there is no log of {shown(client)}{did_you_mean(client, clients)}", hint=hint)
    if _is_empty(book):  # and was not begun since
        signed = f"{heads[-1].size} entries were signed" if heads else "its checkpoints cannot be read"
        raise LedgerError(
            f"the log of {shown(client)} is gone: the database holds no entry of it, but {signed}",
            hint="restore the database from its backup; audit.verify says more",
        )


def _is_empty(book: Book) -> bool:
    return next(book.leaves(), None) is None


def verify_log(book: Book, *, kept: Path | None = None, fingerprint: str = "", vouched: Vouched = NOBODY) -> Report:
    """Verify the log against the checkpoints beside it, and against what was kept outside.

    `kept` is a file with a checkpoint of this log, `fingerprint` the SHA-256 of the log's public key in hex, `vouched`
    what witnesses and time-stamp authorities say of it. Where `kept` holds, the report has the proof that the log only
    grew since. Raises UsageError for a file or fingerprint that cannot be compared with this log at all.
    """
    if fingerprint and not _FINGERPRINT.fullmatch(fingerprint):
        raise UsageError(f"{fingerprint!r} is not a key fingerprint: 64 hex digits are expected")
    copy = _kept_checkpoint(kept, book.origin) if kept else None
    own = (Anchor(checkpoint=copy, name=f"checkpoint {kept}"),) if copy else ()
    outside = Evidence(
        origin=book.origin, anchors=(*own, *vouched.anchors), fingerprint=fingerprint, damaged=vouched.damaged
    )
    evidence = _gathered(book, outside)
    report = verify(book, evidence)
    if report.exit_code and (fresh := _gathered(book, outside)) != evidence:
        # Somebody wrote meanwhile: the entries are newer than the files they were compared with.
        evidence, report = fresh, verify(book, fresh)
    warnings = (*report.warnings, *_beside(book, evidence), *vouched.warnings)
    return _with_proof(book, replace(report, warnings=warnings), copy, heads=evidence.checkpoints)


def _gathered(book: Book, outside: Evidence) -> Evidence:
    """Return the evidence from outside with what the state folder holds now: the checkpoints and the public key."""
    checkpoints, unreadable = published.read_all(book.checkpoint_folder)
    damaged = tuple(f"{file.name} in the folder of checkpoints cannot be read: {file.why}" for file in unreadable)
    evidence = replace(outside, checkpoints=checkpoints, damaged=(*damaged, *outside.damaged))
    try:
        return replace(evidence, key=keys.load_verifier(book.key_folder))
    except LedgerError as error:
        return replace(evidence, damaged=(*evidence.damaged, str(error)))


def _beside(book: Book, evidence: Evidence) -> tuple[str, ...]:
    """Say what is amiss beside the log: it changes no answer about the log itself."""
    lacks = (f"{book.key_folder / keys.VERIFIER_KEY} is missing: the log's keys were compared with no file",)
    return (*(() if evidence.key or evidence.damaged else lacks), *book.schema_changes())


def _with_proof(book: Book, report: Report, copy: Checkpoint | None, *, heads: tuple[Checkpoint, ...]) -> Report:
    """Add the proof from the copy to the newest head to a report that says that all of them hold."""
    if copy is None or copy.size == 0 or report.exit_code:
        return report
    newest = max((copy, *heads), key=lambda head: head.size)
    found = prove_consistency(book, copy, newest)
    stale = ("the cached nodes do not give the proof: it was made from the entries",) if found.stale else ()
    return replace(report, consistency=found, warnings=(*report.warnings, *stale))


def _kept_checkpoint(path: Path, origin: str) -> Checkpoint:
    """Return the checkpoint in a file of its own, with or without cosignatures, or in a tlog-proof (C2SP)."""
    try:
        checkpoint = published.read_checkpoint(path)
    except LedgerError as error:
        raise UsageError(str(error)) from error
    if checkpoint.origin != origin:
        raise UsageError(f"{path}: this is a checkpoint of {checkpoint.origin}, not of {origin}")
    return checkpoint


def _row(entry: Entry, opened: Mapping[str, Row], *, person: str | None) -> Row:
    body = entry.body
    before = opened.get(_text(body, "intervention"))
    return Row(
        index=entry.index,
        at=entry.at,
        kind=entry.kind,
        operator=entry.operator,
        person=person,
        intervention=_text(body, "intervention"),
        mission=_text(body, "mission") or (before.mission if before else ""),
        clause=_text(body, "clause") or (before.clause if before else ""),
        hosts=_hosts(body) or (before.hosts if before else ()),
        outcome=_text(body, "outcome"),
        ticket=_text(body, "ticket") or (before.ticket if before else ""),
        simulated=body.get("simulated") is True or (before is not None and before.simulated),
    )


def _chosen(row: Row, chosen: Filter) -> bool:
    return (
        (chosen.host is None or chosen.host in row.hosts)
        and (chosen.since is None or row.at >= chosen.since)
        and (chosen.until is None or row.at < chosen.until)
        and (chosen.outcome is None or chosen.outcome == row.outcome)
        and (chosen.operator is None or chosen.operator in (row.operator, row.person))
    )


def _text(body: Mapping[str, object], name: str) -> str:
    value = body.get(name)
    return value if isinstance(value, str) else ""


def _hosts(body: Mapping[str, object]) -> tuple[str, ...]:
    """Return the machines an entry names: `assets`, as names or as objects with a `name`, or one `asset`."""
    assets = body.get("assets")
    listed = assets if isinstance(assets, list) else []
    named = [asset.get("name") if isinstance(asset, dict) else asset for asset in [*listed, body.get("asset")]]
    return tuple(name for name in named if isinstance(name, str))


BLANKED = "a contract whose text an erasure blanked: this digest can no longer be shown"


def _known(book: Book, entry: Entry) -> dict[str, str]:
    digests = {_text(entry.body, name) for name in ("digest", "contract_digest")} - {""}
    blanked = {digest: BLANKED for digest in sorted(digests) if book.is_blanked(digest)}
    references = {text for text in texts([entry.operator, entry.body]) if _REFERENCE.fullmatch(text)}
    values = {reference: book.person(reference) or book.reveal(reference) for reference in sorted(references)}
    return blanked | {reference: value for reference, value in values.items() if value is not None}
