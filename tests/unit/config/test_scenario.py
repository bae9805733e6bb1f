"""A scenario is read strictly: every problem at its line."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from provisioner.config.scenario import load_scenario
from provisioner.errors import ConfigurationError
from provisioner.model.scenario import Fault, FaultKind, Scenario
from provisioner.model.values import Duration, Percentage

if TYPE_CHECKING:
    from pathlib import Path

WAVES = ("canary", "broad")


def problems(tmp_path: Path, text: str) -> list[str]:
    path = tmp_path / "s.yml"
    path.write_text(text)
    with pytest.raises(ConfigurationError) as error:
        load_scenario(path, waves=WAVES)
    return [f"{one.line}:{one.path}: {one.message}" for one in error.value.problems]


def test_a_whole_scenario(tmp_path: Path) -> None:
    path = tmp_path / "s.yml"
    path.write_text(
        "faults:\n  - {share: 10%, kind: slow_burn, after: 12h, wave: canary}\n  - {share: 2.5%, kind: lies}\n"
        "duration: {median: 5m, p95: 20m}\n"
    )
    found = load_scenario(path, waves=WAVES)
    assert found.faults == (
        Fault(share=Percentage.parse("10%"), kind=FaultKind.SLOW_BURN, after=Duration(12, "h"), wave="canary"),
        Fault(share=Percentage.parse("2.5%"), kind=FaultKind.LIES),
    )
    assert (found.duration.median, found.duration.p95) == (Duration(5, "m"), Duration(20, "m"))


def test_nothing_said_is_nothing_that_goes_wrong(tmp_path: Path) -> None:
    path = tmp_path / "s.yml"
    path.write_text("faults: []\n")
    assert load_scenario(path, waves=WAVES) == Scenario()
    assert Scenario().duration.p95 == Duration(25, "m")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("faults: [{share: 10%, kind: instal}]", "1:faults[0].kind: "),
        ("faults: [{share: 10, kind: install}]", "1:faults[0].share: expected a percentage"),
        ("faults: [{share: 0%, kind: install}]", "1:faults[0].share: "),
        ("faults: [{share: 101%, kind: install}]", "1:faults[0].share: "),
        ("faults: [{kind: install}]", "1:faults[0].share: this key is required"),
        ("faults:\n  - {share: 10%, kind: install, after: 1h}", "2:faults[0].after: `after` goes with slow_burn"),
        ("faults:\n  - {share: 10%, kind: slow_burn}", "2:faults[0].after: `after` goes with slow_burn"),
        (
            "faults: [{share: 10%, kind: lies, wave: pilot}]",
            "1:faults[0].wave: there is no wave pilot; ",
        ),
        (
            "faults:\n  - {share: 60%, kind: lies}\n  - {share: 40.001%, kind: install}",
            "3:faults[1].share: the faults of these machines come to more than all of them",
        ),
        ("fault: []", "1:fault: "),
        ("duration: {median: 30m}", "1:duration.p95: is less than the median"),
        ("duration: {median: 0m}", "1:duration.median: "),
        ("duration: {median: -5m}", "1:duration.median: "),
        ("[]", "1:: expected a mapping of keys and values"),
    ],
)
def test_what_is_wrong_is_said_where(tmp_path: Path, text: str, expected: str) -> None:
    (first, *_) = problems(tmp_path, text)
    assert first.startswith(expected)


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="no such file"):
        load_scenario(tmp_path / "none.yml", waves=WAVES)
