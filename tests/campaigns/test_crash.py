"""kill -9 of a writer at every call that changes the disk, and at random moments: `invoke dev.campaign --name crash`.

After each kill the state folder is opened as the next command opens it: no entry that was acknowledged is lost or
doubled, no group is there by half, the log verifies, and the next append is signed within two seconds.
"""

from __future__ import annotations

import os
import random
import shutil
import subprocess
import sys
import time
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

import pytest
from tests.campaigns._restart import Found, acknowledged, restart
from tests.campaigns._server import CHECKOUT, PROGRAM, Server, needs_strace, server
from tests.campaigns._writer import Job

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.campaigns._server import Life

FULL = os.environ.get("PROVISIONER_CAMPAIGN") == "full"
MOMENTS = 1_500 if FULL else 50
LIFE = ((1, 3), (2, 0), (1, 1)) if FULL else ((1, 2),)
CHAIN = 20
"""How many writers die one after the other on the same state folder."""


@dataclass
class Tally:
    """What a campaign counted."""

    kills: int = 0
    promised: int = 0
    unacknowledged: int = 0
    slowest: float = 0.0
    problems: list[str] = field(default_factory=list)

    def add(self, where: str, found: Found, *, promised: int) -> None:
        self.kills += 1
        self.promised += promised
        self.unacknowledged += max(0, found.unacknowledged)
        self.slowest = max(self.slowest, found.seconds)
        self.problems += [f"{where}: {problem}" for problem in found.problems]


@pytest.fixture(scope="module")
def crew() -> Iterator[tuple[Server, Path]]:
    needs_strace()
    with server() as both:
        restart(both[1] / "warm", {})  # what is imported late is imported now: a process of its own is timed below
        yield both


@dataclass(frozen=True, kw_only=True)
class Scene:
    """A state folder to begin on, and what was promised in it before."""

    name: str
    state: Path
    promised: dict[int, str]


def scenes(crew: tuple[Server, Path]) -> tuple[Scene, Scene]:
    """No state folder yet, and one with a log whose last writer died before it signed."""
    one, folder = crew
    before = Job(state=str(folder / "later"), name="before", commands=((1, 2), (2,)))
    life = one.traced(before, "rename:signal=KILL:when=5")
    later = Scene(name="later", state=folder / "later", promised=acknowledged(life.lines))
    return Scene(name="first", state=folder / "none", promised={}), later


def points(one: Server, job: Job) -> list[str]:
    """Every call of a whole life, as the fault that kills before it."""
    calls = one.traced(job).calls
    return [f"{call}:signal=KILL:when={number}" for call in calls for number in range(1, calls[call] + 1)]


def killed(one: Server, job: Job, fault: str, *, scene: Scene) -> tuple[Life, Found]:
    """Kill a writer at a point, on a copy of the scene."""
    state = prepared(scene.state, job)
    life = one.traced(job, fault)
    return life, restart(state, scene.promised | acknowledged(life.lines))


def prepared(scene: Path, job: Job) -> Path:
    """The job's state folder, as the scene has it."""
    state = scene.parent / job.state.rpartition("/")[2]
    shutil.rmtree(state, ignore_errors=True)
    if scene.exists():
        shutil.copytree(scene, state)
    return state


def test_a_kill_at_every_call_loses_nothing(crew: tuple[Server, Path]) -> None:
    one, folder = crew
    began, tally = time.monotonic(), Tally()
    for scene in scenes(crew):
        job = Job(state=str(folder / "state"), commands=LIFE)
        prepared(scene.state, job)
        for fault in points(one, job):
            life, found = killed(one, job, fault, scene=scene)
            tally.add(f"{scene.name} {fault}", found, promised=len(scene.promised | acknowledged(life.lines)))
            assert life.code == -9, (scene, fault, life)
    print(f"\ncrash, at every call: {told(tally, began)}")
    assert tally.problems == []
    assert tally.slowest < 2
    assert tally.kills > 100 and tally.promised > 50


def test_kills_at_random_moments_lose_nothing(crew: tuple[Server, Path]) -> None:
    one, folder = crew
    began, tally, chance = time.monotonic(), Tally(), random.Random(3)
    job = Job(state=str(folder / "chain"), commands=((1, 3), (2,)))
    whole = lifetime(one, prepared(folder / "none", job))
    promised: dict[int, str] = {}
    number = 0
    while tally.kills < MOMENTS:
        if number % CHAIN == 0:
            promised = {}
            prepared(folder / "none", job)
        number += 1
        life = one.kill(replace(job, name=f"w{number}"), after=chance.randrange(whole))
        promised |= acknowledged(life.lines)
        if life.code == -9:
            copy = prepared(folder / "chain", replace(job, state=str(folder / "copy")))
            tally.add(f"life {number}", restart(copy, promised), promised=len(promised))
    print(f"\ncrash, at random moments of one life after the other: {told(tally, began)}")
    assert tally.problems == []
    assert tally.slowest < 2


def lifetime(one: Server, state: Path) -> int:
    """How many microseconds a writer lives that nobody kills."""
    one.run(Job(state=str(state), name="warm"))
    began = time.monotonic()
    one.run(Job(state=str(state), name="measured"))
    return int((time.monotonic() - began) * 1e6)


def told(tally: Tally, began: float) -> str:
    return (
        f"{tally.kills} kills, {tally.promised} entries acknowledged, {len(tally.problems)} lost, doubled or damaged, "
        f"{tally.unacknowledged} kept that were not, slowest restart {tally.slowest * 1000:.0f} ms, "
        f"{time.monotonic() - began:.0f} s"
    )


def test_the_next_command_as_a_process(crew: tuple[Server, Path]) -> None:
    """Nothing of the dead writer's process helps: a fresh interpreter finds its way."""
    one, folder = crew
    job = Job(state=str(folder / "fresh"))
    state = prepared(folder / "none", job)
    life = one.traced(job, "fdatasync:signal=KILL:when=9")
    command = [sys.executable, str(PROGRAM), replace(job, name="fresh").render()]
    began = time.monotonic()
    done = subprocess.run(command, env={**os.environ, "PYTHONPATH": str(CHECKOUT)}, capture_output=True, text=True)
    print(f"\ncrash: the next command as a process of its own took {time.monotonic() - began:.2f} s")
    assert done.returncode == 0, done.stderr
    promised = {**acknowledged(life.lines), **acknowledged(done.stdout.splitlines(keepends=True))}
    assert life.code == -9 and len(promised) >= 6
    assert restart(state, promised).problems == []


def test_a_writer_that_acknowledges_early_is_caught(crew: tuple[Server, Path]) -> None:
    """Negative control."""
    one, folder = crew
    job = Job(state=str(folder / "control"), commands=((1, 2),), sabotage="acknowledges early")
    scene = Scene(name="control", state=folder / "none", promised={})
    problems: list[str] = []
    for number in range(5, 13):
        _, found = killed(one, job, f"fdatasync:signal=KILL:when={number}", scene=scene)
        problems += found.problems
    assert any("is lost" in problem for problem in problems), problems
