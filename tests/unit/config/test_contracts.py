"""Contracts: what loads, in which versions; and that nothing but a list of problems ever comes out."""

from __future__ import annotations

import re
from datetime import date
from hashlib import sha256
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from provisioner.config.contracts import load_contract, load_contracts
from provisioner.errors import ConfigurationError
from provisioner.model.mission import MissionKind
from provisioner.model.values import Duration, Money

BASE = Path(__file__).parents[2] / "golden" / "config" / "base" / "acme" / "contract.yml"
TEXT = BASE.read_text(encoding="utf-8")


def write(folder: Path, *changes: tuple[str, str]) -> Path:
    text = TEXT
    for old, new in changes:
        assert old in text
        text = text.replace(old, new, 1)
    path = folder / "contract.yml"
    path.write_text(text, encoding="utf-8")
    return path


def test_a_contract_carries_its_exact_bytes_and_their_digest(folder: Path) -> None:
    loaded = load_contract(folder / "contract.yml")
    assert loaded.text == TEXT.encode()
    assert loaded.digest == sha256(TEXT.encode()).hexdigest()


def test_amendments_make_versions_and_each_day_has_its_own(folder: Path) -> None:
    first = '{effective: 2026-07-01, set: {monthly_fee: "1300.00"}}'
    second = '{effective: 2026-03-01, set: {prepaid: {hours: "50"}, assets: [servers], language: null}}'
    loaded = load_contract(write(folder, (first, f"{first}, {second}")))
    assert [str(version.effective) for version in loaded.versions] == ["2026-01-01", "2026-03-01", "2026-07-01"]
    before, spring, summer = (loaded.as_of(date(2026, month, 1)) for month in (2, 3, 7))
    assert loaded.as_of(date(2020, 1, 1)) == before
    assert loaded.as_of(date(2026, 6, 30)) == spring
    assert [terms.monthly_fee for terms in (before, spring, summer)] == [
        Money.parse(t) for t in ("1200", "1200", "1300")
    ]
    assert before.assets == ("workstations", "servers")
    assert spring.assets == summer.assets == ("servers",)
    assert spring.language == "en"
    assert spring.prepaid is not None and before.prepaid is not None
    assert spring.prepaid.hours == 50
    assert spring.prepaid.overage_hourly == before.prepaid.overage_hourly


def test_what_is_not_said_has_the_defaults_of_the_design(folder: Path) -> None:
    path = folder / "contract.yml"
    path.write_text(
        "id: X\nclient: {id: acme, name: A}\nprovider: {name: B}\ncurrency: EUR\nmonthly_fee: 1\n"
        "timezone: UTC\nstarts: 2026-01-01\nends: 2026-12-31\nassets: [servers]\n"
        "missions: {software_updates: {}, workstation_setup: {}}\n"
        "objectives: [{id: a, metric: response_time, target: 1h}]\n"
    )
    contract = load_contract(path).versions[0].contract
    updates = contract.missions.software_updates
    assert updates is not None
    assert (updates.batch, updates.missed, updates.reboot) == (20, "next_window", "if_needed")
    assert (str(updates.gate.max_failed), str(updates.gate.max_unreachable)) == ("0%", "0%")
    assert (updates.gate.min_sample, updates.gate.on_failure) == (1, "halt")
    holds = contract.holds
    assert (holds.client, holds.third_party, holds.provider, holds.force_majeure) == (
        "pauses",
        "counts",
        "counts",
        "counts",
    )
    assert (contract.language, contract.renewal.kind, contract.penalty_cap, contract.prepaid) == (
        "en",
        "none",
        None,
        None,
    )
    assert (contract.calendars, contract.retention.details) == ({}, None)
    objective = contract.objectives[0]
    assert (objective.grace, objective.excludes, objective.unknown_counts) == (Duration(0, "m"), (), "down")
    assert contract.mission(MissionKind.WORKSTATION_SETUP) is not None
    assert contract.mission(MissionKind.BACKUP) is None


def test_the_zone_is_the_one_that_all_calendars_share(folder: Path) -> None:
    loaded = load_contract(write(folder, ("timezone: Europe/Paris\nmonthly", "monthly")))
    assert loaded.versions[0].contract.timezone == "Europe/Paris"


def test_every_key_of_the_design_is_in_the_base_case() -> None:
    """The golden base uses each top-level key, so that every golden case loads the whole contract."""
    from dataclasses import fields

    from provisioner.model.contract import Contract

    said = set(re.findall(r"(?m)^([a-z_]+):", TEXT))
    assert {field.name for field in fields(Contract)} == said


def test_problems_come_in_the_order_of_the_file_and_all_at_once(folder: Path) -> None:
    path = write(folder, ("language: fr", "language: de"), ("target: 1h", "target: soon"), ("batch: 20", "batch: x"))
    with pytest.raises(ConfigurationError) as caught:
        load_contract(path)
    assert [problem.path for problem in caught.value.problems] == [
        "language",
        "missions.software_updates.batch",
        "objectives[0].target",
    ]
    assert [problem.line for problem in caught.value.problems] == sorted(p.line for p in caught.value.problems)


def outcome(path: Path, data: bytes) -> str:
    path.write_bytes(data)
    try:
        load_contract(path)
    except ConfigurationError as error:
        assert error.problems
        assert all(str(problem).startswith("acme/contract.yml") for problem in error.problems)
        return "refused"
    return "accepted"


@pytest.mark.parametrize("at", range(0, len(TEXT), 97))
def test_a_contract_cut_off_anywhere_is_refused_or_still_whole(folder: Path, at: int) -> None:
    outcome(folder / "contract.yml", TEXT.encode()[:at])


@settings(
    max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
)
@given(st.binary(max_size=300))
def test_any_bytes_are_refused_with_problems(folder: Path, data: bytes) -> None:
    assert outcome(folder / "contract.yml", data) == "refused"


@settings(
    max_examples=120, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
)
@given(
    at=st.integers(0, len(TEXT)),
    length=st.integers(0, 40),
    put=st.text(max_size=8)
    | st.sampled_from(["{}", "[]", "~", "null", "- ", ": ", "0", "-1", "99999999h", "*a", "always"]),
)
def test_a_changed_contract_loads_or_is_refused_with_problems(folder: Path, at: int, length: int, put: str) -> None:
    changed = TEXT[:at] + put + TEXT[at + length :]
    outcome(folder / "contract.yml", changed.encode("utf-8", "surrogatepass"))


KEYS = sorted(set(re.findall(r"[a-z_]+(?=:)", TEXT)))


@settings(
    max_examples=120, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
)
@given(
    key=st.sampled_from(KEYS),
    value=st.sampled_from(["{}", "[]", "~", "x", "0", "[[]]", "{a: {}}", "[{}]", "1d", "5%", "2026-01-01"]),
)
def test_a_value_of_another_shape_is_refused_with_problems(folder: Path, key: str, value: str) -> None:
    line = re.sub(rf"(?m)\b{key}: ([^,{{\[\n}}]+|\[[^\]]*\]|\{{[^}}]*\}})", f"{key}: {value}", TEXT, count=1)
    outcome(folder / "contract.yml", line.encode())


# ---- several dated contracts


def several(folder: Path, **changes: tuple[str, str]) -> Path:
    """Move the contract into contracts/, once for each name, with one change of its text."""
    text = (folder / "contract.yml").read_text(encoding="utf-8")
    (folder / "contract.yml").unlink()
    (folder / "contracts").mkdir()
    for name, (old, new) in changes.items():
        assert old in text
        (folder / "contracts" / f"{name}.yml").write_text(text.replace(old, new), encoding="utf-8")
    return folder


def test_a_file_and_a_folder_with_one_contract_are_read_alike(folder: Path) -> None:
    assert (
        load_contracts(folder) == load_contracts(folder / "contract.yml") == (load_contract(folder / "contract.yml"),)
    )


def test_dated_contracts_are_read_in_the_order_of_their_names(folder: Path) -> None:
    loaded = load_contracts(several(folder, b=("id: ACME-2026", "id: B"), a=("id: ACME-2026", "id: A")))
    assert [contract.id for contract in loaded] == ["A", "B"]
    assert loaded[0].digest != loaded[1].digest
    assert load_contracts(folder / "contracts" / "a.yml") == loaded[:1]


def test_the_problems_of_all_dated_contracts_are_said_at_once(folder: Path) -> None:
    several(folder, a=("language: fr", "language: de"), b=("currency: EUR", "currency: euro"), c=("id: ACME", "id: C"))
    (folder / "contracts" / "d.yml").write_text("[", encoding="utf-8")
    with pytest.raises(ConfigurationError) as caught:
        load_contracts(folder)
    files = [problem.file for problem in caught.value.problems]
    assert files == ["acme/contracts/a.yml", "acme/contracts/b.yml", "acme/contracts/d.yml"]


def test_two_contracts_cannot_share_an_id_nor_be_of_two_clients(folder: Path) -> None:
    several(folder, a=("id: ACME-2026", "id: ACME-2026"), b=("{id: acme,", "{id: acne,"))
    with pytest.raises(ConfigurationError) as caught:
        load_contracts(folder)
    said = str(caught.value)
    assert "acme/contracts/b.yml:1:5: id: ACME-2026 is the id of acme/contracts/a.yml too" in said
    assert "acme/contracts/a.yml is a contract of acme, and this one of acne" in said


@pytest.mark.parametrize(
    ("names", "says"),
    [
        ((), "acme/contracts: no contract is in this folder"),
        (("2026.yaml",), "acme/contracts/2026.yaml: is no contract: expected *.yml"),
        ((".hidden",), "acme/contracts: no contract is in this folder"),
    ],
)
def test_a_folder_of_dated_contracts_holds_nothing_else(folder: Path, names: tuple[str, ...], says: str) -> None:
    (folder / "contract.yml").unlink()
    (folder / "contracts").mkdir()
    for name in names:
        (folder / "contracts" / name).touch()
    with pytest.raises(ConfigurationError) as caught:
        load_contracts(folder)
    assert says in str(caught.value)


def test_a_contract_and_dated_ones_are_refused_together(folder: Path) -> None:
    (folder / "contracts").mkdir()
    with pytest.raises(ConfigurationError, match="has a folder contracts/ as well"):
        load_contracts(folder)
