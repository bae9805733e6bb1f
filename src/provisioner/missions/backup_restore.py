"""Restore after a real loss: what was saved comes back where it is asked for, and nothing is overwritten."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from provisioner.errors import UsageError
from provisioner.missions.backup_drill import known_snapshots, not_covered, places
from provisioner.missions.backup_task import Run, begin_log, carry_out
from provisioner.missions.recover import recover
from provisioner.planning.backup_proofs import Restoring, plan_restore

if TYPE_CHECKING:
    from provisioner.missions.backup_task import BackupTask
    from provisioner.missions.services import Services
    from provisioner.model.drill import ProofReport
    from provisioner.model.intervention import Intervention

PLAYBOOK = "backup_restore"

_PATH = re.compile(r"/|(/[^/\0\n]+)+")


@dataclass(frozen=True, kw_only=True)
class RestoreWish:
    """What is asked for: the backup of `host` under the folder `to`; `snapshot` and `paths` as in `Restoring`.

    `on` is a store that restores from its vault into a folder of its own; "" is the machine itself, through its door.
    """

    host: str
    to: str
    snapshot: str = ""
    paths: tuple[str, ...] = ()
    overwrite: bool = False
    on: str = ""
    check: bool = False


@dataclass(frozen=True, kw_only=True)
class RestoredHost:
    """What came of it: the intervention, what the machine told (None: nothing), where it was restored."""

    intervention: Intervention
    host: str
    target: str
    report: ProofReport | None


def restore(task: BackupTask, services: Services, wish: RestoreWish) -> RestoredHost:
    """Restore as one intervention on the machine, or on a store that keeps a vault of it.

    Raises UsageError for a machine that is none, a store without a vault of it, an odd path, and what `perform` raises.
    """
    for path in (wish.to, *wish.paths):
        if not _PATH.fullmatch(path) or {".", ".."} & set(path.split("/")):
            raise UsageError(f"{path[:200]!a} is no plain path from the root", hint="such as /srv/restored")
    at = int(services.now().timestamp())
    agent, store, _ = places(task, at, host=wish.host, target=wish.on)
    target = store if wish.on else agent
    with services.open_book(task.client) as book:
        recover(book, task.client, services)
        begin_log(task, book, services)
        known = known_snapshots(book.entries(kinds=("backup_status",)), agent.name)
    work = Restoring(
        agent=agent,
        to=wish.to,
        snapshot=wish.snapshot,
        paths=wish.paths,
        overwrite=wish.overwrite,
        id=services.new_id(),
        known=known,
        store=bool(wish.on),
    )
    services.progress.note(_said(work, target.name))
    plan = plan_restore(target, task.content[PLAYBOOK], work)
    run = Run(plan=plan, assets=(target,), reasons=not_covered(task, agent, at), check=wish.check)
    intervention = carry_out(task, services, run)
    report = next((one.proof for one in intervention.assets), None)
    return RestoredHost(intervention=intervention, host=agent.name, target=target.name, report=report)


def _said(work: Restoring, target: str) -> str:
    """The plan in one sentence, before anything begins."""
    what = ", ".join(work.paths) or "all that was saved"
    which = f"snapshot {work.snapshot}" if work.snapshot else "the newest snapshot"
    way = "what is in the way is moved aside" if work.overwrite else "refused where that folder is not empty"
    return f"plan: {what} of {work.agent.name}, from {which}, under {work.to} on {target}; {way}"
