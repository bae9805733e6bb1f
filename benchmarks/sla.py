"""Service levels: a year of 100,000 tickets measured from a file, beside businesstimedelta doing its part of it.

Ours reads, replays and credits; the peer only computes elapsed business time, on every tenth ticket. Each is a process
of its own, interleaved with the peer again (A/A). The ratio is of tickets a second.
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
from _sla_tickets import TICKETS, write

SIDES = {"ours": "ours", "peer": "peer", "peer again": "peer"}
LEAST = 20


def once(side: str, folder: Path) -> dict[str, Any]:
    """Run one side in a process of its own; what it printed, and tickets a second by the wall and by its CPU."""
    command = [sys.executable, str(Path(__file__).with_name("_sla_run.py")), side, str(folder)]
    done = subprocess.run(command, cwd=CHECKOUT, stdout=subprocess.PIPE, text=True, check=True)
    found: dict[str, Any] = json.loads(done.stdout)
    return {**found, "wall": found["tickets"] / found["wall"], "cpu": found["tickets"] / found["cpu"]}


def main() -> None:
    runs: dict[str, list[dict[str, Any]]] = {name: [] for name in SIDES}
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        events = write(folder, tickets=TICKETS)
        for number in range(arguments().rounds):
            for side, what in SIDES.items():
                runs[side].append(once(what, folder))
                rate, load = runs[side][-1], os.getloadavg()[0]
                print(f"round {number}: {side}: {rate['cpu']:.0f} tickets/s of CPU, load {load:.1f}", file=sys.stderr)
    rates = {
        side: {key: statistics.median(run[key] for run in found) for key in ("wall", "cpu")}
        for side, found in runs.items()
    }
    ratios = {
        label: {key: rates[side][key] / rates["peer"][key] for key in ("wall", "cpu")}
        for label, side in (("ours / peer", "ours"), ("A/A: peer again / peer", "peer again"))
    }
    facts = {"events": events, **{key: value for key, value in runs["ours"][-1].items() if key not in ("wall", "cpu")}}
    enough = ratios["ours / peer"]["cpu"] >= LEAST
    if arguments().json:
        print(json.dumps({"tickets a second": rates, "ratios": ratios, "facts": facts, "enough": enough}, indent=2))
    else:
        for title, rows, digits in (("tickets a second (medians)", rates, 0), ("ratios", ratios, 1)):
            print(title)
            for row, values in rows.items():
                print(f"  {row:<30} wall {values['wall']:12,.{digits}f}   CPU {values['cpu']:12,.{digits}f}")
        for fact, value in facts.items():
            print(f"{fact}: {value}")
    if not enough:
        sys.exit(f"less than {LEAST} times the rate of the peer")


if __name__ == "__main__":
    main()
