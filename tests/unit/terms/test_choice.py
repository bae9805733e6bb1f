"""Several dated contracts: the one in force that covers the asset decides, and the reason is told."""

from __future__ import annotations

import time
from datetime import UTC, date, datetime

import pytest

from provisioner.errors import UsageError
from provisioner.model.contract import LoadedContract, Renewal, RenewalKind
from provisioner.model.record import Membership
from provisioner.model.values import Duration
from provisioner.terms.choice import EXPIRED, NOT_STARTED, UNCOVERED, choose, chooser
from provisioner.testing import loaded, make_contract

GROUPS = Membership(
    groups={"ws-01": frozenset({"all", "workstations"}), "srv-01": frozenset({"all", "servers"}), "tv": frozenset()}
)


def contract(name: str, first: date, last: date, *groups: str, renewal: Renewal | None = None) -> LoadedContract:
    terms = make_contract(
        id=name, starts=first, ends=last, assets=groups or ("workstations",), renewal=renewal or Renewal()
    )
    return loaded(terms)


OLD = contract("DEMO-2025", date(2025, 1, 1), date(2025, 12, 31))
NEW = contract("DEMO-2026", date(2026, 1, 1), date(2026, 12, 31))
SERVERS = contract("DEMO-SRV", date(2026, 1, 1), date(2026, 12, 31), "servers")
NEXT = contract("DEMO-2028", date(2028, 1, 1), date(2028, 12, 31))
ALL = (OLD, NEW, SERVERS, NEXT)


def instant(text: str) -> int:
    return int(datetime.fromisoformat(text).timestamp())


@pytest.mark.parametrize(
    ("at", "asset", "decides", "reason", "why"),
    [
        (
            "2026-06-01T12:00Z",
            "ws-01",
            NEW,
            "",
            "DEMO-2026 is in force and covers ws-01; DEMO-2025 ended on 2025-12-31",
        ),
        ("2026-06-01T12:00Z", "srv-01", SERVERS, "", "DEMO-SRV is in force and covers srv-01"),
        ("2026-06-01T12:00Z", "tv", NEW, UNCOVERED, "DEMO-2026 is in force and does not cover tv"),
        ("2026-06-01T12:00Z", "nobody knows it", NEW, UNCOVERED, "does not cover nobody knows it"),
        ("2025-06-01T12:00Z", "srv-01", OLD, UNCOVERED, "DEMO-2026 starts on 2026-01-01"),
        ("2025-06-01T12:00Z", None, OLD, "", "DEMO-2025 is in force"),
        ("2027-06-01T12:00Z", "ws-01", NEW, EXPIRED, "DEMO-2026 ended on 2026-12-31"),
        ("2027-06-01T12:00Z", None, NEW, EXPIRED, "DEMO-2028 starts on 2028-01-01"),
        ("2024-12-31T12:00Z", "ws-01", OLD, NOT_STARTED, "DEMO-2025 starts on 2025-01-01"),
        # Europe/Paris: the last second of the one, the first of the other
        ("2025-12-31T22:59:59Z", "ws-01", OLD, "", "DEMO-2025 is in force and covers ws-01"),
        ("2025-12-31T23:00:00Z", "ws-01", NEW, "", "DEMO-2026 is in force and covers ws-01"),
    ],
)
def test_the_one_in_force_that_covers_the_asset(
    at: str, asset: str | None, decides: LoadedContract, reason: str, why: str
) -> None:
    found = choose(ALL, at=instant(at), asset=asset, membership=GROUPS)
    assert (found.contract.id, found.reason) == (decides.id, reason)
    assert why in found.why
    assert found.clause == {"": "", EXPIRED: "ends", NOT_STARTED: "starts", UNCOVERED: "assets"}[reason]


def test_two_that_decide_are_named_and_one_of_them_can_be_asked_for() -> None:
    both = (NEW, contract("DEMO-B", date(2026, 3, 1), date(2027, 2, 28)))
    at = instant("2026-03-01T00:00+01:00")
    assert choose(both, at=at - 1, asset="ws-01", membership=GROUPS).contract is NEW
    with pytest.raises(UsageError, match="DEMO-2026 and DEMO-B are both in force and cover ws-01") as caught:
        choose(both, at=at, asset="ws-01", membership=GROUPS)
    assert "--contract-id" in caught.value.hint
    for one in both:
        asked = choose(both, at=at, asset="ws-01", membership=GROUPS, contract_id=one.id)
        assert asked.contract is one
        assert asked.why.endswith("and was asked for")


def test_the_contract_asked_for_decides_alone_even_when_it_is_over() -> None:
    found = choose(ALL, at=instant("2026-06-01T12:00Z"), asset="ws-01", membership=GROUPS, contract_id="DEMO-2025")
    assert (found.contract, found.reason) == (OLD, EXPIRED)
    with pytest.raises(UsageError, match="no contract 'DEMO-2062'; there is DEMO-2025, DEMO-2026"):
        choose(ALL, at=0, asset=None, membership=GROUPS, contract_id="DEMO-2062")


def test_without_an_inventory_every_asset_is_covered() -> None:
    found = choose([NEW], at=instant("2026-06-01T12:00Z"), asset="anything", membership=Membership(groups=None))
    assert not found.reason


def test_a_contract_that_was_renewed_tacitly_is_in_force() -> None:
    tacit = Renewal(kind=RenewalKind.TACIT, term=Duration(12, "mo"), notice=Duration(90, "d"))
    renewed = contract("DEMO-T", date(2026, 1, 1), date(2026, 12, 31), renewal=tacit)
    assert not choose([renewed], at=instant("2030-06-01T12:00Z"), asset="ws-01", membership=GROUPS).reason


def test_the_terms_are_those_of_the_day_amendments_applied() -> None:
    narrow, wide = make_contract(), make_contract(assets=("workstations", "servers"))
    amended = loaded(narrow, (date(2026, 7, 1), wide))
    pick = chooser([amended], membership=GROUPS)
    assert pick(instant("2026-06-30T23:59:59+02:00"), "srv-01").reason == UNCOVERED
    after = pick(instant("2026-07-01T00:00:00+02:00"), "srv-01")
    assert (after.reason, after.terms) == ("", wide)


def test_the_chooser_says_what_choose_says_for_any_order_of_questions() -> None:
    pick = chooser(ALL, membership=GROUPS)
    start = instant("2024-12-01T00:00Z")
    for step in range(0, 1500 * 86400, 86400 * 11 // 2):
        for asset in ("ws-01", "srv-01", "tv", None):
            try:
                one = choose(ALL, at=start + step, asset=asset, membership=GROUPS)
            except UsageError:
                with pytest.raises(UsageError):
                    pick(start + step, asset)
            else:
                assert pick(start + step, asset).why == one.why


def test_a_hundred_thousand_choices_are_cheap() -> None:
    pick = chooser(ALL, membership=Membership(groups={f"pc-{n}": frozenset({"workstations"}) for n in range(500)}))
    first = int(datetime(2026, 1, 1, tzinfo=UTC).timestamp())
    before = time.process_time()
    for n in range(100_000):
        pick(first + n * 300, f"pc-{n % 500}")
    assert time.process_time() - before < 2
