"""Canary files: anybody who has the seed knows them; another run, name or seed has other ones."""

from __future__ import annotations

import hashlib
import os
from typing import TYPE_CHECKING

from hypothesis import given
from hypothesis import strategies as st

from provisioner_backup import canary

if TYPE_CHECKING:
    from pathlib import Path

SEED = bytes(range(32))


def independent(name: bytes, counter: int, size: int) -> bytes:
    """The definition, written a second time."""
    found = b""
    index = 0
    while len(found) < size:
        found += hashlib.sha256(SEED + b"\0" + name + b"\0" + f"{counter}\0{index}".encode()).digest()
        index += 1
    return found[:size]


@given(st.sampled_from(sorted(canary.SIZES)), st.integers(1, 10**9), st.integers(0, 200))
def test_the_stream_is_its_definition(name: bytes, counter: int, size: int) -> None:
    assert canary.stream(SEED, name, counter=counter, size=size) == independent(name, counter, size)


def test_one_committed_vector() -> None:
    found = hashlib.sha256(canary.stream(SEED, b"plain", counter=7, size=70_000)).hexdigest()
    assert found == "ed5d9fb29d04c259187248418fa06eaf56f310c39965f85dce66dd679b5179c2"


def test_what_is_written_is_what_is_expected(tmp_path: Path) -> None:
    folder = tmp_path / "canary"
    canary.write(folder, SEED, counter=3)
    found = {os.fsencode(path.name): path.read_bytes() for path in folder.iterdir() if not path.is_symlink()}
    assert found == canary.expected(SEED, 3)
    assert os.fsencode((folder / os.fsdecode(canary.SYMLINK)).readlink()) == canary.POINTS_TO
    assert (folder / "hard-link-1").stat().st_ino == (folder / "hard-link-2").stat().st_ino
    assert (folder / "sparse").stat().st_blocks * 512 < (folder / "sparse").stat().st_size
    value = os.getxattr(folder / "extended-attribute", "user.provisioner")
    assert value == independent(b"extended-attribute", 3, 32)


def test_another_run_or_seed_has_others_in_all_but_the_empty_one(tmp_path: Path) -> None:
    one = canary.expected(SEED, 1)
    for other in (canary.expected(SEED, 2), canary.expected(SEED[::-1], 1)):
        assert [name for name in one if one[name] == other[name]] == [b"empty"]


def test_what_an_earlier_run_left_is_gone(tmp_path: Path) -> None:
    folder = tmp_path / "canary"
    folder.mkdir()
    (folder / "stranger").touch()
    canary.write(folder, SEED, counter=1)
    canary.write(folder, SEED, counter=2)
    assert not (folder / "stranger").exists()
    assert (folder / "plain").read_bytes() == canary.expected(SEED, 2)[b"plain"]
