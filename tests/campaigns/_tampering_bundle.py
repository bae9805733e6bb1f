"""Tampering with a bundle, and what the two programs that verify one say of it: the library, and `verify.py` in it."""

from __future__ import annotations

import io
import json
import re
import shutil
import sys
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import replace
from typing import TYPE_CHECKING
from unittest.mock import patch

from tests.campaigns._tampering_logs import book_of, rows_of
from tests.campaigns._tampering_table import TABLE, Adversary, Bundle, ExpectedOfBundle, Kind, Said, Way
from tests.campaigns._tampering_ways import fits, tamper

from provisioner.errors import UsageError
from provisioner.ledger import bundle
from provisioner.ledger.bundle.archive import unpack
from provisioner.ledger.bundle.standalone import verify as standalone
from provisioner.ledger.verify import Status
from provisioner.missions.anchors import Trusted
from provisioner.missions.export import Wanted, export, verify_exported

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path
    from random import Random

    from tests.campaigns._tampering_logs import Log
    from tests.campaigns._tampering_table import Expected
    from tests.campaigns._tampering_ways import Case

    from provisioner.ledger.checkpoint import Checkpoint

Answer = tuple[str, int | None]
"""`OK`, `TAMPERED` or `REFUSED`, and the entry that is named."""

OF_LOG = {
    Bundle.FITTED: (Adversary.KEY, Way.SIGNED),
    Bundle.OWN_KEY: (Adversary.FOLDER, Way.OWN_KEY),
    Bundle.OLD: (Adversary.FOLDER, Way.OLD_FOLDER),
    Bundle.SIGNED: (Adversary.KEY, Way.SIGNED),
}
"""How the log was tampered with that a bundle is written from. The others are changed after they were written."""


def forged(logs: list[Log], row: ExpectedOfBundle, kind: Kind, *, folder: Path, random: Random) -> tuple[Case, Path]:
    """Return what was done to a log, and the bundle (a folder) that somebody is given."""
    deed = _deed(row, random)
    log = random.choice([log for log in logs if log.size == log.covered and fits(log, deed, kind)])
    case = tamper(log, deed, kind, state=folder / "state", random=random)
    if row.way is Bundle.LINES:
        given = written(log.folder, folder)
        leaves = [leaf for _, leaf in rows_of(case.database)]
        (given / bundle.ENTRIES).write_bytes(b"".join(leaf + b"\n" for leaf in leaves))
        return case, given
    if row.way is Bundle.TEXT:
        given = written(log.folder, folder)
        text = random.choice(sorted((given / "contract").iterdir()))
        accent = "e\u0301" if kind is Kind.UNICODE else "e"
        text.write_text(text.read_text().replace("\u00e9", accent))
        return case, given
    given = written(case.state, folder)
    if row.way is Bundle.FITTED:
        _unsign(given, log.checkpoints[-1])
    return case, given


def _deed(row: ExpectedOfBundle, random: Random) -> Expected:
    if row.way is Bundle.TEXT:
        return next(row for row in TABLE if row.way is Way.TEXTS)
    if row.way is Bundle.LINES:
        like = next(row for row in TABLE if row.way is Way.LEFT)
        return replace(like, adversary=Adversary.FOLDER, way=random.choice([Way.LEFT, Way.CLUMSY]))
    return next(one for one in TABLE if (one.adversary, one.way) == OF_LOG[row.way])


def written(state: Path, folder: Path) -> Path:
    """Export the whole log and unpack the bundle; return its folder."""
    shutil.rmtree(folder / "bundle", ignore_errors=True)
    (folder / "bundle").mkdir()
    with book_of(state) as book:
        export(book, Wanted(), folder / "bundle" / "b.tar.gz")
    return unpack(folder / "bundle" / "b.tar.gz", folder / "bundle", is_part=bundle.is_part)


def _unsign(given: Path, genuine: Checkpoint) -> None:
    """Put the signatures of another, genuine checkpoint in the place of those that only the key can make."""
    note = (given / bundle.NEWEST).read_text()
    text, _, signatures = note.rpartition("\n\n")
    for path in [given / bundle.NEWEST, *(given / "proofs").iterdir()]:
        path.write_text(path.read_text().replace(signatures, genuine.note.rpartition("\n\n")[2]))
    assert (given / bundle.NEWEST).read_text().startswith(text)


def answers(case: Case, row: ExpectedOfBundle, given: Path) -> Iterator[tuple[str, Answer, Answer, Answer]]:
    """Yield what was kept, what the table says, what the library says and what verify.py says."""
    kept: tuple[tuple[str, Said, Checkpoint | None, str], ...] = (
        ("nothing", row.nothing, None, ""),
        ("fingerprint", row.fingerprint, None, case.log.fingerprint),
        *(((("older", row.older, case.older, ""),)) if case.older else ()),
        *(((("newer", row.newer, case.newer, ""),)) if case.newer else ()),
    )
    for name, said, checkpoint, fingerprint in kept:
        path = given.parent / "kept.checkpoint" if checkpoint else None
        if checkpoint and path:
            path.write_text(checkpoint.note)
        size = json.loads((given / bundle.MANIFEST).read_bytes())["size"]
        beyond = bool(checkpoint and checkpoint.size > size)
        wanted = ("REFUSED", None) if beyond and row.nothing is Said.FINE else _meant(said, case)
        yield name, wanted, _library(given, path, fingerprint), _outsider(given, path, fingerprint)


def _meant(said: Said, case: Case) -> Answer:
    if said is Said.FINE:
        return "OK", None
    return "TAMPERED", {Said.EXACT: case.bad, Said.FIRST: 0}.get(said)


def _library(given: Path, kept: Path | None, fingerprint: str) -> Answer:
    try:
        report = verify_exported(given, kept=kept, fingerprint=fingerprint, trusted=Trusted())
    except UsageError:
        return "REFUSED", None
    assert report.status in (Status.OK, Status.TAMPERED)
    return str(report.status), report.first_bad


def _outsider(given: Path, kept: Path | None, fingerprint: str) -> Answer:
    """Type verify.py, in this process: what it prints and returns is all that is looked at."""
    words = ["verify.py", str(given), *(["--checkpoint", str(kept)] if kept else [])]
    words += ["--key-fingerprint", fingerprint] if fingerprint else []
    said = io.StringIO()
    with patch.object(sys, "argv", words), redirect_stdout(said), redirect_stderr(said):
        try:
            code = standalone.main()
        except SystemExit as stop:
            assert stop.code == 2, said.getvalue()
            return "REFUSED", None
    assert code in (0, 7)
    named = re.search(r"^first bad entry: (\d+)$", said.getvalue(), re.MULTILINE)
    return ("TAMPERED" if code else "OK"), (int(named[1]) if named else None)
