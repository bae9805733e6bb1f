"""What machines report of drills, probes and restorations, by a strict allow-list: numbers, digests, codes, bounded.

A report that is not of its form is none, and a proof without a report did not happen. A machine may lie in its numbers;
it cannot make an entry hold a text of its own choice.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from provisioner.execution.backup_reports import instant
from provisioner.execution.forms import CODE, DIGEST, mapping, matching, number, sequence
from provisioner.execution.texts import clean
from provisioner.model.drill import SABOTAGES, Compared, Damage, Named, ProofReport, Restored, Try

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

PROOFS = "provisioner_drills"
"""The statistic in which the roles that prove leave what it came to, by host."""

MOST_NAMED, MOST_KINDS, MOST_TRIES = 60, 40, 40

_PATH = re.compile(r"/[A-Za-z0-9_.~/%-]{0,1500}")
_VERSION = re.compile(r"[0-9]{1,3}(\.[0-9]{1,4}){0,2}")
_ANSWER = re.compile(r"[0-9]{3}|no answer")


def proof_report(value: object, secrets: tuple[str, ...]) -> ProofReport | None:
    """Given what one machine left, return it; None where it is no report, or where it passes and says why not."""
    said = mapping(value)
    at, ended, passed = instant(said.get("at")), instant(said.get("ended")), said.get("passed")
    reasons = tuple(_codes(said.get("reasons")))
    if at is None or ended is None or ended < at or not isinstance(passed, bool) or passed is bool(reasons):
        return None
    return ProofReport(
        at=at,
        ended=ended,
        passed=passed,
        full=said.get("full") is True,
        reasons=reasons,
        text=clean(said.get("text") or "", secrets),
        of=instant(said.get("of")),
        manifest_known=said.get("manifest_known") is True,
        restic=matching(said.get("restic"), _VERSION),
        compared=_compared(said.get("compared")),
        canaries={key: number(mapping(said.get("canaries")).get(key)) for key in ("expected", "missing", "altered")},
        databases=_databases(said.get("databases")),
        sabotage=tuple(_sabotage(said.get("sabotage"))),
        untouched=said.get("untouched") is True,
        tries=tuple(_tries(said.get("tries"))),
        plan=tuple(_plan(said.get("plan"), secrets)),
        bytes=number(said.get("bytes")),
        snapshot=matching(said.get("snapshot"), DIGEST),
        original=matching(said.get("original"), DIGEST),
        manifest=matching(said.get("manifest"), DIGEST),
        restore_ms=number(said.get("restore_ms")),
        load_ms=number(said.get("load_ms")),
        compare_ms=number(said.get("compare_ms")),
        whole_ms=number(said.get("whole_ms")),
    )


def _codes(value: object) -> Iterator[str]:
    """A reason that cannot be read is a reason all the same."""
    for one in sequence(value)[:MOST_KINDS]:
        yield matching(one, CODE) or "unreadable_reason"


def _compared(value: object) -> Compared | None:
    said = mapping(value)
    keys = ("compared", "equal", "different", "moving", "unfaithful", "appeared", "bytes")
    if not said or any(key not in said for key in keys):
        return None
    rows = (*sequence(said.get("named"))[:MOST_NAMED], *sequence(said.get("not_kept_named"))[:MOST_NAMED])
    named = (Named(matching(row.get("path"), _PATH), matching(row.get("kind"), CODE)) for row in map(mapping, rows))
    return Compared(
        **{key: number(said.get(key)) for key in keys},
        differences=_counts(said.get("differences")),
        not_kept=_counts(said.get("not_kept")),
        named=tuple(one for one in named if one.path and one.kind),
    )


def _counts(value: object) -> dict[str, int]:
    pairs = list(mapping(value).items())[:MOST_KINDS]
    return {key: number(count) for key, count in pairs if matching(key, CODE)}


def _databases(value: object) -> dict[str, int]:
    rows = [mapping(row) for row in sequence(value)]
    if not rows:
        return {}
    failed = sum(row.get("text") != "" for row in rows)
    whole = {key: sum(number(row.get(key)) for row in rows) for key in ("tables", "rows")}
    return {"loaded": len(rows), "failed": failed, **whole}


def _sabotage(value: object) -> Iterator[Damage]:
    for row in map(mapping, sequence(value)[:MOST_KINDS]):
        kind = row.get("kind")
        if isinstance(kind, str) and kind in (*SABOTAGES, "none"):
            yield Damage(kind, row.get("noticed") is True, tuple(_codes(row.get("reasons"))))


def _tries(value: object) -> Iterator[Try]:
    for row in map(mapping, sequence(value)[:MOST_TRIES]):
        name, answer = matching(row.get("name"), CODE), matching(row.get("answer"), _ANSWER)
        if name and answer and isinstance(row.get("changed"), bool):
            yield Try(name, row.get("allowed") is True, answer, row["changed"] is True)


def _plan(value: object, secrets: tuple[str, ...]) -> Iterator[Restored]:
    for row in map(mapping, sequence(value)[:MOST_NAMED]):
        yield Restored(clean(row.get("path") or "", secrets), row.get("there") is True)


def proofs(table: object, names: Iterable[str], secrets: Iterable[str]) -> dict[str, ProofReport]:
    """Given the statistic PROOFS, return the report of each of the machines that left one."""
    said: Mapping[str, object] = mapping(table)
    hidden = tuple(secrets)
    found = {name: proof_report(said.get(name), hidden) for name in names}
    return {name: report for name, report in found.items() if report is not None}
