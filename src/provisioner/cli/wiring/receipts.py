"""What `audit.reconcile` needs: a reader of receipts that logs in as work does."""

from __future__ import annotations

from typing import TYPE_CHECKING

from provisioner.cli.wiring import identity
from provisioner.execution.receipt_reader import ReceiptReader
from provisioner.execution.ssh import SshProbe

if TYPE_CHECKING:
    from provisioner.cli.wiring import Site


def receipt_reader(where: Site, client: str) -> ReceiptReader:
    """Build the reader for a client's machines, with the client's known hosts and key."""
    state = where.settings.state
    return ReceiptReader(SshProbe(state / "known_hosts", identity=identity(state, client)))
