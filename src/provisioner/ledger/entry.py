"""An entry: one canonical line, format version 1, and the draft it is made from."""

from __future__ import annotations

import re
import secrets
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from provisioner.errors import LedgerError
from provisioner.ledger import canonical
from provisioner.ledger.merkle import leaf_hash

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

VERSION = 1

KEY = "key"
"""The kind of entry 0: the public half of the key that signs this log."""

ERASE = "erase"
"""The kind that says which details were erased, and what is left of which contract texts."""

KINDS = frozenset(
    {KEY, "contract", "opened", "closed", "refused", "ticket", "scan", "plan", "wave", "halt", "resume", "approval"}
    | {"drill", "backup_status", "install", ERASE, "note"}
)
"""What we write. A reader shows kinds it does not know, and verification never depends on the kind."""

_SALT = re.compile(r"[0-9a-f]{32}")
_FIELDS = {"v", "index", "at", "kind", "salt", "operator", "body"}


@dataclass(frozen=True)
class Draft:
    """What is to be recorded: kind, aware instant, the operator's pseudonym, and a body without personal data."""

    kind: str
    at: datetime
    operator: str
    body: Mapping[str, object]

    def __post_init__(self) -> None:
        """Refuse a kind that format version 1 does not have."""
        if self.kind not in KINDS:
            raise LedgerError(f"{self.kind!r} is not a kind of entry; known: {', '.join(sorted(KINDS))}")


@dataclass(frozen=True)
class Entry:
    """One entry of a log: `leaf` is its exact bytes, the rest is as parsed from them."""

    index: int
    at: datetime
    kind: str
    salt: str
    operator: str
    body: Mapping[str, object]
    leaf: bytes = field(repr=False)

    @property
    def hash(self) -> bytes:
        """The 32-byte leaf hash."""
        return leaf_hash(self.leaf)


def make_entry(index: int, draft: Draft) -> Entry:
    """Return the entry at `index` for a draft, under 16 random bytes of salt; raises LedgerError as `render` does."""
    line = {
        "at": canonical.instant(draft.at),
        "body": canonical.plain(dict(draft.body)),
        "index": index,
        "kind": draft.kind,
        "operator": draft.operator,
        "salt": secrets.token_hex(16),
        "v": VERSION,
    }
    return _entry(line, canonical.encode(line))


def parse_entry(leaf: bytes) -> Entry:
    """Return the entry whose bytes are `leaf`; raises LedgerError if it is not one of version 1 in canonical form."""
    line = canonical.parse(leaf)
    if not isinstance(line, dict) or set(line) != _FIELDS or line["v"] != VERSION or line["v"] is True:
        raise LedgerError(f"not an entry of format version {VERSION}")
    return _entry(line, leaf)


def blanked_texts(entry: Entry) -> dict[str, str]:
    """Given an entry, return what it says of contract texts: the digest of what is left, by the digest of the whole."""
    said = entry.body.get("blanked") if entry.kind == ERASE else None
    return {str(digest): str(left) for digest, left in said.items()} if isinstance(said, dict) else {}


def _entry(line: dict[str, object], leaf: bytes) -> Entry:
    index, kind, salt, operator, body = (line[name] for name in ("index", "kind", "salt", "operator", "body"))
    if not isinstance(index, int) or isinstance(index, bool) or index < 0:
        raise LedgerError("the index of an entry is not a natural number")
    if not isinstance(salt, str) or not _SALT.fullmatch(salt):
        raise LedgerError("the salt of an entry is not 16 bytes in hex")
    if not isinstance(kind, str) or not isinstance(operator, str) or not isinstance(body, dict):
        raise LedgerError("kind and operator of an entry are text, its body is an object")
    return Entry(index, canonical.parse_instant(str(line["at"])), kind, salt, operator, body, leaf)
