"""A year of tickets, the same for every run: a contract, 100,000 tickets and about five events each."""

from __future__ import annotations

import json
import random
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

TICKETS = 100_000
DAY = 86_400
BEGINS = int(datetime(2026, 1, 1, tzinfo=UTC).timestamp())
AS_OF = int(datetime(2027, 3, 1, tzinfo=UTC).timestamp())

CONTRACT = """\
id: BENCH-2026
client: {id: bench, name: Bench SAS}
provider: {name: Exemple Infogérance}
language: fr
currency: EUR
timezone: Europe/Paris
monthly_fee: "120000.00"
starts: 2026-01-01
ends: 2027-12-31
assets: [servers]
missions: {service_desk: {}}
calendars:
  office: {timezone: Europe/Paris, hours: {mon-fri: ["08:00-12:00", "14:00-18:00"]}, holidays: FR}
  always: {timezone: Europe/Paris, hours: always}
objectives:
  - {id: response-p1, metric: response_time, priority: P1, target: 6h, calendar: always, grace: 5m,
     penalty: {per_breach: "50.00"}}
  - {id: response-p2, metric: response_time, priority: P2, target: 12h, calendar: office,
     penalty: {per_breach: "20.00"}}
  - {id: response-p3, metric: response_time, priority: P3, target: 24h, calendar: office}
  - {id: resolution-p1, metric: resolution_time, priority: P1, target: 36h, calendar: always,
     penalty: {per_breach: "100.00"}}
  - {id: resolution-p2, metric: resolution_time, priority: P2, target: 8bd, calendar: office,
     penalty: {per_breach: "50.00"}}
  - {id: resolution-p3, metric: resolution_time, priority: P3, target: 20bd, calendar: office,
     penalty: {percent_of_fee: 0.01%}}
penalty_cap: {percent_of_fee: 10%}
"""


class Mix(NamedTuple):
    """How many tickets of each priority there are, and how many days one stays open once it was answered, on average.

    It decides about the ratio: the peer walks the days of each ticket, ours does not.
    """

    weights: tuple[int, int, int]
    days: tuple[float, float, float]


MIXES = {"long": Mix((1, 4, 5), (0.5, 3.0, 7.0)), "short": Mix((2, 5, 3), (0.4, 2.0, 4.0))}


def write(folder: Path, mix: Mix, *, tickets: int) -> int:
    """Write contract.yml and events.jsonl; return how many events there are."""
    chance = random.Random(4)
    events = [event for number in range(tickets) for event in _ticket(number, chance, mix)]
    events.sort(key=lambda event: event[:3])
    (folder / "contract.yml").write_text(CONTRACT)
    with (folder / "events.jsonl").open("w") as file:
        file.writelines(f"{json.dumps(body)}\n" for *_, body in events)
    return len(events)


def _ticket(number: int, chance: random.Random, mix: Mix) -> Iterator[tuple[int, int, int, dict[str, Any]]]:
    for order, (at, body) in enumerate(_happens(chance, mix)):
        written = datetime.fromtimestamp(at, UTC).isoformat().replace("+00:00", "Z")
        yield at, number, order, {"at": written, "ticket": f"T-{number}", **body}


def _happens(chance: random.Random, mix: Mix) -> Iterator[tuple[int, dict[str, str]]]:
    """Opened and answered; most are held once, some change priority; resolved; one in twenty is reopened."""
    priority = chance.choices(("P1", "P2", "P3"), mix.weights)[0]
    mean, at = mix.days[int(priority[1]) - 1] * DAY, BEGINS + chance.randrange(340 * DAY)
    yield at, {"kind": "opened", "priority": priority, "asset": f"srv-{chance.randrange(300):03}"}
    answered = at + int(chance.expovariate(6 / mean))
    yield answered, {"kind": "responded"}
    resolved, kind = answered + 600 + int(chance.expovariate(1 / mean)), chance.random()
    first, second = sorted(chance.randrange(answered, resolved) for _ in range(2))
    if kind < 0.7:
        yield first, {"kind": "held", "cause": chance.choice(("client", "client", "third_party"))}
        yield second, {"kind": "resumed"}
    elif kind < 0.85:
        yield first, {"kind": "replied", "by": "client"}
        yield second, {"kind": "priority_changed", "priority": f"P{int(priority[1]) % 3 + 1}"}
    yield resolved, {"kind": "resolved"}
    if kind > 0.95:
        reopened = resolved + chance.randrange(3 * DAY)
        yield reopened, {"kind": "reopened"}
        yield reopened + chance.randrange(DAY), {"kind": "resolved"}
    elif kind > 0.85:
        yield resolved + chance.randrange(3 * DAY), {"kind": "replied", "by": "client"}
