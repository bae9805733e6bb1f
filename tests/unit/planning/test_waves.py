"""Every machine is in one wave and one batch, and what must be apart is."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.unit.planning._rollouts import percent, updates, waves

from provisioner.model.mission_terms import Wave
from provisioner.planning.waves import Batches, plan_waves

NAMES = [f"m{number}" for number in range(40)]
EVEN = frozenset({"all", "even"})
sizes = st.one_of(
    st.integers(1, 15).map(lambda count: {"count": count}),
    st.integers(1, 100).map(lambda share: {"percent": percent(str(share))}),
    st.just({}),
)
grouped = st.one_of(sizes, st.just({"group": "even"}), st.integers(1, 9).map(lambda n: {"group": "even", "count": n}))


def machines(hosts: int) -> dict[str, frozenset[str]]:
    """So many machines; every other one is in the group `even`."""
    return {name: frozenset({"all"}) if number % 2 else EVEN for number, name in enumerate(NAMES[:hosts])}


@given(st.lists(sizes, max_size=5), st.integers(0, 40))
def test_each_machine_is_in_exactly_one_wave_and_the_order_stays(wanted: list[dict[str, object]], hosts: int) -> None:
    terms = updates(waves=tuple(Wave(name=f"w{n}", **one) for n, one in enumerate(wanted)))  # type: ignore[arg-type]
    planned = plan_waves(terms, machines(hosts))
    assert [asset for wave in planned for asset in wave.assets] == NAMES[:hosts]


@given(st.lists(grouped, max_size=5), st.integers(0, 40))
def test_with_groups_each_machine_is_in_one_wave_and_a_wave_of_a_group_has_no_other(
    wanted: list[dict[str, object]], hosts: int
) -> None:
    terms = updates(waves=tuple(Wave(name=f"w{n}", **one) for n, one in enumerate(wanted)))  # type: ignore[arg-type]
    known = machines(hosts)
    planned = plan_waves(terms, known)
    assert sorted(asset for wave in planned for asset in wave.assets) == sorted(known)
    for wave, asked in zip(planned, wanted, strict=False):
        assert "group" not in asked or all("even" in known[asset] for asset in wave.assets)


def test_a_wave_of_a_group_takes_all_of_it_or_a_count() -> None:
    terms = updates(
        waves=(Wave(name="canary", count=1, group="even"), Wave(name="pilot", group="even"), Wave(name="z"))
    )
    assert [wave.assets for wave in plan_waves(terms, machines(5))] == [("m0",), ("m2", "m4"), ("m1", "m3")]


@pytest.mark.parametrize(("share", "hosts", "taken"), [("10", 1, 1), ("10", 10, 1), ("10", 11, 2), ("0.001", 3, 1)])
def test_a_percentage_is_rounded_up(share: str, hosts: int, taken: int) -> None:
    terms = updates(waves=(Wave(name="canary", percent=percent(share)), Wave(name="broad")))
    assert len(plan_waves(terms, machines(hosts))[0].assets) == taken


def test_what_no_wave_takes_is_a_wave_of_its_own() -> None:
    assert [(wave.name, len(wave.assets)) for wave in plan_waves(updates(waves=waves(1, 2)), machines(5))] == [
        *(("wave-1", 1), ("wave-2", 2), ("rest", 2))
    ]
    assert [wave.name for wave in plan_waves(updates(), machines(40))] == ["all"]


groups = st.lists(st.lists(st.sampled_from(NAMES[:12]), min_size=2, max_size=4, unique=True), max_size=5)


@given(st.integers(1, 6), st.integers(0, 40), groups)
def test_batches_take_each_machine_once_and_keep_apart_what_must_be(
    size: int, hosts: int, apart: list[list[str]]
) -> None:
    batches, seen = Batches(NAMES[:hosts], size=size, apart=apart), []
    while batches:
        batch = batches.take()
        assert 0 < len(batch) <= size
        assert all(len(set(group).intersection(batch)) <= 1 for group in apart)
        seen.extend(batch)
    assert sorted(seen) == sorted(NAMES[:hosts])


def test_the_control_without_it_they_are_together() -> None:
    assert Batches(NAMES[:2], size=2, apart=()).take() == ("m0", "m1")
    assert Batches(NAMES[:2], size=2, apart=[["m0", "m1"]]).take() == ("m0",)
