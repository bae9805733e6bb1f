from __future__ import annotations

import json
from dataclasses import replace

from tests.unit.reporting._statement import BREACHED, RUNNING, STATEMENT

from provisioner.reporting.statements import statement_document

CONTRACT_MD = {"as_of", "contract", "coverage", "measurements", "credits", "total"}
CONTRACT_MD_MEASUREMENT = {
    *("ticket", "group", "objective", "clause", "state", "reason", "started", "due", "stopped", "breached_at"),
    *("elapsed_seconds", "held_seconds", "holidays", "trace"),
}


def test_the_document_has_the_keys_that_the_contract_page_names() -> None:
    document = statement_document(STATEMENT)
    assert document.keys() >= CONTRACT_MD
    for measurement in document["measurements"]:  # type: ignore[attr-defined]
        assert measurement.keys() >= CONTRACT_MD_MEASUREMENT
    for credit in document["credits"]:  # type: ignore[attr-defined]
        assert credit.keys() >= {"objective", "ticket", "month", "amount", "reason"}
    json.dumps(document)


def test_tickets_come_as_they_were_read_and_months_after() -> None:
    document = statement_document(STATEMENT)
    seen = [(m["ticket"], m["month"], m["objective"]) for m in document["measurements"]]  # type: ignore[attr-defined]
    assert seen == [
        ("T-2", None, "resolution-p1"),
        ("T-2", None, "resolution-p2"),
        ("T-1", None, "response-p1"),
        (None, "2026-09", "app-latency"),
        (None, "2026-10", "availability"),
    ]


def test_a_breach_and_its_credit_to_the_letter() -> None:
    document = statement_document(replace(STATEMENT, measurements=(BREACHED,)))
    (measurement,) = document["measurements"]  # type: ignore[misc]
    trace = measurement.pop("trace")
    assert measurement == {
        "ticket": "T-2",
        "group": None,
        "asset": "srv-01",
        "month": None,
        "contract": "ACME-2026",
        "objective": "resolution-p1",
        "metric": "resolution_time",
        "clause": "objectives[1]",
        "state": "breached",
        "reason": "",
        "started": "2026-11-02T08:00:00Z",
        "due": "2026-11-03T08:00:00Z",
        "stopped": "2026-11-03T09:30:00Z",
        "breached_at": "2026-11-03T08:00:00Z",
        "elapsed_seconds": 34200,
        "target_seconds": 28800,
        "held_seconds": {"client": 1800},
        "bounds": None,
        "holidays": [{"day": "2026-11-11", "name": "Armistice"}],
        "events": [4, 7],
    }
    assert trace[2] == {
        "start": "2026-11-02T13:00:00Z",
        "end": "2026-11-02T13:30:00Z",
        "counted": False,
        "why": "hold",
        "detail": "client",
    }
    assert document["credits"] == [
        {
            "objective": "resolution-p1",
            "ticket": "T-2",
            "group": None,
            "asset": "srv-01",
            "month": "2026-11",
            "amount": "24.00",
            "reason": "2% of the monthly fee of 1200.00",
            "contract": "ACME-2026",
            "clause": "objectives[1].penalty.percent_of_fee",
            "breached_at": "2026-11-03T08:00:00Z",
            "events": [4, 7],
        }
    ]
    assert document["total"] == {
        "2026-10": {"before_cap": "0.00", "after_cap": "0.00", "cap": ""},
        "2026-11": {"before_cap": "24.00", "after_cap": "20.00", "cap": "20.00"},
    }
    assert document["held_seconds"] == {"client": 1800, "provider": 0, "third_party": 0, "force_majeure": 0}


def test_shares_are_text_without_rounding() -> None:
    bounds = [m["bounds"] for m in statement_document(STATEMENT)["measurements"] if m["bounds"]]  # type: ignore[attr-defined]
    assert [(each["value"], each["upper"]) for each in bounds] == [("99.49999", "99.8")]


def test_one_contract_is_named_and_several_are_listed() -> None:
    assert statement_document(STATEMENT)["contract"] == "ACME-2026"
    several = statement_document(replace(STATEMENT, contracts=("A", "B")))
    assert (several["contract"], several["contracts"]) == (None, ["A", "B"])


def test_what_is_not_there_is_null() -> None:
    (measurement,) = statement_document(replace(STATEMENT, measurements=(RUNNING,)))["measurements"]  # type: ignore[misc]
    assert (measurement["stopped"], measurement["breached_at"], measurement["group"]) == (None, None, None)
