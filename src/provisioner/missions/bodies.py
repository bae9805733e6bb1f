"""The bodies of the entries an intervention leaves, and what is read back from them. Their form is public.

docs/reference/ledger_format.md describes them. Nothing personal enters: texts of personal checks are kept in the
detail table and stand in the entry as references.
"""

from __future__ import annotations

import re
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, cast

from provisioner.errors import LedgerError
from provisioner.model.intervention import Outcome
from provisioner.model.mission import MissionKind
from provisioner.model.redaction import redacted
from provisioner.terms.allowances import Use

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping

    from provisioner.execution.ports import Contact
    from provisioner.ledger.entry import Entry
    from provisioner.model.asset import Asset
    from provisioner.model.contract import LoadedContract
    from provisioner.model.intervention import AssetResult, Check
    from provisioner.model.plan import Plan
    from provisioner.model.verdict import Reason

    Body = dict[str, object]
    Keep = Callable[[str], str]


CHECK = "check"
"""What the detail table calls the texts of personal checks."""


@dataclass(frozen=True, kw_only=True)
class Request:
    """What is asked for: a plan on assets, under a contract.

    `accept` decides about an unknown host key; `ticket` is the ticket the work belongs to; `check` asks for check mode.
    """

    contract: LoadedContract
    assets: tuple[Asset, ...]
    plan: Plan
    accept: Callable[[str], bool]
    ticket: str | None
    check: bool


def intent_body(intervention: str, request: Request, *, clause: str) -> Body:
    """The body of `opened`, and of `refused` without its reasons: what was going to be done, on what, under what."""
    content = request.plan.content
    return {
        "intervention": intervention,
        "contract": request.contract.versions[0].contract.id,
        "contract_digest": request.contract.digest,
        "clause": clause,
        "mission": request.plan.mission.value,
        "plan_digest": request.plan.digest,
        "assets": list(request.plan.assets),
        "ticket": request.ticket,
        "simulated": request.check,
        "content": {
            "playbook": content.playbook,
            "playbook_digest": content.playbook_digest,
            "roles": dict(content.roles),
            "collections": dict(content.collections),
            "ansible": content.ansible,
            "commit": content.commit,
        },
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
    return {
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
    | {"assets[].checks[].result", "reasons[].code", "reasons[].clause"}
)
"""Where a body holds words of ours, digests, and names of contract and machines: read back, and no secrets."""

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


def uses(entries: Iterable[Entry], contract: str) -> Iterator[Use]:
    """Given a log, yield what counts for the allowances of a contract: each asset of each intervention.

    One that is under way counts until it has ended otherwise, so that two at once cannot share the last of it.
    """
    opened: dict[str, Entry] = {}
    for entry in entries:
        name = str(entry.body.get("intervention"))
        if entry.kind == "opened" and entry.body.get("contract") == contract:
            opened[name] = entry
        elif entry.kind == "closed" and name in opened:
            yield from _uses(opened.pop(name), entry)
    for entry in opened.values():
        intent = _intent(entry)
        for asset in intent.assets:
            yield _use(entry, asset, counts=not intent.simulated)


def _uses(opened: Entry, closed: Entry) -> Iterator[Use]:
    simulated = opened.body.get("simulated") is True or closed.body.get("simulated") is True
    results = closed.body.get("assets")
    for result in results if isinstance(results, list) else ():
        outcome = Outcome(str(result["outcome"]))
        yield _use(opened, str(result["name"]), counts=outcome.accepted and not simulated)


def _use(opened: Entry, asset: str, *, counts: bool) -> Use:
    return Use(asset=asset, mission=MissionKind(str(opened.body["mission"])), at=opened.at, counts=counts)
