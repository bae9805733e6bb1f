"""Adversary (c) and a witness: what they can do with the cosigned checkpoints, which lie beside the log."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

from tests.campaigns._tampering_logs import BEGAN, CLIENT, book_of
from tests.campaigns._tampering_table import NOTHING, UNSEEN, Fate

from provisioner.errors import LedgerError
from provisioner.ledger import beside
from provisioner.ledger.checkpoint import Cosigner, cosign
from provisioner.ledger.verify import Status
from provisioner.missions.anchors import Trusted, vouched
from provisioner.missions.audit import verify_log

if TYPE_CHECKING:
    from tests.campaigns._tampering_ways import Case

    from provisioner.ledger.checkpoint import Checkpoint

WITNESS = "witness.example"


def told(case: Case, fate: Fate) -> str:
    """Do it, verify with the witness named, and say what came of it, in the words of `TOLD`."""
    witness = Cosigner.generate(WITNESS)
    covering, before = case.newer, case.older
    assert covering is not None and before is not None
    if fate is Fate.LEFT:
        _lay(case, covering, lines_of=covering, cosigner=witness)
    if fate is Fate.MOVED:
        _lay(case, case.published[-1], lines_of=covering, cosigner=witness)
    if fate is Fate.FORGED:
        _lay(case, case.published[-1], lines_of=case.published[-1], cosigner=Cosigner.generate(WITNESS))
    if fate is Fate.OLDER:
        _lay(case, before, lines_of=before, cosigner=witness)
    with book_of(case.state) as book:
        try:
            found = vouched(book, Trusted(witnesses=(witness.key,), witnesses_given=True))
        except LedgerError as error:
            assert error.exit_code == 7
            return NOTHING
        report = verify_log(book, vouched=found)
    if report.status is Status.TAMPERED:
        doubtful = any("does not verify" in finding for finding in report.findings)
        return "TAMPERED, no entry" if doubtful and report.first_bad is None else f"TAMPERED, entry {report.first_bad}"
    named = f"witness {WITNESS} (2026-11-03T08:00:00Z), checkpoint of {before.size} entries" in report.compared_with
    return UNSEEN if named else str(report)


def _lay(case: Case, checkpoint: Checkpoint, *, lines_of: Checkpoint, cosigner: Cosigner) -> None:
    """Have the file of a checkpoint, and beside it the same with the lines that were given for `lines_of`."""
    path = case.state / "checkpoints" / CLIENT / f"{checkpoint.size:010d}-20261103T080000Z.checkpoint"
    path.write_text(checkpoint.note)
    beside.add_cosignatures(path, [cosign(lines_of, cosigner=cosigner, at=BEGAN + timedelta(days=1))])
