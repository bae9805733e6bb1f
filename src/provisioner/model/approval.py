"""Approval: the client's signature under the plan of work that the contract does not cover (rule 13).

A request is what the client is asked to sign; docs/reference/ledger_format.md describes its file.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from datetime import datetime

    from provisioner.model.verdict import Reason

NAMESPACE = "provisioner-approval"
"""What the signature says it is for: `ssh-keygen -Y sign -n` takes it."""

CLAUSE = "approvals"
"""The line of the contract that approved work rests on."""


@dataclass(frozen=True, kw_only=True)
class ApprovalRequest:
    """Which work, on which machines, under which contract, and why it is not covered; good until `expires`.

    `id` is that of the intervention that was refused. Instants are aware, in whole seconds. Nothing personal is in it.
    """

    id: str
    client: str
    contract: str
    contract_digest: str
    mission: str
    assets: tuple[str, ...]
    plan_digest: str
    reasons: tuple[Reason, ...]
    created: datetime
    expires: datetime


class Flaw(StrEnum):
    """What is wrong with a signature."""

    UNREADABLE = "unreadable"
    NAMESPACE = "namespace"
    KEY = "key"
    BROKEN = "broken"


@dataclass(frozen=True, kw_only=True)
class Signed:
    """What a signature was found to be: its key's fingerprint, whose key that is, and the flaw if there is one.

    `signer` is empty under a key that nobody named, `fingerprint` where the signature cannot be read.
    """

    signer: str = ""
    fingerprint: str = ""
    flaw: Flaw | None = None


@dataclass(frozen=True, kw_only=True)
class Offer:
    """What `--approval` brought: the bytes of the request file, and the text of the signature beside it."""

    path: str
    text: bytes
    signature: str


@dataclass(frozen=True, kw_only=True)
class Approval:
    """An offer that held: with `text` and `signature` anybody can verify it again."""

    request: ApprovalRequest
    text: str
    signature: str
    signer: str
    fingerprint: str
