"""What a day makes of a client's contracts, and which of them work rests on."""

from __future__ import annotations

from datetime import UTC, date, datetime
from typing import TYPE_CHECKING

import pytest

from provisioner.errors import UsageError
from provisioner.missions.standing import deciding, standing_ones
from provisioner.testing import loaded, make_asset, make_contract

if TYPE_CHECKING:
    from provisioner.model.contract import LoadedContract

NOW = datetime(2026, 8, 31, 12, tzinfo=UTC)


def contract(name: str, year: int, *groups: str) -> LoadedContract:
    days = {"starts": date(year, 1, 1), "ends": date(year, 12, 31)}
    return loaded(make_contract(id=name, assets=groups or ("workstations",), **days))


OLD, NEW, SERVERS = contract("A-2025", 2025), contract("A-2026", 2026), contract("S-2026", 2026, "servers")


def test_work_rests_on_the_contract_in_force_that_covers_the_machine() -> None:
    found = deciding([OLD, NEW, SERVERS], make_asset(), at=NOW, contract_id=None)
    assert found.contract is NEW
    assert found.why.startswith("A-2026 is in force and covers ")


def test_two_that_decide_stop_the_work_until_one_is_asked_for() -> None:
    twin = contract("B-2026", 2026)
    with pytest.raises(UsageError, match="A-2026 and B-2026 are both in force"):
        deciding([NEW, twin], make_asset(), at=NOW, contract_id=None)
    assert deciding([NEW, twin], make_asset(), at=NOW, contract_id="B-2026").contract is twin


def test_those_in_force_are_shown_or_the_one_that_was_asked_for() -> None:
    assert standing_ones([OLD, NEW, SERVERS], NOW, contract_id=None) == (NEW, SERVERS)
    assert standing_ones([OLD, NEW], NOW, contract_id="A-2025") == (OLD,)
    assert standing_ones([OLD], NOW, contract_id=None) == (OLD,), "the only one is shown whatever the day"


def test_nothing_to_show_is_an_error() -> None:
    with pytest.raises(UsageError, match="no contract is in force: A-2025 ended on 2025-12-31"):
        standing_ones([OLD, contract("A-2024", 2024)], NOW, contract_id=None)
    with pytest.raises(UsageError, match="there is no contract 'A-1999'"):
        standing_ones([OLD, NEW], NOW, contract_id="A-1999")
