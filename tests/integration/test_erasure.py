"""A hundred people erased: no residual byte of theirs, and the evidence handed out before still holds."""

from __future__ import annotations

import json
import subprocess
import sys
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from provisioner.ledger.book import open_book
from provisioner.ledger.entry import Draft
from provisioner.ledger.verify import Status
from provisioner.missions.audit import verify_log
from provisioner.missions.erase import Wish, carry_out
from provisioner.missions.export import Wanted, export

if TYPE_CHECKING:
    from pathlib import Path

    from provisioner.ledger.book import Book

AT = datetime(2026, 11, 23, 14, tzinfo=UTC)
PEOPLE = [f"Subject{index:03} Ünïq{index:03}x" for index in range(100)]
FIELDS = ("check", "phone", "email")


def record(book: Book, name: str) -> None:
    """An operator, three values, and a contract that names one person."""
    operator = book.pseudonym(name)
    values = [book.keep(f"{field} of {name}", field=field) for field in FIELDS]
    contacts = {"client": {"contacts": {"owner": f"{name}, +33 1"}}}
    digest = book.keep_contract(json.dumps(contacts, ensure_ascii=False).encode())
    book.append([Draft("closed", AT, operator, {"found": values, "contract_digest": digest})])


def residue(folder: Path) -> list[str]:
    """Whose name, or half of it, a file under the folder has."""
    data = b"".join(path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file())
    return [name for name in PEOPLE if any(part.encode() in data for part in name.split())]


def test_a_hundred_people_leave_no_byte(tmp_path: Path) -> None:
    state, bundle = tmp_path / "state", tmp_path / "before.tar.gz"
    with open_book(f"sqlite:///{state}/ledger.db", "demo", state=state) as book:
        for name in PEOPLE:
            record(book, name)
        kept = book.sign(AT)
        export(book, Wanted(details=True), bundle)
        assert residue(state) == PEOPLE, "the control"
        for name in PEOPLE:
            carry_out(book, Wish(at=AT, operator="Camille Operator", person=name))
        (tmp_path / "kept.checkpoint").write_text(kept.note)
        report = verify_log(book, kept=tmp_path / "kept.checkpoint")
        after = tmp_path / "after.tar.gz"
        export(book, Wanted(details=True), after)
        assert (report.status, len(report.warnings)) == (Status.OK, len(PEOPLE))
    left = residue(state)
    print(f"{len(PEOPLE)} people, {(len(FIELDS) + 2) * len(PEOPLE)} details erased: {len(left)} with residual bytes")
    assert left == []
    for path in (bundle, after):
        assert stands(path, tmp_path / path.name.partition(".")[0])
    assert residue(tmp_path / "before") == PEOPLE, "what was handed out is out of reach"
    assert residue(tmp_path / "after") == []


def stands(bundle: Path, folder: Path) -> bool:
    """Whether a bundle verifies by the program in it, which has nothing of ours but the bundle."""
    folder.mkdir()
    subprocess.run(["tar", "-xzf", bundle, "-C", folder], check=True)
    (program,) = folder.rglob("verify.py")
    done = subprocess.run([sys.executable, "-I", program, program.parent], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return True
