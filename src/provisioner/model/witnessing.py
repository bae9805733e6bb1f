"""What a log and a witness say to each other: the bodies of C2SP tlog-witness `add-checkpoint`, as values.

old 20852014
PlRNCrwHpqhGrupue0L7gxbjbMiKA9temvuZZDDpkaw=

<the checkpoint, a signed note>
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from provisioner.errors import LedgerError
from provisioner.model.encoding import from_base64, to_base64

BODY_LIMIT = 128 * 1024
"""Bytes; a submission or an answer beyond this is refused unread. 16 signatures of any kind in use fit."""

PROOF_LIMIT = 63
"""Hashes in a consistency proof, at most: the specification's bound."""

SIZE_TYPE = "text/x.tlog.size"
"""The content type of an answer 409, whose body is the size that the witness has."""

_OLD = re.compile(r"old (0|[1-9][0-9]{0,18})")
_HASH_SIZE = 32


@dataclass(frozen=True)
class Submission:
    """A checkpoint as submitted: `old` is the size the witness is thought to have, `proof` leads from there to `note`.

    `proof` holds 32-byte hashes; `note` is the signed checkpoint, unread.
    """

    old: int
    proof: tuple[bytes, ...]
    note: str

    def render(self) -> bytes:
        """Return the request body."""
        hashes = "".join(to_base64(digest) + "\n" for digest in self.proof)
        return f"old {self.old}\n{hashes}\n{self.note}".encode()


@dataclass(frozen=True)
class Answer:
    """An answer of the protocol: an HTTP status, the type of its body, and the body."""

    status: int
    content_type: str
    body: bytes


def parse_submission(body: bytes) -> Submission:
    """Return what a request body says, the inverse of `Submission.render`; raises LedgerError for any other body."""
    if len(body) > BODY_LIMIT:
        raise LedgerError(f"the submission is longer than {BODY_LIMIT} bytes")
    try:
        head, blank, note = body.decode().partition("\n\n")
    except UnicodeDecodeError:
        raise LedgerError("the submission is not UTF-8") from None
    first, *lines = head.split("\n")
    old = _OLD.fullmatch(first)
    if not blank or old is None:
        raise LedgerError("a submission begins with `old SIZE`, proof lines and an empty line")
    if len(lines) > PROOF_LIMIT:
        raise LedgerError(f"a proof has at most {PROOF_LIMIT} hashes, this one {len(lines)}")
    return Submission(int(old[1]), tuple(_hash(line) for line in lines), note)


def _hash(line: str) -> bytes:
    digest = from_base64(line)
    if len(digest) != _HASH_SIZE:
        raise LedgerError("a proof line is 32 bytes in base64")
    return digest
