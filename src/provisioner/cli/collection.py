"""The namespace that `tasks.py` hands to invoke: one collection a noun. Nothing heavy loads before a task runs."""

from __future__ import annotations

from invoke.collection import Collection

from provisioner.cli import (
    backup,
    backup_proofs,
    contract,
    dev,
    doctor,
    due,
    lab,
    onboard,
    patch,
    patch_ahead,
    sla,
    ticket,
)
from provisioner.cli.audit import checkpoint, erase, export, keys, reading, reconcile, witness


def _group(name: str, *tasks: object) -> Collection:
    group = Collection(name)
    for task in tasks:
        group.add_task(task)  # type: ignore[arg-type]
    return group


namespace = Collection(
    onboard.onboard,
    doctor.doctor,
    _group("contract", contract.check, contract.show, contract.schema, due.due),
    _group(
        "audit",
        reading.log,
        reading.show,
        reading.verify,
        keys.keys,
        reconcile.reconcile,
        erase.erase,
        export.export,
        checkpoint.checkpoint,
        witness.witness,
    ),
    _group(
        "ticket",
        ticket.open,
        ticket.respond,
        ticket.reply,
        ticket.priority,
        ticket.hold,
        ticket.resume,
        ticket.resolve,
        ticket.reopen,
        ticket.list,
        ticket.down,
        ticket.up,
        ticket.unknown,
        ticket.maintenance,
    ),
    _group(
        "patch",
        patch.scan,
        patch_ahead.plan,
        patch.run,
        patch.status,
        patch.halt,
        patch.resume,
        patch.simulate,
        patch_ahead.timers,
    ),
    _group(
        "backup",
        backup.configure,
        backup.status,
        backup_proofs.probe,
        backup_proofs.drill,
        backup_proofs.restore,
    ),
    _group("sla", sla.replay, sla.statement),
    _group("lab", lab.up, lab.down, lab.status),
    _group("dev", dev.check, dev.test, dev.full, dev.molecule, dev.bench, dev.campaign, dev.generate),
)
