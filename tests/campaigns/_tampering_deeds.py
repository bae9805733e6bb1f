"""What an adversary does: fourteen kinds of tampering with the entries of a log, each a function from leaves to leaves.

An adversary is as clever as one can be without more than they have: what they write is canonical, in its right place,
and under a root that fits. `_tampering_ways` puts the result into a state folder.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from provisioner.ledger import canonical

if TYPE_CHECKING:
    from collections.abc import Sequence
    from random import Random

    from provisioner.ledger.checkpoint import VerifierKey


@dataclass(frozen=True)
class Chance:
    """One case: where the adversary lays hands on (`place`), what lies at hand (`others`, another client's log).

    `bound` is where the part of the log ends that this case is about; `copyable` says which entries are worth
    copying, here or from others: a key that nobody vouches for shows. `neat` adversaries give each entry the index of
    its row; others leave the bytes as they were.
    """

    random: Random
    place: int
    bound: int
    others: Sequence[bytes]
    copyable: Callable[[bytes], bool]
    neat: bool = True

    def put(self, leaves: Sequence[bytes]) -> list[bytes]:
        """The leaves in their rows, each with the index of its row if this adversary is neat."""
        return [changed(leaf, index=index) if self.neat else leaf for index, leaf in enumerate(leaves)]


Deed = Callable[[Chance, list[bytes]], list[bytes]]


def changed(leaf: bytes, **fields: Any) -> bytes:
    """The same entry with other values in some fields, canonical again."""
    line = canonical.parse(leaf)
    assert isinstance(line, dict)
    return leaf if fields.items() <= line.items() else canonical.render({**line, **fields})


def _line(leaf: bytes) -> dict[str, Any]:
    line = canonical.parse(leaf)
    assert isinstance(line, dict)
    return line


def _forged(chance: Chance, like: bytes) -> bytes:
    """An entry that never was: another's form, a new salt, another outcome."""
    body = {"text": f"forged {chance.random.randrange(10**6)}", "outcome": "unchanged"}
    return changed(like, kind="note", salt=f"{chance.random.getrandbits(128):032x}", body=body)


def edit(chance: Chance, leaves: list[bytes]) -> list[bytes]:
    """Something else is said in one entry; clumsily, the same is written with a space."""
    leaf = leaves[chance.place]
    forged = changed(leaf, body={**_line(leaf)["body"], "outcome": "unchanged"})
    leaves[chance.place] = forged if chance.neat else leaf.replace(b":", b": ", 1)
    return leaves


def delete(chance: Chance, leaves: list[bytes]) -> list[bytes]:
    """One entry is taken out, and those after it move up; clumsily, a gap stays."""
    if not chance.neat:
        return [b"" if index == chance.place else leaf for index, leaf in enumerate(leaves)]
    return chance.put([*leaves[: chance.place], *leaves[chance.place + 1 :]])


def insert(chance: Chance, leaves: list[bytes]) -> list[bytes]:
    """An entry that never was is put between two."""
    return chance.put([*leaves[: chance.place], _forged(chance, leaves[-1]), *leaves[chance.place :]])


def swap(chance: Chance, leaves: list[bytes]) -> list[bytes]:
    """Two entries change places."""
    other = chance.random.choice([index for index in range(chance.bound) if index > chance.place])
    leaves[chance.place], leaves[other] = leaves[other], leaves[chance.place]
    return chance.put(leaves)


def shorten(chance: Chance, leaves: list[bytes]) -> list[bytes]:
    """The log ends earlier: truncated, rolled back, or without what was in the write-ahead log."""
    return leaves[: chance.place]


def fork(chance: Chance, leaves: list[bytes]) -> list[bytes]:
    """Another history from one entry on, shorter, longer or as long."""
    count = chance.random.randint(1, len(leaves) - chance.place + 3)
    return chance.put([*leaves[: chance.place], *(_forged(chance, leaves[-1]) for _ in range(count))])


def backdate(chance: Chance, leaves: list[bytes]) -> list[bytes]:
    """An entry says that it was written earlier; above the last checkpoint, a new one says so."""
    leaf = leaves[chance.place] if chance.place < len(leaves) else _forged(chance, leaves[-1])
    at = canonical.parse_instant(_line(leaf)["at"]) - timedelta(minutes=chance.random.randint(1, 10**6))
    return chance.put([*leaves[: chance.place], changed(leaf, at=canonical.instant(at)), *leaves[chance.place + 1 :]])


def unicode_edit(chance: Chance, leaves: list[bytes]) -> list[bytes]:
    """The same text to the eye, in other code points."""
    body = _line(leaves[chance.place])["body"]
    text = unicodedata.normalize("NFD", body["text"])
    assert text != body["text"]
    leaves[chance.place] = changed(leaves[chance.place], body={**body, "text": text})
    return leaves


def duplicate(chance: Chance, leaves: list[bytes]) -> list[bytes]:
    """An entry is there twice."""
    copied = chance.random.choice([leaf for leaf in leaves[: chance.place] if chance.copyable(leaf)])
    return chance.put([*leaves[: chance.place], copied, *leaves[chance.place :]])


def splice(chance: Chance, leaves: list[bytes]) -> list[bytes]:
    """Entries of another client's log, in the place of some, between two, or as the whole log."""
    others = [leaf for leaf in chance.others if chance.copyable(leaf)]
    first = chance.random.randrange(len(others))
    count = chance.random.randint(1, len(others) - first)
    kept = leaves[chance.place + chance.random.choice([0, count]) :]
    return chance.put([*leaves[: chance.place], *others[first : first + count], *kept])


def leave(chance: Chance, leaves: list[bytes]) -> list[bytes]:
    """The entries stay: what changes is the key, or the schema."""
    return leaves


def brings_key(leaf: bytes) -> bool:
    return bool(_line(leaf)["kind"] == "key")


def with_key(leaves: Sequence[bytes], key: VerifierKey) -> list[bytes]:
    """The same log under another key: entry 0 names it, and no later entry brings one."""
    body = {**_line(leaves[0])["body"], "key": key.render(), "fingerprint": key.fingerprint}
    later = [changed(leaf, kind="note") if brings_key(leaf) else leaf for leaf in leaves[1:]]
    return [changed(leaves[0], kind="key", body=body), *later]
