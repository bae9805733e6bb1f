"""Approvals: what a client is asked to sign when work is refused, and whether what comes back holds (rule 13)."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, replace
from datetime import timedelta
from typing import TYPE_CHECKING, Protocol

from provisioner.errors import LedgerError, UsageError
from provisioner.ledger.canonical import parse, parse_instant, render
from provisioner.ledger.keys import write_durably
from provisioner.model.approval import CLAUSE, NAMESPACE, Approval, ApprovalRequest, Flaw
from provisioner.model.intervention import Outcome
from provisioner.model.verdict import Reason

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping
    from pathlib import Path

    from provisioner.ledger.entry import Entry
    from provisioner.model.approval import Offer, Signed

OVERRIDDEN = frozenset({"uncovered", "not_promised", "allowance_used", "prepaid_used"})
"""The reasons that an approval stands in for: it never replaces a contract in force."""

GOOD_FOR = timedelta(days=7)

FORMAT = 1

TEXTS = ("id", "client", "contract", "contract_digest", "mission", "plan_digest")

FLAWS: Mapping[Flaw, tuple[str, str]] = {
    Flaw.UNREADABLE: ("approval_signature", "what is beside it is no signature of ssh-keygen"),
    Flaw.NAMESPACE: ("approval_namespace", f"it was signed for something else: ssh-keygen needs -n {NAMESPACE}"),
    Flaw.KEY: ("approval_key_unknown", "it was signed with a key that the contract does not name"),
    Flaw.BROKEN: ("approval_signature", "the signature does not hold: the file is not the one that was signed"),
}
"""The code of each flaw of a signature, and its sentence."""


class Signatures(Protocol):
    """Verifies signatures of OpenSSH."""

    def check(self, message: bytes, signature: str, *, keys: Mapping[str, str], namespace: str) -> Signed:
        """Given a message, its signature and public keys by name, say by whom it is and what is wrong with it.

        Raises MissingTool or NoAnswer when that cannot be found out.
        """
        ...


@dataclass(frozen=True, kw_only=True)
class Signing:
    """What approvals need: who verifies, fingerprints of keys that are the operator's own, the folder of requests."""

    signatures: Signatures
    own_keys: frozenset[str]
    requests: Path


@dataclass(frozen=True, kw_only=True)
class Taken:
    """Who asks now, and the ids of requests whose approval was used: for work that was accepted or is under way."""

    operator: str
    requests: frozenset[str]


@dataclass(frozen=True, kw_only=True)
class Judged:
    """An approval that holds, or every reason why what was offered is none."""

    approval: Approval | None = None
    reasons: tuple[Reason, ...] = ()


def request_bytes(request: ApprovalRequest) -> bytes:
    """Return the file of a request: one line of canonical JSON (RFC 8785) and a line end."""
    return render({"format": FORMAT, **asdict(request)}) + b"\n"


def parse_request(text: bytes) -> ApprovalRequest:
    """Return the request whose `request_bytes` is exactly `text`; raise ValueError otherwise."""
    try:
        value = parse(text.removesuffix(b"\n"))
        if not isinstance(value, dict) or value.pop("format", None) != FORMAT:
            raise ValueError(f"it is no request of format {FORMAT}")
        request = ApprovalRequest(
            **{
                **value,
                "assets": tuple(value["assets"]),
                "reasons": tuple(Reason(**reason) for reason in value["reasons"]),
                "created": parse_instant(str(value["created"])),
                "expires": parse_instant(str(value["expires"])),
            }
        )
        said = [text for reason in request.reasons for text in (reason.code, reason.clause, reason.text)]
        texts = [*(value[name] for name in TEXTS), *request.assets, *said]
        if request_bytes(request) != text or not all(isinstance(each, str) for each in texts):
            raise ValueError("it is not as it was written")
    except (LedgerError, KeyError, TypeError) as error:
        raise ValueError(f"it is no request: {error}") from error
    return request


def judge(offer: Offer, asked: ApprovalRequest, *, keys: Mapping[str, str], signing: Signing, taken: Taken) -> Judged:
    """Given what was offered and what would be asked for now, say whether it is an approval of exactly that.

    `keys` are those that the contract names. Raises UsageError for a file that is signed and no request.
    """
    signed = signing.signatures.check(offer.text, offer.signature, keys=keys, namespace=NAMESPACE)
    if signed.flaw is not None:
        code, text = FLAWS[signed.flaw]
        by = f" ({signed.fingerprint})" if signed.fingerprint else ""
        return Judged(reasons=(Reason(code=code, clause=CLAUSE, text=f"{offer.path}: {text}{by}"),))
    try:
        request = parse_request(offer.text)
    except ValueError as error:
        hint = "give the file that the refusal named, as it was signed"
        raise UsageError(f"{offer.path} cannot be approved work: {error}", hint=hint) from error
    found = {**_differences(request, asked), **_personal(signed, signing, taken)}
    if request.id in taken.requests:
        found["approval_used"] = f"{request.id} was approved once, and its work was accepted or is under way"
    if found:
        return Judged(reasons=tuple(Reason(code=code, clause=CLAUSE, text=text) for code, text in found.items()))
    text = offer.text.decode()
    approval = Approval(
        request=request, text=text, signature=offer.signature, signer=signed.signer, fingerprint=signed.fingerprint
    )
    return Judged(approval=approval)


def _differences(request: ApprovalRequest, asked: ApprovalRequest) -> dict[str, str]:
    """What of a signed request is not what would be done now, by code."""
    found = {}
    if (request.client, request.contract, request.contract_digest) != (
        asked.client,
        asked.contract,
        asked.contract_digest,
    ):
        found["approval_other_contract"] = (
            f"it approves work under contract {request.contract} of {request.client}, text {request.contract_digest};"
            f" this would be under {asked.contract} of {asked.client}, text {asked.contract_digest}"
        )
    if (request.mission, request.assets, request.plan_digest) != (asked.mission, asked.assets, asked.plan_digest):
        found["approval_other_plan"] = (
            f"it approves {request.mission} of {', '.join(request.assets)}, plan {request.plan_digest};"
            f" this would be {asked.mission} of {', '.join(asked.assets)}, plan {asked.plan_digest}"
        )
    if more := sorted({reason.code for reason in asked.reasons} - {reason.code for reason in request.reasons}):
        found["approval_other_reasons"] = f"the client was not told of: {', '.join(more)}"
    if request.expires <= asked.created:
        found["approval_expired"] = f"it was good until {request.expires:%Y-%m-%d %H:%M} UTC"
    return found


def _personal(signed: Signed, signing: Signing, taken: Taken) -> dict[str, str]:
    """Nobody approves work of their own: neither by name nor by key."""
    if signed.signer.casefold() == taken.operator.casefold():
        return {"approval_self": f"{signed.signer} would do the work and cannot approve it"}
    if signed.fingerprint in signing.own_keys:
        text = f"the key of {signed.signer} ({signed.fingerprint}) is one of the operator's own, who cannot approve it"
        return {"approval_self": text}
    return {}


def used_requests(entries: Iterable[Entry]) -> Iterator[str]:
    """Given a log, yield the id of each request whose approval let work begin that was accepted, or is under way.

    Work that failed, and check runs, leave an approval good.
    """
    under_way: dict[str, str] = {}
    for entry in entries:
        name, approval = str(entry.body.get("intervention")), entry.body.get("approval")
        if entry.kind == "opened" and isinstance(approval, dict) and entry.body.get("simulated") is not True:
            under_way[name] = str(json.loads(str(approval["request"]))["id"])
        elif entry.kind == "closed" and name in under_way:
            request = under_way.pop(name)
            outcome = Outcome(str(entry.body.get("outcome")))
            if outcome.accepted and entry.body.get("simulated") is not True:
                yield request
    yield from under_way.values()


def keep_request(folder: Path, asked: ApprovalRequest, *, used: frozenset[str]) -> Path:
    """Write the file of a request, 0600, named by the digest of its plan, and return it.

    One that is there already and asks for the same is left as it is, while it is good: somebody may be signing it.
    """
    path = folder / f"{asked.plan_digest}.json"
    try:
        there = parse_request(path.read_bytes())
        same = request_bytes(_dated_as(asked, there)) == request_bytes(there)
        if same and there.created <= asked.created < there.expires and there.id not in used:
            return path
    except (OSError, ValueError):
        pass
    write_durably(path, request_bytes(asked), mode=0o600)
    return path


def _dated_as(asked: ApprovalRequest, there: ApprovalRequest) -> ApprovalRequest:
    return replace(asked, id=there.id, created=there.created, expires=there.created + GOOD_FOR)
