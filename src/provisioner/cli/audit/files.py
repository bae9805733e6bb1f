"""Small files that go to and come from somebody outside: requests, answers, copies of checkpoints."""

from __future__ import annotations

from typing import TYPE_CHECKING

from provisioner.errors import UsageError

if TYPE_CHECKING:
    from pathlib import Path


def read_small(path: Path, *, limit: int) -> bytes:
    """Return the bytes of a file; UsageError when it cannot be read or is longer than `limit` bytes."""
    try:
        with path.open("rb") as file:
            data = file.read(limit + 1)
    except OSError as error:
        raise UsageError(f"{path}: cannot be read: {error.strerror}") from error
    if len(data) > limit:
        raise UsageError(f"{path} is longer than {limit} bytes: it is something else")
    return data


def write_small(path: Path, data: bytes) -> None:
    """Write a file, over what was there; UsageError when it cannot be written."""
    try:
        path.write_bytes(data)
    except OSError as error:
        raise UsageError(f"{path}: cannot be written: {error.strerror}") from error


def keep_copy(path: Path, data: bytes) -> None:
    """Write a file that is to be kept; UsageError when another one is there: a kept copy is never replaced."""
    if path.exists():
        same = path.is_file() and path.stat().st_size == len(data) and read_small(path, limit=len(data)) == data
        if not same:
            raise UsageError(f"{path} is there already, another one: a kept copy is not replaced", hint="name another")
    write_small(path, data)
