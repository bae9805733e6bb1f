"""What only real processes and a real disk can show: no entry is lost, doubled or half there."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING

import pytest

from provisioner.errors import LedgerError
from provisioner.missions.audit import verify_log

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from conftest import Desk

WRITER = """
import sys
from datetime import UTC, datetime
from pathlib import Path
from provisioner.ledger.book import open_book
from provisioner.ledger.entry import Draft
url, state, who, count, sign = sys.argv[1], Path(sys.argv[2]), sys.argv[3], int(sys.argv[4]), int(sys.argv[5])
at = datetime(2026, 11, 23, tzinfo=UTC)
with open_book(url, "demo", state=state) as book:
    for number in range(count):
        (entry,) = book.append([Draft("note", at, "op-1", {"who": who, "number": number})])
        print(entry.index, entry.hash.hex(), flush=True)
        if sign and number % sign == 0:
            book.sign(at)
    book.sign(at)
"""


def writer(desk: Desk, who: str, *, count: int, sign: int) -> subprocess.Popen[str]:
    command = [sys.executable, "-c", WRITER, desk.url, str(desk.state), who, str(count), str(sign)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True)


def recorded(desk: Desk) -> list[str]:
    with desk.open(read_only=True) as book:
        return [f"{entry.index} {entry.hash.hex()}" for entry in book.entries()]


def status(desk: Desk) -> str:
    with desk.open(read_only=True) as book:
        return verify_log(book).status


@pytest.mark.parametrize("acknowledged", [1, 6])
def test_a_killed_writer_loses_nothing_it_acknowledged(desk: Desk, acknowledged: int) -> None:
    with writer(desk, "victim", count=100_000, sign=3) as victim:
        assert victim.stdout
        lines = [victim.stdout.readline().strip() for _ in range(acknowledged)]
        os.kill(victim.pid, signal.SIGKILL)
        lines += [line.strip() for line in victim.stdout if line.endswith("\n")]
    assert set(lines) <= set(recorded(desk))
    assert status(desk) in ("OK", "UNANCHORED")
    desk.write("the next command")
    assert set(lines) <= set(recorded(desk))
    assert status(desk) == "OK"


@contextmanager
def disk(folder: Path, size: str) -> Iterator[None]:
    """A file system of its own, of `size`; skips where mounting is not allowed."""
    folder.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", f"size={size},mode=700", "tmpfs", folder], capture_output=True
    )
    if mounted.returncode:
        pytest.skip(f"a full disk needs the right to mount: {mounted.stderr.decode().strip()}")
    try:
        yield
    finally:
        subprocess.run(["umount", folder], check=True)


def remount(folder: Path, options: str) -> None:
    subprocess.run(["mount", "-o", f"remount,{options}", folder], check=True)


@pytest.mark.sqlite("a server has its own disk")
def test_a_full_disk_stops_the_writer_and_keeps_what_was_acknowledged(desk: Desk) -> None:
    with disk(desk.state, "512k"):
        with desk.open() as book:
            acknowledged = list(book.append([desk.draft("first")]))
            with pytest.raises(LedgerError, match=r"full|disk I/O") as caught:
                for number in range(1000):
                    acknowledged += book.append([desk.draft(f"{number} " + "x" * 10_000)])
            assert caught.value.exit_code == 7
            assert len(acknowledged) < 100
            with pytest.raises(LedgerError, match="stopped at a failed write"):
                book.append([desk.draft("small")])
        remount(desk.state, "size=8m")
        assert recorded(desk)[1:] == [f"{entry.index} {entry.hash.hex()}" for entry in acknowledged]
        desk.write("after space came back")
        assert status(desk) == "OK"


@pytest.mark.sqlite("a server has its own disk")
def test_a_log_on_a_read_only_medium_is_read_and_verified(desk: Desk) -> None:
    with disk(desk.state, "4m"):
        desk.write("one")
        remount(desk.state, "ro")
        assert len(recorded(desk)) == 2
        assert status(desk) == "OK"
        with pytest.raises(LedgerError):
            desk.open()
