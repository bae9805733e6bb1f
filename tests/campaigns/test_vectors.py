"""Two verifiers that share no line: they agree with an outside implementation, and with each other about anything.

Trees of every size 0 to 257 against pymerkle (RFC 6962 and 9162 hashing). Then cases in which `verify.py`, the program
in every bundle, and the library must give the same verdict and the same first bad entry: 2,000 in `make test`, 10,000
in full (`invoke dev.campaign --name vectors`).
"""

from __future__ import annotations

import base64
import gzip
import io
import json
import os
import shutil
import tarfile
import time
from collections import Counter
from contextlib import suppress
from datetime import timedelta
from functools import cache
from pathlib import Path
from random import Random
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any, cast

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from pymerkle import InmemoryTree, verify_consistency
from tests.campaigns import _agreement as agreement
from tests.campaigns._mutations import mutate
from tests.campaigns._paper import AT, PROGRAM, WITNESS, load_program, sample, seed

from provisioner.ledger import canonical, merkle
from provisioner.ledger.bundle import is_part
from provisioner.ledger.bundle.archive import unpack
from provisioner.ledger.bundle.choice import Wanted
from provisioner.ledger.bundle.write import write_bundle
from provisioner.ledger.checkpoint import (
    Cosigner,
    Signature,
    Signer,
    VerifierKey,
    WitnessKey,
    cosign,
    parse_note,
    sign_checkpoint,
    with_signatures,
)
from provisioner.ledger.proof import Proof
from provisioner.ledger.published import read_all

if TYPE_CHECKING:
    from collections.abc import Iterator

    from provisioner.ledger.book import Book

FULL = os.environ.get("PROVISIONER_CAMPAIGN") == "full"
SCALE = 5 if FULL else 1
LARGEST = 257

program = load_program()
figures: Counter[str] = Counter()


def cases(number: int) -> settings:
    """How many cases of a kind; the numbers of this module add up to 2,000."""
    tolerated = [HealthCheck.too_slow, HealthCheck.function_scoped_fixture]
    phases = (Phase.explicit, Phase.generate)  # a seed cannot be shrunk
    return settings(
        max_examples=number * SCALE,
        deadline=None,
        database=None,
        derandomize=not FULL,
        suppress_health_check=tolerated,
        phases=phases,
    )


RANDOMS = st.integers(0, 2**32).map(Random)


def agree(kind: str, answers: tuple[object, object]) -> object:
    """Count a case, and hold the two answers against each other."""
    ours, theirs = answers
    figures[kind] += 1
    assert ours == theirs, f"{kind}: the library says {ours!r}, verify.py {theirs!r}"
    return ours


# The tree, against an implementation that is not ours.


def grown(start: int, stop: int) -> InmemoryTree:
    """pymerkle's tree over the leaves start to stop - 1, two bytes each."""
    tree = InmemoryTree()
    for number in range(start, stop):
        tree.append_entry(number.to_bytes(2, "big"))
    return tree


@cache
def subroot(start: int, stop: int) -> bytes:
    return bytes(grown(start, stop).get_root())


def definition(old: int, start: int, stop: int, *, whole: bool = True) -> list[bytes]:
    """SUBPROOF(old, D[start:stop], whole) of RFC 6962 section 2.1.2 word for word, over pymerkle's roots."""
    if old == stop - start:
        return [] if whole else [subroot(start, stop)]
    k = 1
    while k * 2 < stop - start:
        k *= 2
    if old <= k:
        return [*definition(old, start, start + k, whole=whole), subroot(start + k, stop)]
    return [*definition(old - k, start + k, stop, whole=False), subroot(start, start + k)]


HASHES = [merkle.leaf_hash(number.to_bytes(2, "big")) for number in range(LARGEST)]
NODES = {(node.level, node.position): node.hash for node in merkle.extend(merkle.Frontier(), HASHES)[1]}


def node(level: int, position: int) -> bytes:
    return NODES[level, position]


def root_of(size: int) -> bytes:
    hashes = tuple(node(level, position) for level, position in merkle.frontier_nodes(size))
    return merkle.Frontier(size, hashes).root


def places(first: int, size: int) -> list[int]:
    """All of [first, size) in full or where the tree is small, else the first, the last and each seventh."""
    wanted = range(first, size)
    return list(wanted) if FULL or size <= 64 else sorted({*wanted[::7], *wanted[:2], *wanted[-2:]})


def test_trees_of_every_size_are_those_of_pymerkle() -> None:
    began, proofs, tree = time.monotonic(), 0, grown(0, LARGEST)
    for size in range(LARGEST + 1):
        root = root_of(size)
        assert root == tree.get_root(size)
        for index in places(0, size):
            path = merkle.inclusion_proof(index, size, node)
            theirs = tree.prove_inclusion(index + 1, size).path  # which holds the hash that is proved, too
            assert path == [digest for digest in theirs if digest != HASHES[index]]
            assert merkle.includes(HASHES[index], index, size, proof=path, root=root)
            assert program.included(HASHES[index], index, size, path) == root
        for old in places(1, size):
            path, before = merkle.consistency_proof(old, size, node), root_of(old)
            verify_consistency(before, root, tree.prove_consistency(old, size))  # its proof has another form
            assert path == definition(old, 0, size)
            assert merkle.extends((old, before), (size, root), proof=path)
            assert program.grown(old, before, size, path) == (before, root)
        proofs += len(places(0, size)) + len(places(1, size))
    print(f"{LARGEST + 1} trees, {proofs} proofs as pymerkle has them, in {time.monotonic() - began:.1f} s")


# The library and verify.py, about the same bytes.

ALPHABET = "\n\n\n —+/=Aaé0189.\u2028\x1f\t\r"


def damaged(text: str, random: Random) -> str:
    """A text with none to three small edits."""
    for _ in range(random.randrange(4)):
        place = random.randrange(len(text) + 1)
        length = random.choice([0, 0, 1, 1, 5])
        text = text[:place] + random.choice(["", *ALPHABET]) + text[place + length :]
    return text


@cases(200)
@given(st.integers(0, 40), st.integers(-1, 40), st.integers(0, 40), RANDOMS)
def test_inclusion(size: int, index: int, proved: int, random: Random) -> None:
    path = merkle.inclusion_proof(proved, size, node) if proved < size else []
    path = hurt(path, random)
    root = random.choice([root_of(size), root_of(size + 1), bytes(32)])
    leaf = HASHES[random.choice([max(index, 0), proved])]
    agree("inclusion", agreement.inclusion(program, leaf, (index, size), path, root))


@cases(200)
@given(st.integers(0, 40), st.integers(0, 40), st.integers(0, 40), RANDOMS)
def test_consistency(old: int, new: int, proved: int, random: Random) -> None:
    path = merkle.consistency_proof(proved, new, node) if 0 < proved <= new else []
    path = hurt(path, random)
    before = root_of(random.choice([old, old, proved]))
    agree("consistency", agreement.consistency(program, (old, before), (new, root_of(new)), path))


def hurt(path: list[bytes], random: Random) -> list[bytes]:
    """A path as it is, or with a hash dropped, repeated or changed."""
    place = random.randrange(len(path) + 1)
    return random.choice(
        [path, path, path[:place] + path[place + 1 :], path[:place] + path[place - 1 :], [*path, bytes(32)]]
    )


ORDER = 2**252 + 27742317777372353535851937790883648493
TORSION = [
    "0100000000000000000000000000000000000000000000000000000000000000",
    "0100000000000000000000000000000000000000000000000000000000000080",
    "0000000000000000000000000000000000000000000000000000000000000000",
    "0000000000000000000000000000000000000000000000000000000000000080",
    "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
    "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff",
    "edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
    "eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
    "eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff",
    "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05",
    "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a",
]
"""Encodings of points of small order, those of RFC 8032 and others that only look like them."""


@cases(400)
@given(st.integers(0, 3), st.text(max_size=8), RANDOMS)
def test_ed25519(which: int, message: str, random: Random) -> None:
    signer = Signer("n", seed(f"key {which}"))
    line = base64.b64decode(signer.sign(message + "\n").rsplit(" ", 1)[1])[4:]
    signature, public = line, signer.verifier.public
    point, scalar = line[:32], int.from_bytes(line[32:], "little")
    hostile = [
        line[:32] + ((scalar + ORDER * random.randrange(1, 16)) % 2**256).to_bytes(32, "little"),
        bytes.fromhex(random.choice(TORSION)) + line[32:],
        bytes.fromhex(random.choice(TORSION)) + bytes(32),
        bytes.fromhex(random.choice(TORSION)) + ORDER.to_bytes(32, "little"),
        point + bytes(32),
        line[: random.randrange(64)],
        line + b"\0",
        b"",
        random.randbytes(64),
        bytes(byte ^ (place == 40) for place, byte in enumerate(line)),
    ]
    signature = random.choice([line, line, *hostile])
    public = random.choice([public, public, bytes.fromhex(random.choice(TORSION)), random.randbytes(32)])
    agree("Ed25519", agreement.ed25519(program, public, message + random.choice(["\n", "\n", ""]), signature))


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**54), 2**54) | st.text(max_size=6) | st.floats(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=6,
)


@cases(300)
@given(VALUES, st.sampled_from(["canonical", "sorted", "escaped", "loose"]), RANDOMS)
def test_entries(value: object, form: str, random: Random) -> None:
    body = written(value, form)
    head = f'{{"at":"2026-11-23T14:00:00{random.choice(["Z", "Z", ".000250Z", ".5Z", "+00:00", ".000000Z", "60Z"])}"'
    text = head + f',"body":{{"x":{body}}},"index":{random.choice([4, 4, 4, -1, "04", "true"])},"kind":"note"'
    text += ',"operator":"op-00","salt":"00112233445566778899aabbccddeeff","v":1}'
    line = damaged(text, random) if random.random() < 0.3 else text
    agree("entry", agreement.entry(program, line.encode("utf-8", "surrogatepass")))


def written(value: object, form: str) -> str:
    if form == "canonical":
        with suppress(Exception):
            return canonical.render(value).decode()
    return json.dumps(
        value,
        ensure_ascii=form == "escaped",
        sort_keys=form == "sorted",
        separators=(",", ":" if form != "loose" else ": "),
    )


@cases(150)
@given(st.integers(0, 3), st.booleans(), RANDOMS)
def test_keys(which: int, witness: bool, random: Random) -> None:
    name = random.choice(["provisioner/demo", "w", "é", "a+b", "a b", ""])
    public = seed(f"key {which}")
    text = WitnessKey(name, public).render() if witness else VerifierKey(name, public).render()
    text = damaged(text, random)
    agree("verifier key", agreement.verifier_key(program, text))
    agree("verifier key", agreement.witness_key(program, text))


@cases(350)
@given(st.integers(0, 60), RANDOMS)
def test_notes(size: int, random: Random) -> None:
    secret = seed("note")
    signer, cosigner = Signer("provisioner/demo", secret), Cosigner("w", secret)
    made = sign_checkpoint(size, root_of(size), signer=signer)
    lines = [cosign(made, cosigner=cosigner, at=AT) for _ in range(random.randrange(3))]
    text = with_signatures(made.note, lines) if lines else made.note
    if random.random() < 0.2:  # a bad line of a key beside a good one
        own = random.choice(parse_note(text).signatures)
        text = with_signatures(text, [Signature(own.name, own.id, random.randbytes(len(own.value)))])
    proof = Proof(random.randrange(99), tuple(HASHES[: random.randrange(4)]), text).render()
    text, proof = damaged(text, random), damaged(proof, random)
    agree("note", agreement.note(program, text))
    agree("checkpoint", agreement.checkpoint(program, text))
    agree("tlog-proof", agreement.proof(program, proof))
    agree("signature on a note", agreement.signed(program, text, signer.verifier.public))


# Whole bundles.


SCOPES = {
    "log": Wanted(),
    "details": Wanted(details=True),
    "intervention": Wanted(intervention="iv-0000000000000003", details=True),
    "period": Wanted(since=AT + timedelta(hours=3), until=AT + timedelta(hours=7)),
}


class Shelf:
    """Bundles of every scope, unpacked; another client's; and those of a log that the key's holder wrote anew."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.books = {
            "own": sample(root / "books" / "own"),
            "other": sample(root / "books" / "other", "other"),
            "forged": sample(root / "books" / "forged", outcome="unchanged"),
        }
        self.folders = {(whose, scope): self.bundle(whose, scope) for whose in self.books for scope in SCOPES}

    def bundle(self, whose: str, scope: str) -> Path:
        archive, folder = self.root / f"{whose}-{scope}.tar.gz", self.root / f"{whose}-{scope}"
        folder.mkdir()
        write_bundle(cast("Book", self.books[whose]), SCOPES[scope], archive)
        return unpack(archive, folder, is_part=is_part)

    def outside(self, random: Random) -> dict[str, Any]:
        """What the bundle is compared with: nothing more often than not."""
        books = [self.books[random.choice(["own", "own", "other", "forged"])] for _ in range(2)]
        heads = read_all(books[0].checkpoint_folder)[0]
        stranger = sign_checkpoint(3, bytes(32), signer=Signer("provisioner/demo", seed("stranger")))
        signer = random.choice([*books[1].signers, Signer("x", seed("stranger"))])
        return {
            "kept": random.choice([None, None, None, random.choice(heads), random.choice(heads), stranger]),
            "fingerprint": random.choice(["", "", signer.verifier.fingerprint]),
            "witness": random.choice([None, None, WITNESS.key, WitnessKey(WITNESS.name, seed("w"))]),
        }


@pytest.fixture(scope="module")
def shelf() -> Iterator[Shelf]:
    """In memory where there is such a place: thousands of small files are written."""
    memory = Path("/dev/shm")
    with TemporaryDirectory(dir=memory if os.access(memory, os.W_OK) else None) as folder:
        yield Shelf(Path(folder))


def test_bundles_as_they_were_written_hold(shelf: Shelf) -> None:
    for folder in shelf.folders.values():
        assert agree("bundle as written", agreement.bundle(program, folder)) == ("OK", None)


@cases(350)
@given(st.sampled_from(sorted(SCOPES)), st.integers(0, 3), RANDOMS)
def test_bundles_changed_on_their_way(shelf: Shelf, scope: str, changes: int, random: Random) -> None:
    folder = shelf.root / "case" / "demo"
    shutil.rmtree(folder.parent, ignore_errors=True)
    shutil.copytree(shelf.folders["own", scope], folder)
    for _ in range(changes):
        other = shelf.folders[random.choice(["other", "forged"]), random.choice([scope, scope, "log"])]
        mutate(folder, other, random)
    verdict = agree("bundle", agreement.bundle(program, folder, **shelf.outside(random)))
    figures[f"bundle {verdict[0] if isinstance(verdict, tuple) else verdict}"] += 1


@cases(50)
@given(st.sampled_from(sorted(SCOPES)), RANDOMS)
def test_archives_changed_on_their_way(shelf: Shelf, scope: str, random: Random) -> None:
    data = (shelf.root / f"own-{scope}.tar.gz").read_bytes()
    inner = bytearray(gzip.decompress(data))
    place = random.randrange(2**20)
    outer = bytearray(data)
    outer[place % len(outer)] ^= 1 << random.randrange(8)
    inner[place % len(inner)] ^= 1 << random.randrange(8)
    made = [bytes(outer), data[: place % len(data)], data + b"more", data + data, gzip.compress(inner), hostile(random)]
    path = shelf.root / "case.tar.gz"
    path.write_bytes(random.choice(made))
    agree("archive", agreement.bundle(program, path))


def hostile(random: Random) -> bytes:
    """An archive with a member that no bundle has."""
    name = random.choice(
        ["/etc/passwd", "demo/../../x.y", "demo/manifest.json", "demo", "x.y", "demo/a/b/c.d", "b/c.d"]
    )
    kind = random.choice([tarfile.REGTYPE, tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.DIRTYPE, tarfile.FIFOTYPE])
    file = io.BytesIO()
    with tarfile.open(fileobj=file, mode="w:gz", format=random.choice([tarfile.PAX_FORMAT, tarfile.GNU_FORMAT])) as tar:
        for each in random.choice([[name], [name, name], ["demo/manifest.json", name], ["demo/é.json"], []]):
            member = tarfile.TarInfo(each)
            member.type, member.linkname = kind, "/etc/passwd"
            tar.addfile(member)
    return file.getvalue()


def test_figures() -> None:
    for kind, number in sorted(figures.items()):
        print(f"{number:6} {kind}")


# Negative controls: a verifier that differs is found out.

PLANTED = {
    "S is not compared with L": (" or s >= L", "", test_ed25519),
    "the last sibling is on the wrong side": (
        'sha256(b"\\x01", outer, inner)',
        'sha256(b"\\x01", inner, outer)',
        test_inclusion,
    ),
    "JSON may have any form": (
        'separators=(",", ":")).encode() != line',
        'separators=(",", ":")) == line',
        test_entries,
    ),
    "a bad signature beside a good one": ("all(signed(key", "any(signed(key", test_notes),
    "a proof may be another entry's": ("refuse(place != index", "refuse(False", None),
    "entries of others may be shown": ("or self.foreign(entry), why", ", why", None),
    "the newest checkpoint is believed unsigned": ("if why and (bad is None or bad.tree)", "if False", None),
    "an older tree is believed": ("if why or not (same or (kept.size, True) in self.steps(kept))", "if why", None),
}


@pytest.mark.parametrize("planted", PLANTED)
def test_the_control_a_planted_disagreement_is_found(
    planted: str, shelf: Shelf, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    old, new, test = PLANTED[planted]
    text = PROGRAM.read_text(encoding="utf-8")
    assert old in text
    (tmp_path / "verify.py").write_text(text.replace(old, new), encoding="utf-8")
    monkeypatch.setattr(f"{__name__}.program", load_program(tmp_path / "verify.py"))
    with pytest.raises(AssertionError, match="the library says"):
        if test is None:
            test_bundles_changed_on_their_way(shelf=shelf)
        else:
            test()
