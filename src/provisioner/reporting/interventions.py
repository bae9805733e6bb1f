"""An intervention as a document. The keys are stable: docs/reference/json.md."""

from __future__ import annotations

from dataclasses import asdict
from datetime import UTC
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from datetime import datetime

    from provisioner.model.intervention import AssetResult, Intervention
    from provisioner.model.verdict import Reason


def instant(at: datetime | None) -> str | None:
    """An aware instant as UTC text, `2026-11-23T14:00:00Z`; None stays None."""
    if at is None:
        return None
    if at.tzinfo is None:
        raise ValueError("an instant needs a time zone")
    return at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _reason(reason: Reason | None) -> dict[str, str] | None:
    return asdict(reason) if reason else None


def _asset(result: AssetResult) -> dict[str, object]:
    return {
        "name": result.name,
        "outcome": result.outcome.value,
        "ok": result.ok,
        "changed": result.changed,
        "failed_task": result.failed_task,
        "reason": _reason(result.reason),
        "checks": [
            {"name": check.name, "asked": check.asked, "found": check.found, "result": check.result.value}
            for check in result.checks
        ],
    }


def intervention_document(intervention: Intervention) -> dict[str, object]:
    """Given an intervention, return the document `--json` prints."""
    return {
        "intervention": intervention.id,
        "client": intervention.client,
        "contract": intervention.contract,
        "clause": intervention.clause,
        "plan_digest": intervention.plan_digest,
        "mission": intervention.mission.value,
        "operator": intervention.operator,
        "ticket": intervention.ticket,
        "simulated": intervention.simulated,
        "outcome": intervention.outcome.value,
        "reasons": [_reason(reason) for reason in intervention.reasons],
        "warnings": list(intervention.warnings),
        "request": intervention.request,
        "opened": instant(intervention.opened),
        "closed": instant(intervention.closed),
        "entries": list(intervention.entries),
        "assets": [_asset(result) for result in intervention.assets],
    }
