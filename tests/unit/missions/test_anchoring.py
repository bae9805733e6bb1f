"""A real log, a real witness and a real time-stamp authority in one process; only the wire between them is left out."""

from __future__ import annotations

import shutil
from dataclasses import replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import pytest
from tests._authority import Authority

from provisioner.errors import LedgerError, NoAnswer, UsageError
from provisioner.ledger import beside, published
from provisioner.ledger.book import Book, open_book
from provisioner.ledger.checkpoint import (
    Cosigner,
    Signature,
    cosign,
    parse_note,
    parse_signatures,
    sign_checkpoint,
    verify_cosignature,
)
from provisioner.ledger.entry import Draft
from provisioner.ledger.keys import load_signer, write_durably
from provisioner.ledger.timestamp import parse_authorities
from provisioner.ledger.verify import Status
from provisioner.missions.anchoring import (
    Anchored,
    Asked,
    AskedAuthority,
    AskedWitness,
    anchor,
    request_for,
    submission,
    take_answer,
)
from provisioner.missions.anchors import Trusted, Vouched, vouched
from provisioner.missions.audit import verify_log
from provisioner.model.witnessing import Answer
from provisioner.serving.memory import Memory
from provisioner.serving.witness import Witness

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

AT = datetime(2026, 11, 23, 14, 0, tzinfo=UTC)


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("authority"))


class Office:
    """A log that grows, and a witness that knows it."""

    def __init__(self, folder: Path) -> None:
        self.state = folder / "state"
        self.book = self.open()
        self.grow(3)
        self.witness = self.new_witness(folder / "witness")

    def open(self) -> Book:
        return open_book(f"sqlite:///{self.state}/ledger.db", "demo", state=self.state)

    def grow(self, count: int) -> None:
        self.book.append([Draft("note", AT, "op-1", {"text": str(number)}) for number in range(count)])
        self.book.sign(AT)

    def new_witness(self, folder: Path) -> Witness:
        memory = Memory(folder, write=write_durably)
        memory.make_key("w1.example")
        memory.trust(load_signer(self.book.key_folder, self.book.origin).verifier)
        return Witness(memory, now=lambda: AT)

    @property
    def asked(self) -> Asked:
        witness = AskedWitness(key=self.witness.key, url="http://w1", ask=self.witness.add_checkpoint)
        return Asked(witnesses=(witness,))

    def anchor(self, asked: Asked | None = None) -> Anchored:
        return anchor(self.book, self.book.sign(AT), asked or self.asked, at=AT)

    def vouched(self) -> Vouched:
        return vouched(self.book, Trusted(witnesses=(self.witness.key,), witnesses_given=True))


@pytest.fixture
def office(tmp_path: Path) -> Iterator[Office]:
    office = Office(tmp_path)
    with office.book:
        yield office


def test_a_checkpoint_is_cosigned_beside_the_file_that_never_changes(office: Office) -> None:
    before = office.anchor(Asked())
    assert (before.attempts, before.alone) == ((), False)
    plain = before.path.read_bytes()
    found = office.anchor()
    assert [(one.by, one.at, one.problem) for one in found.attempts] == [("witness w1.example at http://w1", AT, "")]
    assert before.path.read_bytes() == plain
    note = before.path.with_suffix(".cosigned").read_text()
    assert note.encode().startswith(plain)
    assert note == found.checkpoint.note
    assert verify_cosignature(parse_note(note), office.witness.key) == AT


def test_a_log_that_grows_is_cosigned_again_and_nobody_is_asked_twice_for_one(office: Office) -> None:
    bodies: list[bytes] = []

    def heard(body: bytes) -> Answer:
        bodies.append(body)
        return office.witness.add_checkpoint(body)

    asked = Asked(witnesses=(replace(office.asked.witnesses[0], ask=heard),))
    for _ in range(3):
        assert not office.anchor(asked).alone
        assert not office.anchor(asked).alone
        office.grow(5)
    assert [body.split(b"\n")[0] for body in bodies] == [b"old 0", b"old 4", b"old 9"]


def test_told_another_size_the_log_proves_from_that_one(office: Office) -> None:
    office.anchor()
    office.grow(2)
    office.anchor()
    for path in office.book.checkpoint_folder.glob("*.cosigned"):
        path.unlink()
    office.grow(6)
    assert not office.anchor().alone
    assert office.witness.logs()[0].size == 12


def test_one_that_does_not_answer_does_not_keep_the_others(office: Office, authority: Authority) -> None:
    def silent(body: bytes) -> Answer:
        raise NoAnswer("no answer within 5 s")

    down = replace(office.asked.witnesses[0], url="http://down", ask=silent)
    roots = parse_authorities(authority.roots.read_bytes())
    clock = AskedAuthority(url="http://tsa", authorities=roots, ask=authority.answer)
    found = office.anchor(Asked(witnesses=(down, *office.asked.witnesses), authority=clock))
    assert [bool(one.at) for one in found.attempts] == [False, True, True]
    assert found.attempts[0].problem == "no answer within 5 s"
    assert not found.alone
    assert office.anchor(Asked(witnesses=(down,))).alone is False, "it is cosigned by that key already"


def bad_answers(office: Office) -> dict[str, Answer]:
    body = submission(office.book, office.book.sign(AT), old=0).render()
    line = office.witness.add_checkpoint(body).body.decode()
    other = cosign(
        sign_checkpoint(1, bytes(32), signer=load_signer(office.book.key_folder, office.book.origin)),
        cosigner=Cosigner("w1.example", bytes(32)),
        at=AT,
    )
    (good,) = parse_signatures(line)
    return {
        "no cosignature of its key": Answer(200, "", other.render().encode()),
        "without a cosignature": Answer(200, "", Signature(good.name, good.id, bytes(72)).render().encode()),
        "not a signed note": Answer(200, "", b"thank you\n"),
        "not UTF-8": Answer(200, "", b"\xff"),
        "refused to cosign: status 403, 'unknown key'": Answer(403, "", b"unknown key\n"),
        "status 409": Answer(409, "text/plain", b"4\n"),
        "rolled back, or somebody else signs": Answer(409, "text/x.tlog.size", b"99\n"),
        "\\x1b": Answer(500, "", b"\x1b[2J"),
    }


@pytest.mark.parametrize("number", range(8))
def test_a_bad_answer_is_said_and_nothing_is_kept(office: Office, number: int) -> None:
    said, answer = list(bad_answers(office).items())[number]
    found = office.anchor(Asked(witnesses=(replace(office.asked.witnesses[0], ask=lambda body: answer),)))
    assert found.alone
    wanted = "without a cosignature" if number == 0 else said
    assert wanted in found.attempts[0].problem
    assert not list(office.book.checkpoint_folder.glob("*.cosigned"))


def test_after_a_rotation_the_witness_must_be_told_the_new_key(office: Office, tmp_path: Path) -> None:
    office.anchor()
    office.book.rotate(AT, "op-1", reason="rotation")
    assert not office.anchor().alone, "the first checkpoint that holds the new key is signed by both"
    office.grow(2)
    assert "status 403" in office.anchor().attempts[0].problem
    Memory(tmp_path / "witness", write=write_durably).trust(office.book.key_history().newest.key)
    assert not office.anchor().alone
    found = office.vouched()
    assert verify_log(office.book, vouched=found).compared_with == f"{found.anchors[0].name} of 7 entries"
    assert verify_log(office.book, vouched=found).status is Status.OK


def test_a_fork_of_the_log_is_not_cosigned_and_says_so(office: Office, tmp_path: Path) -> None:
    shutil.copytree(office.state, tmp_path / "copy")
    office.grow(4)
    office.anchor()
    fork = Office.__new__(Office)
    fork.state, fork.witness = tmp_path / "copy", office.witness
    with fork.open() as fork.book:
        for count in (1, 3, 9):
            fork.grow(count)
            assert fork.anchor().alone
    assert office.anchor().checkpoint.size == 8
    assert office.witness.logs()[0].size == 8


def test_a_checkpoint_that_a_crash_left_without_its_file_gets_it_back(office: Office) -> None:
    (numbered,) = office.book.checkpoint_folder.glob("*.checkpoint")
    before = numbered.read_bytes()
    numbered.unlink()
    assert office.anchor().path.read_bytes() == before


def test_an_older_checkpoint_that_gets_its_file_back_does_not_become_the_newest(office: Office) -> None:
    """Another command may sign, and change the key, between the reading of `latest` and the asking."""
    older = office.book.sign(AT)
    (numbered,) = office.book.checkpoint_folder.glob("*.checkpoint")
    numbered.unlink()
    office.book.rotate(AT, "op-1", reason="rotation")
    with office.open() as other:
        newest = other.sign(AT)
    assert anchor(office.book, older, Asked(), at=AT).checkpoint == older
    assert published.latest(office.book.checkpoint_folder) == newest
    with office.open() as other:
        other.append([Draft("note", AT, "op-1", {"text": "it goes on"})])


def test_where_the_cached_tree_is_wrong_a_witness_gets_a_proof_from_the_entries(
    office: Office, monkeypatch: pytest.MonkeyPatch
) -> None:
    office.anchor()
    office.grow(3)
    monkeypatch.setattr(Book, "nodes", lambda self, names: dict.fromkeys(names, bytes(32)))
    assert office.anchor().attempts[0].problem == ""


def test_what_does_not_prove_growth_is_not_sent(office: Office, monkeypatch: pytest.MonkeyPatch) -> None:
    office.anchor()
    office.grow(3)
    monkeypatch.setattr(Book, "nodes", lambda self, names: {})
    monkeypatch.setattr(Book, "leaves", lambda self, start=None, stop=None: iter([(start, b"another")]))
    found = office.anchor()
    assert "cannot be proved" in found.attempts[0].problem
    with pytest.raises(UsageError, match="no proof leads there from 8"):
        submission(office.book, office.book.sign(AT), old=8)


def test_by_file_the_answer_finds_the_checkpoint_that_it_cosigns(office: Office) -> None:
    key = office.witness.key
    body = request_for(office.book, office.book.sign(AT), key, old=None)
    answer = office.witness.add_checkpoint(body).body
    office.grow(5)
    found = take_answer(office.book, answer, (Cosigner("w2", bytes(32)).key, key))
    assert (found.checkpoint.size, found.attempts[0].at) == (4, AT)
    sized = office.witness.add_checkpoint(request_for(office.book, office.book.sign(AT), key, old=2))
    with pytest.raises(UsageError, match="has 4 entries") as caught:
        take_answer(office.book, sized.body, (key,))
    assert "--old-size 4" in caught.value.hint
    with pytest.raises(LedgerError, match="no cosignature by w2 of a checkpoint of provisioner/demo"):
        take_answer(office.book, answer, (Cosigner("w2", bytes(32)).key,))


def test_what_a_witness_said_becomes_an_anchor_that_the_log_is_held_to(office: Office) -> None:
    office.anchor()
    office.grow(5)
    office.anchor()
    office.grow(2)
    found = office.vouched()
    assert [(one.checkpoint.size, one.name) for one in found.anchors] == [
        (9, "witness w1.example (2026-11-23T14:00:00Z), checkpoint")
    ]
    report = verify_log(office.book, vouched=found)
    assert (report.status, report.compared_with) == (Status.OK, f"{found.anchors[0].name} of 9 entries")


def test_a_log_rewritten_by_whoever_holds_its_key_contradicts_the_witness(office: Office, tmp_path: Path) -> None:
    """Adversary (c): another history of the same length, signed with the log's key; a cosigned file was left."""
    office.grow(3)
    office.anchor()
    shutil.copytree(office.state / "keys", tmp_path / "other" / "state" / "keys")
    forged = Office.__new__(Office)
    forged.state, forged.witness = tmp_path / "other" / "state", office.witness
    with forged.open() as forged.book:
        forged.grow(6)
        assert verify_log(forged.book).status is Status.OK, "the control: alone, the forgery agrees with itself"
        (mine,) = forged.book.checkpoint_folder.glob("*.checkpoint")
        (theirs,) = office.book.checkpoint_folder.glob("*.cosigned")
        shutil.copy(theirs, mine.with_suffix(".cosigned"))
        found = forged.vouched()
        assert "is not the checkpoint of" in found.damaged[0]
        assert verify_log(forged.book, vouched=found).status is Status.TAMPERED
        shutil.copy(theirs.with_suffix(".checkpoint"), mine)
        found = forged.vouched()
        assert (found.damaged, len(found.anchors)) == ((), 1)
        assert verify_log(forged.book, vouched=found).status is Status.TAMPERED


def test_a_cosignature_that_does_not_verify_is_a_finding_and_none_is_never_success(office: Office) -> None:
    with pytest.raises(LedgerError, match="no checkpoint of provisioner/demo kept here is vouched for by witness w1"):
        office.vouched()
    own = vouched(office.book, Trusted(witnesses=(office.witness.key,)))
    assert own.warnings == (
        "no checkpoint kept here is vouched for by witness w1.example named in the operator's own settings",
    )
    path = office.anchor().path.with_suffix(".cosigned")
    note = path.read_text()
    line = Signature("w1.example", office.witness.key.id, bytes(72)).render()
    path.write_text(path.with_suffix(".checkpoint").read_text() + line)
    assert office.vouched().damaged == (f"{path.name}: the cosignature of witness w1.example does not verify",)
    assert verify_log(office.book, vouched=office.vouched()).status is Status.TAMPERED
    assert "does not verify" in office.anchor().attempts[0].problem
    path.write_text(note)
    assert office.vouched().damaged == ()


def test_a_time_stamp_becomes_an_anchor_and_one_of_another_checkpoint_a_finding(
    office: Office, authority: Authority
) -> None:
    roots = parse_authorities(authority.roots.read_bytes())
    clock = AskedAuthority(url="http://tsa", authorities=roots, ask=authority.answer)
    first = office.anchor(Asked(authority=clock)).path
    again = office.anchor(Asked(authority=replace(clock, ask=lambda query: b"not asked again")))
    assert again.attempts[0].at
    office.grow(2)
    second = office.anchor(Asked(authority=clock)).path
    trusted = Trusted(authorities=roots, authorities_given=True)
    (found,) = vouched(office.book, trusted).anchors
    assert (found.checkpoint.size, found.name.partition(" (")[0]) == (6, "time stamp")
    assert verify_log(office.book, vouched=vouched(office.book, trusted)).status is Status.OK
    shutil.copy(first.with_suffix(".tsr"), second.with_suffix(".tsr"))
    assert "over other bytes" in vouched(office.book, trusted).damaged[0]


def test_a_replayed_token_is_not_kept(office: Office, authority: Authority) -> None:
    roots = parse_authorities(authority.roots.read_bytes())
    clock = AskedAuthority(url="http://tsa", authorities=roots, ask=authority.answer)
    path = office.anchor(Asked(authority=clock)).path
    old = path.with_suffix(".tsr").read_bytes()
    path.with_suffix(".tsr").unlink()
    found = office.anchor(Asked(authority=replace(clock, ask=lambda query: old)))
    assert "answers another request" in found.attempts[0].problem
    assert beside.token_of(path) is None


def test_a_named_authority_that_said_nothing_is_an_error(office: Office, authority: Authority, tmp_path: Path) -> None:
    stranger = parse_authorities(Authority(tmp_path / "stranger").roots.read_bytes())
    with pytest.raises(LedgerError, match=r"vouched for by the time-stamp authorities$"):
        vouched(office.book, Trusted(authorities=stranger, authorities_given=True))
    roots = parse_authorities(authority.roots.read_bytes())
    office.anchor(Asked(authority=AskedAuthority(url="http://tsa", authorities=roots, ask=authority.answer)))
    with pytest.raises(LedgerError, match="1 time stamp is by none of the time-stamp authorities"):
        vouched(office.book, Trusted(authorities=stranger, authorities_given=True))


def test_after_a_change_of_authority_the_older_stamps_are_a_warning_and_no_finding(
    office: Office, authority: Authority, tmp_path: Path
) -> None:
    later = Authority(tmp_path / "later")
    pems = [one.roots.read_bytes() for one in (authority, later)]
    before, after, both = (parse_authorities(pem) for pem in (*pems, b"".join(pems)))
    old = office.anchor(
        Asked(authority=AskedAuthority(url="http://tsa", authorities=before, ask=authority.answer))
    ).path
    office.grow(2)
    new = AskedAuthority(url="http://later", authorities=after, ask=later.answer)
    assert not office.anchor(Asked(authority=new)).alone
    found = vouched(office.book, Trusted(authorities=after))
    assert (found.damaged, [one.checkpoint.size for one in found.anchors]) == ((), [6])
    (warning,) = found.warnings
    assert f"the newest {old.with_suffix('.tsr').name}: after a change of authority, keep the root" in warning
    assert verify_log(office.book, vouched=found).status is Status.OK
    assert vouched(office.book, Trusted(authorities=both)).warnings == ()
    token = bytearray(old.with_suffix(".tsr").read_bytes())
    token[-1] ^= 1
    old.with_suffix(".tsr").write_bytes(token)
    for roots in (before, after, both):
        assert vouched(office.book, Trusted(authorities=roots)).damaged, "the control: a bad signature is a finding"
