"""What a host in other hands can make of its key and its password: restic objects that lie, by restic's own format.

restic's encryption is AES-256-CTR with Poly1305-AES (`doc/design.rst` of restic, "Keys, Encryption and MAC"); an index
is JSON, encrypted. The pieces of a pack are only looked at when they are read, so an index can say anything of them.
"""

from __future__ import annotations

import base64
import json
import os
from dataclasses import dataclass

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


Index = dict[str, list[dict[str, object]]]


def lying_index(indices: list[Index], sizes: dict[str, int], *, copies: int) -> tuple[Index, dict[str, bytes]]:
    """Given the indices and the sizes of the packs, return an index that claims every piece to be (also) in packs of
    garbage, and those packs by name: as large as the good ones, `copies` of each.
    """
    packs: list[dict[str, object]] = []
    garbage: dict[str, bytes] = {}
    for index in indices:
        for pack in index["packs"]:
            for _ in range(copies):
                name = os.urandom(32).hex()
                garbage[name] = os.urandom(sizes[str(pack["id"])])
                packs.append({"id": name, "blobs": pack["blobs"]})
    return {"packs": packs}, garbage
