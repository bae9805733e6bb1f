"""The bundle, format version 1: what one folder in a .tar.gz holds so that nobody needs us to check it.

docs/reference/bundle_format.md says all of it. `write` and `verify` share only what is here;
`standalone/verify.py` shares nothing.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from provisioner.errors import LedgerError
from provisioner.ledger import canonical
from provisioner.ledger.entry import KEY
from provisioner.ledger.names import is_origin
from provisioner.model.encoding import to_base64

if TYPE_CHECKING:
    from collections.abc import Iterable
    from datetime import datetime

    from provisioner.ledger.checkpoint import VerifierKey
    from provisioner.ledger.entry import Entry

VERSION = 1

MANIFEST = "manifest.json"
ENTRIES = "entries.jsonl"
DETAILS = "details.jsonl"
NEWEST = "checkpoints/newest.checkpoint"
COSIGNED = "checkpoints/newest.cosigned"
STAMPED = "checkpoints/newest.tsr"
CONSISTENCY = "checkpoints/consistency.jsonl"
RECIPE = "VERIFY.md"
PROGRAM = "verify.py"

PROOF_NAME = re.compile(r"([0-9]{10}|[1-9][0-9]{10,18})\.tlog-proof")

_MEMBER = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}(/[A-Za-z][a-z]+)?/[A-Za-z0-9]+\.[a-z-]+")
_CITED = re.compile(rb'"((?:op-|pv-)?[0-9a-f]{16,64})"')
_SPKI = bytes.fromhex("302a300506032b6570032100")
"""What goes before the 32 bytes of an Ed25519 key in a SubjectPublicKeyInfo (RFC 8410)."""


@dataclass(frozen=True, kw_only=True)
class Scope:
    """What a bundle is about: the entries of an `intervention`, or, where that is empty, a period.

    A period is the entries `first` to `last`, the first and the last whose instant is from `since` on and before
    `until`; None is no bound, so the whole log is a period too.
    """

    intervention: str = ""
    first: int = 0
    last: int = 0
    since: datetime | None = None
    until: datetime | None = None

    def document(self) -> dict[str, object]:
        """Return what stands in the manifest."""
        if self.intervention:
            return {"intervention": self.intervention}
        ends = {"since": self.since, "until": self.until}
        texts = {name: canonical.instant(at) if at else "" for name, at in ends.items()}
        return {"first": self.first, "last": self.last, **texts}

    def covers(self, at: datetime) -> bool:
        """Whether an instant lies in the period."""
        return (self.since is None or at >= self.since) and (self.until is None or at < self.until)

    def due(self, size: int) -> range:
        """Return the indices that no bundle of this scope may lack: the period, and the neighbours just outside."""
        return range(1) if self.intervention else range(max(self.first - 1, 0), min(self.last + 2, size))

    def misplaced(self, entry: Entry) -> str:
        """Say why an entry does not belong where it stands in a bundle of this scope, empty if it does."""
        if self.intervention:
            own = entry.kind == KEY or entry.body.get("intervention") == self.intervention
            return "" if own else "it is not of this intervention"
        inside = self.covers(entry.at)
        if entry.index in (self.first, self.last) and not inside:
            return "the period neither begins nor ends here"
        if entry.index in (self.first - 1, self.last + 1):
            return "it is of the period, which is said not to reach here" if inside else ""
        outside = not self.first <= entry.index <= self.last
        return "it is not of this period" if outside and entry.kind != KEY else ""


@dataclass(frozen=True, kw_only=True)
class Manifest:
    """What a bundle says it holds; `indices` are first and last of each run of entries, `size` the tree's.

    Of a parsed one nothing is believed: `indices` may be anything until they are compared with what is there.
    """

    origin: str
    scope: Scope
    indices: tuple[tuple[int, ...], ...]
    size: int

    def render(self) -> bytes:
        """Return the bytes of manifest.json."""
        scope, indices = self.scope.document(), [list(run) for run in self.indices]
        document = {"v": VERSION, "origin": self.origin, "scope": scope, "indices": indices, "size": self.size}
        return canonical.render(document)


def parse_manifest(data: bytes) -> Manifest:
    """Return the manifest whose `render` is `data`; raises LedgerError if it is none of format version 1."""
    document = canonical.parse(data)
    form = {"indices": list, "origin": str, "scope": dict, "size": int, "v": int}
    if not isinstance(document, dict) or types(document) != form or document["v"] != VERSION:
        raise LedgerError("not a manifest of format version 1")
    origin, size, scope = document["origin"], document["size"], _parse_scope(document["scope"])
    if not is_origin(origin):
        raise LedgerError("not the origin of a log")
    if not 0 <= scope.first <= scope.last < size:
        raise LedgerError("the period is not within the log")
    indices = tuple(tuple(run) if isinstance(run, list) else () for run in document["indices"])
    return Manifest(origin=origin, scope=scope, indices=indices, size=size)


def _parse_scope(scope: dict[str, object]) -> Scope:
    named, first, last = scope.get("intervention"), scope.get("first"), scope.get("last")
    since, until = scope.get("since"), scope.get("until")
    if set(scope) == {"intervention"} and isinstance(named, str) and named:
        return Scope(intervention=named)
    if types(scope) != {"first": int, "last": int, "since": str, "until": str}:
        raise LedgerError("not a scope of format version 1")
    starts = canonical.parse_instant(str(since)) if since else None
    ends = canonical.parse_instant(str(until)) if until else None
    return Scope(first=int(str(first)), last=int(str(last)), since=starts, until=ends)


def is_part(name: str) -> bool:
    """Whether an archive may hold a file of this name, that of its one folder included: others cannot do harm."""
    return bool(_MEMBER.fullmatch(name))


def proof_name(index: int) -> str:
    """Return the name of the proof of an entry."""
    return f"proofs/{index:010d}.tlog-proof"


def key_files(index: int, key: VerifierKey) -> dict[str, bytes]:
    """Return the files of the key that entry `index` brought: the vkey, and a PEM that OpenSSL reads."""
    encoded = to_base64(_SPKI + key.public)
    pem = f"-----BEGIN PUBLIC KEY-----\n{encoded}\n-----END PUBLIC KEY-----\n"
    return {f"keys/{index:010d}.pem": pem.encode(), f"keys/{index:010d}.vkey": f"{key.render()}\n".encode()}


def cited(leaf: bytes) -> set[str]:
    """Return the references and digests that stand in the bytes of an entry."""
    return {text.decode() for text in _CITED.findall(leaf)}


def runs(indices: Iterable[int]) -> tuple[tuple[int, int], ...]:
    """Given indices in order, return first and last of each run without a gap."""
    found: list[tuple[int, int]] = []
    for index in indices:
        if found and found[-1][1] == index - 1:
            found[-1] = (found[-1][0], index)
        else:
            found.append((index, index))
    return tuple(found)


def types(document: dict[str, object]) -> dict[str, type]:
    """Return the types of an object's members."""
    return {name: type(value) for name, value in document.items()}
