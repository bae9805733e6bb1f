"""Archives with the same bytes for the same content, and their careful unpacking.

A .tar.gz of regular files, mode 0644, under one folder, no owner, no time: POSIX ustar inside gzip without a name.
"""

from __future__ import annotations

import gzip
import os
import shutil
import tarfile
import zlib
from contextlib import contextmanager, suppress
from io import BytesIO
from typing import IO, TYPE_CHECKING, Self

from provisioner.errors import LedgerError, UsageError
from provisioner.ledger.folders import sync_folder

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

UNPACKED_LIMIT = 2**32
"""Bytes; an archive that unpacks to more is refused."""

_BLOCK = 2**20


class Archive:
    """An archive being written. Members are added in order of their names."""

    def __init__(self, tar: tarfile.TarFile, top: str) -> None:
        """`open_archive` is the way in; `top` is the one folder."""
        self._tar = tar
        self._top = top

    def add(self, name: str, data: bytes) -> None:
        """Add a file that fits into memory."""
        self._add(name, BytesIO(data), len(data))

    def add_file(self, name: str, file: IO[bytes]) -> None:
        """Add what a file holds, from its beginning."""
        size = file.seek(0, os.SEEK_END)
        file.seek(0)
        self._add(name, file, size)

    def _add(self, name: str, file: IO[bytes], size: int) -> None:
        member = tarfile.TarInfo(f"{self._top}/{name}")
        member.size, member.mode = size, 0o644
        self._tar.addfile(member, file)


@contextmanager
def open_archive(path: Path, top: str) -> Iterator[Archive]:
    """Write an archive that is there, whole and durable, when the block is left, and not at all if it raised.

    A file that is there already is never replaced: raises UsageError, unless it has the very same bytes; UsageError too
    where it cannot be written.
    """
    draft = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        with os.fdopen(os.open(draft, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600), "w+b") as raw:
            with (
                gzip.GzipFile(filename="", mode="wb", fileobj=raw, mtime=0, compresslevel=6) as packed,
                tarfile.open(fileobj=packed, mode="w|", format=tarfile.USTAR_FORMAT) as tar,
            ):
                yield Archive(tar, top)
            raw.flush()
            os.fsync(raw.fileno())
            if path.exists() and not _same(raw, path):
                raise UsageError(f"{path} is there already, with other content", hint="name another file with --out")
        draft.replace(path)
        sync_folder(path.parent)
    except OSError as error:
        raise UsageError(f"{path}: cannot be written: {error.strerror}") from error
    finally:
        with suppress(OSError):
            draft.unlink()


def unpack(path: Path, folder: Path, *, is_part: Callable[[str], bool]) -> Path:
    """Unpack an archive into an empty folder; return the one folder that was in it.

    Raises LedgerError for what is no archive, is damaged, or holds anything but regular files that `is_part` knows,
    each once, under one folder; UsageError where it cannot be read.
    """
    tops, room = set[str](), UNPACKED_LIMIT
    try:
        with gzip.open(path) as packed, tarfile.open(fileobj=packed, mode="r|", tarinfo=_Regular) as tar:
            for member in tar:
                room -= member.size
                if not is_part(member.name) or room < 0 or (folder / member.name).exists():
                    raise LedgerError(f"it holds {member.name!r}, which no bundle does")
                target = folder / member.name
                tops.add(member.name.partition("/")[0])
                source = tar.extractfile(member)
                target.parent.mkdir(parents=True, exist_ok=True)
                with target.open("wb") as file:
                    shutil.copyfileobj(source or BytesIO(), file)
            while packed.read(_BLOCK) and room > 0:  # to its end, where the checksum is
                room -= _BLOCK
    except (tarfile.TarError, gzip.BadGzipFile, zlib.error, EOFError, ValueError) as error:
        raise LedgerError(f"it cannot be unpacked: {error}") from error
    except OSError as error:
        raise UsageError(f"{path}: cannot be read: {error.strerror}") from error
    if len(tops) != 1:
        raise LedgerError("it does not hold one folder")
    return folder / tops.pop()


class _Regular(tarfile.TarInfo):
    """A member that is a regular file: no other kind is read, for an extended header may be of any size."""

    @classmethod
    def frombuf(cls, buf: bytes | bytearray, encoding: str, errors: str) -> Self:
        member = super().frombuf(buf, encoding, errors)
        if member.type != tarfile.REGTYPE:
            raise tarfile.ReadError(f"it holds {member.name!r}, which is no regular file")
        return member


def _same(file: IO[bytes], path: Path) -> bool:
    file.seek(0)
    with path.open("rb") as other:
        while True:
            ours, theirs = file.read(_BLOCK), other.read(_BLOCK)
            if ours != theirs:
                return False
            if not ours:
                return True
