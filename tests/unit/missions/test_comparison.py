"""Receipts against a log: honest worlds agree, and each planted difference is named, alone."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from provisioner.execution.ports import Reading, Receipt
from provisioner.ledger.entry import Draft, Entry, make_entry
from provisioner.ledger.merkle import leaf_hash, node_hash
from provisioner.missions.comparison import ROLE, Difference, Kind, Log, compare, read_log
from provisioner.testing import START

if TYPE_CHECKING:
    from collections.abc import Sequence

ORIGIN = "provisioner/demo"


@dataclass(frozen=True)
class Fate:
    """How an intervention went: its outcome (None: still open), whether it left a receipt, simulated, with the role."""

    outcome: str | None
    left: bool
    simulated: bool = False
    role: bool = True


FATES = (
    Fate("changed", True),
    Fate("unchanged", True),
    *(Fate(outcome, left) for outcome in ("failed", "unknown", "interrupted", None) for left in (True, False)),
    Fate("unreachable", False),
    Fate("unchanged", False, simulated=True),
    Fate("changed", False, role=False),
)
"""Everything that can truly happen."""

histories = st.lists(st.tuples(st.sampled_from(["ws-01", "ws-02"]), st.sampled_from(FATES)), max_size=8)


@dataclass
class World:
    """A log, and what each machine holds."""

    entries: list[Entry]
    held: dict[str, dict[str, Receipt]]

    def log(self) -> Log:
        return read_log(ORIGIN, self.entries)

    def differences(self, machine: str, *, before: int | None = None) -> list[Difference]:
        reading = Reading(receipts=self.held[machine])
        return list(compare(machine, reading, self.log(), before=len(self.entries) if before is None else before))

    def all(self) -> list[Difference]:
        return [difference for machine in self.held for difference in self.differences(machine)]

    def append(self, kind: str, body: dict[str, object]) -> Entry:
        self.entries.append(make_entry(len(self.entries), Draft(kind, START, "op-00", body)))
        return self.entries[-1]

    def work(self, machine: str, fate: Fate) -> str:
        name = f"iv-{len(self.entries)}"
        roles = {"host_identity": "00", **({ROLE: "00"} if fate.role else {})}
        opened = self.append(
            "opened",
            {
                "intervention": name,
                "assets": [machine],
                "plan_digest": "cc" * 32,
                "simulated": fate.simulated,
                "content": {"roles": roles},
            },
        )
        if fate.left:
            self.held[machine][f"{name}.json"] = Receipt(
                log=ORIGIN,
                client="demo",
                intervention=name,
                entry=opened.index,
                digest=opened.hash.hex(),
                plan_digest="cc" * 32,
            )
        if fate.outcome is not None:
            results = [{"name": machine, "outcome": fate.outcome}]
            self.append("closed", {"intervention": name, "simulated": fate.simulated, "assets": results})
        return name


def world(history: Sequence[tuple[str, Fate]]) -> World:
    made = World([], {"ws-01": {}, "ws-02": {}})
    made.append("key", {})
    for machine, fate in history:
        made.append("note", {})
        made.work(machine, fate)
    return made


def kinds(differences: Sequence[Difference]) -> list[tuple[str, str, str]]:
    return [(found.machine, found.kind.value, found.intervention) for found in differences]


@given(histories)
def test_an_honest_history_accuses_nobody(history: list[tuple[str, Fate]]) -> None:
    assert world(history).all() == []


@given(histories, histories, st.sampled_from(["ws-01", "ws-02"]))
def test_work_that_goes_on_while_machines_are_read_accuses_nobody(
    before: list[tuple[str, Fate]], after: list[tuple[str, Fate]], machine: str
) -> None:
    """A machine was read, then more was done and recorded, then the log was read."""
    made = world(before)
    size, held = len(made.entries), dict(made.held[machine])
    for name, fate in after:
        made.work(name, fate)
    made.held[machine] = held
    assert made.differences(machine, before=size) == []


@given(histories, histories, st.sampled_from(["changed", "unchanged"]))
def test_a_receipt_that_is_gone_is_named(
    before: list[tuple[str, Fate]], after: list[tuple[str, Fate]], outcome: str
) -> None:
    made = world(before)
    lost = made.work("ws-01", Fate(outcome, False))
    for name, fate in after:
        made.work(name, fate)
    assert kinds(made.all()) == [("ws-01", "no_receipt", lost)]


@given(histories, st.sampled_from(FATES))
def test_work_without_an_entry_is_named(history: list[tuple[str, Fate]], fate: Fate) -> None:
    made = world(history)
    size = len(made.entries)
    outside = made.work("ws-02", replace(fate, left=True, simulated=False))
    del made.entries[size:]
    assert kinds(made.all()) == [("ws-02", "not_in_log", outside)]


@given(histories, st.sampled_from(FATES), st.sampled_from(["salt", "plan", "place"]))
def test_a_history_written_anew_is_named(history: list[tuple[str, Fate]], fate: Fate, how: str) -> None:
    made = world(history)
    where = len(made.entries)
    name = made.work("ws-01", replace(fate, left=True, simulated=False))
    told = made.entries[where:]
    del made.entries[where:]
    if how == "place":
        made.append("note", {})
    for entry in told:
        made.append(entry.kind, {**entry.body, **({"plan_digest": "dd" * 32} if how == "plan" else {})})
    assert kinds(made.all()) == [("ws-01", "rewritten", name)]


@pytest.mark.parametrize(
    ("change", "kind"),
    [
        ({"entry": 9}, Kind.REWRITTEN),
        ({"digest": "00" * 32}, Kind.REWRITTEN),
        ({"plan_digest": "00" * 32}, Kind.REWRITTEN),
        ({"log": "provisioner/other"}, Kind.OTHER_LOG),
        ({}, None),
    ],
)
def test_each_part_of_a_receipt_counts(change: dict[str, object], kind: Kind | None) -> None:
    made = world([("ws-01", Fate("changed", True))])
    ((file, receipt),) = made.held["ws-01"].items()
    made.held["ws-01"] = {file: replace(receipt, **change)}  # type: ignore[arg-type]
    assert [found.kind for found in made.all()] == ([kind] if kind else [])


def test_a_receipt_on_another_machine_is_named() -> None:
    made = world([("ws-01", Fate("changed", True))])
    made.held["ws-02"] = dict(made.held["ws-01"])
    assert [(found.machine, found.kind) for found in made.all()] == [("ws-02", Kind.OTHER_MACHINE)]


@pytest.mark.parametrize("outcome", ["changed", None])
def test_work_that_the_log_calls_simulated_is_named(outcome: str | None) -> None:
    made = world([("ws-01", Fate(outcome, True, simulated=True))])
    assert [found.kind for found in made.all()] == [Kind.SIMULATED]


def test_what_the_closing_entry_read_back_counts_for_more_than_what_was_meant() -> None:
    made = world([])
    made.work("ws-01", Fate(None, True, simulated=True))
    results = [{"name": "ws-01", "outcome": "changed"}]
    made.append("closed", {"intervention": "iv-1", "simulated": False, "assets": results})
    assert made.all() == []


def test_a_file_that_is_no_receipt_is_named_and_its_name_counts_for_nobodys_absence() -> None:
    made = world([("ws-01", Fate("changed", False))])
    reading = Reading(damaged={"iv-2.json": "longer than 1024 bytes"})
    (found,) = compare("ws-01", reading, made.log(), before=9)
    assert (found.kind, found.intervention, found.entry) == (Kind.UNREADABLE, "", None)
    assert "iv-2.json: longer than 1024 bytes" in found.text


def test_a_machine_that_was_not_read_is_asked_nothing() -> None:
    made = world([("ws-01", Fate("changed", False))])
    assert list(compare("ws-01", Reading(reason="timeout", text="x"), made.log(), before=9)) == []
    assert len(made.all()) == 1, "the control: it would have been asked"


def test_a_log_is_what_was_read() -> None:
    made = world([("ws-01", Fate("changed", True))])
    log = made.log()
    first, second, third, fourth = (leaf_hash(entry.leaf) for entry in made.entries)
    root = node_hash(node_hash(first, second), node_hash(third, fourth))
    assert (log.origin, log.size, log.root) == (ORIGIN, 4, root)
    assert read_log(ORIGIN, []).size == 0


keys = st.sampled_from(["intervention", "assets", "content", "roles", "simulated", "name", "outcome"])
junk = st.recursive(
    st.none() | st.booleans() | st.text(max_size=3),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(keys, inner, max_size=4),
)


@given(junk)
def test_bodies_that_provisioner_never_writes_are_read_without_harm(body: object) -> None:
    made = World([], {})
    whole = body if isinstance(body, dict) else {"assets": body, "content": body}
    for kind in ("opened", "closed"):
        made.append(kind, {"intervention": "iv-1", **whole})
    assert made.log().size == 2
