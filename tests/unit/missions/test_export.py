from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

import pytest

from provisioner.errors import UsageError
from provisioner.ledger.book import Book, open_book
from provisioner.ledger.entry import Draft
from provisioner.ledger.verify import Status
from provisioner.missions.anchors import Trusted
from provisioner.missions.export import Wanted, export, verify_exported

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

AT = datetime(2026, 11, 23, 14, 0, tzinfo=UTC)


@pytest.fixture
def book(tmp_path: Path) -> Iterator[Book]:
    state = tmp_path / "state"
    with open_book(f"sqlite:///{state}/ledger.db", "demo", state=state) as opened:
        opened.append([Draft("note", AT, "op-1", {"intervention": "iv-1"})])
        opened.sign(AT)
        yield opened


def test_what_was_exported_is_compared_with_what_was_kept(book: Book, tmp_path: Path) -> None:
    out = tmp_path / "b.tar.gz"
    assert export(book, Wanted(intervention="iv-1"), out).entries == 2
    kept = book.checkpoint_folder / "latest"
    fingerprint = book.key_history().newest.key.fingerprint.upper()
    report = verify_exported(out, kept=kept, fingerprint=fingerprint, trusted=Trusted())
    assert (report.status, report.size) == (Status.OK, 2)
    assert report.compared_with == f"key fingerprint {fingerprint.lower()}; checkpoint {kept} of 2 entries"


def test_what_cannot_be_compared_is_said_before_anything_is(book: Book, tmp_path: Path) -> None:
    out = tmp_path / "b.tar.gz"
    export(book, Wanted(), out)
    with pytest.raises(UsageError, match="not a key fingerprint"):
        verify_exported(out, kept=None, fingerprint="abc", trusted=Trusted())
    with pytest.raises(UsageError, match="not a checkpoint"):
        verify_exported(out, kept=out, fingerprint="", trusted=Trusted())
    with pytest.raises(UsageError, match="there is no such bundle"):
        verify_exported(tmp_path / "none", kept=None, fingerprint="", trusted=Trusted())


def test_a_client_without_a_log_and_a_file_of_another_kind_are_refused(book: Book, tmp_path: Path) -> None:
    state = tmp_path / "state"
    with (
        open_book(f"sqlite:///{state}/ledger.db", "dmeo", state=state, read_only=True) as other,
        pytest.raises(UsageError, match="did you mean demo"),
    ):
        export(other, Wanted(), tmp_path / "b.tar.gz")
    with pytest.raises(UsageError, match=r"a bundle is a \.tar\.gz"):
        export(book, Wanted(), tmp_path / "b.zip")
    assert not list(tmp_path.glob("b.*"))
