"""A contract as a document says what the contract says, in its own words."""

from __future__ import annotations

import json
from datetime import date
from pathlib import Path

import pytest

from provisioner.config.contracts import load_contract
from provisioner.reporting.contracts import Standing, contract_document, lines_of, plain

BASE = Path(__file__).parents[2] / "golden" / "config" / "base" / "acme" / "contract.yml"
"""It uses every term there is."""


def test_the_terms_are_a_contract_that_says_the_same(tmp_path: Path) -> None:
    text = BASE.read_text(encoding="utf-8")
    for change in ("", "end"):
        path = tmp_path / f"acme{change}" / "contract.yml"
        path.parent.mkdir()
        path.write_text(text.replace("duration: 4h", 'end: "24:00"') if change else text, encoding="utf-8")
        terms = load_contract(path).versions[0].contract
        path.write_text(json.dumps(plain(terms)), encoding="utf-8")
        assert load_contract(path).versions[0].contract == terms


def test_keys_and_midnight_are_written_as_in_the_file(tmp_path: Path) -> None:
    text = BASE.read_text(encoding="utf-8").replace("duration: 4h", 'end: "24:00"')
    (tmp_path / "contract.yml").write_text(text, encoding="utf-8")
    shown = json.dumps(plain(load_contract(tmp_path / "contract.yml").versions[0].contract))
    assert '"from"' in shown and "from_" not in shown
    assert '"end": "24:00"' in shown


def test_the_document_names_its_day() -> None:
    standing = Standing(day=date(2026, 11, 23), in_force=True, last_day=None, covered=("ws-01",), uncovered=())
    document = contract_document(load_contract(BASE).versions[0].contract, standing, digest="ab")
    assert (document["as_of"], document["last_day"], document["covered"]) == ("2026-11-23", None, ["ws-01"])


@pytest.mark.parametrize(
    ("document", "lines"),
    [
        ({"yes": True, "no": False, "none": None}, ["yes: yes", "no: no", "none: none"]),
        ({"one": 1, "zero": 0, "text": "1", "half": 0.5}, ["one: 1", "zero: 0", "text: 1", "half: 0.5"]),
        ({"list": [1, 0, True], "empty": [], "nothing": {}}, ["list:", "  1, 0, yes", "empty: none", "nothing: none"]),
        ([{"a": 1, "b": [2]}, {}, []], ["- a: 1", "  b:", "    2", "- none", "- none"]),
        (0, ["0"]),
    ],
)
def test_lines_for_a_person(document: object, lines: list[str]) -> None:
    assert lines_of(document) == lines
