"""`invoke patch.plan` and `patch.timers`: what rollouts would do, and what starts them."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

from provisioner.cli.command import JSON_HELP, command, print_json, required
from provisioner.errors import UsageError

if TYPE_CHECKING:
    from invoke.context import Context

SYSTEMD = "/etc/systemd/system"


@command(
    help={
        "client": "the client whose contract has the windows, waves and gates",
        "contract-id": "the contract, where two are in force",
        "ical": "print the openings of the next 30 days as a calendar (RFC 5545) instead",
        "json": JSON_HELP,
    }
)
def plan(_context: Context, client: str = "", contract_id: str = "", ical: bool = False, json: bool = False) -> int:
    """Show the rollout that would begin next: each machine's wave, when it is through, what that does to deadlines.

    Nothing is touched or recorded. Example: invoke patch.plan --client demo
    """
    from provisioner.cli import wiring
    from provisioner.cli.present import page
    from provisioner.cli.wiring import rollouts
    from provisioner.cli.wiring.service import book_if_begun
    from provisioner.missions.rollout_plan import plan_rollout
    from provisioner.reporting.rollout_plans import plan_document, plan_page

    name = required("client", client, "invoke patch.plan --client demo")
    if ical and json:
        raise UsageError("--ical and --json each print one document", hint="leave one of them out")
    at = int(wiring.now().timestamp())
    site = wiring.site()
    with book_if_begun(site, name) as book:
        found = plan_rollout(rollouts.task(site, name, contract_id=contract_id, accept=False), book, at=at)
    if ical:
        from provisioner.reporting.agenda import openings_calendar

        sys.stdout.write(openings_calendar(name, found.contract, found.openings, at=at).decode())
    elif json:
        print_json(plan_document(found))
    else:
        page(plan_page(found))
    return 0


@command(
    help={
        "client": "the client whose rollouts the timer starts",
        "into": f"the folder of the units (default {SYSTEMD})",
        "check": "write nothing: say whether the units there are these, and what systemd says of them",
        "json": JSON_HELP,
    }
)
def timers(_context: Context, client: str = "", into: str = SYSTEMD, check: bool = False, json: bool = False) -> int:
    """Write systemd units that call patch.run every five minutes; systemd verifies them, and exit 5 is its complaint.

    Enable them afterwards: systemctl enable --now provisioner-patch-demo.timer.
    Example: invoke patch.timers --client demo --into /etc/systemd/system
    """
    from provisioner.cli import wiring
    from provisioner.cli.wiring import rollouts

    name = required("client", client, "invoke patch.timers --client demo")
    folder, site = Path(into), wiring.site()
    wiring.configuration(site, name)
    wanted = rollouts.timer_units(site, name)
    if not folder.is_dir():
        raise UsageError(f"--into {into}: there is no such folder", hint=f"for example: --into {SYSTEMD}")
    differing = [unit for unit, text in wanted.items() if rollouts.unit_text(folder / unit) != text]
    if not check:
        rollouts.write_units(folder, wanted)
        differing = []
    complaint = "" if differing else rollouts.verify_units(folder, list(wanted))
    if json:
        print_json({"folder": into, "units": list(wanted), "differing": differing, "complaint": complaint or None})
    else:
        for unit in wanted:
            print(f"{folder / unit}: {'differs, or is not there' if unit in differing else 'as it should be'}")
        print(complaint or "systemd has nothing to complain of" if not differing else "write them: leave --check out")
    return 5 if differing or complaint else 0
