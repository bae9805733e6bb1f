"""What roles accept: specifications read, values typed by them."""

from __future__ import annotations

from pathlib import Path

import pytest

from provisioner.config.role_inputs import (
    RESERVED,
    Option,
    RoleInputs,
    load_role_inputs,
    masked,
    secret_places,
    typed,
)
from provisioner.config.yaml import Bounds, Node, parse
from provisioner.errors import ConfigurationError
from provisioner.model.asset import HIDDEN


def node(text: str) -> Node:
    return parse(text.encode(), file="f.yml", bounds=Bounds())


def test_the_inputs_of_every_role_of_this_project_load() -> None:
    inputs = load_role_inputs(Path(__file__).parents[3] / "roles")
    assert inputs["host_identity_hostname"].type == "str"
    assert not [name for name in inputs if name.startswith(RESERVED)], "what a run sets is no client's to set"
    assert all(option.description for option in inputs.values())


@pytest.mark.parametrize(
    ("name", "text", "value"),
    [
        ("workplace_screens", "3", 3),
        ("workplace_docked", "true", True),
        ("workplace_label", "010", "010"),
        ("workplace_label", "NO", "NO"),
        ("workplace_profile", "office", "office"),
        ("workplace_printers", "[a, 1]", ["a", "1"]),
        ("workplace_printers", "[]", []),
        ("workplace_lamp", "{watts: 4, colour: ~}", {"watts": 4}),
    ],
)
def test_values_get_the_type_of_their_input(roles: RoleInputs, name: str, text: str, value: object) -> None:
    found, problems = typed(roles[name], node(text))
    assert (found, problems) == (value, [])
    assert type(found) is type(value)


@pytest.mark.parametrize(
    ("name", "text", "where", "says"),
    [
        ("workplace_screens", "3.0", (), "expected a whole number"),
        ("workplace_screens", "[]", (), "expected a whole number"),
        ("workplace_docked", "on", (), "expected true or false"),
        ("workplace_label", "{}", (), "expected text"),
        ("workplace_printers", "a", (), "expected a list"),
        ("workplace_printers", "{}", (), "expected a list"),
        ("workplace_printers", "[a, {}]", (1,), "expected text"),
        ("workplace_lamp", "[]", (), "expected a mapping"),
        ("workplace_lamp", "{watts: x}", ("watts",), "expected a whole number"),
        ("workplace_lamp", "{watts: 1, colour: blue}", ("colour",), "expected one of warm, cold"),
        ("workplace_lamp", "{}", (), "the key watts is required"),
        ("workplace_lamp", "{watts: 1, wats: 1}", ("wats",), "did you mean watts?"),
    ],
)
def test_values_of_another_type_are_named_with_their_place(
    roles: RoleInputs, name: str, text: str, where: tuple[str | int, ...], says: str
) -> None:
    _, problems = typed(roles[name], node(text))
    assert [loc for loc, _ in problems] == [where]
    assert says in problems[0][1]


def test_a_list_of_mappings_is_typed_item_by_item() -> None:
    option = Option(type="list", elements="dict", options={"port": Option(type="int", required=True)})
    assert typed(option, node("[{port: 1}, {}]")) == ([{"port": 1}, {}], [((1,), "the key port is required")])


def test_a_type_that_is_not_served_is_refused_where_the_role_says_it(tmp_path: Path) -> None:
    path = tmp_path / "lamp" / "meta"
    path.mkdir(parents=True)
    (path / "argument_specs.yml").write_text("argument_specs: {main: {options: {lamp_watts: {type: float}}}}")
    with pytest.raises(ConfigurationError, match="the type float is not one we serve"):
        load_role_inputs(tmp_path)


def test_what_a_role_marks_no_log_is_hidden_leaf_by_leaf(roles: RoleInputs) -> None:
    networks = roles["workplace_networks"]
    value, problems = typed(
        networks, node("[{name: guest}, {name: office, password: hunter2}, {name: x, password: ''}]")
    )
    assert problems == []
    assert masked(networks, value) == [
        {"name": "guest"},
        {"name": "office", "password": HIDDEN},
        {"name": "x", "password": HIDDEN},
    ]
    assert list(secret_places(networks, value)) == [(1, "password")], "an empty one is no secret"
    assert networks.confidential and not roles["workplace_lamp"].confidential
    lamp = {"watts": 4}
    assert masked(roles["workplace_lamp"], lamp) is lamp


def test_a_mapping_that_is_no_log_is_a_secret_with_everything_in_it(tmp_path: Path) -> None:
    path = tmp_path / "safe" / "meta"
    path.mkdir(parents=True)
    (path / "argument_specs.yml").write_text(
        "argument_specs: {main: {options: {"
        "safe_files: {type: dict, no_log: true}, "
        "safe_lock: {type: dict, no_log: true, options: {code: {type: int}, kind: {type: str, choices: [a, b]}}}, "
        "safe_codes: {type: list, elements: int, no_log: true}}}}"
    )
    inputs = load_role_inputs(tmp_path)
    value, _ = typed(inputs["safe_files"], node("{ca.pem: hunter2}"))
    assert (masked(inputs["safe_files"], value), list(secret_places(inputs["safe_files"], value))) == (HIDDEN, [()])
    for name, wrong in {
        "safe_lock": "{code: hunter2, kind: hunter2}",
        "safe_codes": "[hunter2]",
    }.items():
        _, problems = typed(inputs[name], node(wrong))
        assert problems and all("hunter2" not in message for _, message in problems)
