"""Power cuts in a recording of our own writer: 500 in `make test`, 10,000 by `invoke dev.campaign --name power`.

A writer is recorded once. Then, for a cut at a point of the recording, the disk is made as a cut there may leave it
(see `_disk`), and opened by the next command: no entry that was acknowledged before the cut is lost or changed, the log
verifies, the next append works. A writer with weaker settings loses entries in the same cuts: see the controls.
"""

from __future__ import annotations

import os
import random
import shutil
import time
from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import pytest
from tests.campaigns._disk import Disk, Luck, Said, Wrote, draw
from tests.campaigns._recorder import Recorder
from tests.campaigns._restart import acknowledged, restart
from tests.campaigns._server import needs_strace, server
from tests.campaigns._writer import Job

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


FULL = os.environ.get("PROVISIONER_CAMPAIGN") == "full"
SHORT, LONG = (9_000, 1_000) if FULL else (440, 60)
CONTROL = 400 if FULL else 40
"""How many cuts: in the life of short commands, in the one that outgrows the write-ahead log, in each control."""


@pytest.fixture
def recorder() -> Iterator[Recorder]:
    needs_strace()
    with server() as (one, folder):
        root = folder / "root"
        root.mkdir()
        yield Recorder(one, root)


def short_life(recorder: Recorder, *, sabotage: str = "") -> None:
    """The first command ever, one that is killed while its entries are in the write-ahead log, and two after it.

    The last of them changes the log's key.
    """
    state = str(recorder.root / "parent" / "state")
    assert recorder.record(Job(state=state, name="first", commands=((1, 3),), sabotage=sabotage)).code == 0
    dying = Job(state=state, name="dying", commands=((2, 1),), sabotage=sabotage)
    assert recorder.record(dying, "rename:signal=KILL:when=1").code == -9
    assert recorder.record(Job(state=state, name="last", commands=((2,), (1, 0, 1)), sabotage=sabotage)).code == 0


def long_life(recorder: Recorder) -> None:
    """Entries enough that SQLite moves its write-ahead log into the database while the command runs."""
    groups = (2,) * (70 if FULL else 30)
    job = Job(state=str(recorder.root / "state"), commands=((1,), groups), padding=60_000)
    assert recorder.record(job).code == 0
    database = recorder.node(recorder.root / "state" / "ledger.db")
    last = max(place for place, event in enumerate(recorder.events) if isinstance(event, Said))
    moved = [event for event in recorder.events[:last] if isinstance(event, Wrote) and event.node == database]
    assert len(moved) > 500, "the write-ahead log was never moved while the command ran"


@dataclass
class Tally:
    """What the cuts left."""

    cuts: int = 0
    promised: int = 0
    before: Counter[str] = field(default_factory=Counter)
    problems: list[str] = field(default_factory=list)


def cut_often(recorder: Recorder, *, cuts: int) -> Tally:
    """Cut at random points of the recording, and let the next command look at each."""
    tally, disk, chance = Tally(), Disk(), random.Random(3)
    events, target = recorder.events, recorder.root.with_name("cut")
    done = 0
    for point in sorted(chance.randrange(len(events) + 1) for _ in range(cuts)):
        for event in events[done:point]:
            disk.apply(event)
        done = point
        target.mkdir()
        luck = draw(chance)
        disk.cut(target, luck)
        promised = acknowledged(disk.said)
        found = restart(next(iter(target.rglob("state")), target / "state"), promised)
        tally.cuts += 1
        tally.promised += len(promised)
        tally.before[found.before if promised else "nothing was promised yet"] += 1
        tally.problems += [f"cut {point} {luck}: {problem}" for problem in found.problems]
        shutil.rmtree(target)
    return tally


def told(name: str, tally: Tally, began: float) -> str:
    found = ", ".join(f"{count} {status}" for status, count in tally.before.most_common())
    return (
        f"\npower, {name}: {tally.cuts} cuts, {tally.promised} entries acknowledged before them, "
        f"{len(tally.problems)} problems; at once: {found}; {time.monotonic() - began:.0f} s"
    )


def files(root: Path) -> dict[str, bytes]:
    return {str(path.relative_to(root)): path.read_bytes() for path in sorted(root.rglob("*")) if path.is_file()}


def test_a_replay_without_a_cut_gives_the_same_files(recorder: Recorder) -> None:
    """The recorder sees everything that reaches the disk: also while the write-ahead log is there."""
    short_life(recorder)
    state = str(recorder.root / "parent" / "state")
    assert recorder.record(Job(state=state, name="x", commands=((2, 1),)), "rename:signal=KILL:when=1").code == -9
    disk = Disk()
    for event in recorder.events:
        disk.apply(event)
    target = recorder.root.with_name("replayed")
    target.mkdir()
    disk.cut(target, Luck(chance=random.Random(0), writes=1, names=1, torn=False, stale=False))
    real = {name: data for name, data in files(recorder.root).items() if not name.endswith("-shm")}
    assert any(name.endswith("-wal") and data for name, data in real.items())
    assert files(target) == real


def test_cuts_in_a_life_of_short_commands_lose_nothing(recorder: Recorder) -> None:
    began = time.monotonic()
    short_life(recorder)
    tally = cut_often(recorder, cuts=SHORT)
    print(told("short commands", tally, began))
    assert tally.problems == []
    assert tally.promised > tally.cuts


def test_cuts_while_the_write_ahead_log_is_moved_lose_nothing(recorder: Recorder) -> None:
    began = time.monotonic()
    long_life(recorder)
    tally = cut_often(recorder, cuts=LONG)
    print(told("a long command", tally, began))
    assert tally.problems == []
    assert tally.promised > tally.cuts


@pytest.mark.parametrize(
    ("sabotage", "expected"),
    [
        ("synchronous=NORMAL", ("is lost",)),
        ("synchronous=OFF", ("is lost", "malformed")),
        ("keys not synced", ("the signing key",)),
    ],
)
def test_a_writer_that_syncs_less_is_caught(recorder: Recorder, sabotage: str, expected: tuple[str, ...]) -> None:
    """Negative control."""
    began = time.monotonic()
    short_life(recorder, sabotage=sabotage)
    tally = cut_often(recorder, cuts=CONTROL)
    print(told(f"control {sabotage}", tally, began))
    for each in expected:
        assert any(each in problem for problem in tally.problems), tally.problems
