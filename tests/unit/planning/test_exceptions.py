"""Updates that never install: the loop is cut after three tries in a row, by name, and for a time."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from provisioner.model.rollout import Excepted, UpdateTry
from provisioner.planning.exceptions import LASTS, MOST_TRIES, excepted

HOUR = 3600


def tries(*installed: bool, package: str = "vim", version: str = "2") -> list[UpdateTry]:
    return [UpdateTry("ws-1", package, version, at * HOUR, done) for at, done in enumerate(installed)]


def test_w9_the_third_failure_in_a_row_is_the_last_one() -> None:
    assert excepted(tries(False, False), at=5 * HOUR) == ()
    found = excepted(tries(False, False, False), at=5 * HOUR)
    assert found == (Excepted("ws-1", "vim", "2", 3, 2 * HOUR + LASTS),)


def test_it_ends_by_itself_and_one_more_failure_begins_another() -> None:
    old = tries(False, False, False)
    assert excepted(old, at=2 * HOUR + LASTS) == ()
    again = [*old, UpdateTry("ws-1", "vim", "2", 3 * HOUR + LASTS, installed=False)]
    assert excepted(again, at=4 * HOUR + LASTS)[0].tries == 4


def test_what_installed_once_or_is_another_version_is_tried_as_usual() -> None:
    assert excepted(tries(False, False, True, False), at=9 * HOUR) == ()
    mixed = [*tries(False, False), *tries(False, False, version="3")]
    assert excepted(mixed, at=9 * HOUR) == ()


@given(st.lists(st.tuples(st.sampled_from("ab"), st.booleans()), max_size=40), st.integers(0, 60))
def test_never_before_so_many_failures_and_never_after_a_success(told: list[tuple[str, bool]], at: int) -> None:
    events = [UpdateTry(asset, "vim", "2", number, done) for number, (asset, done) in enumerate(told)]
    found = {one.asset: one.tries for one in excepted(events, at=at)}
    for asset in "ab":
        mine = [done for who, done in told if who == asset]
        row = next((n for n, done in enumerate(reversed(mine)) if done), len(mine))
        assert found.get(asset, 0) == (row if row >= MOST_TRIES else 0)
