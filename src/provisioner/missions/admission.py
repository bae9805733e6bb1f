"""Admission: may this work be done now, what would it draw, and does an approval stand in for what is lacking?"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from provisioner.missions.approvals import (
    GOOD_FOR,
    OVERRIDDEN,
    Taken,
    judge,
    keep_request,
    used_requests,
)
from provisioner.missions.bodies import Admission
from provisioner.missions.uses import INTERVENTIONS, KINDS, labour, uses
from provisioner.model.approval import CLAUSE, ApprovalRequest
from provisioner.terms.allowances import Use
from provisioner.terms.charge import allowance_warnings, foresee, included
from provisioner.terms.coverage import verdict
from provisioner.terms.prepaid import Work
from provisioner.terms.term import terms_on

if TYPE_CHECKING:
    from datetime import datetime
    from pathlib import Path

    from provisioner.ledger.book import Book
    from provisioner.ledger.entry import Entry
    from provisioner.missions.bodies import Request
    from provisioner.missions.services import Services
    from provisioner.model.verdict import Reason

UNNEEDED = "the contract covers this work: the approval is not needed, and not used up"


def admit(request: Request, book: Book, services: Services, *, intervention: str, at: datetime) -> Admission:
    """Given a request and the client's log, decide whether it is done at `at`, and with which warnings.

    Raises UsageError for an approval that is none, MissingTool or NoAnswer where its signature cannot be verified.
    """
    contract, _ = terms_on(request.contract, at)
    entries = tuple(book.entries(kinds=KINDS if contract.prepaid else INTERVENTIONS))
    found = _foreseen(request, entries, at)
    if not found.reasons:
        return replace(found, warnings=(*found.warnings, UNNEEDED)) if request.approval else found
    if not found.requested or request.approval is None:
        return found
    asked = request_for(request, found, intervention=intervention, at=at)
    judged = judge(
        request.approval,
        asked,
        keys={key.name: key.ssh for key in contract.approvals.keys},
        signing=services.signing,
        taken=Taken(operator=services.operator, requests=frozenset(used_requests(entries))),
    )
    if judged.approval is None:
        return replace(found, reasons=(*found.reasons, *judged.reasons))
    told = tuple(f"approved by {judged.approval.signer}: {reason.text}" for reason in found.reasons)
    return Admission(clause=CLAUSE, warnings=(*found.warnings, *told), approval=judged.approval)


def request_for(request: Request, admission: Admission, *, intervention: str, at: datetime) -> ApprovalRequest:
    """Return what the client is asked to sign for a request that is refused at `at`."""
    created = at.replace(microsecond=0)
    return ApprovalRequest(
        id=intervention,
        client=request.plan.client,
        contract=request.contract.id,
        contract_digest=request.contract.digest,
        mission=request.plan.mission.value,
        assets=request.plan.assets,
        plan_digest=request.plan.digest,
        reasons=admission.requested,
        created=created,
        expires=created + GOOD_FOR,
    )


def ask_client(folder: Path, asked: ApprovalRequest, book: Book) -> Path:
    """Write the request for the client to sign, unless it is there already, and return its file."""
    return keep_request(folder, asked, used=frozenset(used_requests(book.entries(kinds=INTERVENTIONS))))


def _foreseen(request: Request, entries: tuple[Entry, ...], at: datetime) -> Admission:
    """What the contract says by itself."""
    mission, used = request.plan.mission, list(uses(entries, request.contract.id))
    more: list[Use] = []
    reasons: list[Reason] = list(request.reasons)
    for asset in request.assets:
        decision = verdict(request.contract, asset, mission, at=at, uses=[*used, *more])
        reasons.extend(decision.reasons)
        more.append(Use(asset=asset.name, mission=mission, at=at, counts=not request.check))
    inside = not reasons and included(request.contract, mission, at=at)
    work = Work(at=at, what="", mission=mission, counts=not request.check, included=inside, spent=request.spent)
    hours, warnings = foresee(request.contract, work, labour=labour(entries, request.contract))
    reasons.extend(hours.reasons)
    distinct = tuple(dict.fromkeys(reasons))
    counted = allowance_warnings(request.contract, mission, at=at, uses=used, more=more) if inside else ()
    return Admission(
        clause=f"missions.{mission}",
        reasons=distinct,
        requested=distinct if {reason.code for reason in distinct} <= OVERRIDDEN else (),
        warnings=(*counted, *warnings),
        included=inside,
    )
