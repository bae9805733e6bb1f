from __future__ import annotations

import gzip
import json
import tarfile
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, cast

import pytest
from tests.campaigns._paper import AT, OPERATOR, PaperBook, sample, seed

from provisioner.errors import LedgerError, UsageError
from provisioner.ledger import merkle
from provisioner.ledger.bundle.choice import Wanted
from provisioner.ledger.bundle.write import Written, write_bundle
from provisioner.ledger.checkpoint import Signer, parse_checkpoint
from provisioner.ledger.entry import Draft
from provisioner.ledger.proof import parse_proof
from provisioner.ledger.store import Detail

if TYPE_CHECKING:
    from tests.unit.ledger.conftest import Desk

    from provisioner.ledger.book import Book

VECTOR = Path(__file__).parent / "vectors" / "v1.bundle.tar.gz"
ALL = [(level, position) for level in range(4) for position in range(15)]
PROGRAMS = {"demo/verify.py", "demo/VERIFY.md"}


@pytest.fixture
def book(tmp_path: Path) -> PaperBook:
    return sample(tmp_path / "checkpoints")


def write(book: PaperBook, wanted: Wanted, out: Path) -> Written:
    return write_bundle(cast("Book", book), wanted, out)


def files(archive: Path) -> dict[str, bytes]:
    with tarfile.open(archive) as tar:
        return {member.name: tar.extractfile(member).read() for member in tar}  # type: ignore[union-attr]


def indices(archive: Path) -> list[int]:
    return [json.loads(line)["index"] for line in files(archive)["demo/entries.jsonl"].splitlines()]


def test_a_bundle_is_the_vector_byte_for_byte(book: PaperBook, tmp_path: Path) -> None:
    """Format version 1. `verify.py` and its recipe may become better; what they read may not change."""
    write(book, Wanted(details=True), tmp_path / "b.tar.gz")
    ours, vector = files(tmp_path / "b.tar.gz"), files(VECTOR)
    assert list(ours) == list(vector) == sorted(ours)
    assert {name: data for name, data in ours.items() if name not in PROGRAMS} == {
        name: data for name, data in vector.items() if name not in PROGRAMS
    }


def test_the_same_wish_gives_the_same_bytes(book: PaperBook, tmp_path: Path) -> None:
    for wanted in (Wanted(), Wanted(intervention="iv-0000000000000001"), Wanted(since=AT + timedelta(hours=2))):
        write(book, wanted, tmp_path / "one.tar.gz")
        write(book, wanted, tmp_path / "two.tar.gz")
        assert (tmp_path / "one.tar.gz").read_bytes() == (tmp_path / "two.tar.gz").read_bytes()
        (tmp_path / "one.tar.gz").unlink()
        (tmp_path / "two.tar.gz").unlink()


def test_every_entry_has_its_exact_bytes_and_a_proof(book: PaperBook, tmp_path: Path) -> None:
    written = write(book, Wanted(), tmp_path / "b.tar.gz")
    found = files(tmp_path / "b.tar.gz")
    assert (written.entries, written.size) == (15, 15)
    assert found["demo/entries.jsonl"] == b"".join(row + b"\n" for row in book.rows)
    head = parse_checkpoint(found["demo/checkpoints/newest.cosigned"].decode())
    for index, row in enumerate(book.rows):
        proof = parse_proof(found[f"demo/proofs/{index:010d}.tlog-proof"].decode())
        assert proof.note == head.note and head.note.count("— ") == 2
        assert merkle.includes(merkle.leaf_hash(row), index, head.size, proof=proof.path, root=head.root)


def test_an_intervention_shows_nothing_else_of_the_log(book: PaperBook, tmp_path: Path) -> None:
    write(book, Wanted(intervention="iv-0000000000000003", details=True), tmp_path / "b.tar.gz")
    assert indices(tmp_path / "b.tar.gz") == [0, 8, 9, 10]
    data = gzip.decompress((tmp_path / "b.tar.gz").read_bytes())
    assert b"iv-0000000000000003" in data and b"telephone of iv-0000000000000003" in data
    for other in (b"iv-0000000000000002", b"telephone of iv-0000000000000002", b"DEMO-2026", b"the end"):
        assert other not in data


def test_a_period_has_its_neighbours(book: PaperBook, tmp_path: Path) -> None:
    wanted = Wanted(since=AT + timedelta(hours=3), until=AT + timedelta(hours=6))
    write(book, wanted, tmp_path / "b.tar.gz")
    assert indices(tmp_path / "b.tar.gz") == [0, 2, 3, 4, 5, 6, 8]
    manifest = json.loads(files(tmp_path / "b.tar.gz")["demo/manifest.json"])
    assert manifest["indices"] == [[0, 0], [2, 6], [8, 8]]
    ends = {"since": "2026-11-23T17:00:00Z", "until": "2026-11-23T20:00:00Z"}
    assert manifest["scope"] == {"first": 3, "last": 5, **ends}


def test_personal_values_leave_only_when_asked_for(book: PaperBook, tmp_path: Path) -> None:
    write(book, Wanted(), tmp_path / "b.tar.gz")
    assert "demo/details.jsonl" not in files(tmp_path / "b.tar.gz")
    assert b"Ada Byron" not in gzip.decompress((tmp_path / "b.tar.gz").read_bytes())
    write(book, Wanted(details=True), tmp_path / "d.tar.gz")
    lines = files(tmp_path / "d.tar.gz")["demo/details.jsonl"].splitlines()
    assert len(lines) == 6
    assert json.loads(lines[0]) == {"field": "operator", "reference": OPERATOR, "salt": "", "value": "Ada Byron"}


def test_a_contract_that_nobody_keeps_any_more_is_said_to_be_missing(book: PaperBook, tmp_path: Path) -> None:
    digest = book.kept.pop(0).reference
    written = write(book, Wanted(), tmp_path / "b.tar.gz")
    assert written.missing == (digest,)
    assert not [name for name in files(tmp_path / "b.tar.gz") if "/contract/" in name]


@pytest.mark.parametrize("damage", ["entry", "missing", "root", "signature", "older", "contract", "value", "bytes"])
def test_a_log_that_is_not_what_was_signed_is_not_exported(book: PaperBook, tmp_path: Path, damage: str) -> None:
    if damage == "entry":
        book.rows[5] = book.rows[5].replace(b"iv-0000000000000001", b"iv-0000000000000009")
    elif damage == "missing":
        del book.rows[5]
    elif damage in ("root", "signature"):
        latest = book.checkpoint_folder / "latest"
        lines = latest.read_text().splitlines(keepends=True)
        place = 2 if damage == "root" else 4
        lines[place] = lines[place][:-8] + ("B" if lines[place][-8] != "B" else "C") + lines[place][-7:]
        latest.write_text("".join(lines))
    elif damage == "older":
        (path,) = book.checkpoint_folder.glob("0000000004-*")
        path.write_text(book.publish(book.signers[0]).note.replace("\n15\n", "\n4\n"))
    else:
        place = 0 if damage == "contract" else 1
        kept = book.kept[place]
        book.kept[place] = Detail(kept.reference, kept.field, kept.salt, b"\xff" if damage == "bytes" else b"other")
    with pytest.raises(LedgerError) as caught:
        write(book, Wanted(details=True), tmp_path / "b.tar.gz")
    assert "audit.verify" in caught.value.hint
    assert not list(tmp_path.glob("*.gz*")) and not list(tmp_path.glob(".b*"))


def test_what_was_signed_is_looked_at_beyond_what_is_shown(book: PaperBook, tmp_path: Path) -> None:
    """Proofs from an intact cache would hold: it is the rest of the log that changed."""
    nodes = book.nodes(ALL)
    book.rows[5] = book.rows[5].replace(b"changed", b"charged")
    book.nodes = lambda wanted: {name: nodes[name] for name in wanted}  # type: ignore[method-assign]
    with pytest.raises(LedgerError, match="is not what was signed"):
        write(book, Wanted(intervention="iv-0000000000000003"), tmp_path / "b.tar.gz")


def test_two_forms_of_a_checkpoint_have_one_line(tmp_path: Path) -> None:
    book = PaperBook(tmp_path / "checkpoints")
    book.publish(book.signers[0], Signer(book.origin, seed("stranger")))
    book.at += timedelta(seconds=1)
    book.publish()
    book.add("note", {})
    book.publish()
    write(book, Wanted(), tmp_path / "b.tar.gz")
    lines = files(tmp_path / "b.tar.gz")["demo/checkpoints/consistency.jsonl"].splitlines()
    assert [json.loads(line)["size"] for line in lines] == [1]


def test_a_wrong_cache_changes_no_byte_of_a_bundle(
    book: PaperBook, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(book, Wanted(), tmp_path / "a.tar.gz")
    monkeypatch.setattr(book, "nodes", lambda wanted: dict.fromkeys(wanted, bytes(32)))
    write(book, Wanted(), tmp_path / "b.tar.gz")
    assert (tmp_path / "a.tar.gz").read_bytes() == (tmp_path / "b.tar.gz").read_bytes()


def test_entries_above_the_newest_checkpoint_cannot_be_proved(book: PaperBook, tmp_path: Path) -> None:
    book.intervene("iv-late", "0" * 64)
    for wanted in (Wanted(), Wanted(intervention="iv-late"), Wanted(since=AT + timedelta(hours=14))):
        with pytest.raises(UsageError, match=r"no checkpoint covers entry 1[56]") as caught:
            write(book, wanted, tmp_path / "b.tar.gz")
        assert "audit.checkpoint" in caught.value.hint
    write(book, Wanted(until=AT + timedelta(hours=14)), tmp_path / "b.tar.gz")


def test_nothing_found_is_never_a_bundle(book: PaperBook, tmp_path: Path) -> None:
    for wanted in (Wanted(intervention="iv-none"), Wanted(since=AT + timedelta(days=9)), Wanted(until=AT)):
        with pytest.raises(UsageError, match=r"has no entry of that"):
            write(book, wanted, tmp_path / "b.tar.gz")
    (tmp_path / "checkpoints" / "latest").unlink()
    with pytest.raises(UsageError, match=r"no checkpoint of provisioner/demo"):
        write(book, Wanted(), tmp_path / "b.tar.gz")


def test_a_log_in_a_database_is_exported(desk: Desk, tmp_path: Path) -> None:
    with desk.open() as book:
        digest = book.keep_contract(b"contract\n")
        book.append([Draft("contract", desk.at, book.pseudonym("Ada"), {"contract": "D", "digest": digest})])
        for number in range(300):
            book.append([desk.draft(str(number))])
        book.sign(desk.at)
        written = write_bundle(book, Wanted(details=True), tmp_path / "b.tar.gz")
    assert (written.entries, written.missing) == (302, ())
    assert files(tmp_path / "b.tar.gz")[f"demo/contract/{digest}.yml"] == b"contract\n"
