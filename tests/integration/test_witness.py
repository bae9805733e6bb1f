"""A witness that is a process of its own, over HTTP: forks, rollbacks, restarts, and kills at the worst moments.

Whatever happens to it, two trees that it cosigned are one history: compared by roots that the test computes itself.
"""

from __future__ import annotations

import random
import shutil
import subprocess
import sys
import time
from contextlib import contextmanager, suppress
from threading import Thread
from typing import TYPE_CHECKING

import pytest
from tests.unit.serving.conftest import Tree, open_witness

from provisioner.bridges.witness import HttpWitness
from provisioner.errors import NoAnswer
from provisioner.ledger.checkpoint import parse_note, parse_signatures, verify_cosignature, with_signatures

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

PROGRAM = """
import os, signal, sys
from datetime import UTC, datetime
from pathlib import Path
from provisioner.ledger.keys import write_durably
from provisioner.serving.listener import Listener
from provisioner.serving.memory import Memory
from provisioner.serving.witness import Witness

folder, die = Path(sys.argv[1]), sys.argv[2]

def write(path, text, /, *, mode):
    if die == "before the write":
        os.kill(os.getpid(), signal.SIGKILL)
    write_durably(path, text, mode=mode)
    if die == "after the write":
        os.kill(os.getpid(), signal.SIGKILL)

witness = Witness(Memory(folder, write=write), now=lambda: datetime.now(UTC))
with Listener(("127.0.0.1", 0), witness, told=lambda text: None) as listener:
    print(listener.url, flush=True)
    listener.serve_for(120)
"""
"""`invoke audit.witness --serve` without invoke, and with a death to choose."""


@contextmanager
def process(folder: Path, *, die: str = "never") -> Iterator[tuple[HttpWitness, subprocess.Popen[str]]]:
    running = subprocess.Popen([sys.executable, "-c", PROGRAM, folder, die], stdout=subprocess.PIPE, text=True)
    assert running.stdout is not None
    try:
        yield HttpWitness(running.stdout.readline().strip(), 10), running
    finally:
        running.kill()
        running.wait()
        running.stdout.close()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A witness's folder, with its key and the log's on the list."""
    open_witness(tmp_path / "witness")
    return tmp_path / "witness"


ONE, OTHER = Tree(), Tree(fork_at=5)


def ask(witness: HttpWitness, tree: Tree, old: int, new: int) -> int:
    return witness.add_checkpoint(tree.body(old, new)).status


def test_a_fork_and_a_rollback_are_refused_before_and_after_a_restart(folder: Path) -> None:
    for _ in range(2):
        with process(folder) as (witness, _running):
            known = witness.add_checkpoint(ONE.body(0, 8)).status
            assert known in (200, 409)
            assert ask(witness, OTHER, 8, 12) == 422
            assert ask(witness, OTHER, 8, 8) == 422
            assert ask(witness, ONE, 0, 6) == 409
            assert ask(witness, ONE, 8, 8) == 200
    assert len(list((folder / "refused").glob("*.request"))) == 2


@pytest.mark.parametrize("die", ["before the write", "after the write"])
def test_a_kill_at_the_write_leaves_one_history(folder: Path, die: str) -> None:
    with process(folder, die=die) as (witness, running), pytest.raises(NoAnswer):
        witness.add_checkpoint(ONE.body(0, 8))
        pytest.fail(f"answered, though it was to die: {running.poll()}")
    kept = die == "after the write"
    with process(folder) as (witness, _running):
        assert ask(witness, OTHER, 0, 8) == (409 if kept else 200)
        assert ask(witness, ONE if kept else OTHER, 8, 9) == 200
        assert ask(witness, OTHER if kept else ONE, 9, 12) == 422


Cosigned = list[tuple[Tree, int, str]]
"""Which history, the size, and the answer: in the order in which they came."""


def push(witness: HttpWitness, tree: Tree, cosigned: Cosigned) -> None:
    """Submit a history entry by entry, from where the witness says it is, until it refuses or is gone."""
    size = 0
    with suppress(NoAnswer):
        while True:
            answer = witness.add_checkpoint(tree.body(size, size + 1))
            if answer.status == 200:
                cosigned.append((tree, size + 1, answer.body.decode()))
                size += 1
            elif answer.status == 409:
                size = int(answer.body)
            else:
                return


def test_killed_at_random_under_two_histories_it_cosigned_one(folder: Path) -> None:
    chance = random.Random(20261123)
    cosigned: Cosigned = []
    kills = 8
    for _ in range(kills):
        with process(folder) as (witness, running):
            threads = [Thread(target=push, args=(witness, tree, cosigned)) for tree in (ONE, OTHER)]
            for thread in threads:
                thread.start()
            enough, deadline = len(cosigned) + chance.randint(1, 8), time.monotonic() + 30
            while len(cosigned) < enough and time.monotonic() < deadline:
                time.sleep(0.001)
            running.kill()
            for thread in threads:
                thread.join()
    key = open_witness(folder).key
    for tree, size, line in cosigned:
        note = with_signatures(tree.checkpoint(size).note, parse_signatures(line))
        assert verify_cosignature(parse_note(note), key)
    roots = {(size, tree.grow(size).root) for tree, size, _ in cosigned}
    largest, doubles = max(size for size, _ in roots), len(roots) - len({size for size, _ in roots})
    print(f"\nkills {kills}, cosignatures {len(cosigned)}, largest tree {largest}, doubles {doubles}")
    assert doubles == 0
    assert len({tree.fork_at for tree, size, _ in cosigned if size > 5}) == 1
    assert largest > 6, "the fork was reached: the test could have failed"


def test_what_the_witness_cannot_know_a_restored_folder_forgets(folder: Path, tmp_path: Path) -> None:
    """Not detected, as docs/how-to/run_a_witness.md says: it asks to keep copies of what the witness served."""
    with process(folder) as (witness, _running):
        assert ask(witness, ONE, 0, 5) == 200
    shutil.copytree(folder, tmp_path / "backup")
    with process(folder) as (witness, _running):
        assert ask(witness, ONE, 5, 9) == 200
    shutil.rmtree(folder)
    shutil.copytree(tmp_path / "backup", folder)
    with process(folder) as (witness, _running):
        assert ask(witness, OTHER, 5, 9) == 200
