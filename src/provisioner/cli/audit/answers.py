"""How the answer of a verification is told, whatever was verified."""

from __future__ import annotations

from typing import TYPE_CHECKING

from provisioner.cli.command import print_json

if TYPE_CHECKING:
    from provisioner.missions.export import Report


def tell(report: Report, subject: str, *, json: dict[str, str] | None) -> int:
    """Print a report about the entries `subject`, as a document after the keys of `json` if given; its exit code."""
    if json is not None:
        proof = report.consistency.document() if report.consistency else None
        print_json({**json, **vars(report), "consistency": proof, "exit_code": report.exit_code})
        return report.exit_code
    for finding in (*report.findings, *(f"warning: {text}" for text in report.warnings)):
        print(finding)
    if report.consistency:
        print(report.consistency.sentence)
    if report.first_bad is not None:
        print(f"first bad entry: {report.first_bad}")
    print(f"{report.status}: {report.size} entries {subject}; {report.compared_with}")
    return report.exit_code
