"""What a host in other hands can make of its key and its password: restic objects that lie, by restic's own format.

restic's encryption is AES-256-CTR with Poly1305-AES (`doc/design.rst` of restic, "Keys, Encryption and MAC"); an index
is JSON, encrypted. The pieces of a pack are only looked at when they are read, so an index can say anything of them.
"""

from __future__ import annotations

import base64
import hashlib
import json
import os
from dataclasses import dataclass
from typing import Any

from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from cryptography.hazmat.primitives.poly1305 import Poly1305


@dataclass(frozen=True)
class MasterKey:
    """The key of a repository, as `restic cat masterkey` prints it to whoever knows a password."""

    encrypt: bytes
    k: bytes
    r: bytes

    @classmethod
    def parse(cls, text: str) -> MasterKey:
        told = json.loads(text)
        return cls(*map(base64.b64decode, (told["encrypt"], told["mac"]["k"], told["mac"]["r"])))

    def seal(self, text: bytes) -> bytes:
        """Return text as restic stores it: nonce, ciphertext, authenticator."""
        nonce = os.urandom(16)
        hidden = Cipher(algorithms.AES(self.encrypt), modes.CTR(nonce)).encryptor().update(text)
        return nonce + hidden + self._mac(nonce, hidden)

    def open(self, sealed: bytes) -> bytes:
        """The inverse, for indices and blobs that are not compressed; fails on another key."""
        nonce, hidden, mac = sealed[:16], sealed[16:-16], sealed[-16:]
        assert mac == self._mac(nonce, hidden)
        return Cipher(algorithms.AES(self.encrypt), modes.CTR(nonce)).decryptor().update(hidden)

    def _mac(self, nonce: bytes, hidden: bytes) -> bytes:
        once = Cipher(algorithms.AES(self.k), modes.ECB()).encryptor().update(nonce)
        return Poly1305.generate_tag(self.r + once, hidden)


Blob = dict[str, Any]
Index = dict[str, list[dict[str, Any]]]

PACK_OVERHEAD = 4 + 32
ENTRY, COMPRESSED_ENTRY = 37, 41
"""What a pack holds besides its pieces, in bytes: `prune` compares the sum with the size of the file."""


def is_data(blob: Blob) -> bool:
    return bool(blob["type"] == "data")


def lying_index(old: list[Index], bait: Index) -> tuple[Index, str, bytes]:
    """Given the indices of what there is and of one more backup, return a lying index, its pack's name and content.

    It says that all data there is is (also) in the garbage, and that the data of the last backup is there alone: a pack
    that nothing else can stand in for is one that `prune` keeps, and then it needs no other copy of the rest. The trees
    it reads are let be.
    """
    trees = [pack for pack in bait["packs"] if not any(map(is_data, pack["blobs"]))]
    data = [blob for pack in bait["packs"] for blob in pack["blobs"] if is_data(blob)]
    assert trees
    assert data
    pieces, offset = [], 0
    for blob in [*data, *(blob for index in old for pack in index["packs"] for blob in pack["blobs"] if is_data(blob))]:
        pieces.append({**blob, "offset": offset})
        offset += blob["length"]
    entries = sum(COMPRESSED_ENTRY if blob.get("uncompressed_length") else ENTRY for blob in pieces)
    garbage = os.urandom(offset + entries + PACK_OVERHEAD)
    name = hashlib.sha256(garbage).hexdigest()
    return {"packs": [*trees, {"id": name, "blobs": pieces}]}, name, garbage
