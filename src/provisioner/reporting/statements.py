"""A statement as a document: what `sla.replay --json` and `sla.statement --json` print. The keys are stable."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

from provisioner.model.values import Cause

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from decimal import Decimal

    from provisioner.model.measurement import Bounds, Credit, Measurement, MonthTotal, Statement, Stretch


def utc(at: int | None) -> str | None:
    """POSIX seconds as UTC text, `2026-11-23T14:00:00Z`; None stays None."""
    return None if at is None else datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def statement_document(statement: Statement) -> dict[str, object]:
    """Given a statement, return the document: contract.md's keys and more; money and shares as text, instants in UTC.

    `contract` is null where several are stated; `contracts` has them all. Measurements of tickets come first, the
    tickets in the order they were read in, then the results by month. `held_seconds` of the whole has every cause: the
    client's delay beside the provider's own.
    """
    contracts = list(statement.contracts)
    return {
        "as_of": utc(statement.as_of),
        "contract": contracts[0] if len(contracts) == 1 else None,
        "contracts": contracts,
        "coverage": statement.coverage,
        "measurements": [measurement_document(measurement) for measurement in in_order(statement.measurements)],
        "credits": [_credit(credit) for credit in statement.credits],
        "total": {month: _total(total) for month, total in sorted(statement.totals.items())},
        "held_seconds": {cause.value: statement.held_seconds.get(cause, 0) for cause in Cause},
        "notes": [str(note) for note in statement.notes],
    }


def in_order(measurements: Iterable[Measurement]) -> list[Measurement]:
    """Given measurements, return those of tickets, ticket by ticket as first met, then those by month, by month."""
    found = list(measurements)
    ranks: dict[str | None, int] = {}
    for measurement in found:
        ranks.setdefault(measurement.ticket, len(ranks))
    return sorted(found, key=lambda m: (m.ticket is None, "" if m.ticket else m.month or "", ranks[m.ticket]))


def measurement_document(measurement: Measurement) -> dict[str, object]:
    """Given a measurement, return the object that stands for it in a document."""
    return {
        "ticket": measurement.ticket,
        "group": measurement.group,
        "asset": measurement.asset,
        "month": measurement.month,
        "contract": measurement.contract,
        "objective": measurement.objective,
        "metric": measurement.metric.value if measurement.metric else None,
        "clause": measurement.clause,
        "state": measurement.state.value,
        "reason": str(measurement.reason),
        "started": utc(measurement.started),
        "due": utc(measurement.due),
        "stopped": utc(measurement.stopped),
        "breached_at": utc(measurement.breached_at),
        "elapsed_seconds": measurement.elapsed_seconds,
        "target_seconds": measurement.target_seconds,
        "held_seconds": _held(measurement.held_seconds),
        "bounds": _bounds(measurement.bounds) if measurement.bounds else None,
        "holidays": [{"day": str(holiday.day), "name": holiday.name} for holiday in measurement.holidays],
        "events": list(measurement.places),
        "trace": [_stretch(stretch) for stretch in measurement.trace],
    }


def _held(held: Mapping[Cause, int]) -> dict[str, int]:
    return {cause.value: seconds for cause, seconds in sorted(held.items())}


def _bounds(bounds: Bounds) -> dict[str, object]:
    return {
        "value": _number(bounds.value),
        "lower": _number(bounds.lower),
        "upper": _number(bounds.upper),
        "seconds": dict(sorted(bounds.seconds.items())),
    }


def _number(value: Decimal) -> str:
    """A Decimal as plain digits, without zeros that say nothing."""
    text = f"{value:f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


def _stretch(stretch: Stretch) -> dict[str, object]:
    return {
        "start": utc(stretch.start),
        "end": utc(stretch.end),
        "counted": stretch.counted,
        "why": stretch.why,
        "detail": stretch.detail,
    }


def _credit(credit: Credit) -> dict[str, object]:
    measurement = credit.measurement
    return {
        "objective": credit.objective,
        "ticket": measurement.ticket,
        "group": measurement.group,
        "asset": measurement.asset,
        "month": credit.month,
        "amount": str(credit.amount),
        "reason": str(credit.reason),
        "contract": credit.contract,
        "clause": credit.clause,
        "breached_at": utc(measurement.breached_at),
        "events": list(measurement.places),
    }


def _total(total: MonthTotal) -> dict[str, str]:
    return {"before_cap": str(total.before_cap), "after_cap": str(total.after_cap), "cap": str(total.cap)}
