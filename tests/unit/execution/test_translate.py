"""What leaves a run: what is named, and nothing else."""

from __future__ import annotations

import json
import unicodedata

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from provisioner.execution.ports import Tally
from provisioner.execution.texts import LONGEST, clean
from provisioner.execution.translate import (
    CHECKS,
    KINDS,
    MOST_PACKAGES,
    PACKAGES,
    checks,
    packages,
    tallies,
    translate,
)
from provisioner.model.event import Event, EventKind
from provisioner.model.intervention import CheckResult
from provisioner.model.package import PackageChange
from provisioner.model.plan import Step
from provisioner.model.redaction import REDACTED

CANARY = "canary-5e1f"
STEP = Step(assets=("ws-01", "ws-02"), variables={})


def record(event: str, **data: object) -> dict[str, object]:
    return {"event": event, "event_data": data}


@pytest.mark.parametrize(
    ("event", "data", "kind"),
    [
        ("playbook_on_play_start", {}, EventKind.PLAY),
        ("playbook_on_task_start", {}, EventKind.TASK),
        ("playbook_on_handler_task_start", {}, EventKind.TASK),
        ("runner_on_ok", {"res": {"changed": False}}, EventKind.OK),
        ("runner_on_ok", {"res": {"changed": True}}, EventKind.CHANGED),
        ("runner_on_failed", {}, EventKind.FAILED),
        ("runner_on_failed", {"ignore_errors": True}, EventKind.IGNORED),
        ("runner_on_unreachable", {}, EventKind.UNREACHABLE),
        ("runner_on_skipped", {}, EventKind.SKIPPED),
        ("warning", {}, EventKind.WARNING),
        ("error", {}, EventKind.WARNING),
    ],
)
def test_the_kinds(event: str, data: dict[str, object], kind: EventKind) -> None:
    found = translate(record(event, **data))
    assert found is not None and found.kind is kind


@pytest.mark.parametrize("event", ["playbook_on_stats", "verbose", "runner_item_on_ok", "", None, 7])
def test_every_other_record_is_passed_over(event: object) -> None:
    assert translate({"event": event, "event_data": {"task": "t"}}) is None


def test_what_an_event_keeps() -> None:
    data = {"host": "ws-01", "role": "r", "task": "t", "duration": 1.5, "res": {"msg": "no such package"}}
    assert translate(record("runner_on_failed", **data)) == Event(
        kind=EventKind.FAILED, host="ws-01", role="r", task="t", seconds=1.5, message="no such package"
    )


def test_only_bad_news_has_a_message() -> None:
    assert translate(record("runner_on_ok", res={"msg": CANARY})) == Event(kind=EventKind.OK)
    failed = translate(record("runner_on_failed", res={"msg": CANARY}))
    assert failed is not None and failed.message == CANARY, "the control"


def test_a_task_is_named_without_the_secret_in_its_name() -> None:
    found = translate(record("playbook_on_task_start", task=f"Join with {CANARY}", role="r", host="h"), (CANARY,))
    assert found is not None and found.task == f"Join with {REDACTED}"


def test_a_structure_is_no_message() -> None:
    items = [{"item": {"name": "ada", "password": CANARY}, "msg": {"cmd": CANARY}, "failed": True}]
    failed = translate(record("runner_on_failed", res={"results": items, "msg": {"stdout": CANARY}}))
    assert failed is not None and failed.message == ":"
    told = translate(record("runner_on_failed", res={"msg": ["one", {"password": CANARY}, 2]}))
    assert told is not None and told.message == "one; 2"


def test_arguments_that_a_role_refuses_are_said() -> None:
    failed = translate(record("runner_on_failed", res={"argument_errors": ["one", "two"], "msg": "Validation failed"}))
    assert failed is not None and failed.message == "one; two"


def test_failed_items_are_said() -> None:
    items = [{"item": "vim", "msg": "fine"}, {"item": "vmi", "msg": "no package", "failed": True}]
    failed = translate(record("runner_on_failed", res={"results": items, "msg": "All items completed"}))
    assert failed is not None and failed.message == "vmi: no package"


KEPT = {"event", "event_data", "stdout", "host", "role", "task", "play", "duration", "res", "changed", "ignore_errors"}
KEPT |= {"msg", "results", "argument_errors", "item", "failed"}

scalars = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20)
keys = st.sampled_from(sorted(KEPT)) | st.text(max_size=8)
anything = st.recursive(
    scalars, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(keys, inner, max_size=5), max_leaves=15
)
names = st.sampled_from(sorted(KINDS)) | st.just("playbook_on_stats")
records = st.builds(
    lambda event, data, more: {**more, "event": event, "event_data": data},
    names,
    anything,
    st.dictionaries(keys, anything, max_size=3),
)


def poisoned(value: object) -> object:
    """The value with a canary under every key that is not on the list, at every depth."""
    if isinstance(value, dict):
        kept = {key: poisoned(item) for key, item in value.items() if key in KEPT}
        return {
            **kept,
            "stderr": CANARY,
            "invocation": {"module_args": CANARY},
            "ansible_facts": [CANARY],
            "diff": CANARY,
        }
    return [poisoned(item) for item in value] if isinstance(value, list) else value


@settings(max_examples=200, deadline=None)
@given(records)
def test_no_record_raises_or_leaks_a_key_that_is_not_named(found: dict[str, object]) -> None:
    hostile = poisoned(found)
    assert isinstance(hostile, dict)
    event = translate(hostile)
    assert CANARY not in repr(event)
    tallies(hostile)
    assert CANARY not in repr(checks(hostile, STEP))


@settings(max_examples=200, deadline=None)
@given(records)
def test_arbitrary_records_never_raise(found: dict[str, object]) -> None:
    translate(found, ("secret",))
    tallies(found)
    checks(found, STEP, ("secret",))


@given(st.text(st.characters(exclude_categories=())), st.lists(st.text(min_size=3, max_size=8), max_size=3))
def test_clean_text_is_short_one_line_printable_and_without_secrets(text: str, secrets: list[str]) -> None:
    found = clean(text, secrets)
    assert len(found) <= LONGEST
    assert found == " ".join(found.split())
    assert not any(unicodedata.category(char) in ("Cc", "Cs") for char in found)
    found.encode()
    for secret in secrets:
        assert secret not in found or secret in REDACTED


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("\x1b[31;1mred\x1b[0m alert", "red alert"),
        ("\x1b[?25lhidden cursor\x1b[2K", "hidden cursor"),
        ("user\u202egnp.exe", "usergnp.exe"),
        ("zero\u200bwidth\ufeff", "zerowidth"),
        ("two\r\nlines\x07", "two lines"),
        ("caf\udce9 from a machine that speaks Latin-1", "caf? from a machine that speaks Latin-1"),
        ("Zoë 😀 naïve", "Zoë 😀 naïve"),
        (None, "None"),
        ({"a": 1}, "{'a': 1}"),
    ],
)
def test_terminal_tricks_are_taken_out(text: object, expected: str) -> None:
    assert clean(text) == expected


@pytest.mark.parametrize(
    "text",
    ["the password is hunter2!", "hun\x1b[0mter2 in colours", "hun\u200bter2 with nothing between", "hunter2" * 200],
)
def test_secrets_are_blotted_out_whatever_stands_inside_them(text: str) -> None:
    assert "hunter2" not in clean(text, ["hunter2", ""])
    assert "hunter2" in clean(text), "the control"


def test_a_secret_that_holds_another_is_blotted_out_whole() -> None:
    assert clean("abcdef", ["abc", "abcdef"]) == REDACTED


def test_tallies() -> None:
    stats = {"processed": {"a": 1, "b": 1}, "ok": {"a": 5}, "changed": {"a": 2}, "dark": {"b": 1}, "failures": {"a": 1}}
    stats |= {"skipped": {"a": 3}, "rescued": {"a": 4}, "ignored": {"a": 6}}
    assert tallies(record("playbook_on_stats", **stats)) == {
        "a": Tally(ok=5, changed=2, failed=1, skipped=3, rescued=4, ignored=6),
        "b": Tally(unreachable=1),
    }


@pytest.mark.parametrize("count", ["1", None, 1.5, True, [], "zero"])
def test_a_host_with_an_unreadable_count_was_not_processed(count: object) -> None:
    stats = {"processed": {"a": 1, "b": 1}, "ok": {"a": 5, "b": 5}, "failures": {"a": count}}
    assert tallies(record("playbook_on_stats", **stats)) == {"b": Tally(ok=5)}


def table(rows: object) -> dict[str, object]:
    return record("playbook_on_stats", artifact_data={CHECKS: {"ws-01": rows, "stranger": []}})


def test_the_acceptance_table_of_the_steps_assets() -> None:
    row = {"name": "locale", "asked": "fr", "found": "C", "result": "fail", "personal": True, "stdout": CANARY}
    found = checks(table([row]), STEP)
    assert list(found) == ["ws-01"]
    (check,) = found["ws-01"]
    assert (check.name, check.asked, check.found, check.result, check.personal) == (
        "locale",
        "fr",
        "C",
        CheckResult.FAIL,
        True,
    )
    assert CANARY not in json.dumps([vars(check) for check in found["ws-01"]])


@pytest.mark.parametrize(
    "row", [{}, {"result": "passed"}, {"result": True}, {"name": "x", "result": None}, "pass", 7, None]
)
def test_a_row_that_cannot_be_read_failed(row: object) -> None:
    (check,) = checks(table([row]), STEP)["ws-01"]
    assert check.result is CheckResult.FAIL


def test_secrets_do_not_reach_the_acceptance_table() -> None:
    (check,) = checks(table([{"name": "n", "found": "it is hunter2", "result": "pass"}]), STEP, ["hunter2"])["ws-01"]
    assert check.found == f"it is {REDACTED}"


SOUND = {
    "name": "vim",
    "architecture": "amd64",
    "before": "2:9.0.1378-2",
    "version": "2:9.0.1378-2+deb12u2",
    "sha256": "a" * 64,
    "security": True,
    "origin": "Debian",
}


def chosen(rows: object) -> object:
    return record("playbook_on_stats", artifact_data={PACKAGES: {"ws-01": rows, "stranger": [SOUND]}})


def test_the_packages_of_the_steps_assets() -> None:
    fields = {key: value for key, value in SOUND.items() if key != "origin"}
    assert packages(chosen([SOUND, SOUND | {"before": "", "security": "yes"}]), STEP) == {  # type: ignore[arg-type]
        "ws-01": (PackageChange(**fields), PackageChange(**{**fields, "before": "", "security": False}))  # type: ignore[arg-type]
    }


@pytest.mark.parametrize(
    "odd",
    [
        {"sha256": "../../../etc/shadow"},
        {"sha256": "A" * 64},
        {"sha256": "a" * 63},
        {"name": "-o=Dir::Etc=/tmp"},
        {"name": "vim vim"},
        {"version": "1; reboot"},
        {"version": ""},
        {"before": "1 2"},
        {"architecture": "../all"},
        {"name": ["vim"] * 2},
        {"version": None},
    ],
    ids=str,
)
def test_a_package_that_is_not_of_debians_form_is_left_out(odd: dict[str, object]) -> None:
    assert packages(chosen([SOUND | odd]), STEP) == {"ws-01": ()}  # type: ignore[arg-type]


@pytest.mark.parametrize("rows", [None, "vim", [None, "vim", 7, []], {"vim": 1}])
def test_what_is_no_list_of_packages_is_none(rows: object) -> None:
    assert packages(chosen(rows), STEP) == {"ws-01": ()}  # type: ignore[arg-type]


def test_a_machine_that_tells_of_too_many_is_believed_so_far() -> None:
    assert len(packages(chosen([SOUND] * (MOST_PACKAGES + 1)), STEP)["ws-01"]) == MOST_PACKAGES  # type: ignore[arg-type]
