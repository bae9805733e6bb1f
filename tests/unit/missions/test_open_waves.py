"""Open waves are agreed maintenance: while a batch works, inside its window, for the machines that it worked on."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from provisioner.errors import LedgerError
from provisioner.ledger.entry import Draft, Entry, make_entry
from provisioner.missions.ticket_entries import record_of
from provisioner.model.service_event import AssetEventKind
from provisioner.testing import START

NOW = int(START.timestamp())
HOUR = 3600


def batch(*, minutes: int = 30, closes: int | None = 4 * HOUR, outcome: str = "changed", **more: Any) -> list[Entry]:
    """A batch of two machines: ws-01 ends as `outcome`, ws-02 is changed; its window closes so long after it began."""
    until = None if closes is None else f"{START + timedelta(seconds=closes):%Y-%m-%dT%H:%M:%SZ}"
    part = {"rollout": "ro-1", "wave": "canary", "until": until}
    opened = {"intervention": "iv-1", "assets": ["ws-01", "ws-02"], "rollout": part, **more}
    assets = [{"name": "ws-01", "outcome": outcome}, {"name": "ws-02", "outcome": "changed"}]
    return [
        make_entry(7, Draft("opened", START, "op-1", opened)),
        make_entry(
            8, Draft("closed", START + timedelta(minutes=minutes), "op-1", {"intervention": "iv-1", "assets": assets})
        ),
    ]


def spans(entries: list[Entry]) -> dict[str, tuple[int, int | None]]:
    found = record_of(entries, origin="provisioner/demo").assets
    assert all(event.kind is AssetEventKind.MAINTENANCE and event.recorded == event.at for event in found)
    assert all(event.place == 7 for event in found), "what it rests on is the entry that opened the batch"
    return {event.asset: (event.at - NOW, None if event.until is None else event.until - NOW) for event in found}


def test_from_the_first_entry_to_the_second_for_each_machine() -> None:
    assert spans(batch()) == {"ws-01": (0, 1800), "ws-02": (0, 1800)}


def test_never_beyond_the_window_that_was_agreed() -> None:
    assert spans(batch(minutes=300)) == {"ws-01": (0, 4 * HOUR), "ws-02": (0, 4 * HOUR)}


def test_a_machine_that_did_not_answer_was_not_in_maintenance() -> None:
    assert spans(batch(outcome="unreachable")) == {"ws-02": (0, 1800)}
    assert "ws-01" in spans(batch(outcome="unknown")), "the control: work was begun"


def test_a_batch_that_is_under_way_lasts_until_its_window_closes() -> None:
    assert spans(batch()[:1]) == {"ws-01": (0, 4 * HOUR), "ws-02": (0, 4 * HOUR)}
    assert spans(batch(closes=None)[:1]) == {}, "without a window nobody agreed how long"
    assert spans(batch(closes=None)) == {"ws-01": (0, 1800), "ws-02": (0, 1800)}


def test_what_is_simulated_or_no_batch_says_nothing() -> None:
    assert spans(batch(simulated=True)) == {}
    assert spans(batch(rollout=None)) == {}


@pytest.mark.parametrize("part", [{"rollout": "ro-1", "wave": "w", "until": "soon"}, {"rollout": "r", "until": 7}])
def test_an_entry_that_is_not_of_our_form_is_named(part: dict[str, Any]) -> None:
    with pytest.raises(LedgerError, match="entry 7"):
        record_of(batch(rollout=part), origin="provisioner/demo")
