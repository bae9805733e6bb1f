"""Write a bundle: entries with their proofs, and all that is needed to check them without us.

Everything is held against the newest checkpoint before it is written, and nothing is written of a log that does not
give it. The log is read twice, row by row: memory does not grow with it, but for the indices of an intervention.
"""

from __future__ import annotations

from dataclasses import dataclass
from importlib.resources import files
from itertools import islice
from tempfile import TemporaryFile
from typing import TYPE_CHECKING

from provisioner.errors import LedgerError, UsageError
from provisioner.ledger import beside, bundle, canonical, merkle, names, published
from provisioner.ledger.bundle import Manifest
from provisioner.ledger.bundle.archive import open_archive
from provisioner.ledger.bundle.choice import choose
from provisioner.ledger.checkpoint import parse_note
from provisioner.ledger.head import HINT
from provisioner.ledger.proof import Proof
from provisioner.ledger.prover import Prover
from provisioner.model.encoding import to_base64

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator, Mapping
    from pathlib import Path

    from provisioner.ledger.book import Book
    from provisioner.ledger.bundle.archive import Archive
    from provisioner.ledger.bundle.choice import Chosen, Wanted
    from provisioner.ledger.checkpoint import Checkpoint
    from provisioner.ledger.store import Detail

BATCH = 256


@dataclass(frozen=True, kw_only=True)
class Written:
    """What a bundle holds; `missing` are the digests of contract texts that its entries cite and nobody keeps."""

    path: Path
    origin: str
    entries: int
    size: int
    missing: tuple[str, ...]


def write_bundle(book: Book, wanted: Wanted, out: Path) -> Written:
    """Write the bundle of what is wanted to `out`: the same log and the same wish give the same bytes.

    Raises UsageError when nothing was recorded of it, when entries of it have no checkpoint yet, or for an `out` that
    cannot be written or is there with other content; LedgerError, with nothing written, when the log does not give its
    newest checkpoint.
    """
    checkpoint = published.latest(book.checkpoint_folder)
    if checkpoint is None:
        raise UsageError(f"no checkpoint of {book.origin} is there to prove entries with", hint=_SIGN)
    chosen = choose(book, wanted, checkpoint)
    extra = {tenure.index for tenure in chosen.keys.tenures}
    indices = sorted(extra.union(chosen.own or chosen.scope.due(checkpoint.size)))
    texts = {digest: _contract(book, digest) for digest in sorted(chosen.contracts)}
    manifest = Manifest(origin=book.origin, scope=chosen.scope, indices=bundle.runs(indices), size=checkpoint.size)
    with open_archive(out, names.client_of(book.origin)) as archive:
        _Writer(book, archive, checkpoint).add_all(manifest, chosen, texts, details=wanted.details)
    return Written(
        path=out,
        origin=book.origin,
        entries=len(indices),
        size=checkpoint.size,
        missing=tuple(digest for digest, text in texts.items() if text is None),
    )


def _contract(book: Book, digest: str) -> bytes | None:
    """Return the text of a contract, None if it is not kept; raises LedgerError if it was changed."""
    text = book.contract_text(digest)
    if text is not None and names.contract_digest(text) != digest:
        raise LedgerError(f"the contract kept under {digest} is not what it was", hint=HINT)
    return text


def _value(row: Detail) -> bytes:
    """Return the line of a personal value; raises LedgerError if it is not what its reference says."""
    try:
        text = row.value.decode()
    except UnicodeDecodeError as error:
        raise LedgerError(f"the {row.field} kept under {row.reference} is no text", hint=HINT) from error
    if row.field != names.OPERATOR and names.personal_reference(row.salt, row.value) != row.reference:
        raise LedgerError(f"the {row.field} kept under {row.reference} is not what it was", hint=HINT)
    return canonical.render({"field": row.field, "reference": row.reference, "salt": row.salt.hex(), "value": text})


class _Writer:
    """Puts the parts of one bundle into an archive, in order of their names."""

    def __init__(self, book: Book, archive: Archive, checkpoint: Checkpoint) -> None:
        path = beside.file_of(book.checkpoint_folder, checkpoint)
        self._book = book
        self._archive = archive
        self._checkpoint = checkpoint
        self._proven = beside.cosigned(path) if path else checkpoint
        self._token = beside.token_of(path) if path else None
        self._prover = Prover(book, checkpoint)

    def add_all(self, manifest: Manifest, chosen: Chosen, texts: Mapping[str, bytes | None], *, details: bool) -> None:
        add = self._archive.add
        add(bundle.RECIPE, recipe(manifest, chosen, self._checkpoint))
        self._add_lines(bundle.CONSISTENCY, self._steps())
        add(bundle.NEWEST, self._checkpoint.note.encode())
        if self._proven != self._checkpoint:
            add(bundle.COSIGNED, self._proven.note.encode())
        if self._token is not None:
            add(bundle.STAMPED, self._token)
        for digest, text in texts.items():
            if text is not None:
                add(f"contract/{digest}.yml", text)
        if details:
            self._add_lines(bundle.DETAILS, self._details(chosen.references))
        self._add_lines(bundle.ENTRIES, (leaf for _, leaf in self._leaves(manifest)))
        for tenure in chosen.keys.tenures:
            for name, data in bundle.key_files(tenure.index, tenure.key).items():
                add(name, data)
        add(bundle.MANIFEST, manifest.render())
        self._add_proofs(manifest)
        add(bundle.PROGRAM, _shipped(bundle.PROGRAM))

    def _add_lines(self, name: str, lines: Iterable[bytes]) -> None:
        with TemporaryFile() as file:
            file.writelines(line + b"\n" for line in lines)
            self._archive.add_file(name, file)

    def _steps(self) -> Iterator[bytes]:
        """Yield, for each older checkpoint that was published, how the newest grew from it."""
        checkpoints, unreadable = published.read_all(self._book.checkpoint_folder)
        if unreadable:
            raise LedgerError(f"{unreadable[0].name} among the checkpoints cannot be read", hint=HINT)
        before = 0
        for older in checkpoints:
            if before < older.size < self._checkpoint.size:
                path = [to_base64(digest) for digest in self._prover.consistency(older)]
                yield canonical.render({"proof": path, "root": to_base64(older.root), "size": older.size})
                before = older.size

    def _details(self, references: Collection[str]) -> Iterator[bytes]:
        for row in self._book.details():
            if row.reference in references and row.field not in (names.CONTRACT, names.CONTRACT_REDACTED):
                yield _value(row)

    def _leaves(self, manifest: Manifest) -> Iterator[tuple[int, bytes]]:
        for first, last in manifest.indices:
            for index, leaf in self._book.leaves(first, last + 1):
                if isinstance(index, int) and isinstance(leaf, bytes):
                    yield index, leaf

    def _add_proofs(self, manifest: Manifest) -> None:
        rows = self._leaves(manifest)
        while batch := list(islice(rows, BATCH)):
            self._prover.prepare([index for index, _ in batch])
            for index, leaf in batch:
                path = self._prover.inclusion(index, merkle.leaf_hash(leaf))
                proof = Proof(index, path, self._proven.note)
                self._archive.add(bundle.proof_name(index), proof.render().encode())


def recipe(manifest: Manifest, chosen: Chosen, checkpoint: Checkpoint) -> bytes:
    """Return VERIFY.md: how to check one entry and the checkpoint's signature by hand, in this very bundle."""
    shown = chosen.own[0] if chosen.own else manifest.scope.first
    line = sum(min(last, shown) - first + 1 for first, last in manifest.indices if first <= shown)
    signer = chosen.signer
    note = parse_note(checkpoint.note)
    place = next(number for number, one in enumerate(note.signatures) if one.id == signer.key.id)
    words = {
        "client": names.client_of(manifest.origin),
        "origin": manifest.origin,
        "size": str(manifest.size),
        "index": str(shown),
        "line": str(line),
        "proof": bundle.proof_name(shown),
        "key": f"keys/{signer.index:010d}.pem",
        "fingerprint": signer.key.fingerprint,
        "signature": str(note.text.count("\n") + 2 + place),
    }
    text = _shipped(bundle.RECIPE).decode()
    for word, value in words.items():
        text = text.replace(f"@{word}@", value)
    return text.encode()


def _shipped(name: str) -> bytes:
    return files("provisioner.ledger.bundle.standalone").joinpath(name).read_bytes()


_SIGN = "audit.checkpoint signs one now"
