"""Where machines stand under the deadlines, as a document and as a section: each once, and every state counted."""

from __future__ import annotations

from provisioner.model.advisory import Severity
from provisioner.model.compliance import Compliance, MachineCompliance
from provisioner.reporting.compliance import compliance_document, compliance_section

AT = 1_796_040_000  # 2026-11-30T12:00:00Z
FOUND = (
    MachineCompliance(asset="ws-01", state=Compliance.PAST, scanned=AT, due={Severity.CRITICAL: AT - 3600}),
    MachineCompliance(asset="ws-02", state=Compliance.NOT_EVALUABLE, reason="never_scanned"),
)


def test_the_document_counts_every_state_and_names_every_machine() -> None:
    past = {"asset": "ws-01", "state": "past", "reason": None, "scanned": "2026-11-30T12:00:00Z"}
    never = {"asset": "ws-02", "state": "not_evaluable", "reason": "never_scanned", "scanned": None, "due": {}}
    assert compliance_document(FOUND) == {
        "states": {"within": 0, "past": 1, "not_evaluable": 1},
        "machines": [{**past, "due": {"critical": "2026-11-30T11:00:00Z"}}, never],
    }


def test_the_section_says_never_where_there_was_no_scan() -> None:
    found = compliance_section(FOUND, zone="UTC")
    assert found.lines == ("2 machines: 0 within, 1 past, 1 not_evaluable",)
    assert found.rows[0] == ("ws-01", "past", "", "2026-11-30 12:00+00:00", "2026-11-30 11:00+00:00", "")
    assert found.rows[1] == ("ws-02", "not_evaluable", "never_scanned", "never", "", "")
