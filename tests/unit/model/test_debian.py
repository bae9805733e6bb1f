"""The order of versions, held against dpkg itself."""

from __future__ import annotations

import shutil
import subprocess

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from provisioner.model.debian import version_key

SORTED = (
    ["1.0~~", "1.0~~a", "1.0~", "1.0", "1.0a", "1.0+", "1.0.1", "1.00.2"],
    ["3.0.15-1~deb12u1", "3.0.15-1", "3.0.15-1+b1", "3.0.15-1+deb12u1", "3.0.15-2", "3.0.16~rc1-1", "3.0.16-1"],
    ["9", "10", "0:11", "1:0", "2:0"],
    ["1", "1-0~", "1-0", "1-0a", "1-1", "1-1-1"],
)
EQUAL = [("1", "1-0"), ("1", "0:1"), ("1.0", "1.00"), ("1.", "1.0"), ("0", "0-0")]


def order(one: str, other: str) -> int:
    first, second = version_key(one), version_key(other)
    return (first > second) - (first < second)


DPKG = """while read -r a b; do
if dpkg --compare-versions "$a" lt "$b"; then echo -1
elif dpkg --compare-versions "$a" gt "$b"; then echo 1
else echo 0; fi
done"""


def by_dpkg(pairs: list[tuple[str, str]]) -> list[int]:
    given_ = "".join(f"{one} {other}\n" for one, other in pairs)
    done = subprocess.run(["sh", "-c", DPKG], input=given_, capture_output=True, text=True, check=True)
    return [int(line) for line in done.stdout.split()]


@pytest.mark.parametrize(("one", "other"), EQUAL)
def test_versions_that_are_equal(one: str, other: str) -> None:
    assert order(one, other) == 0


def test_versions_by_hand() -> None:
    for versions in (["1~", "1", "1+"], *SORTED[1:3]):
        assert sorted(sorted(versions), key=version_key) == versions


parts = st.text(alphabet="0019aZb.+~", max_size=5)
upstreams = st.builds(lambda first, rest: first + rest, st.sampled_from("019"), parts)
versions = st.builds(
    lambda epoch, upstream, inner, revision: epoch + upstream + (inner + "-" + revision if revision else ""),
    st.sampled_from(["", "0:", "1:", "00:", "12:"]),
    upstreams,
    st.sampled_from(["", "-1", "-a"]),
    parts,
)


@st.composite
def pairs(draw: st.DrawFn) -> tuple[str, str]:
    """Two versions, often near each other: one cut short, or with something more."""
    one = draw(versions)
    near = st.sampled_from([one[:-1].rstrip("-:") or "1", f"{one}~", f"{one}0", f"{one}+b1", one])
    return one, draw(st.one_of(versions, near))


@pytest.mark.skipif(shutil.which("dpkg") is None, reason="dpkg is the oracle, and is not here")
@settings(max_examples=8, deadline=None)
@given(st.lists(pairs(), min_size=20, max_size=30))
def test_any_two_versions_are_in_the_order_of_dpkg(found: list[tuple[str, str]]) -> None:
    assert [order(one, other) for one, other in found] == by_dpkg(found)


@pytest.mark.skipif(shutil.which("dpkg") is None, reason="dpkg is the oracle, and is not here")
def test_every_two_of_the_versions_above_are_in_the_order_of_dpkg() -> None:
    found = [(one, other) for versions in SORTED for one in versions for other in versions]
    assert [order(one, other) for one, other in found] == by_dpkg(found)
