"""The parts of an unpacked bundle, parsed: nothing here is believed, and each error names its file."""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from provisioner.errors import LedgerError
from provisioner.ledger import bundle, canonical
from provisioner.ledger.checkpoint import Checkpoint, parse_checkpoint
from provisioner.model.encoding import from_base64

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

WHOLE = 2**24
"""Bytes: the most of a file that is read whole, and of a line."""


@dataclass(frozen=True)
class Step:
    """How the newest checkpoint grew from an older one (size and root), as the bundle says."""

    size: int
    root: bytes
    path: tuple[bytes, ...]


@dataclass(frozen=True)
class Value:
    """A line of details.jsonl: what a reference is said to stand for."""

    reference: str
    field: str
    salt: str
    value: str


class Parts:
    """A folder with the files of a bundle; whatever else lies there is passed over. Methods raise LedgerError."""

    def __init__(self, folder: Path) -> None:
        """Nothing is read yet."""
        self._folder = folder

    def has(self, name: str) -> bool:
        """Whether there is such a file."""
        return (self._folder / name).exists()

    def names(self, folder: str) -> list[str]:
        """Return the names of the files in one of the bundle's folders."""
        return sorted(path.name for path in (self._folder / folder).glob("*"))

    def read(self, name: str) -> bytes:
        """Return what a file holds."""
        path = self._folder / name
        if not path.is_file() or path.is_symlink() or path.stat().st_size > WHOLE:
            raise LedgerError(f"{name} is missing or too large")
        return path.read_bytes()

    def lines(self, name: str) -> Iterator[bytes]:
        """Yield the lines of a file without their ends; one that has none, or is too long, is empty."""
        path = self._folder / name
        if not path.is_file() or path.is_symlink():
            raise LedgerError(f"{name} is missing")
        with path.open("rb") as file:
            while line := file.readline(WHOLE):
                yield line[:-1] if line.endswith(b"\n") else b""

    def manifest(self) -> bundle.Manifest:
        """Return what the bundle says it holds."""
        data = self.read(bundle.MANIFEST)
        with _naming(bundle.MANIFEST):
            return bundle.parse_manifest(data)

    def checkpoint(self, name: str) -> Checkpoint:
        """Return the checkpoint in a file, no signature verified."""
        data = self.read(name)
        with _naming(name):
            return parse_checkpoint(data.decode())

    def indices(self) -> list[int]:
        """Return the indices that proofs are there for, in order."""
        found = [bundle.PROOF_NAME.fullmatch(name) for name in self.names("proofs")]
        return sorted(int(match[1]) for match in found if match)

    def steps(self) -> Iterator[Step]:
        """Yield the lines of consistency.jsonl."""
        with _naming(bundle.CONSISTENCY):
            for line in self.lines(bundle.CONSISTENCY):
                step = canonical.parse(line)
                if not isinstance(step, dict) or bundle.types(step) != {"proof": list, "root": str, "size": int}:
                    raise LedgerError("a line is no step between two checkpoints")
                yield Step(step["size"], _digest(step["root"]), tuple(map(_digest, step["proof"])))

    def values(self) -> Iterator[Value]:
        """Yield the lines of details.jsonl; nothing where there is no such file."""
        with _naming(bundle.DETAILS):
            for line in self.lines(bundle.DETAILS) if self.has(bundle.DETAILS) else ():
                value = canonical.parse(line)
                form = dict.fromkeys(("field", "reference", "salt", "value"), str)
                if not isinstance(value, dict) or bundle.types(value) != form:
                    raise LedgerError("a line is no value")
                yield Value(**value)


@contextmanager
def _naming(name: str) -> Iterator[None]:
    try:
        yield
    except (LedgerError, ValueError) as error:
        raise LedgerError(f"{name}: {error}") from error


def _digest(text: object) -> bytes:
    data = from_base64(text)
    if len(data) != 32:
        raise LedgerError("a hash is not 32 bytes in base64")
    return data
