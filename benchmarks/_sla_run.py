"""One side of the benchmark `sla`, in a process of its own: `_sla_run.py ours|peer FOLDER`; prints one JSON object.

Ours reads the contract and every event, replays and computes credits. The peer, businesstimedelta, is given instants as
datetime objects and computes elapsed business time, nothing else: from opening to response, from opening to resolution,
the hold between, the time after a reopening; every tenth ticket, since it takes minutes for all.
"""

from __future__ import annotations

import gc
import json
import re
import sys
import time
from collections import Counter, defaultdict
from datetime import UTC, datetime
from datetime import time as wall
from pathlib import Path
from typing import TYPE_CHECKING, Any

from _sla_tickets import AS_OF

if TYPE_CHECKING:
    from collections.abc import Callable

EVERY = 10

Work = tuple[int, dict[str, object]]
Times = dict[str, list[datetime]]


def ours(folder: Path) -> Callable[[], Work]:
    from provisioner.config.contracts import load_contract
    from provisioner.config.events import load_events
    from provisioner.model.record import Membership
    from provisioner.terms.statement import statement

    def work() -> Work:
        record = load_events(folder / "events.jsonl")
        loaded = load_contract(folder / "contract.yml")
        found = statement([loaded], record, membership=Membership(groups=None), as_of=AS_OF)
        states = Counter(str(measured.state) for measured in found.measurements)
        tickets = len({event.ticket for event in record.tickets})
        return tickets, {"measurements": dict(sorted(states.items())), "credits": len(found.credits)}

    return work


def peer(folder: Path) -> Callable[[], Work]:
    import businesstimedelta
    import holidays
    import pytz

    paris = pytz.timezone("Europe/Paris")
    working = {"working_days": [0, 1, 2, 3, 4], "tz": paris}
    known = holidays.country_holidays("FR", years=(2026, 2027))
    office = businesstimedelta.Rules(
        [
            businesstimedelta.WorkDayRule(start_time=wall(8), end_time=wall(12), **working),
            businesstimedelta.WorkDayRule(start_time=wall(14), end_time=wall(18), **working),
            businesstimedelta.HolidayRule(known, tz=paris),
        ]
    )
    tickets = [(found["priority"], found["times"]) for found in _tickets(folder)]

    def hours(priority: str, start: datetime, end: datetime) -> float:
        if priority == "P1":  # every hour counts: nothing for a library to do
            return (end - start).total_seconds() / 3600
        found = office.difference(start, end)
        return float(found.hours + found.seconds / 3600)

    def work() -> Work:
        total = 0.0
        for priority, times in tickets:
            opened, resolved = times["opened"][0], times["resolved"]
            total += hours(priority, opened, times["responded"][0])
            total += hours(priority, opened, resolved[0])
            for start, end in zip(times["held"], times["resumed"], strict=True):
                total -= hours(priority, start, end)
            for start, end in zip(times["reopened"], resolved[1:], strict=True):
                total += hours(priority, start, end)
        return len(tickets), {"hours": round(total)}

    return work


def _tickets(folder: Path) -> list[dict[str, Any]]:
    found: defaultdict[str, dict[str, Any]] = defaultdict(lambda: {"times": defaultdict(list)})
    with (folder / "events.jsonl").open() as lines:
        for line in lines:
            event = json.loads(line)
            ticket = found[event["ticket"]]
            ticket["times"][event["kind"]].append(datetime.fromisoformat(event["at"]).astimezone(UTC))
            ticket.setdefault("priority", event.get("priority"))
    return list(found.values())[::EVERY]


def main() -> None:
    gc.disable()  # as `sla.replay` does; the peer too
    work = {"ours": ours, "peer": peer}[sys.argv[1]](Path(sys.argv[2]))
    began, used = time.monotonic(), time.process_time()
    tickets, facts = work()
    took, cpu = time.monotonic() - began, time.process_time() - used
    peak = int(re.search(r"VmHWM:\s+(\d+)", Path("/proc/self/status").read_text())[1]) / 1024  # type: ignore[index]
    print(json.dumps({"tickets": tickets, "wall": took, "cpu": cpu, "peak MiB": round(peak, 1), **facts}))


if __name__ == "__main__":
    main()
