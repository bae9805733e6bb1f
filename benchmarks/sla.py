"""Service levels: a year of 100,000 tickets measured from a file, beside businesstimedelta doing its part of it.

Ours reads, replays and credits; the peer only computes elapsed business time, on every tenth ticket. Each is a process
of its own, interleaved with the peer again (A/A). The ratio is of tickets a second, for tickets that are open for long
and for short: the peer walks the days of each.
"""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from _bench import CHECKOUT, arguments
from _sla_tickets import MIXES, TICKETS, Mix, write

SIDES = {"ours": "ours", "peer": "peer", "peer again": "peer"}
LEAST = 20
JUDGED = "long"
"""The tickets that the least ratio is asked of; the others show how it depends on them."""

Rates = dict[str, dict[str, float]]


def once(side: str, folder: Path) -> dict[str, Any]:
    """Run one side in a process of its own; what it printed, and tickets a second by the wall and by its CPU."""
    command = [sys.executable, str(Path(__file__).with_name("_sla_run.py")), side, str(folder)]
    done = subprocess.run(command, cwd=CHECKOUT, stdout=subprocess.PIPE, text=True, check=True)
    found: dict[str, Any] = json.loads(done.stdout)
    return {**found, "wall": found["tickets"] / found["wall"], "cpu": found["tickets"] / found["cpu"]}


def measured(mix: Mix) -> tuple[Rates, dict[str, Any]]:
    """Tickets a second of every side, medians over the rounds; and what the tickets were and came to."""
    runs: dict[str, list[dict[str, Any]]] = {name: [] for name in SIDES}
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        events = write(folder, mix, tickets=TICKETS)
        for number in range(arguments().rounds):
            for side, what in SIDES.items():
                runs[side].append(once(what, folder))
                rate, load = runs[side][-1], os.getloadavg()[0]
                print(f"round {number}: {side}: {rate['cpu']:.0f} tickets/s of CPU, load {load:.1f}", file=sys.stderr)
    rates = {
        side: {key: statistics.median(run[key] for run in found) for key in ("wall", "cpu")}
        for side, found in runs.items()
    }
    more = {key: value for key, value in runs["ours"][-1].items() if key not in ("wall", "cpu")}
    return rates, {"events": events, **more}


def ratios(rates: Rates) -> Rates:
    pairs = (("ours / peer", "ours"), ("A/A: peer again / peer", "peer again"))
    return {label: {key: rates[side][key] / rates["peer"][key] for key in ("wall", "cpu")} for label, side in pairs}


def main() -> None:
    found = {name: measured(mix) for name, mix in MIXES.items()}
    if arguments().json:
        told = {
            name: {"tickets a second": rates, "ratios": ratios(rates), "facts": facts}
            for name, (rates, facts) in found.items()
        }
        print(json.dumps(told, indent=2))
    for name, (rates, facts) in () if arguments().json else found.items():
        print(f"tickets that are open for {name}: {MIXES[name]}")
        for title, rows, digits in (("tickets a second (medians)", rates, 0), ("ratios", ratios(rates), 1)):
            print(f"  {title}")
            for row, values in rows.items():
                print(f"    {row:<28} wall {values['wall']:12,.{digits}f}   CPU {values['cpu']:12,.{digits}f}")
        for fact, value in facts.items():
            print(f"  {fact}: {value}")
    if ratios(found[JUDGED][0])["ours / peer"]["cpu"] < LEAST:
        sys.exit(f"less than {LEAST} times the rate of the peer")


if __name__ == "__main__":
    main()
