"""A statement with one of everything, by hand."""

from __future__ import annotations

from datetime import date, datetime
from decimal import Decimal

from provisioner.model.measurement import (
    Bounds,
    Credit,
    Holiday,
    Measurement,
    MonthTotal,
    State,
    Statement,
    Stretch,
)
from provisioner.model.objective import Metric
from provisioner.model.sentence import Sentence
from provisioner.model.values import Cause, Money, Percentage


def at(text: str) -> int:
    return int(datetime.fromisoformat(text).timestamp())


BREACHED = Measurement(
    contract="ACME-2026",
    objective="resolution-p1",
    metric=Metric.RESOLUTION_TIME,
    clause="objectives[1]",
    state=State.BREACHED,
    ticket="T-2",
    asset="srv-01",
    started=at("2026-11-02T09:00+01:00"),
    due=at("2026-11-03T09:00+01:00"),
    stopped=at("2026-11-03T10:30+01:00"),
    breached_at=at("2026-11-03T09:00+01:00"),
    elapsed_seconds=9 * 3600 + 1800,
    target_seconds=8 * 3600,
    held_seconds={Cause.CLIENT: 1800},
    holidays=(Holiday(date(2026, 11, 11), "Armistice"),),
    trace=(
        Stretch(at("2026-11-02T09:00+01:00"), at("2026-11-02T12:00+01:00"), True, "service"),
        Stretch(at("2026-11-02T12:00+01:00"), at("2026-11-02T14:00+01:00"), False, "closed"),
        Stretch(at("2026-11-02T14:00+01:00"), at("2026-11-02T14:30+01:00"), False, "hold", "client"),
    ),
    places=(4, 7),
)
RUNNING = Measurement(
    contract="ACME-2026",
    objective="response-p1",
    metric=Metric.RESPONSE_TIME,
    clause="objectives[0]",
    state=State.RUNNING,
    ticket="T-1",
    started=at("2026-10-25T02:30+01:00"),
    due=at("2026-10-25T03:30+01:00"),
    elapsed_seconds=600,
    target_seconds=3600,
    places=(1,),
)
SUPERSEDED = Measurement(
    contract="ACME-2026",
    objective="resolution-p2",
    metric=Metric.RESOLUTION_TIME,
    clause="objectives[2]",
    state=State.NOT_APPLICABLE,
    reason="superseded",
    ticket="T-2",
    places=(4,),
)
MONTH = Measurement(
    contract="ACME-2026",
    objective="availability",
    metric=Metric.AVAILABILITY,
    clause="objectives[3]",
    state=State.BREACHED,
    group="servers",
    month="2026-10",
    breached_at=at("2026-11-01T00:00+01:00"),
    bounds=Bounds(
        value=Decimal("99.49999"),
        lower=Decimal("99.49999"),
        upper=Decimal("99.80"),
        seconds={"service": 604800, "down": 3024, "unknown": 0, "maintenance": 0, "excluded": 0},
    ),
    places=(9, 12),
)
UNKNOWN = Measurement(
    contract="ACME-2026",
    objective="app-latency",
    metric=Metric.PERFORMANCE,
    clause="objectives[4]",
    state=State.NOT_EVALUABLE,
    reason="no figures",
    month="2026-09",
)

STATEMENT = Statement(
    as_of=at("2026-11-24T01:00:00+01:00"),
    contracts=("ACME-2026",),
    coverage="hosts",
    measurements=(BREACHED, MONTH, RUNNING, UNKNOWN, SUPERSEDED),
    credits=(
        Credit(
            contract="ACME-2026",
            objective="resolution-p1",
            clause="objectives[1].penalty.percent_of_fee",
            month="2026-11",
            amount=Money(Decimal("24.00")),
            reason=Sentence(
                "{percent} of the monthly fee of {fee}", percent=Percentage(Decimal(2)), fee=Money(Decimal(1200))
            ),
            measurement=BREACHED,
        ),
    ),
    totals={
        "2026-11": MonthTotal(before_cap=Money(Decimal("24.00")), after_cap=Money(Decimal("20.00")), cap="20.00"),
        "2026-10": MonthTotal(before_cap=Money(Decimal(0)), after_cap=Money(Decimal(0))),
    },
    held_seconds={Cause.CLIENT: 1800},
    notes=("a note",),
)
