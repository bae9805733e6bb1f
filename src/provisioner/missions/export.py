"""Export evidence: write a bundle for somebody outside, and verify one as they would."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from provisioner.errors import LedgerError, UsageError
from provisioner.ledger import published
from provisioner.ledger.bundle.choice import Wanted
from provisioner.ledger.bundle.verify import Outside, verify_bundle
from provisioner.ledger.bundle.write import Written, write_bundle
from provisioner.ledger.names import client_of
from provisioner.ledger.verify import Anchor, Report
from provisioner.missions.audit import refuse_unknown

if TYPE_CHECKING:
    from pathlib import Path

    from provisioner.ledger.book import Book
    from provisioner.ledger.checkpoint import Checkpoint
    from provisioner.missions.anchors import Trusted

__all__ = ["Report", "Wanted", "Written", "export", "verify_exported"]

_FINGERPRINT = re.compile(r"[0-9a-fA-F]{64}")


def export(book: Book, wanted: Wanted, out: Path) -> Written:
    """Write the bundle of what is wanted to `out`, a .tar.gz.

    Raises UsageError when the client has no log, nothing was recorded of what is wanted, or `out` cannot be written;
    LedgerError, with nothing written, when the log is not what was signed.
    """
    refuse_unknown(book)
    if not out.name.endswith(".tar.gz"):
        raise UsageError(
            f"--out {out}: a bundle is a .tar.gz", hint=f"for example: --out {client_of(book.origin)}.tar.gz"
        )
    return write_bundle(book, wanted, out)


def verify_exported(path: Path, *, kept: Path | None, fingerprint: str, trusted: Trusted) -> Report:
    """Verify a bundle, archive or folder, against what was kept outside; needs no log and no settings.

    Raises UsageError for a file, fingerprint or bundle that cannot be read or compared.
    """
    if fingerprint and not _FINGERPRINT.fullmatch(fingerprint):
        raise UsageError(f"{fingerprint!r} is not a key fingerprint: 64 hex digits are expected")
    anchors = (Anchor(checkpoint=_kept(kept), name=f"checkpoint {kept}"),) if kept else ()
    return verify_bundle(
        path,
        Outside(
            anchors=anchors,
            fingerprint=fingerprint.lower(),
            witnesses=trusted.witnesses,
            authorities=trusted.authorities,
        ),
    )


def _kept(path: Path) -> Checkpoint:
    try:
        return published.read_checkpoint(path)
    except LedgerError as error:
        raise UsageError(str(error)) from error
