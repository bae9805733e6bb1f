"""Made-up calendars, contracts and records against a walk minute by minute: `invoke dev.campaign --name sla`.

States, instants, seconds and cents of 5,000 cases are the same to the second and to the cent, each case at up to a
dozen instants around the ends of its clocks. In full the cases are new in every run; the seed is printed and repeats
them (`PROVISIONER_SEED`). The short form has the same cases each time.
"""

from __future__ import annotations

import os
import random
import time
from collections import Counter
from typing import TYPE_CHECKING

from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis import strategies as st
from tests.unit.terms._brute_clock import Calendars
from tests.unit.terms._brute_force import Minutes
from tests.unit.terms._compare import (
    at_the_edges,
    differences,
    differences_of_credits,
    differences_of_months,
    expected,
)
from tests.unit.terms._sla_cases import DAY, NIGHTS, AssetCase, Case, asset_cases, calendars, cases, midnight_of

from provisioner.model.contract import Language
from provisioner.model.record import Record
from provisioner.terms.service_time import service_time
from provisioner.terms.statement import statement

if TYPE_CHECKING:
    from tests.unit.terms._brute_tickets import Expected

    from provisioner.model.measurement import Statement

FULL = os.environ.get("PROVISIONER_CAMPAIGN") == "full"
SEED = int(os.environ.get("PROVISIONER_SEED", random.randrange(10**9) if FULL else 374725296))
TICKETS, MONTHS, CALENDARS = (5000, 500, 2000) if FULL else (40, 12, 20)


def form(count: int) -> settings:
    """So many cases, in full without looking for a smaller one: a difference is printed with its seed."""
    phases = [Phase.generate] if FULL else [Phase.generate, Phase.shrink]
    return settings(
        max_examples=count, phases=phases, deadline=None, database=None, suppress_health_check=list(HealthCheck)
    )


def asked(case: Case | AssetCase) -> Statement:
    """The statement of a case."""
    events = {"tickets": case.events} if isinstance(case, Case) else {"assets": case.events}
    record = Record(origin="events.jsonl", **events)
    return statement([case.contract], record, membership=case.membership, as_of=case.as_of)


def compared(case: Case, wanted: list[Expected]) -> list[str]:
    """Where the statement of a case is not what the walk says, in clocks and in money."""
    said = asked(case)
    found = [one for one in said.measurements if one.ticket is not None]
    return differences(wanted, found) + differences_of_credits(case.contract, wanted, said)


def test_clocks_and_credits_agree() -> None:
    began, seen = time.monotonic(), Counter[str]()

    @seed(SEED)
    @form(TICKETS)
    @given(cases())
    def agree(case: Case) -> None:
        walked = Calendars()
        wanted = expected(case, walked)
        seen.update(["cases"])
        for each in (case, *at_the_edges(case, wanted)):
            wanted = expected(each, walked)
            assert compared(each, wanted) == [], f"PROVISIONER_SEED={SEED}"
            seen.update(["instants"])
            seen.update(one.reason or one.state for one in wanted)

    agree()
    _print("clocks and credits", seen, began)


def test_months_of_availability_agree() -> None:
    began, seen = time.monotonic(), Counter[str]()

    @seed(SEED)
    @form(MONTHS)
    @given(asset_cases())
    def agree(case: AssetCase) -> None:
        said = asked(case)
        assert differences_of_months(case, said) == [], f"PROVISIONER_SEED={SEED}"
        seen.update(["cases"])
        seen.update(one.state.value for one in said.measurements)

    agree()
    _print("months of availability", seen, began)


def test_calendars_agree() -> None:
    began, seen = time.monotonic(), Counter[str]()

    @seed(SEED)
    @form(CALENDARS)
    @given(st.data())
    def agree(data: st.DataObject) -> None:
        around = data.draw(st.sampled_from(NIGHTS))
        calendar = data.draw(calendars(around))
        start = midnight_of(around) + data.draw(st.integers(-DAY, 2 * DAY))
        end = start + data.draw(st.integers(0, 4 * DAY))
        walked, ours = Minutes(calendar), service_time(calendar, language=Language.FR)
        opening = walked.first_service(start)
        assert ours.elapsed(start, end) == walked.count(start, end)
        assert ours.opens_at(start) == opening
        assert {one.day for one in ours.holidays_between(start, end)} == walked.holidays_of(start, end)
        assert opening is not None
        closing = ours.closing_of_nth_day(opening, 2)
        assert closing is not None
        assert ours.elapsed(opening, closing) == walked.business_days(opening, 2)
        seen.update(["cases"])

    agree()
    _print("calendars", seen, began)


def _print(what: str, seen: Counter[str], began: float) -> None:
    told = ", ".join(f"{count} {name}" for name, count in seen.most_common())
    print(f"\nsla, {what}: {told}; no difference; seed {SEED}; {time.monotonic() - began:.0f} s", end="")
