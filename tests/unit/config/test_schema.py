"""The schemas and the reference page: current, draft 07, and of one mind with the loader about real files."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml

from provisioner.config.reference import contract_reference, generated, write_generated
from provisioner.config.role_inputs import RoleInputs, load_role_inputs
from provisioner.config.schema import contract_schema, inventory_schema

CHECKOUT = Path(__file__).parents[3]
BASE = CHECKOUT / "tests" / "golden" / "config" / "base"
HOW = (
    "out of date; run: .venv/bin/python -c 'from pathlib import Path; from provisioner.config import reference,"
    ' role_inputs; reference.write_generated(Path("."), roles=role_inputs.load_role_inputs(Path("roles")))\''
)


class Editor(yaml.SafeLoader):
    """Reads as YAML 1.2 editors do: no dates."""


Editor.yaml_implicit_resolvers = {
    first: [(tag, pattern) for tag, pattern in resolvers if tag != "tag:yaml.org,2002:timestamp"]
    for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
}


def as_edited(path: Path) -> Any:
    return yaml.load(path.read_text(encoding="utf-8"), Loader=Editor)


def findings(schema: dict[str, Any], document: Any) -> list[str]:
    return [f"{error.json_path}: {error.message}" for error in jsonschema.Draft7Validator(schema).iter_errors(document)]


def test_the_committed_files_are_current() -> None:
    for name, text in generated(roles=load_role_inputs(CHECKOUT / "roles")).items():
        assert (CHECKOUT / name).read_text(encoding="utf-8") == text, f"{name} is {HOW}"


def test_what_is_written_is_what_is_generated(tmp_path: Path, roles: RoleInputs) -> None:
    for name in ("schemas", "docs/reference"):
        (tmp_path / name).mkdir(parents=True)
    written = write_generated(tmp_path, roles=roles)
    assert [path.read_text(encoding="utf-8") for path in written] == list(generated(roles=roles).values())


def test_both_are_schemas_of_draft_07(roles: RoleInputs) -> None:
    for schema in (contract_schema(), inventory_schema(roles)):
        jsonschema.Draft7Validator.check_schema(schema)
        assert "$defs" not in json.dumps(schema)


def test_files_that_load_satisfy_their_schema(roles: RoleInputs) -> None:
    for folder, inputs in (
        (BASE / "acme", roles),
        (CHECKOUT / "inventories" / "demo", load_role_inputs(CHECKOUT / "roles")),
    ):
        assert findings(contract_schema(), as_edited(folder / "contract.yml")) == []
        assert findings(inventory_schema(inputs), as_edited(folder / "hosts.yml")) == []


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("langage", "fr"),
        ("language", "de"),
        ("monthly_fee", "1e3"),
        ("starts", "tomorrow"),
        ("assets", "all"),
        ("id", None),
    ],
)
def test_negative_control_the_contract_schema_refuses(key: str, value: object) -> None:
    document = as_edited(BASE / "acme" / "contract.yml")
    assert findings(contract_schema(), {**document, key: value})


def test_negative_control_the_inventory_schema_refuses(roles: RoleInputs) -> None:
    for keys in (
        {"ansible_ssh_common_args": "x"},
        {"workplace_screens": "two"},
        {"workplace_lamp": {}},
        {"unknown": 1},
    ):
        assert findings(inventory_schema(roles), {"all": {"vars": keys}})
    assert findings(inventory_schema(roles), {"all": {"hosts": {"WS-01": None}}})


def test_the_reference_page_describes_every_key() -> None:
    page = contract_reference()
    assert "|  |\n" not in page.replace(" |  | ", " | - | ")
    for key in ("penalty_cap", "on_failure", "unknown_counts", "`from`", "drill_every"):
        assert key in page
