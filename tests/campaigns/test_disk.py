"""A disk that is full or broken, at every write and sync of an append: `invoke dev.campaign --name disk`.

After each fault: an entry that was acknowledged is there, on the disk, and stays there through a power cut; no machine
was touched without an intent in the log; and once the disk works again, the next command goes on and the log verifies.
"""

from __future__ import annotations

import os
import random
import shutil
import subprocess
import time
from collections import Counter
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import pytest
from tests.campaigns._disk import Disk, Failed, Luck, Sized, Synced, Wrote
from tests.campaigns._mission import intervene
from tests.campaigns._recorder import Recorder
from tests.campaigns._restart import acknowledged, restart
from tests.campaigns._server import NAMES, SYNCS, WRITES, needs_strace, server
from tests.campaigns._writer import UNHEARD, Job, opened

from provisioner.errors import LedgerError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.campaigns._disk import Event
    from tests.campaigns._server import Life, Server

FULL = os.environ.get("PROVISIONER_CAMPAIGN") == "full"
STEP = 1 if FULL else 10
"""Every which write is tried; every sync always is."""

UNLUCKY = Luck(chance=random.Random(0), writes=0, names=0, torn=False, stale=False)
"""Of what was not synced, nothing lands."""


@pytest.fixture(scope="module")
def crew() -> Iterator[tuple[Server, Path]]:
    needs_strace()
    with server() as both:
        yield both


def faults(life: Life, calls: tuple[str, ...], *errors: str) -> list[str]:
    """Every call of a life, as one that fails alone and as the first of all that fail (`+`); writes in steps."""
    found = []
    for call in calls:
        numbers = range(1, life.calls.get(call, 0) + 1, 1 if call in SYNCS else STEP)
        found += [f"{call}:error={error}:when={n}{more}" for n in numbers for error in errors for more in ("", "+")]
    return found


def prepared(one: Server, state: Path, *, later: bool) -> dict[int, str]:
    """A fresh state folder, `later` with a log that a killed writer left; return what was promised in it."""
    shutil.rmtree(state, ignore_errors=True)
    if not later:
        return {}
    before = Job(state=str(state), name="before", commands=((1, 2), (2,)))
    return acknowledged(one.traced(before, "rename:signal=KILL:when=5").lines)


@pytest.mark.parametrize("later", [False, True])
def test_a_failed_write_of_an_append_is_an_error_and_loses_nothing(crew: tuple[Server, Path], later: bool) -> None:
    one, folder = crew
    began, codes, problems = time.monotonic(), Counter[int](), list[str]()
    job = Job(state=str(folder / "state"), commands=((1, 2),))
    prepared(one, folder / "state", later=later)
    for fault in faults(one.traced(job), (*WRITES, *NAMES), "ENOSPC", "EIO"):
        promised = prepared(one, folder / "state", later=later)
        life = one.traced(job, fault)
        codes[life.code] += 1
        problems += [
            f"{fault}: {each}" for each in restart(folder / "state", promised | acknowledged(life.lines)).problems
        ]
    print(f"\ndisk, each write, later={later}: {dict(codes)} exit codes, {len(problems)} problems, {spent(began)}")
    assert problems == []
    assert codes.keys() <= {0, 2, 7, UNHEARD} and codes[7] > 10, "2: there is no state folder, nothing was begun"


@pytest.mark.parametrize(("later", "alone"), [(False, not FULL), (True, False)])
def test_what_is_acknowledged_around_a_failed_sync_outlives_a_power_cut(
    crew: tuple[Server, Path], later: bool, alone: bool
) -> None:
    """A disk that refused to sync has forgotten what it refused: asking it again is no cure."""
    one, folder = crew
    began, codes, twice, problems = time.monotonic(), Counter[int](), Counter[str](), list[str]()
    for fault in sync_faults(one, folder, later=later):
        if alone and fault.endswith("+"):
            continue
        found = around(fresh(one, folder), fault, later=later)
        codes[found.code] += 1
        twice.update(found.twice)
        problems += [f"{fault}: {problem}" for problem in found.problems]
    print(
        f"\ndisk, each sync, later={later}: {dict(codes)} exit codes, {len(problems)} problems, "
        f"synced again without a new write: {dict(twice)}, {spent(began)}"
    )
    assert problems == []
    assert codes.keys() <= {0, 7} and codes[7] > 10
    # SQLite syncs its log once more when it closes, for what was durable before; we the folder, as it does not hear.
    assert twice.keys() <= {"ledger.db-wal", "state"}


def fresh(one: Server, folder: Path) -> Recorder:
    """A recorder of an empty folder."""
    shutil.rmtree(folder / "root", ignore_errors=True)
    (folder / "root").mkdir()
    return Recorder(one, folder / "root")


def sync_faults(one: Server, folder: Path, *, later: bool) -> list[str]:
    prepared(one, folder / "state", later=later)
    return faults(one.traced(Job(state=str(folder / "state"), commands=((1, 2),))), SYNCS, "EIO")


@dataclass(frozen=True, kw_only=True)
class Around:
    """What a fault did: the writer's exit code, the files that it synced again, and what the cuts found wrong."""

    code: int
    twice: list[str]
    problems: list[str]


def around(recorder: Recorder, fault: str, *, later: bool, sabotage: str = "") -> Around:
    """Let a writer meet a fault and the next one none, and cut the power after each."""
    state = str(recorder.root / "state")
    if later:
        before = Job(state=state, name="before", commands=((1, 2), (2,)))
        assert recorder.record(before, "rename:signal=KILL:when=5").code == -9
    begin = len(recorder.events)
    life = recorder.record(Job(state=state, name="faulty", commands=((1, 2),)), fault)
    twice, problems = asked_twice(recorder, recorder.events[begin:]), after_cut(recorder)
    following = recorder.record(Job(state=state, name="following", commands=((2,),), sabotage=sabotage), DIES)
    assert following.code == -9, following
    return Around(code=life.code, twice=twice, problems=problems + after_cut(recorder))


DIES = "rename:signal=KILL:when=1"
"""The next writer is cut off before it publishes: what it acknowledged is in the write-ahead log only."""


def after_cut(recorder: Recorder) -> list[str]:
    """What the next command finds wrong when nothing but the synced is left of the recording."""
    disk, target = Disk(), recorder.root.with_name("cut")
    for event in recorder.events:
        disk.apply(event)
    shutil.rmtree(target, ignore_errors=True)
    target.mkdir()
    disk.cut(target, UNLUCKY)
    return restart(target / "state", acknowledged(disk.said)).problems


def asked_twice(recorder: Recorder, events: list[Event]) -> list[str]:
    """The files whose sync failed in these events and was asked for again with nothing written in between."""
    refused: set[int] = set()
    found: list[str] = []
    for event in events:
        if isinstance(event, Wrote | Sized):
            refused.discard(event.node)
        elif isinstance(event, Failed | Synced):
            found += [recorder.seen.get(event.node, "/").rpartition("/")[2]] if event.node in refused else []
            refused |= {event.node} if isinstance(event, Failed) else set()
    return found


def test_no_machine_is_touched_without_a_durable_intent(crew: tuple[Server, Path]) -> None:
    one, folder = crew
    began, codes, problems = time.monotonic(), Counter[int](), list[str]()
    job = Job(state=str(folder / "state"), name="iv-faulty", mission=True)
    prepared(one, folder / "state", later=True)
    life = one.traced(job)
    for fault in [*faults(life, WRITES, "ENOSPC"), *faults(life, SYNCS, "EIO")]:
        prepared(one, folder / "state", later=True)
        life = one.traced(job, fault)
        codes[life.code] += 1
        problems += [f"{fault}: {problem}" for problem in without_intent(folder / "state", life)]
    print(f"\ndisk, an intervention: {dict(codes)} exit codes, {len(problems)} problems, {spent(began)}")
    assert problems == []
    assert codes.keys() <= {0, 7, UNHEARD} and codes[7] > 10


def without_intent(state: Path, life: Life) -> list[str]:
    """Whether the machine was touched though the log lacks the intent; then the next intervention on it."""
    with opened(state, read_only=True) as book:
        intents = {str(entry.body["intervention"]) for entry in book.entries(kinds=("opened",))}
    acted = {line.split()[1] for line in life.lines if line.startswith("acted ")}
    problems = [f"{name} was carried out, and the log does not know of it" for name in acted - intents]
    try:
        intervene(state, "iv-next", say=lambda _: None)
    except LedgerError as error:
        return [*problems, f"the next intervention cannot go on: {error}"]
    with opened(state, read_only=True) as book:
        kinds = Counter(
            (entry.kind, str(entry.body["intervention"])) for entry in book.entries(kinds=("opened", "closed"))
        )
    names = {name for _, name in kinds}
    problems += [
        f"{kind} {name}: {kinds[kind, name]}"
        for name in names
        for kind in ("opened", "closed")
        if kinds[kind, name] != 1
    ]
    return problems + restart(state, {}).problems


def test_a_disk_with_so_much_space_left(crew: tuple[Server, Path]) -> None:
    """A file system of its own, really full: from no free page on, page by page."""
    one, folder = crew
    began, codes, problems = time.monotonic(), Counter[int](), list[str]()
    mount = folder / "disk"
    mount.mkdir()
    made = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=512k,mode=700", "tmpfs", mount], capture_output=True)
    if made.returncode:
        pytest.skip(f"a full disk needs the right to mount: {made.stderr.decode().strip()}")
    try:
        for pages in range(0, 80, 1 if FULL else 4):
            promised = prepared(one, mount / "state", later=True)
            life = filled(one, mount, pages)
            codes[life.code] += 1
            found = restart(mount / "state", promised | acknowledged(life.lines))
            problems += [f"{pages} pages: {problem}" for problem in found.problems]
    finally:
        subprocess.run(["umount", mount], check=True)
    print(f"\ndisk, so many pages free: {dict(codes)} exit codes, {len(problems)} problems, {spent(began)}")
    assert problems == []
    assert codes.keys() == {0, 7}


def filled(one: Server, mount: Path, pages: int) -> Life:
    """Let a writer work with so many free pages of 4 KiB, then make space."""
    room = os.statvfs(mount)
    filler = mount / "filler"
    filler.write_bytes(bytes(max(0, room.f_bavail - pages) * room.f_bsize))
    try:
        return one.run(Job(state=str(mount / "state"), commands=((1, 2), (2,))))
    finally:
        filler.unlink()


def spent(began: float) -> str:
    return f"{time.monotonic() - began:.0f} s"


def test_a_writer_that_is_deaf_to_errors_is_caught(crew: tuple[Server, Path]) -> None:
    """Negative control."""
    one, folder = crew
    job = Job(state=str(folder / "state"), commands=((1, 2),), sabotage="deaf to errors")
    problems: list[str] = []
    for number in range(4, 9):
        promised = prepared(one, folder / "state", later=True)
        life = one.traced(job, f"fdatasync:error=EIO:when={number}+")
        problems += restart(folder / "state", promised | acknowledged(life.lines)).problems
    assert any("is lost" in problem for problem in problems), problems


def test_an_append_behind_what_never_reached_the_disk_is_caught(crew: tuple[Server, Path]) -> None:
    """Negative control: the log of a writer whose sync failed reads well, and is not on the disk."""
    one, folder = crew
    sabotage = "appends behind what a dead writer left"
    for fault in reversed(sync_faults(one, folder, later=True)):
        problems = around(fresh(one, folder), fault, later=True, sabotage=sabotage).problems
        if any("is lost" in problem for problem in problems):
            return
    pytest.fail("no append was lost")


def test_a_controller_that_acts_first_is_caught(crew: tuple[Server, Path]) -> None:
    """Negative control."""
    one, folder = crew
    prepared(one, folder / "state", later=True)
    job = Job(state=str(folder / "state"), name="iv-hasty", mission=True)
    life = one.traced(replace(job, sabotage="acts first"), "fdatasync:error=EIO:when=3+")
    assert any("does not know of it" in problem for problem in without_intent(folder / "state", life)), life
