"""What the benchmarks share: whole processes, interleaved with their peer and an A/A control, medians, one table."""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import time
from dataclasses import dataclass, fields
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

CHECKOUT = Path(__file__).resolve().parents[1]
BIN = Path(sys.executable).parent


@dataclass(frozen=True)
class Contender:
    """A command to time, from the checkout; `environment` is added to ours."""

    name: str
    command: Sequence[str]
    environment: Mapping[str, str]


@dataclass(frozen=True)
class Run:
    """One run: wall seconds, CPU seconds of the process and of the children it waited for."""

    wall: float
    cpu: float


def once(contender: Contender) -> Run:
    """Run the command once; a command that fails ends the benchmark."""
    began = time.monotonic()
    process = subprocess.Popen(
        contender.command,
        cwd=CHECKOUT,
        env={**os.environ, **contender.environment},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    output = process.stdout.read() if process.stdout else ""
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.stdout:
        process.stdout.close()
    ended(contender, process.returncode, output)
    return Run(time.monotonic() - began, usage.ru_utime + usage.ru_stime)


def ended(contender: Contender, code: int, output: str) -> None:
    """End the benchmark when a contender failed, with the last of what it said."""
    if code:
        sys.exit(f"{contender.name} ended {code}:\n{output[-2000:]}")


def interleaved(contenders: Sequence[Contender], *, rounds: int) -> dict[str, list[Run]]:
    """Run each contender in turn, `rounds` times after one round that is not counted; say how it goes on stderr."""
    runs: dict[str, list[Run]] = {contender.name: [] for contender in contenders}
    for number in range(rounds + 1):
        for contender in contenders:
            run = once(contender)
            print(f"round {number}: {contender.name}: {run.wall:.2f} s wall, {run.cpu:.2f} s CPU", file=sys.stderr)
            if number:
                runs[contender.name].append(run)
    return runs


def report(
    runs: Mapping[str, Sequence[Run]], *, ours: str, peer: str, control: str, facts: Mapping[str, object]
) -> None:
    """Print medians, the ratio ours/peer, the A/A ratio control/peer, and facts; `--json` prints one document."""
    found = {**compared(runs, ours=ours, peer=peer, control=control), "facts": dict(facts)}
    if arguments().json:
        print(json.dumps(found, indent=2))
    else:
        show(found, rounds=len(runs[ours]))


def compared(runs: Mapping[str, Sequence[Run]], *, ours: str, peer: str, control: str) -> dict[str, Any]:
    """Return `medians` of each contender, and `ratios` of them, for each thing that was measured of a run."""
    keys = [field.name for field in fields(runs[ours][0])]
    medians = {
        name: {key: statistics.median(getattr(run, key) for run in found) for key in keys}
        for name, found in runs.items()
    }
    ratios = {
        label: {key: medians[name][key] / medians[peer][key] for key in keys}
        for label, name in ((f"{ours} / {peer}", ours), (f"A/A: {control} / {peer}", control))
    }
    return {"medians": medians, "ratios": ratios}


def show(found: Mapping[str, Any], *, rounds: int) -> None:
    """Print what `compared` returned, with `facts`, for a person."""
    print(f"medians of {rounds} interleaved rounds (seconds; memory in MiB)")
    for name, values in found["medians"].items():
        print(f"  {name:<40}", *(f"{key} {value:8.3f}  " for key, value in values.items()))
    print("ratios of medians")
    for label, values in found["ratios"].items():
        print(f"  {label:<40}", *(f"{key} {value:8.2f}  " for key, value in values.items()))
    for name, value in found["facts"].items():
        print(f"{name}: {value}")


def arguments(*, rounds: int = 3) -> argparse.Namespace:
    """The command line every benchmark understands; `--machines` counts where a benchmark says so."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--rounds", type=int, default=rounds)
    parser.add_argument("--machines", type=int, default=50)
    return parser.parse_args()
