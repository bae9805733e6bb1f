"""`invoke doctor`: what this machine lacks, and how to get it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from provisioner.cli.command import JSON_HELP, command, print_json

if TYPE_CHECKING:
    from invoke.context import Context


@command(help={"json": JSON_HELP})
def doctor(_context: Context, json: bool = False) -> int:
    """Look at everything provisioner needs on this machine, with the remedy for what is missing; 2 when something is.

    Example: invoke doctor
    """
    from provisioner.cli import wiring
    from provisioner.cli.present import table

    findings = wiring.diagnose()
    if json:
        print_json({"findings": [vars(finding) for finding in findings]})
    else:
        rows = [(f.name, "ok" if f.ok else "MISSING", f.found, f.remedy) for f in findings]
        table("", ("what", "", "found", "remedy"), rows)
    return 0 if all(finding.ok for finding in findings) else 2
