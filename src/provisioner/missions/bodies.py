"""The bodies of the entries an intervention leaves, and what is read back from them. Their form is public.

docs/reference/ledger_format.md describes them. Nothing personal enters: texts of personal checks are kept in the
detail table and stand in the entry as references.
"""

from __future__ import annotations

import re
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, cast

from provisioner.errors import LedgerError
from provisioner.ledger.canonical import instant
from provisioner.model.intervention import Outcome
from provisioner.model.redaction import redacted

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from provisioner.execution.ports import Contact
    from provisioner.ledger.entry import Entry
    from provisioner.model.approval import Approval, Offer
    from provisioner.model.asset import Asset
    from provisioner.model.contract import LoadedContract
    from provisioner.model.intervention import AssetResult, Check
    from provisioner.model.plan import Plan
    from provisioner.model.values import Duration
    from provisioner.model.verdict import Reason

    Body = dict[str, object]
    Keep = Callable[[str], str]


CHECK = "check"
"""What the detail table calls the texts of personal checks."""


@dataclass(frozen=True)
class RolloutPart:
    """The rollout and its wave that a batch belongs to; `until` is the close of its window, POSIX seconds, if any."""

    rollout: str
    wave: str
    until: int | None


@dataclass(frozen=True, kw_only=True)
class Request:
    """What is asked for: a plan on assets, under a contract.

    `accept` decides about an unknown host key; `ticket` is the ticket the work belongs to; `check` asks for check mode.
    `spent` is the labour of it, `approval` what the client may have signed for it. `rollout` is what a batch is of:
    such work is unattended. `reasons` are what speaks against it besides coverage: such a request is refused.
    """

    contract: LoadedContract
    assets: tuple[Asset, ...]
    plan: Plan
    accept: Callable[[str], bool]
    ticket: str | None
    check: bool
    spent: Duration | None = None
    approval: Offer | None = None
    rollout: RolloutPart | None = None
    reasons: tuple[Reason, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Admission:
    """What was decided about a request: the clause it rests on, or the reasons against it.

    `requested` is what the client may be asked to approve: the reasons, where an approval could stand in for all of
    them. `warnings` are sentences; `included` says that the work is inside an allowance; `approval` is what let it in.
    """

    clause: str
    reasons: tuple[Reason, ...] = ()
    requested: tuple[Reason, ...] = ()
    warnings: tuple[str, ...] = ()
    included: bool = False
    approval: Approval | None = None


def intent_body(intervention: str, request: Request, admission: Admission) -> Body:
    """The body of `opened`, and of `refused` without its reasons: what was going to be done, on what, under what."""
    content = request.plan.content
    part = {"rollout": _part(request.rollout), "unattended": True} if request.rollout else {}
    return {
        **part,
        "intervention": intervention,
        "contract": request.contract.versions[0].contract.id,
        "contract_digest": request.contract.digest,
        "clause": admission.clause,
        "mission": request.plan.mission.value,
        "plan_digest": request.plan.digest,
        "assets": list(request.plan.assets),
        "ticket": request.ticket,
        "simulated": request.check,
        "spent": str(request.spent) if request.spent else None,
        "in_allowance": admission.included,
        "warnings": list(admission.warnings),
        "approval": _approval(admission.approval) if admission.approval else None,
        "content": {
            "playbook": content.playbook,
            "playbook_digest": content.playbook_digest,
            "roles": dict(content.roles),
            "collections": dict(content.collections),
            "ansible": content.ansible,
            "commit": content.commit,
        },
    }


def _part(part: RolloutPart) -> Body:
    until = instant(datetime.fromtimestamp(part.until, UTC)) if part.until is not None else None
    return {"rollout": part.rollout, "wave": part.wave, "until": until}


def _approval(approval: Approval) -> Body:
    return {
        "request": approval.text,
        "signature": approval.signature,
        "signer": approval.signer,
        "fingerprint": approval.fingerprint,
    }


def refusal_body(intent: Body, reasons: Iterable[Reason]) -> Body:
    """The body of `refused`."""
    return {**intent, "outcome": Outcome.REFUSED.value, "reasons": [asdict(reason) for reason in reasons]}


@dataclass(frozen=True, kw_only=True)
class Closing:
    """How an intervention ended: of the whole, of each asset, what each contact found, and the effective check mode."""

    outcome: Outcome
    results: tuple[AssetResult, ...]
    contacts: Mapping[str, Contact]
    simulated: bool


def closing_body(intervention: str, closing: Closing, keep: Keep) -> Body:
    """The body of `closed`; `keep` turns a personal text into a reference."""
    return {
        "intervention": intervention,
        "outcome": closing.outcome.value,
        "simulated": closing.simulated,
        "assets": [_asset(result, closing.contacts.get(result.name), keep) for result in closing.results],
    }


def _asset(result: AssetResult, contact: Contact | None, keep: Keep) -> Body:
    # A reason's text may quote the machine: the entry keeps its code and clause only.
    reason = {"code": result.reason.code, "clause": result.reason.clause} if result.reason else None
    packages = {"packages": [package._asdict() for package in result.packages]} if result.packages else {}
    return {
        **packages,
        "name": result.name,
        "outcome": result.outcome.value,
        "ok": result.ok,
        "changed": result.changed,
        "failed_task": result.failed_task,
        "reason": reason,
        "trust": contact.trust.value if contact and contact.trust else None,
        "host_key": contact.fingerprint if contact and contact.fingerprint else None,
        "checks": [_check(check, keep) for check in result.checks],
    }


def _check(check: Check, keep: Keep) -> Body:
    texts = {"name": check.name, "asked": check.asked, "found": check.found}
    if check.personal:
        texts = {key: keep(text) for key, text in texts.items()}
    return {**texts, "result": check.result.value, "personal": check.personal}


NAMES = frozenset(
    {"intervention", "contract", "contract_digest", "plan_digest", "clause", "mission", "outcome", "assets[]"}
    | {f"assets[].{key}" for key in ("name", "outcome", "trust", "host_key", "reason.code", "reason.clause")}
    | {"assets[].checks[].result", "reasons[].code", "reasons[].clause", "spent"}
    | {"rollout.rollout", "rollout.wave", "rollout.until"}
    | {f"assets[].packages[].{key}" for key in ("name", "architecture", "before", "version", "sha256")}
    | {f"approval.{key}" for key in ("request", "signature", "signer", "fingerprint")}
)
"""Where a body holds words of ours, digests, names of contract and machines, and what others signed: read back, and no
secrets."""

_REFERENCE = re.compile(r"pv-[0-9a-f]{64}")


def without_secrets(body: Body, hide: Callable[[str], str]) -> Body:
    """The body with `hide` applied to every text but NAMES, references, and what says which content was executed."""
    hidden = redacted(body, lambda text: text if _REFERENCE.fullmatch(text) else hide(text), names=NAMES)
    return cast("Body", hidden) | {key: value for key, value in body.items() if key == "content"}


@dataclass(frozen=True)
class Intent:
    """An intervention that was opened and not closed."""

    intervention: str
    assets: tuple[str, ...]
    simulated: bool


_SAFE = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,252}")


def _intent(entry: Entry) -> Intent:
    """Read an entry `opened`; its names become those of files, so anything else than a plain name is refused."""
    named, assets = entry.body.get("intervention"), entry.body.get("assets")
    names = [named, *(assets if isinstance(assets, list) else [None])]
    plain = [name for name in names if isinstance(name, str) and _SAFE.fullmatch(name)]
    if plain != names:
        raise LedgerError(
            f"entry {entry.index} opens an intervention under names that provisioner does not give",
            hint="somebody else wrote to the ledger: see `invoke audit.verify`",
        )
    return Intent(plain[0], tuple(plain[1:]), entry.body.get("simulated") is True)


def open_intents(entries: Iterable[Entry]) -> tuple[Intent, ...]:
    """Given a log, return what was opened and never closed, oldest first.

    Raises LedgerError for an entry whose names could reach other files than a run's own.
    """
    found: dict[str, Intent] = {}
    for entry in entries:
        if entry.kind == "opened":
            intent = _intent(entry)
            found[intent.intervention] = intent
        elif entry.kind == "closed":
            found.pop(str(entry.body.get("intervention")), None)
    return tuple(found.values())
