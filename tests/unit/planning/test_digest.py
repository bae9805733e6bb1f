from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from provisioner.model.mission import MissionKind
from provisioner.model.plan import Content, Step
from provisioner.planning.digest import plan_digest

CONTENT = Content(
    playbook="workstation_setup",
    playbook_digest="11" * 32,
    roles={"host_identity": "22" * 32, "acceptance": "33" * 32},
    ansible="2.19.14",
    commit="4444",
)
VARIABLES: dict[str, object] = {
    "host_identity_hostname": "ws-01",
    "host_identity_locale": "fr_FR.UTF-8",
    "n": [1, True],
}
STEP = Step(assets=("ws-01",), variables={"ws-01": VARIABLES})
SETUP = MissionKind.WORKSTATION_SETUP

VECTOR = "da29cdea5b55397c529d1334877c74bf405737c78a169ffb30e90ee43283fc6f"
"""The digest of the above, version 1: what an approval was signed for must still be the same tomorrow."""


def digest(content: Content = CONTENT, *steps: Step, client: str = "demo", mission: MissionKind = SETUP) -> str:
    return plan_digest(client, mission, content=content, steps=steps or (STEP,))


def with_variables(**changes: object) -> Step:
    return replace(STEP, variables={"ws-01": {**VARIABLES, **changes}})


def test_the_committed_vector() -> None:
    assert digest() == VECTOR


@pytest.mark.parametrize(
    "other",
    [
        digest(CONTENT, with_variables(host_identity_locale="en_GB.UTF-8")),
        digest(CONTENT, with_variables(n=[1, 1])),
        digest(CONTENT, with_variables(more="")),
        digest(CONTENT, replace(STEP, assets=("ws-02",))),
        digest(CONTENT, Step(assets=("ws-02",), variables={"ws-02": VARIABLES})),
        digest(CONTENT, STEP, STEP),
        digest(CONTENT, replace(STEP, groups={"agents": ("ws-01",)})),
        digest(replace(CONTENT, roles={**CONTENT.roles, "acceptance": "34" * 32})),
        digest(replace(CONTENT, roles={"host_identity": "22" * 32})),
        digest(replace(CONTENT, playbook_digest="12" * 32)),
        digest(replace(CONTENT, playbook="software_updates")),
        digest(client="acme"),
        digest(mission=MissionKind.SOFTWARE_UPDATES),
    ],
    ids=[
        "value",
        "kind",
        "key",
        "assets",
        "host",
        "steps",
        "groups",
        "role",
        "roles",
        "playbook",
        "name",
        "client",
        "mission",
    ],
)
def test_anything_that_would_be_executed_changes_it(other: str) -> None:
    assert other != VECTOR


@pytest.mark.parametrize("changes", [{"commit": "5555"}, {"ansible": "2.19.15"}], ids=["commit", "ansible"])
def test_where_it_was_planned_does_not(changes: dict[str, str]) -> None:
    assert digest(replace(CONTENT, **changes)) == VECTOR


def test_the_order_of_keys_does_not() -> None:
    backwards = dict(reversed(VARIABLES.items()))
    roles = dict(reversed(CONTENT.roles.items()))
    assert digest(replace(CONTENT, roles=roles), Step(assets=("ws-01",), variables={"ws-01": backwards})) == VECTOR


def test_whom_each_play_works_on_counts_and_the_order_of_the_names_of_groups_does_not() -> None:
    first = replace(STEP, groups={"agents": ("ws-01",), "stores": ("site",)})
    assert digest(CONTENT, first) == digest(CONTENT, replace(STEP, groups=dict(reversed(first.groups.items()))))
    assert digest(CONTENT, first) != digest(CONTENT, replace(STEP, groups={"agents": ("site",), "stores": ("ws-01",)}))
    assert digest(CONTENT, first) != digest(CONTENT, replace(STEP, groups={"agents": ("ws-01",)}))


def test_not_a_number_has_no_digest() -> None:
    with pytest.raises(ValueError, match="JSON"):
        digest(CONTENT, with_variables(n=float("nan")))


values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(st.characters(exclude_categories=("Cs",))),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text("abc", max_size=3), inner, max_size=3),
    max_leaves=8,
)


@given(
    st.dictionaries(st.text("abc", min_size=1), values, max_size=4),
    st.dictionaries(st.text("abc", min_size=1), values, max_size=4),
)
def test_equal_variables_and_no_others_have_an_equal_digest(one: dict[str, object], two: dict[str, object]) -> None:
    first, second = (digest(CONTENT, Step(assets=("a",), variables={"a": each})) for each in (one, two))
    assert (first == second) == _same(one, two)


def _same(one: object, two: object) -> bool:
    """Equality of JSON, where true is not 1."""
    if isinstance(one, dict) and isinstance(two, dict):
        return one.keys() == two.keys() and all(_same(one[key], two[key]) for key in one)
    if isinstance(one, list) and isinstance(two, list):
        return len(one) == len(two) and all(map(_same, one, two))
    return type(one) is type(two) and one == two
