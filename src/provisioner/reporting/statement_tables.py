"""A statement for a person, in French or English: what was promised, what it came to, what is owed and why."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from datetime import date
from typing import TYPE_CHECKING

from provisioner.model.balance import Unit
from provisioner.model.measurement import State, holding
from provisioner.model.objective import PerformanceTarget
from provisioner.model.values import Cause
from provisioner.reporting.language import Wording
from provisioner.reporting.page import Section
from provisioner.reporting.statements import in_order

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from decimal import Decimal

    from provisioner.model.balance import Balance
    from provisioner.model.contract import Language, LoadedContract
    from provisioner.model.measurement import Measurement, Statement
    from provisioner.model.objective import Objective

WHOSE = {
    Cause.CLIENT: "the client's",
    Cause.PROVIDER: "the provider's",
    Cause.THIRD_PARTY: "a third party's",
    Cause.FORCE_MAJEURE: "nobody's",
}
"""Whose delay a hold is (texts of the catalogues)."""


@dataclass(frozen=True)
class _Stated:
    """A statement with the contracts it is about, and the wording of each."""

    statement: Statement
    contracts: Mapping[str, LoadedContract]
    wordings: Mapping[str, Wording]

    @property
    def words(self) -> Wording:
        return next(iter(self.wordings.values()))

    def of(self, contract: str) -> Wording:
        return self.wordings.get(contract, self.words)

    def objective(self, measurement: Measurement) -> Objective | None:
        """The objective as the terms that bind the measurement have it."""
        loaded = self.contracts.get(measurement.contract)
        if loaded is None:
            return None
        day = date.fromisoformat(f"{measurement.month}-01") if measurement.month else date.max
        known = (*loaded.as_of(day).objectives, *(each for v in loaded.versions for each in v.contract.objectives))
        return next((each for each in known if each.id == measurement.objective), None)

    def named(self, contract: str, objective: str | None) -> str:
        name = objective or self.of(contract).say("none")
        return f"{contract} {name}" if len(self.statement.contracts) > 1 else name


def statement_tables(
    statement: Statement,
    contracts: Sequence[LoadedContract],
    *,
    balances: Sequence[Balance] = (),
    language: Language | None = None,
) -> list[Section]:
    """Given a statement, the client's contracts (at least one) and the balances, return the page of a person.

    The language is the contract's unless one is asked for; instants are wall time of the contract's zone.
    """
    by_id = {loaded.versions[0].contract.id: loaded for loaded in contracts}
    stated = {name: by_id[name] for name in statement.contracts if name in by_id} or by_id
    wordings = {name: _wording(loaded, language) for name, loaded in stated.items()}
    all_of_it = _Stated(statement, stated, wordings)
    sections = (_head, _tickets, _months, _credits, _totals, _holds, _holidays)
    found = [section for build in sections for section in build(all_of_it)]
    return [*found, *_balances(all_of_it, balances), *_traces(all_of_it)]


def _wording(loaded: LoadedContract, language: Language | None) -> Wording:
    contract = loaded.versions[0].contract
    return Wording(language=language or contract.language, zone=contract.timezone, currency=contract.currency)


def _head(stated: _Stated) -> Iterator[Section]:
    words, statement = stated.words, stated.statement
    parties = []
    for name, loaded in stated.contracts.items():
        contract = loaded.versions[0].contract
        parties.append(
            words.say(
                "Contract {id}: {client}, served by {provider}",
                id=name,
                client=contract.client.name,
                provider=contract.provider.name,
            )
        )
    counted = Counter(measurement.state for measurement in statement.measurements)
    summary = ", ".join(f"{words.phrase(state)} {counted[state]}" for state in State if counted[state])
    zones = ", ".join(sorted({each.zone or "UTC" for each in stated.wordings.values()}))
    lines = [*parties, words.say("Times are those of {zone}.", zone=zones)]
    if statement.coverage == "assumed":
        lines.append(words.say("Coverage is assumed: there is no hosts.yml beside the contract."))
    lines += [words.say(note) for note in statement.notes]
    lines.append(words.say("Measurements: {summary}", summary=summary or words.say("none")))
    yield Section(title=words.say("Statement as of {at}", at=words.at(statement.as_of)), lines=tuple(lines))


def _state(words: Wording, measurement: Measurement) -> str:
    state = words.phrase(measurement.state)
    if not measurement.reason:
        return state
    return words.say("{state}: {reason}", state=state, reason=words.say(measurement.reason))


def _at(words: Wording, at: int | None) -> str:
    return "-" if at is None else words.at(at)


def _counted(words: Wording, measurement: Measurement) -> str:
    if measurement.target_seconds is None:
        return "-"
    elapsed, target = words.length(measurement.elapsed_seconds), words.length(measurement.target_seconds)
    return words.say("{elapsed} of {target}", elapsed=elapsed, target=target)


def _tickets(stated: _Stated) -> Iterator[Section]:
    rows = []
    for measurement in in_order(stated.statement.measurements):
        if measurement.ticket is None:
            continue
        words = stated.of(measurement.contract)
        rows.append(
            (
                measurement.ticket,
                stated.named(measurement.contract, measurement.objective),
                _state(words, measurement),
                _at(words, measurement.due),
                _at(words, measurement.stopped),
                _counted(words, measurement),
            )
        )
    if rows:
        say = stated.words.say
        columns = stated.words.each("ticket", "objective", "state", "due", "ended", "counted")
        yield Section(title=say("Tickets"), columns=columns, rows=tuple(rows))


def _months(stated: _Stated) -> Iterator[Section]:
    rows = []
    for measurement in in_order(stated.statement.measurements):
        if measurement.ticket is not None:
            continue
        words = stated.of(measurement.contract)
        objective = stated.objective(measurement)
        rows.append(
            (
                words.month(measurement.month) if measurement.month else "-",
                stated.named(measurement.contract, measurement.objective),
                measurement.group or measurement.asset or words.say("all covered"),
                _state(words, measurement),
                _result(words, measurement, objective),
                _promise(words, objective),
            )
        )
    if rows:
        say = stated.words.say
        columns = stated.words.each("month", "objective", "for", "state", "result", "promised")
        yield Section(title=say("By month"), columns=columns, rows=tuple(rows))


def _result(words: Wording, measurement: Measurement, objective: Objective | None) -> str:
    bounds = measurement.bounds
    if bounds is None:
        unmeasured = measurement.state in (State.NOT_EVALUABLE, State.NOT_APPLICABLE)
        return "-" if unmeasured else words.length(measurement.elapsed_seconds)
    value, lower, upper = (_figure(words, each, objective) for each in (bounds.value, bounds.lower, bounds.upper))
    if bounds.lower == bounds.upper:
        return value
    return words.say("{value} (from {lower} to {upper})", value=value, lower=lower, upper=upper)


def _figure(words: Wording, value: Decimal, objective: Objective | None) -> str:
    target = objective.target if objective else None
    return f"{words.number(value)} {target.unit}" if isinstance(target, PerformanceTarget) else words.percent(value)


def _promise(words: Wording, objective: Objective | None) -> str:
    target = objective.target if objective else None
    if isinstance(target, PerformanceTarget):
        return f"{target.comparison} {words.number(target.bound)} {target.unit}"
    return "-" if target is None else words.value(target)


def _credits(stated: _Stated) -> Iterator[Section]:
    say = stated.words.say
    rows = []
    for credit in stated.statement.credits:
        words, measurement = stated.of(credit.contract), credit.measurement
        rows.append(
            (
                words.month(credit.month),
                stated.named(credit.contract, credit.objective),
                measurement.ticket or measurement.group or measurement.asset or words.say("all covered"),
                words.money(credit.amount),
                words.say(credit.reason),
                f"{words.at(measurement.breached_at)}; {_events(words, measurement)}"
                if measurement.breached_at is not None
                else _events(words, measurement),
            )
        )
    if rows:
        columns = stated.words.each("month", "objective", "for", "credit", "because", "breach and events")
        yield Section(title=say("Credits"), columns=columns, rows=tuple(rows))
    else:
        yield Section(title=say("Credits"), lines=(say("No credit is due."),))


def _events(words: Wording, measurement: Measurement) -> str:
    if not measurement.places:
        return words.say("no event")
    return words.say("events {places}", places=", ".join(str(place) for place in measurement.places))


def _totals(stated: _Stated) -> Iterator[Section]:
    words = stated.words
    rows = [
        (
            words.month(month),
            words.money(total.before_cap),
            words.money(total.after_cap),
            words.say(total.cap) if total.cap else words.say("no cap"),
        )
        for month, total in sorted(stated.statement.totals.items())
    ]
    if rows:
        columns = words.each("month", "before the cap", "after the cap", "cap")
        yield Section(title=words.say("Owed"), columns=columns, rows=tuple(rows))


def _holds(stated: _Stated) -> Iterator[Section]:
    rows = []
    for measurement in in_order(holding(stated.statement.measurements)):
        words = stated.of(measurement.contract)
        name = stated.named(measurement.contract, measurement.objective)
        for cause, seconds in sorted(measurement.held_seconds.items()):
            if seconds:
                where = measurement.ticket or measurement.group or "-"
                rows.append((where, name, words.phrase(cause), words.say(WHOSE[cause]), words.length(seconds)))
    words, total = stated.words, stated.statement.held_seconds
    for cause in Cause:
        if total.get(cause):
            whose = words.say(WHOSE[cause])
            rows.append((words.say("total"), "", words.phrase(cause), whose, words.length(total[cause])))
    if rows:
        columns = words.each("ticket", "objective", "cause", "whose delay", "service time")
        yield Section(title=words.say("Held"), columns=columns, rows=tuple(rows))


def _balances(stated: _Stated, balances: Sequence[Balance]) -> Iterator[Section]:
    rows = []
    for balance in balances:
        words = stated.of(balance.contract)
        amounts = (balance.granted, balance.used, balance.left, balance.expired, balance.overage)
        said = [words.length(each) if balance.unit is Unit.SECONDS else str(each) for each in amounts]
        price = "-" if balance.overage_amount is None else words.money(balance.overage_amount)
        several = len(stated.statement.contracts) > 1
        clause = f"{balance.contract} {balance.clause}" if several else balance.clause
        rows.append((clause, words.day(balance.first), words.day(balance.last), *said, price))
    if rows:
        words = stated.words
        columns = words.each("clause", "from", "to", "granted", "used", "left", "expired", "beyond", "price")
        yield Section(title=words.say("Allowances and prepaid hours"), columns=columns, rows=tuple(rows))


def _holidays(stated: _Stated) -> Iterator[Section]:
    days = {holiday for measurement in stated.statement.measurements for holiday in measurement.holidays}
    if days:
        words = stated.words
        lines = tuple(f"{words.day(holiday.day)}: {holiday.name}" for holiday in sorted(days))
        yield Section(title=words.say("Public holidays without service"), lines=lines)


def _traces(stated: _Stated) -> Iterator[Section]:
    for measurement in in_order(stated.statement.measurements):
        if not measurement.trace:
            continue
        words = stated.of(measurement.contract)
        rows = []
        for stretch in measurement.trace:
            length = words.length(stretch.end - stretch.start)
            why = (
                f"{words.say(stretch.why)} ({words.say(stretch.detail)})" if stretch.detail else words.say(stretch.why)
            )
            counted = words.say("yes") if stretch.counted else words.say("no")
            rows.append((words.at(stretch.start), words.at(stretch.end), length, counted, why))
        columns = words.each("from", "to", "time", "counted", "why")
        name = stated.named(measurement.contract, measurement.objective)
        where = measurement.ticket or measurement.month or ""
        yield Section(
            title=words.say("Clock of {ticket}, {objective}", ticket=where, objective=name),
            columns=columns,
            rows=tuple(rows),
        )
