"""Choice: which of a client's dated contracts decides about an asset at an instant, and why that one."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from functools import reduce
from typing import TYPE_CHECKING, NamedTuple
from zoneinfo import ZoneInfo

from provisioner.errors import UsageError
from provisioner.model.sentence import Sentence
from provisioner.terms.days import midnight
from provisioner.terms.term import ONE_DAY, last_day

if TYPE_CHECKING:
    from provisioner.model.contract import Contract, LoadedContract
    from provisioner.model.record import Membership

EXPIRED = "expired"
NOT_STARTED = "not started"
UNCOVERED = "uncovered"
_CLAUSES = {EXPIRED: "ends", NOT_STARTED: "starts", UNCOVERED: "assets"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Choice:
    """The contract that decides, and its `terms` on that day in its time zone, amendments applied.

    Where none does, `reason` is `expired`, `not started` or `uncovered`, `clause` is `ends`, `starts` or `assets`, and
    `contract` is the one that came closest; both are empty where one does. `why` is a sentence without a full stop.
    `membership` is what the choice rests on: objectives for a group ask it too.
    """

    contract: LoadedContract
    terms: Contract
    reason: str
    clause: str
    why: str
    membership: Membership


Chooser = Callable[[int, str | None], Choice]
"""Given an instant (POSIX seconds) and an asset (None for no certain one), return the choice; UsageError for two."""


class _Standing(NamedTuple):
    """One contract on a day: its terms then, the reason for which it does not bind (empty when it does), in words."""

    contract: LoadedContract
    terms: Contract
    reason: str
    said: Sentence


_Chosen = dict[str | None, Choice]


class _Today(NamedTuple):
    """What is the same from one instant to another: how contracts stand, and what was chosen by asset so far."""

    begins: int
    ends: int
    standings: tuple[_Standing, ...]
    chosen: _Chosen


def choose(
    contracts: Sequence[LoadedContract],
    *,
    at: int,
    asset: str | None,
    membership: Membership,
    contract_id: str | None = None,
) -> Choice:
    """Given a client's contracts and an instant in POSIX seconds, return the one in force that covers the asset.

    No certain asset (None) is covered by any. `contract_id` leaves only that one to choose from. Raises UsageError
    when two decide, or no contract has that id.
    """
    return chooser(contracts, membership=membership, contract_id=contract_id)(at, asset)


def chooser(contracts: Sequence[LoadedContract], *, membership: Membership, contract_id: str | None = None) -> Chooser:
    """Given a client's contracts, return what `choose` says for each instant and asset; made for very many calls."""
    candidates = tuple(contracts) if contract_id is None else (named(contracts, contract_id),)
    zones = tuple(dict.fromkeys(_zone(one) for one in candidates))
    by_terms: dict[tuple[tuple[int, str], ...], _Chosen] = {}
    asked = contract_id is not None
    today = _Today(0, 0, (), {})  # tickets come in order: most are opened on the day of the one before

    def choice(at: int, asset: str | None) -> Choice:
        nonlocal today
        if not today.begins <= at < today.ends:
            days = {zone: _day(at, zone) for zone in zones}
            standings = tuple(_standing(one, days[_zone(one)]) for one in candidates)
            known = by_terms.setdefault(tuple((id(one.terms), one.reason) for one in standings), {})
            begins = max(midnight(day, zone) for zone, day in days.items())
            ends = min(midnight(day + ONE_DAY, zone) for zone, day in days.items())
            today = _Today(begins, ends, standings, known)
        found = today.chosen.get(asset)
        if found is None:
            found = _chosen(today.standings, asset, membership=membership, asked=asked)
            today.chosen[asset] = found
        return found

    return choice


def named(contracts: Sequence[LoadedContract], contract_id: str) -> LoadedContract:
    """Given a client's contracts and an id, return the one that has it; UsageError when none has."""
    for contract in contracts:
        if contract.id == contract_id:
            return contract
    ids = ", ".join(contract.id for contract in contracts)
    raise UsageError(
        f"there is no contract {contract_id[:64]!a}; there is {ids}", hint=f"--contract-id {contracts[-1].id}"
    )


def _zone(contract: LoadedContract) -> ZoneInfo:
    return ZoneInfo(contract.timezone or "UTC")


def _day(at: int, zone: ZoneInfo) -> date:
    """The day of an instant; days begin when their midnight comes for the first time, clocks put back or not."""
    day = datetime.fromtimestamp(at, zone).date()
    return day + ONE_DAY if at >= midnight(day + ONE_DAY, zone) else day


def _standing(contract: LoadedContract, day: date) -> _Standing:
    terms = contract.as_of(day)
    end = last_day(terms)
    if day < terms.starts:
        return _Standing(
            contract, terms, NOT_STARTED, Sentence("{contract} starts on {day}", contract=terms.id, day=terms.starts)
        )
    if end is not None and day > end:
        return _Standing(contract, terms, EXPIRED, Sentence("{contract} ended on {day}", contract=terms.id, day=end))
    return _Standing(contract, terms, "", Sentence("{contract} is in force", contract=terms.id))


def _chosen(standings: tuple[_Standing, ...], asset: str | None, *, membership: Membership, asked: bool) -> Choice:
    judged = [_covering(one, asset, membership) for one in standings]
    having = [one for one in judged if not one.reason]
    if len(having) > 1:
        ids = [one.terms.id for one in having]
        what = f"and cover {asset}" if asset is not None else "on the same day"
        raise UsageError(f"{' and '.join(ids)} are both in force {what}", hint=f"say which with --contract-id {ids[0]}")
    best = having[0] if having else _closest(judged)
    said = [best.said, *(one.said for one in judged if one is not best)]
    why = reduce(lambda first, second: Sentence("{first}; {second}", first=first, second=second), said)
    return Choice(
        contract=best.contract,
        terms=best.terms,
        reason=best.reason,
        clause=_CLAUSES.get(best.reason, ""),
        why=Sentence("{said}, and was asked for", said=why) if asked else why,
        membership=membership,
    )


def _covering(one: _Standing, asset: str | None, membership: Membership) -> _Standing:
    if one.reason or asset is None:
        return one
    if not membership.in_any(asset, frozenset(one.terms.assets)):
        return one._replace(
            reason=UNCOVERED, said=Sentence("{said} and does not cover {asset}", said=one.said, asset=asset)
        )
    return one._replace(said=Sentence("{said} and covers {asset}", said=one.said, asset=asset))


def _closest(judged: list[_Standing]) -> _Standing:
    """Of contracts that do not decide: one that is in force, else the last that ended, else the first to start."""
    for reason in (UNCOVERED, EXPIRED):
        found = [one for one in judged if one.reason == reason]
        if found:
            return max(found, key=lambda one: last_day(one.terms) or one.terms.ends)
    return min(judged, key=lambda one: one.terms.starts)
