from __future__ import annotations

import json
import shutil
import tarfile
from pathlib import Path
from typing import TYPE_CHECKING, cast

import pytest
from tests._authority import Authority
from tests.campaigns import _agreement as agreement
from tests.campaigns._paper import AT, WITNESS, PaperBook, cosigned, load_program, sample, seed

from provisioner.errors import UsageError
from provisioner.ledger import canonical
from provisioner.ledger.bundle import is_part, parse_manifest
from provisioner.ledger.bundle.archive import unpack
from provisioner.ledger.bundle.choice import Wanted
from provisioner.ledger.bundle.verify import Outside, verify_bundle
from provisioner.ledger.bundle.write import write_bundle
from provisioner.ledger.checkpoint import Cosigner, Signer, sign_checkpoint
from provisioner.ledger.published import read_all
from provisioner.ledger.timestamp import parse_authorities, request
from provisioner.ledger.verify import Anchor, Report, Status

if TYPE_CHECKING:
    from collections.abc import Callable

    from provisioner.ledger.book import Book
    from provisioner.ledger.checkpoint import Checkpoint

VECTOR = Path(__file__).parent / "vectors" / "v1.bundle.tar.gz"

program = load_program()


@pytest.fixture
def book(tmp_path: Path) -> PaperBook:
    return sample(tmp_path / "checkpoints")


@pytest.fixture
def bundle(book: PaperBook, tmp_path: Path) -> Callable[[Wanted], Path]:
    """Write a bundle and unpack it."""

    def write(wanted: Wanted) -> Path:
        write_bundle(cast("Book", book), wanted, tmp_path / "b.tar.gz")
        return unpack(tmp_path / "b.tar.gz", tmp_path / "unpacked", is_part=is_part)

    return write


def edit(path: Path, change: Callable[[list[bytes]], object]) -> None:
    lines = path.read_bytes().splitlines(keepends=True)
    change(lines)
    path.write_bytes(b"".join(lines))


def judged(folder: Path, first_bad: int | None, why: str) -> Report:
    """The report on a bad bundle, about which verify.py says the same."""
    report = verify_bundle(folder, Outside())
    assert (report.status, report.first_bad, report.exit_code) == (Status.TAMPERED, first_bad, 7)
    assert why in report.findings[0]
    assert agreement.bundle(program, folder) == (("TAMPERED", first_bad),) * 2
    return report


def test_the_vector_holds() -> None:
    assert agreement.bundle(program, VECTOR) == (("OK", None),) * 2
    report = verify_bundle(VECTOR, Outside())
    assert (report.size, report.compared_with) == (15, "self-consistent; nothing outside was compared")
    assert report.warnings == ("who a pseudonym stands for is the word of whoever wrote the bundle: nothing proves it",)


def test_the_program_in_the_vector_still_holds_it(tmp_path: Path) -> None:
    """A bundle of today is verified by what lies in it, whatever becomes of us."""
    folder = unpack(VECTOR, tmp_path, is_part=is_part)
    assert agreement.bundle(load_program(folder / "verify.py"), folder)[1] == ("OK", None)


def test_a_manifest_is_parsed_as_it_was_rendered() -> None:
    for scope in ({"intervention": "iv-1"}, {"first": 2, "last": 5, "since": "", "until": "2026-11-23T14:00:00Z"}):
        data = canonical.render(
            {"v": 1, "origin": "provisioner/demo", "scope": scope, "indices": [[0, 0], [3, 5]], "size": 9}
        )
        assert parse_manifest(data).render() == data


# Each rule of the format, broken on its own.


def test_an_edited_entry_is_named(bundle: Callable[[Wanted], Path]) -> None:
    folder = bundle(Wanted())
    edit(folder / "entries.jsonl", lambda lines: lines.__setitem__(5, lines[5].replace(b"changed", b"charged")))
    edit(folder / "entries.jsonl", lambda lines: lines.__setitem__(3, lines[3].replace(b"changed", b"charged")))
    judged(folder, 3, "not in the tree")


@pytest.mark.parametrize("place", [3, 14])
def test_a_dropped_entry_is_named(bundle: Callable[[Wanted], Path], place: int) -> None:
    folder = bundle(Wanted())
    edit(folder / "entries.jsonl", lambda lines: lines.pop(place))
    report = judged(folder, place, f"entry {place}")
    (folder / f"proofs/{place:010d}.tlog-proof").unlink()
    assert judged(folder, place, f"entry {place} is missing").size == report.size == 0
    manifest = json.loads((folder / "manifest.json").read_bytes())
    indices = [[0, place - 1], [place + 1, 14]] if place < 14 else [[0, 13]]
    (folder / "manifest.json").write_bytes(canonical.render(manifest | {"indices": indices}))
    judged(folder, place, f"entry {place} is missing")


def test_a_period_cannot_be_said_to_end_earlier(bundle: Callable[[Wanted], Path]) -> None:
    """Its neighbours show that it does not."""
    folder = bundle(Wanted(until=AT.replace(hour=20)))
    edit(folder / "entries.jsonl", lambda lines: lines.pop())
    (folder / "proofs/0000000006.tlog-proof").unlink()
    manifest = json.loads((folder / "manifest.json").read_bytes())
    scope = manifest["scope"] | {"last": manifest["scope"]["last"] - 1}
    shorter = manifest | {"scope": scope, "indices": [[0, 5], [8, 8]]}
    (folder / "manifest.json").write_bytes(canonical.render(shorter))
    judged(folder, 5, "the period, which is said not to reach here")


def test_a_key_that_the_one_before_did_not_sign_is_named(bundle: Callable[[Wanted], Path]) -> None:
    folder = bundle(Wanted())
    lines = (folder / "entries.jsonl").read_bytes().splitlines()
    body = json.loads(lines[8])["body"]
    forged = json.loads(lines[8]) | {"body": body | {"note": body["note"].replace("\n8\n", "\n9\n")}}
    edit(folder / "entries.jsonl", lambda lines: lines.__setitem__(8, canonical.render(forged) + b"\n"))
    judged(folder, 8, "entry 8")


def test_a_line_in_another_form_is_named(bundle: Callable[[Wanted], Path]) -> None:
    folder = bundle(Wanted())
    edit(folder / "entries.jsonl", lambda lines: lines.__setitem__(4, lines[4].replace(b":", b": ", 1)))
    judged(folder, 4, "not canonical")


@pytest.mark.parametrize(
    ("name", "why"),
    [
        ("manifest.json", "missing"),
        ("checkpoints/newest.checkpoint", "missing"),
        ("checkpoints/consistency.jsonl", "missing"),
        ("keys/0000000000.pem", "missing"),
    ],
)
def test_a_part_that_lacks_is_named(bundle: Callable[[Wanted], Path], name: str, why: str) -> None:
    folder = bundle(Wanted())
    (folder / name).unlink()
    judged(folder, None, why)


@pytest.mark.parametrize("name", ["keys/0000000008.pem", "contract", "details.jsonl", "checkpoints/consistency.jsonl"])
def test_what_lies_beside_the_entries_is_held_against_them(bundle: Callable[[Wanted], Path], name: str) -> None:
    folder = bundle(Wanted(details=True))
    path = folder / name if name != "contract" else next((folder / "contract").iterdir())
    data = bytearray(path.read_bytes())
    data[-10] ^= 1
    path.write_bytes(data)
    judged(folder, None, "")


def test_a_checkpoint_that_nobody_signed_is_to_blame_for_what_it_contradicts(bundle: Callable[[Wanted], Path]) -> None:
    folder = bundle(Wanted())
    stranger = sign_checkpoint(15, bytes(32), signer=Signer("provisioner/demo", seed("stranger")))
    (folder / "checkpoints/newest.cosigned").unlink()
    (folder / "checkpoints/newest.checkpoint").write_text(stranger.note)
    judged(folder, None, "not signed by the key of provisioner/demo")


def test_nothing_is_never_good(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    judged(tmp_path / "empty", None, "manifest.json is missing")
    with pytest.raises(UsageError, match="no such bundle"):
        verify_bundle(tmp_path / "none.tar.gz", Outside())


def test_an_entry_is_to_blame_also_before_a_change_of_key_and_another_bad_one(bundle: Callable[[Wanted], Path]) -> None:
    folder = bundle(Wanted())
    edit(folder / "entries.jsonl", lambda lines: lines.__setitem__(5, lines[5].replace(b"changed", b"charged")))
    edit(folder / "entries.jsonl", lambda lines: lines.__setitem__(7, lines[7].replace(b":", b": ", 1)))
    judged(folder, 5, "not in the tree")


def test_a_proof_against_another_form_of_the_checkpoint_is_none(bundle: Callable[[Wanted], Path]) -> None:
    """Witnesses' lines are part of what is handed over: a proof cannot go without them unseen."""
    folder = bundle(Wanted())
    path, plain = folder / "proofs/0000000004.tlog-proof", (folder / "checkpoints/newest.checkpoint").read_text()
    path.write_text(path.read_text().partition("\n\n")[0] + "\n\n" + plain)
    judged(folder, 4, "not in the tree")


def test_a_manifest_that_names_other_entries_is_refused(bundle: Callable[[Wanted], Path]) -> None:
    folder = bundle(Wanted(intervention="iv-0000000000000003"))
    manifest = json.loads((folder / "manifest.json").read_bytes())
    (folder / "manifest.json").write_bytes(canonical.render(manifest | {"indices": [[0, 0], [9, 10]]}))
    judged(folder, None, "names other entries")


# What was kept outside.


def against(folder: Path, kept: Checkpoint) -> Report:
    return verify_bundle(folder, Outside(anchors=(Anchor(checkpoint=kept, name="checkpoint kept"),)))


@pytest.mark.parametrize("wanted", [Wanted(), Wanted(intervention="iv-0000000000000000")])
def test_every_published_checkpoint_can_be_compared(
    book: PaperBook, bundle: Callable[[Wanted], Path], wanted: Wanted
) -> None:
    folder = bundle(wanted)
    checkpoints = read_all(book.checkpoint_folder)[0]
    assert len(checkpoints) == 8
    for kept in checkpoints:
        report = against(folder, kept)
        assert (report.status, report.compared_with) == (Status.OK, f"checkpoint kept of {kept.size} entries")
        assert agreement.bundle(program, folder, kept=kept) == (("OK", None),) * 2


def test_a_log_written_anew_with_its_own_key_contradicts_a_kept_checkpoint(
    bundle: Callable[[Wanted], Path], tmp_path: Path
) -> None:
    before = sample(tmp_path / "before", outcome="unchanged")
    folder = bundle(Wanted())
    kept = read_all(before.checkpoint_folder)[0]
    assert [against(folder, head).exit_code for head in kept] == [0] + [7] * 7, "the first held no outcome"
    for head in kept:
        ours, theirs = agreement.bundle(program, folder, kept=head)
        assert ours == theirs
    lines = (folder / "checkpoints/consistency.jsonl").read_bytes().splitlines(keepends=True)
    (folder / "checkpoints/consistency.jsonl").write_bytes(b"".join(lines[2:]))
    assert "no proof leads from the kept checkpoint" in against(folder, kept[1]).findings[0]


def test_a_kept_checkpoint_that_nobody_signed_is_no_anchor(book: PaperBook, bundle: Callable[[Wanted], Path]) -> None:
    folder, true = bundle(Wanted()), read_all(book.checkpoint_folder)[0][2]
    kept = sign_checkpoint(true.size, true.root, signer=Signer("provisioner/demo", seed("stranger")))
    assert "was not signed by the key" in against(folder, kept).findings[0]
    assert agreement.bundle(program, folder, kept=kept) == (("TAMPERED", None),) * 2


def test_what_cannot_be_compared_is_a_mistake_of_the_command(
    book: PaperBook, bundle: Callable[[Wanted], Path], tmp_path: Path
) -> None:
    folder = bundle(Wanted())
    book.add("note", {})
    for kept in (book.publish(), read_all(sample(tmp_path / "other", "other").checkpoint_folder)[0][0]):
        with pytest.raises(UsageError, match="there is nothing to compare"):
            against(folder, kept)
        assert agreement.bundle(program, folder, kept=kept) == ("usage", "usage")


def test_a_fingerprint_is_that_of_any_key_of_the_log(book: PaperBook, bundle: Callable[[Wanted], Path]) -> None:
    folder = bundle(Wanted())
    for signer in book.signers:
        report = verify_bundle(folder, Outside(fingerprint=signer.verifier.fingerprint))
        assert report.compared_with == f"key fingerprint {signer.verifier.fingerprint}"
    report = verify_bundle(folder, Outside(fingerprint="0" * 64))
    assert (report.exit_code, report.first_bad) == (7, 0)


def test_a_revoked_keys_fingerprint_is_warned_of(tmp_path: Path) -> None:
    book = PaperBook(tmp_path / "checkpoints")
    book.rotate("compromise")
    write_bundle(cast("Book", book), Wanted(), tmp_path / "b.tar.gz")
    report = verify_bundle(tmp_path / "b.tar.gz", Outside(fingerprint=book.signers[0].verifier.fingerprint))
    assert report.exit_code == 0 and "entry 1 revoked" in report.warnings[0]


def test_a_witness_has_cosigned_or_the_bundle_is_not_good(bundle: Callable[[Wanted], Path]) -> None:
    folder = bundle(Wanted())
    report = verify_bundle(folder, Outside(witnesses=(WITNESS.key,)))
    assert report.compared_with == "witness witness.example/w1 (2026-11-23T14:00:00Z), checkpoint of 15 entries"
    stranger = Cosigner("witness.example/w1", seed("stranger")).key
    assert verify_bundle(folder, Outside(witnesses=(WITNESS.key, stranger))).exit_code == 7
    assert agreement.bundle(program, folder, witness=stranger) == (("TAMPERED", None),) * 2


def test_a_time_stamp_is_that_of_an_authority_one_names(book: PaperBook, tmp_path: Path) -> None:
    authority = Authority(tmp_path / "authority")
    (path,) = book.checkpoint_folder.glob("0000000015-*.checkpoint")
    path.with_suffix(".tsr").write_bytes(authority.answer(request(path.read_bytes()).body))
    write_bundle(cast("Book", book), Wanted(), tmp_path / "b.tar.gz")
    assert "there is a time stamp, which was not checked" in verify_bundle(tmp_path / "b.tar.gz", Outside()).warnings[0]
    trusted = parse_authorities(authority.roots.read_bytes())
    report = verify_bundle(tmp_path / "b.tar.gz", Outside(authorities=trusted))
    assert report.status is Status.OK and report.compared_with.startswith("time stamp (20")
    other = Authority(tmp_path / "other")
    strangers = parse_authorities(other.roots.read_bytes())
    assert verify_bundle(tmp_path / "b.tar.gz", Outside(authorities=strangers)).exit_code == 7
    assert verify_bundle(VECTOR, Outside(authorities=trusted)).exit_code == 7, "it has none"


def test_a_bundle_without_witnesses_has_plain_proofs(tmp_path: Path) -> None:
    book = PaperBook(tmp_path / "checkpoints")
    book.publish()
    write_bundle(cast("Book", book), Wanted(), tmp_path / "b.tar.gz")
    assert agreement.bundle(program, tmp_path / "b.tar.gz") == (("OK", None),) * 2
    cosigned(book, book.publish())
    shutil.move(tmp_path / "b.tar.gz", tmp_path / "a.tar.gz")
    write_bundle(cast("Book", book), Wanted(), tmp_path / "b.tar.gz")
    assert agreement.bundle(program, tmp_path / "b.tar.gz", witness=WITNESS.key) == (("OK", None),) * 2


def test_a_period_beyond_any_memory_is_no_more_work_than_what_is_there(bundle: Callable[[Wanted], Path]) -> None:
    folder = bundle(Wanted())
    manifest = json.loads((folder / "manifest.json").read_bytes())
    manifest["size"], manifest["scope"]["last"] = 2**42, 2**41
    (folder / "manifest.json").write_bytes(canonical.render(manifest))
    edit(folder / "checkpoints/newest.checkpoint", lambda lines: lines.__setitem__(1, b"%d\n" % 2**42))
    assert [answer[0] for answer in agreement.bundle(program, folder)] == ["TAMPERED"] * 2


def test_a_step_from_the_checkpoint_to_itself_is_none(bundle: Callable[[Wanted], Path]) -> None:
    folder = bundle(Wanted())
    _, size, root, *_ = (folder / "checkpoints/newest.checkpoint").read_text().split("\n")
    step = canonical.render({"size": int(size), "root": root, "proof": []}) + b"\n"
    edit(folder / "checkpoints/consistency.jsonl", lambda lines: lines.append(step))
    judged(folder, None, "did not grow")


def test_a_contract_under_another_name_is_none(bundle: Callable[[Wanted], Path]) -> None:
    folder = bundle(Wanted())
    (folder / "contract").mkdir(exist_ok=True)
    (folder / "contract" / "abc.txt").write_text("id: FORGED\n")
    judged(folder, None, "not a text that an entry cites")


def test_an_instant_that_is_not_utc_is_none(bundle: Callable[[Wanted], Path]) -> None:
    folder = bundle(Wanted(since=AT))
    manifest = json.loads((folder / "manifest.json").read_bytes())
    manifest["scope"]["since"] = "2000-01-01T01:00:00+01:00"
    (folder / "manifest.json").write_bytes(canonical.render(manifest))
    judged(folder, None, "not an instant")


def test_an_extended_header_is_not_read(tmp_path: Path) -> None:
    """A header of pax may be of any size, and tarfile would hold it whole."""
    hostile = tmp_path / "hostile.tar.gz"
    with tarfile.open(hostile, "w:gz", format=tarfile.PAX_FORMAT) as tar:
        member = tarfile.TarInfo("demo/manifest.json")
        member.pax_headers = {"comment": "x" * 2**20}
        tar.addfile(member)
    report = verify_bundle(hostile, Outside())
    assert (report.status, "no regular file" in report.findings[0]) == (Status.TAMPERED, True)
    assert agreement.bundle(program, hostile) == (("TAMPERED", None),) * 2
    with pytest.raises(program.Bad, match="no regular file"):
        program.unpack(hostile, tmp_path)
