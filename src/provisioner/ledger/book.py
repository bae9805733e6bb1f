"""The book: one client's log, open for reading and appending."""

from __future__ import annotations

import secrets
from typing import TYPE_CHECKING, Self

from provisioner.errors import LedgerError
from provisioner.ledger import head, history, keys, merkle, names, published, rotation
from provisioner.ledger.checkpoint import Checkpoint, Signer, sign_checkpoint
from provisioner.ledger.entry import KEY, Draft, Entry, make_entry, parse_entry
from provisioner.ledger.merkle import Frontier
from provisioner.ledger.place import leave_trace
from provisioner.ledger.store import DETAILS, Detail, Store, Transaction, open_store

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator, Sequence
    from datetime import datetime
    from pathlib import Path

    from provisioner.ledger.erasure import Erasure


def open_book(url: str, client: str, *, state: Path, read_only: bool = False) -> Book:
    """Open the log of `client` in the database at `url`; keys and checkpoints lie under the folder `state`.

    Made where there is none, unless `read_only`: then nothing is created, locked or needed but the database itself.
    Raises UsageError for a client id or URL that cannot be, LedgerError (exit 7) for a database that is missing, of a
    newer version, on a network file system, or not durable.
    """
    origin = names.origin_of(client)
    return Book(open_store(url, origin, read_only=read_only), origin, state=state, client=client)


class Book:
    """One client's log. A context manager; safe for several processes, and for several threads of one.

    `origin` names the log; `key_folder` and `checkpoint_folder` are where its key and signed heads lie; the file
    `unwiped` is there while what an erasure removed may still lie in the database's files.
    """

    def __init__(self, store: Store, origin: str, *, state: Path, client: str) -> None:
        """Take over an open store; `open_book` is the way in."""
        self.origin = origin
        self.key_folder = state / "keys" / client
        self.checkpoint_folder = state / "checkpoints" / client
        self.unwiped = state / "unwiped"
        self._store = store
        self._signer: Signer | None = None
        self._head: head.Head | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Let go of the database."""
        self._store.close()

    def append(self, drafts: Sequence[Draft], *, expected: int | None = None) -> tuple[Entry, ...]:
        """Record drafts as one group: all durable on return, or none. Returns their entries, in order.

        With `expected`, nothing is recorded and nothing returned when the log has not that many entries: whoever
        decided by what it held looks again. The first append ever makes the signing key, and entry 0 (kind `key`)
        before the drafts. Raises LedgerError, with nothing recorded, when the database cannot write or the entries
        already there are not this key's.
        """
        if not drafts:
            return ()
        with self._store.writing() as tables:
            if expected is not None and tables.size() != expected:
                return ()
            entries, grown = self._record(tables, drafts)
        self._head = grown
        return entries

    def rotate(self, at: datetime, operator: str, *, reason: str) -> Entry:
        """Put a new key in the place of the log's key, by an entry that the old key signs, and return the entry.

        `operator` is a pseudonym, `reason` one of `history.REASONS`. On return the checkpoint that holds the entry is
        published, signed by both keys, and the old private key is gone. Cut short at any point, the next append or
        signature finishes it, or discards it if the entry was not recorded. Raises LedgerError as `append` does, and
        for a log without entries.
        """
        with self._store.writing() as tables:
            self._refuse_empty(tables, "its first entry makes its key")
            frontier, old = self._trusted(tables)
            new = Signer.generate(self.origin)
            keys.stage(self.key_folder, new)
            body = history.rotation_body(frontier.size, old, new.verifier, reason=reason)
            entry = make_entry(frontier.size, Draft(KEY, at, operator, body))
            self._add(tables, frontier, (entry,), signers=(old, new))
        with self._store.writing() as tables:
            self._trusted(tables)
        return entry

    def sign(self, at: datetime) -> Checkpoint:
        """Sign the log as it is, publish the checkpoint in `checkpoint_folder`, and return it; `at` names the file.

        Signed once for each size: with nothing new, the newest checkpoint is returned. Raises LedgerError, with nothing
        signed, when entries were not written with this log's key, were changed, or are fewer than were signed.
        """
        with self._store.writing() as tables:
            self._refuse_empty(tables, "there is nothing to sign")
            frontier, signer = self._trusted(tables)
            latest = published.latest(self.checkpoint_folder)
            if latest and latest.size == frontier.size:
                return latest
            checkpoint = sign_checkpoint(frontier.size, frontier.root, signer=signer)
            published.publish(self.checkpoint_folder, checkpoint, at=at)
        return checkpoint

    def entries(self, *, since: int = 0, kinds: Collection[str] = ()) -> Iterator[Entry]:
        """Yield the entries from index `since` on, of these kinds only if any are named, as the log is now.

        Raises LedgerError at one that is not canonical.
        """
        yield from self._parsed(self.leaves(since), kinds)

    def key_history(self) -> history.KeyHistory:
        """Return the keys of the log, oldest first; raises LedgerError where the chain of `key` entries breaks."""
        return history.read_history(rotation.key_entries(self.leaves()), origin=self.origin)

    def entry(self, index: int) -> Entry | None:
        """Return the entry with this index, None if there is none; raises LedgerError if it is not canonical."""
        return next(self._parsed(self.leaves(index, index + 1), ()), None)

    def last(self, *kinds: str) -> Entry | None:
        """Return the newest entry of any of these kinds, None if there is none; reads back from the end no further.

        Raises LedgerError at one that is not canonical.
        """
        with self._store.reading() as tables:
            return next(self._parsed(tables.leaves(newest=True), kinds), None)

    def pseudonym(self, name: str) -> str:
        """Return the pseudonym of a person, random and given at first use; one person has one in this log."""
        with self._store.writing() as tables:
            known = tables.details(DETAILS.c.field == names.OPERATOR, DETAILS.c.value == name.encode())
            for detail in known:
                return detail.reference
            reference = f"op-{secrets.token_hex(8)}"
            tables.keep(Detail(reference, names.OPERATOR, b"", name.encode()))
        return reference

    def person(self, pseudonym: str) -> str | None:
        """Return who a pseudonym is, None if nobody is kept under it."""
        return self._text(pseudonym, {names.OPERATOR})

    def keep(self, value: str, *, field: str) -> str:
        """Keep a personal value outside the entries and return the reference to write instead of it.

        Each call has its own random salt, so equal values do not show. `field` says what it is: `phone`, `email`.
        """
        if field in names.NOT_PERSONAL:
            raise LedgerError(f"the field {field!r} of details is taken")
        salt, data = secrets.token_bytes(16), value.encode()
        reference = names.personal_reference(salt, data)
        with self._store.writing() as tables:
            tables.keep(Detail(reference, field, salt, data))
        return reference

    def reveal(self, reference: str) -> str | None:
        """Return the personal value behind a reference, None if it is not (or no longer) kept."""
        return self._text(reference, None) if reference.startswith("pv-") else None

    def keep_contract(self, text: bytes) -> str:
        """Keep the text of a contract, once, and return its SHA-256 digest in hex for a `contract` entry."""
        digest = names.contract_digest(text)
        with self._store.writing() as tables:
            if tables.detail(digest) is None:
                tables.keep(Detail(digest, names.CONTRACT, b"", text))
        return digest

    def contract_text(self, digest: str) -> bytes | None:
        """Return the text of the contract with that digest, None if it is not kept."""
        with self._store.reading() as tables:
            detail = tables.detail(digest)
        return detail.value if detail and detail.field == names.CONTRACT else None

    def is_blanked(self, digest: str) -> bool:
        """Whether an erasure blanked the text of the contract with that digest."""
        with self._store.reading() as tables:
            detail = tables.detail(digest)
        return detail is not None and detail.field == names.CONTRACT_REDACTED

    def erase(self, erasure: Erasure, draft: Draft) -> Entry:
        """Record the draft and carry out the erasure it tells of, both or neither; return the entry.

        The removed bytes may still lie in the files of the database until `wipe`. Raises LedgerError, with nothing
        done, as `append` does, and when a row is no longer there.
        """
        leave_trace(self.unwiped)
        with self._store.writing() as tables:
            for row in (*erasure.rows, *erasure.blanked):
                tables.forget(row.reference)
            for row in erasure.blanked:
                tables.keep(row)
            entries, grown = self._record(tables, [draft])
        self._head = grown
        return entries[-1]

    def wipe(self) -> None:
        """Leave no byte of what `erase` removed in the database's own files, and remove the file `unwiped`.

        Raises LedgerError where that cannot be done now; the file stays, so that a later command can finish it.
        """
        self._store.wipe()
        self.unwiped.unlink(missing_ok=True)

    def leaves(self, start: int | None = None, stop: int | None = None) -> Iterator[tuple[object, object]]:
        """Yield (index, leaf) as the table has them, as of now: what `verify` reads."""
        with self._store.reading() as tables:
            yield from tables.leaves(start, stop)

    def leaf_hashes(self, start: int, stop: int) -> list[object]:
        """Return the cached leaf hashes of [start, stop), as the table has them."""
        with self._store.reading() as tables:
            return tables.leaf_hashes(start, stop)

    def nodes(self, names: Sequence[tuple[int, int]]) -> dict[tuple[int, int], bytes]:
        """Return the cached hashes of the nodes (level, position) that there are, as the table has them."""
        with self._store.reading() as tables:
            return tables.nodes(names)

    def details(self) -> Iterator[Detail]:
        """Yield every row of `details`, as of now."""
        with self._store.reading() as tables:
            yield from tables.details()

    def clients(self) -> tuple[str, ...]:
        """Return the clients whose logs the database holds, by name."""
        with self._store.reading() as tables:
            return tuple(names.client_of(log) for log in tables.logs())

    def schema_changes(self) -> tuple[str, ...]:
        """Say what in the database file is not as the migrations made it: tripwires removed, tables altered."""
        return self._store.schema_changes()

    def _trusted(self, tables: Transaction) -> tuple[Frontier, Signer]:
        """Return the tree to build on and the key in force, as last time if nobody wrote since."""
        note, size = tables.pending(), tables.size()
        if self._head and self._signer and (note, size) == (self._head.note, self._head.frontier.size):
            return self._head.frontier, self._signer
        if self._is_new(tables):
            frontier, signer = Frontier(), keys.make_signer(self.key_folder, self.origin)
        else:
            frontier, signer = rotation.take_over(
                tables, self.origin, key_folder=self.key_folder, checkpoint_folder=self.checkpoint_folder
            )
        self._signer = signer
        return frontier, signer

    def _is_new(self, tables: Transaction) -> bool:
        return tables.size() == 0 and published.latest(self.checkpoint_folder) is None

    def _refuse_empty(self, tables: Transaction, why: str) -> None:
        if self._is_new(tables):
            raise LedgerError(f"the log {self.origin} is empty: {why}")

    def _record(self, tables: Transaction, drafts: Sequence[Draft]) -> tuple[tuple[Entry, ...], head.Head]:
        """Append drafts to the tables, behind entry 0 if they are the first; return their entries and the new head."""
        frontier, signer = self._trusted(tables)
        group = [*self._first(signer, drafts[0]), *drafts] if frontier.size == 0 else list(drafts)
        entries = tuple(make_entry(frontier.size + offset, draft) for offset, draft in enumerate(group))
        return entries[-len(drafts) :], self._add(tables, frontier, entries, signers=(signer,))

    def _add(
        self, tables: Transaction, frontier: Frontier, entries: Sequence[Entry], *, signers: Sequence[Signer]
    ) -> head.Head:
        grown, nodes = merkle.extend(frontier, (entry.hash for entry in entries))
        note = head.pending_note(grown, signers=signers)
        tables.add([(entry.index, entry.leaf) for entry in entries], nodes, note=note)
        return head.Head(grown, note)

    def _first(self, signer: Signer, draft: Draft) -> tuple[Draft]:
        return (Draft(KEY, draft.at, draft.operator, history.first_body(signer.verifier)),)

    def _parsed(self, rows: Iterable[tuple[object, object]], kinds: Collection[str]) -> Iterator[Entry]:
        marks = [f'"kind":"{kind}"'.encode() for kind in kinds]
        for index, leaf in rows:
            line = leaf if isinstance(leaf, bytes) else b""
            if marks and not any(mark in line for mark in marks):
                continue
            try:
                entry = parse_entry(line)
            except LedgerError as error:
                raise LedgerError(f"{self.origin}: entry {index}: {error}", hint=head.HINT) from error
            if not marks or entry.kind in kinds:
                yield entry

    def _text(self, reference: str, fields: set[str] | None) -> str | None:
        with self._store.reading() as tables:
            detail = tables.detail(reference)
        shown = detail and (fields is None or detail.field in fields)
        return detail.value.decode(errors="replace") if detail and shown else None
