"""What a run tells of a machine's patch level: each field in its form, and nothing else."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from provisioner.execution.translate import LEVEL, MOST_PENDING, MOST_REASONS, levels
from provisioner.model.patch_level import PatchLevel, PendingUpdate
from provisioner.model.plan import Step

STEP = Step(assets=("ws-01", "ws-02"), variables={})
SOUND: dict[str, Any] = {
    "name": "libssl3",
    "architecture": "amd64",
    "before": "3.0.15-1~deb12u1",
    "version": "3.0.17-1~deb12u3",
    "sha256": "a" * 64,
    "origin": "Debian stable-security",
    "security": True,
    "kept": "",
    "source": "openssl",
    "source_before": "3.0.15-1~deb12u1",
    "source_version": "3.0.17-1~deb12u3",
    "undo": True,
}
UPDATE = PendingUpdate(**SOUND)
LEVEL_SOUND: dict[str, Any] = {
    "release": "bookworm",
    "boot": "0f1e-22 1732",
    "pending": [SOUND],
    "restart": ["linux-image-amd64 is newer than what runs"],
    "failed_units": ["cups.service"],
    "stale_services": ["ssh.service"],
    "free_mib": {"/": 1000, "/var": 500},
    "interrupted": False,
    "on_battery": False,
    "session": "graphical",
}


def read(level: object, name: str = "ws-01", secrets: tuple[str, ...] = ()) -> dict[str, PatchLevel]:
    told = {"event": "playbook_on_stats", "event_data": {"artifact_data": {LEVEL: {name: level}}}}
    return levels(told, STEP, secrets)


def only(**changes: Any) -> PatchLevel:
    return read(LEVEL_SOUND | changes)["ws-01"]


def test_a_sound_level_is_read_whole() -> None:
    assert read({**LEVEL_SOUND, "hostname": "alice-pc", "users": ["alice"]}) == {
        "ws-01": PatchLevel(
            release="bookworm",
            boot="0f1e-22 1732",
            pending=(UPDATE,),
            restart=("linux-image-amd64 is newer than what runs",),
            failed_units=("cups.service",),
            stale_services=("ssh.service",),
            free_mib={"/": 1000, "/var": 500},
            session="graphical",
        )
    }
    assert read(LEVEL_SOUND, "ws-09") == {}, "a machine that is not of the step"


@pytest.mark.parametrize("level", [None, [], "x", 7, {}])
def test_what_is_no_level_is_none(level: object) -> None:
    assert read(level) == {}


ODD: list[dict[str, Any]] = [
    {"name": "lib\nssl3"},
    {"name": "Lib SSL"},
    {"name": "x" * 200},
    {"name": ["libssl3"] * 2},
    {"version": "3;rm"},
    {"version": ""},
    {"source": ""},
    {"source_before": ""},
    {"source_version": "3.0\u202e"},
    {"sha256": "A" * 64},
    {"kept": "because"},
    {"architecture": "amd64\x1b[2J"},
    {"before": None},
]


@pytest.mark.parametrize("odd", ODD, ids=[f"{n}" for n in range(len(ODD))])
def test_an_update_that_is_not_of_debians_form_is_left_out_and_counted(odd: dict[str, Any]) -> None:
    found = only(pending=[SOUND, SOUND | odd])
    assert (found.pending, found.left_out) == ((UPDATE,), 1)


def test_what_is_no_update_at_all_counts_too() -> None:
    assert only(pending=[SOUND, 7, None, "x", []]).left_out == 4
    assert (only(pending="none").pending, only(pending="none").left_out) == ((), 1)
    assert only(pending=None).left_out == 1, "silence is not an empty list"
    assert only(pending=[]).left_out == 0


def test_a_package_that_is_brought_along_is_no_update() -> None:
    new = SOUND | {"before": "", "source_before": ""}
    assert (only(pending=[SOUND, new]).pending, only(pending=[SOUND, new]).left_out) == ((UPDATE,), 0)


def test_a_hundred_thousand_rows() -> None:
    found = only(pending=[SOUND] * 100_000)
    assert (len(found.pending), found.left_out) == (MOST_PENDING, 100_000 - MOST_PENDING)


def test_nothing_personal_is_read() -> None:
    found = only(
        session="alice",
        failed_units=["home-alice.mount", "cups.service", "not a unit", 7],
        free_mib={"/home/alice": 1, "/media/alice/STICK": 2, "/": 3, "/var/lib": True, "/boot": -1},
        restart=["because of hunter2", "x" * 1000, 5, *["y"] * 100],
    )
    assert (found.session, found.failed_units, found.free_mib) == ("unknown", ("home-*", "cups.service"), {"/": 3})
    assert len(found.restart) <= MOST_REASONS and max(map(len, found.restart)) <= 120
    hidden = read(LEVEL_SOUND | {"restart": ["because of hunter2"], "boot": "hunter2"}, secrets=("hunter2",))["ws-01"]
    assert "hunter2" not in repr(hidden)


def test_doubt_is_for_the_worse() -> None:
    found = only(release="Book\nworm", interrupted="no")
    assert (found.release, found.interrupted) == ("", True)


anything = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.sampled_from([*SOUND, *LEVEL_SOUND]), inner),
    max_leaves=20,
)


@settings(max_examples=300)
@given(st.dictionaries(st.sampled_from([*LEVEL_SOUND]), anything))
def test_whatever_a_machine_says_is_bounded_and_of_its_form(level: dict[str, Any]) -> None:
    for found in read(level).values():
        assert all(isinstance(update, PendingUpdate) for update in found.pending)
        texts = [found.release, found.boot, *found.restart, *found.failed_units, *found.stale_services]
        assert all(len(text) <= 120 and text.isprintable() for text in texts)
        assert found.session in ("", "graphical", "text", "remote", "unknown")
        assert bool(level.get("pending")) is False or found.pending or found.left_out or not_updates(level["pending"])


def not_updates(pending: Any) -> bool:
    return all(isinstance(row, dict) and row.get("before") == "" for row in pending) if pending else True
