"""C2SP tlog-proof: one entry's inclusion proof with the checkpoint that it leads to, in one text file."""

from __future__ import annotations

import re
from dataclasses import dataclass, field

from provisioner.errors import LedgerError
from provisioner.ledger.merkle import HASH_SIZE
from provisioner.model.encoding import from_base64, to_base64

_TITLE = "c2sp.org/tlog-proof@v1"
_INDEX = re.compile(r"index (0|[1-9][0-9]{0,18})")


@dataclass(frozen=True)
class Proof:
    """That an entry is at `index` of the tree of a checkpoint: the path from the leaf up, and the checkpoint's note.

    `extra` is what others may add; nothing vouches for it and we write none.
    """

    index: int
    path: tuple[bytes, ...]
    note: str = field(repr=False)
    extra: bytes | None = None

    def render(self) -> str:
        """Return the text of the file."""
        extra = [] if self.extra is None else [f"extra {to_base64(self.extra)}"]
        head = [_TITLE, *extra, f"index {self.index}", *map(to_base64, self.path)]
        return "\n".join(head) + f"\n\n{self.note}"


def parse_proof(text: str) -> Proof:
    """Return the proof whose `render` is exactly `text`; nothing is verified, and the note is not looked into.

    Raises LedgerError where C2SP tlog-proof refuses it.
    """
    head, blank, note = text.partition("\n\n")
    lines = head.split("\n")
    extra = _decode(lines.pop(1).removeprefix("extra ")) if len(lines) > 1 and lines[1].startswith("extra ") else None
    index = _INDEX.fullmatch(lines[1]) if len(lines) > 1 else None
    if lines[0] != _TITLE or not blank or index is None:
        raise LedgerError("not a tlog-proof: its title, the index, hashes and a checkpoint are expected")
    path = tuple(_decode(line) for line in lines[2:])
    if any(len(digest) != HASH_SIZE for digest in path):
        raise LedgerError("not a tlog-proof: a hash in it is not 32 bytes")
    return Proof(int(index[1]), path, note, extra)


def _decode(text: str) -> bytes:
    data = from_base64(text)
    if text and not data:
        raise LedgerError("not a tlog-proof: a line of it is not base64")
    return data
