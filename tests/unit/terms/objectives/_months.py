"""Contracts, events and instants of October and November 2026 in Europe/Paris, for the tests of results by month."""

from __future__ import annotations

from datetime import date, datetime
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

from provisioner.model.contract import Contract, LoadedContract
from provisioner.model.objective import Metric, Objective, parse_target
from provisioner.model.record import Membership, Record
from provisioner.model.service_event import AssetEvent, AssetEventKind
from provisioner.terms.statement import statement
from provisioner.testing import loaded, make_contract

if TYPE_CHECKING:
    from provisioner.model.measurement import Measurement, Statement

PARIS = ZoneInfo("Europe/Paris")
DAY, HOUR = 86_400, 3_600
NOBODY_KNOWS = Membership(groups=None)


def at(text: str) -> int:
    """POSIX seconds of a wall time in Paris such as `2026-11-02 09:00`."""
    return int(datetime.fromisoformat(text).replace(tzinfo=PARIS).timestamp())


def objective(metric: Metric, target: str, **changes: Any) -> Objective:
    """An objective called `it`."""
    return Objective(**{"id": "it", "metric": metric, "target": parse_target(target), **changes})


def contract(*objectives: Objective, **changes: Any) -> Contract:
    """A contract of November 2026 with a fee of 1000.00."""
    return make_contract(**{"starts": date(2026, 11, 1), "objectives": objectives, "assets": ("servers",), **changes})


def asset(when: str, kind: AssetEventKind, name: str = "srv-01", **more: Any) -> AssetEvent:
    """An event of an asset, placed where the second of its instant says, which no two have in common."""
    instant = at(when)
    return AssetEvent(**{"at": instant, "place": instant, "asset": name, "kind": kind, "recorded": instant, **more})


def state(
    terms: Contract | LoadedContract,
    *,
    as_of: str = "2026-12-01 00:00",
    membership: Membership = NOBODY_KNOWS,
    traced: bool = False,
    **events: Any,
) -> Statement:
    """The statement of one contract over events."""
    one = terms if isinstance(terms, LoadedContract) else loaded(terms)
    record = Record(origin="events.jsonl", **events)
    return statement([one], record, membership=membership, as_of=at(as_of), traced=traced)


def only(found: Statement) -> Measurement:
    """The one measurement of a statement."""
    (one,) = found.measurements
    return one
