"""The names of format version 1 that writer and verifier share: origins, fields of `details`, references."""

from __future__ import annotations

import re
from hashlib import sha256

from provisioner.errors import UsageError

OPERATOR = "operator"
"""Field of the rows that map a pseudonym to a person."""

CONTRACT = "contract"
"""Field of the rows that hold the text of a contract under its SHA-256 digest."""

CONTRACT_REDACTED = "contract_redacted"
"""Field of the rows that hold what an erasure left of a contract's text, under the digest of the whole."""

NOT_PERSONAL = frozenset({OPERATOR, CONTRACT, CONTRACT_REDACTED})
"""The fields with a meaning of their own; any other one is a kind of personal value."""

SALT_SIZE = 16
"""Random bytes that keep the reference of a personal value from being guessed."""

_CLIENT = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")


_PREFIX = "provisioner/"


def origin_of(client: str) -> str:
    """Return the origin of a client's log; raises UsageError for a client id that could not name a folder."""
    if not _CLIENT.fullmatch(client):
        raise UsageError(f"{client!r} is not a client id: letters, digits, dot, dash and underscore, 64 at most")
    return f"{_PREFIX}{client}"


def is_origin(text: str) -> bool:
    """Whether a text is what `origin_of` returns for some client."""
    return text.startswith(_PREFIX) and bool(_CLIENT.fullmatch(text.removeprefix(_PREFIX)))


def client_of(origin: str) -> str:
    """Return the client whose log has this origin: the inverse of `origin_of`."""
    return origin.removeprefix(_PREFIX)


def pending_origin(origin: str) -> str:
    """Return the origin under which the log's key signs pending notes: to a verifier, never a checkpoint of the log."""
    return f"{origin}/pending"


def rotation_origin(origin: str) -> str:
    """Return the name under which a log's key signs the key that follows it: to a verifier, never a checkpoint."""
    return f"{origin}/rotation"


def personal_reference(salt: bytes, value: bytes) -> str:
    """Return the reference of a personal value: `pv-` and SHA-256(salt || value) in hex."""
    return f"pv-{sha256(salt + value).hexdigest()}"


def contract_digest(text: bytes) -> str:
    """Return the reference of a contract's text: its SHA-256 in hex."""
    return sha256(text).hexdigest()
