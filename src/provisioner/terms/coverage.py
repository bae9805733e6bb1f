"""Coverage: does the contract cover this work on this asset today?"""

from __future__ import annotations

from typing import TYPE_CHECKING

from provisioner.model.verdict import Reason, Verdict
from provisioner.terms.allowances import balance
from provisioner.terms.term import last_day, terms_on

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from datetime import date, datetime

    from provisioner.model.asset import Asset
    from provisioner.model.contract import Contract, LoadedContract
    from provisioner.model.mission import MissionKind
    from provisioner.terms.allowances import Use


def _term(contract: Contract, day: date) -> Iterator[Reason]:
    end = last_day(contract)
    if day < contract.starts:
        yield Reason(code="not_started", clause="starts", text=f"contract {contract.id} starts on {contract.starts}")
    if end is not None and day > end:
        clause = "ends" if contract.renewal.notice_given is None else "renewal.notice_given"
        yield Reason(code="ended", clause=clause, text=f"contract {contract.id} ended on {end}")


def _assets(contract: Contract, asset: Asset) -> Iterator[Reason]:
    if not asset.groups.intersection(contract.assets):
        groups = ", ".join(sorted(asset.groups - {"all", "ungrouped"})) or "none"
        covered = ", ".join(contract.assets)
        text = f"{asset.name} is in no covered group: contract {contract.id} covers {covered}; it is in {groups}"
        yield Reason(code="uncovered", clause="assets", text=text)


def _allowance(
    loaded: LoadedContract, asset: Asset, mission: MissionKind, *, day: date, uses: Iterable[Use]
) -> Iterator[Reason]:
    state = balance(loaded, mission, day=day, uses=uses)
    if state is not None and not state.admits(asset.name):
        used = ", ".join(sorted(state.assets))
        text = (
            f"the allowance of {state.usable} for {state.first} to {state.last} is used up ({used});"
            f" the next period begins after {state.last}"
        )
        yield Reason(code="allowance_used", clause=state.clause, text=text)


def verdict(
    loaded: LoadedContract, asset: Asset, mission: MissionKind, *, at: datetime, uses: Iterable[Use]
) -> Verdict:
    """Given a contract, an asset, a mission, the instant and the uses so far, say whether the work is covered.

    The terms are those of the day `at` falls on in the contract's time zone, amendments applied. Every reason against
    it is named with its clause: not in force, uncovered, not promised, allowance used up. Refusals are values.
    """
    contract, day = terms_on(loaded, at)
    clause = f"missions.{mission}"
    reasons = [*_term(contract, day), *_assets(contract, asset)]
    if contract.mission(mission) is None:
        text = f"contract {contract.id} does not promise {mission}"
        reasons.append(Reason(code="not_promised", clause="missions", text=text))
    elif not reasons:
        reasons.extend(_allowance(loaded, asset, mission, day=day, uses=uses))
    return Verdict(clause=clause, reasons=tuple(reasons))
