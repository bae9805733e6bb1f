"""Proofs of backups as documents and as pages: drills, sabotages, probes, restorations. All is counted."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING

from provisioner.reporting.backups import length
from provisioner.reporting.page import Section
from provisioner.reporting.statements import utc

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from provisioner.model.drill import Compared, ProofReport

SAMPLED = "not_evaluable (sampled)"
"""What a sample says of the time that a restoration takes."""


def proof_document(report: ProofReport | None, *, rto: int | None) -> dict[str, object] | None:
    """Given what a drill came to and the rto in seconds, return what `backup.drill --json` says under `drill`."""
    if report is None:
        return None
    told = asdict(report)
    del told["tries"]
    of = utc(report.of) if report.of is not None else None
    measured = {"bytes_a_second": report.bytes_a_second, "rto": rto_word(report, rto=rto), "rto_seconds": rto}
    return {**told, "at": utc(report.at), "ended": utc(report.ended), "of": of, **measured}


def rto_word(report: ProofReport, *, rto: int | None) -> str:
    """Whether the promised time is kept: only a full drill that passed proves it."""
    if report.sabotage:
        return "not_evaluable (sabotage)"
    if not report.full:
        return SAMPLED
    if rto is None:
        return "not_evaluable (no rto is promised)"
    return "met" if report.passed and report.ended - report.at <= rto else "breached"


def drill_page(report: ProofReport, *, host: str, on: str, rto: int | None) -> list[Section]:
    """Given what a drill came to, return its page: the figures, each difference by kind, what is not kept, by name."""
    if report.sabotage:
        return [_sabotage(report, host, on)]
    passed = "passed" if report.passed else f"FAILED: {', '.join(report.reasons)}"
    lines = [f"{'full' if report.full else 'sampled'} drill of {host} on {on}: {passed}"]
    lines += [report.text] if report.text else []
    if report.snapshot:
        of = f" of {utc(report.of)}" if report.of is not None else ""
        known = "as the log has it" if report.manifest_known else "the log has no digest of it"
        lines.append(f"snapshot {report.snapshot[:12]}{of}; manifest {report.manifest[:12] or 'none'}, {known}")
    if report.compared is not None:
        lines += _figures(report, report.compared, rto)
    named = _named(report.compared) if report.compared else ()
    sections = [Section(lines=tuple(lines))]
    if named:
        sections.append(Section(title="named, the first of each sort", columns=("kind", "path"), rows=named))
    return sections


def _figures(report: ProofReport, compared: Compared, rto: int | None) -> Iterator[str]:
    speed = report.bytes_a_second
    rate = f", {speed / 1e6:.1f} MB a second" if speed else ""
    promised = f" (promised {length(rto)})" if rto is not None else ""
    yield f"restored {compared.bytes} bytes in {report.restore_ms / 1000:.1f} s{rate}"
    yield f"rto {rto_word(report, rto=rto)}{promised}"
    yield (
        f"{compared.compared} objects: {compared.equal} equal, {compared.different} different, "
        f"{compared.moving} changed while they were saved, {compared.unfaithful} not kept in full; "
        f"{compared.appeared} came meanwhile"
    )
    yield from _counts("differences", compared.differences)
    yield from _counts("not kept by restic", compared.not_kept)
    canaries = report.canaries
    yield f"canary files: {canaries['expected']}, {canaries['missing']} missing, {canaries['altered']} altered"
    if report.databases:
        known = report.databases
        rows = f"{known['rows']} rows in {known['tables']} tables"
        yield f"databases: {known['loaded']} loaded, {known['failed']} failed; {rows}"


def _counts(title: str, counts: Mapping[str, int]) -> Iterator[str]:
    if counts:
        yield f"{title}: {', '.join(f'{kind} {count}' for kind, count in counts.items())}"


def _named(compared: Compared) -> tuple[tuple[str, ...], ...]:
    return tuple((one.kind, one.path) for one in compared.named)


def _sabotage(report: ProofReport, host: str, on: str) -> Section:
    word = "every damage was noticed" if report.passed else f"FAILED: {report.text or ', '.join(report.reasons)}"
    touched = "untouched" if report.untouched else "CHANGED MEANWHILE"
    rows = tuple(
        ("undamaged copy" if one.kind == "none" else one.kind, _word(one.kind, one.noticed), ", ".join(one.reasons))
        for one in report.sabotage
    )
    lines = (f"sabotage of copies of the vault of {host} on {on}: {word}", f"the vault itself: {touched}")
    return Section(lines=lines, columns=("damage", "the drill", "why"), rows=rows)


def _word(kind: str, noticed: bool) -> str:
    if kind == "none":
        return "failed" if noticed else "passed"
    return "failed, as it must" if noticed else "PASSED: NOT NOTICED"


def probe_document(report: ProofReport | None, *, passed: bool) -> dict[str, object] | None:
    """Given what a probe came to and whether that proves it, return what `backup.probe --json` says under `probe`."""
    if report is None:
        return None
    tries = [{**one._asdict(), "kept": one.kept} for one in report.tries]
    return {
        "at": utc(report.ended),
        "passed": passed,
        "reasons": list(report.reasons),
        "text": report.text,
        "tries": tries,
    }


def probe_page(report: ProofReport, *, host: str, store: str, passed: bool) -> list[Section]:
    """Given what a probe came to, return its page: each thing that was tried, what was answered, what came of it."""
    word = (
        "every change refused"
        if passed
        else f"FAILED: {report.text or ', '.join(report.reasons) or 'too little tried'}"
    )
    rows = tuple(
        (
            one.name,
            one.answer,
            "changed" if one.changed else "unchanged",
            "as promised" if one.kept else "NOT AS PROMISED",
        )
        for one in report.tries
    )
    line = f"probe of {store} with the key of {host}: {word}"
    return [Section(lines=(line,), columns=("tried", "answer", "the object", ""), rows=rows)]


def restore_document(report: ProofReport | None) -> dict[str, object] | None:
    """Given what a restoration came to, return what `backup.restore --json` says under `restored`."""
    if report is None:
        return None
    told = asdict(report)
    for key in ("tries", "sabotage", "untouched", "canaries", "databases", "load_ms", "compare_ms"):
        del told[key]
    of = utc(report.of) if report.of is not None else None
    plan = [one._asdict() for one in report.plan]
    return {**told, "at": utc(report.at), "ended": utc(report.ended), "of": of, "plan": plan}


def restore_page(report: ProofReport, *, host: str, on: str, simulated: bool) -> list[Section]:
    """Given what a restoration came to, return its page: what, from when, how big, what was in the way."""
    done = "could begin" if simulated else "done"
    word = done if report.passed else f"FAILED: {', '.join(report.reasons)}"
    lines = [f"restoration of {host} on {on}: {word}"]
    lines += [report.text] if report.text else []
    if report.snapshot:
        of = f" of {utc(report.of)}" if report.of is not None else ""
        known = "as the log has it" if report.manifest_known else "the log has no digest of it"
        lines.append(f"snapshot {report.snapshot[:12]}{of}, {report.bytes} bytes; its manifest: {known}")
    if report.compared is not None:
        compared = report.compared
        lines.append(f"{compared.compared} objects: {compared.equal} equal, {compared.different} different")
        lines += [*_counts("differences", compared.differences), *_counts("not kept by restic", compared.not_kept)]
    rows = tuple((one.path, "in the way: moved aside" if one.there else "") for one in report.plan)
    return [Section(lines=tuple(lines), columns=("path", "") if rows else (), rows=rows)]
