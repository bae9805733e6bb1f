"""A log without a database, the same bytes each time: for bundles that are made by the hundred, and for the vector."""

from __future__ import annotations

import importlib.util
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING, Any

from provisioner.ledger import canonical, head, merkle, names, published
from provisioner.ledger.checkpoint import Cosigner, Signer, cosign, with_signatures
from provisioner.ledger.history import first_body, rotation_body
from provisioner.ledger.store import Detail

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from provisioner.ledger.checkpoint import Checkpoint

AT = datetime(2026, 11, 23, 14, 0, tzinfo=UTC)
OPERATOR = "op-00112233445566ff"
PROGRAM = Path(__file__).resolve().parents[2] / "src" / "provisioner" / "ledger" / "bundle" / "standalone" / "verify.py"


def seed(text: str) -> bytes:
    return sha256(text.encode()).digest()


def load_program(path: Path = PROGRAM) -> Any:
    """The standalone verifier as a module of its own."""
    spec = importlib.util.spec_from_file_location("standalone_verify", path)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


class PaperBook:
    """What `write_bundle` needs of a book, over a list."""

    def __init__(self, folder: Path, client: str = "demo") -> None:
        self.origin = names.origin_of(client)
        self.checkpoint_folder = folder
        self.rows: list[bytes] = []
        self.kept: list[Detail] = []
        self.signers = [Signer(self.origin, seed(f"{client} 0"))]
        self.at = AT
        self.add("key", first_body(self.signers[0].verifier))

    def add(self, kind: str, body: dict[str, object]) -> int:
        self.rows.append(self.line(len(self.rows), kind, body))
        self.at += timedelta(hours=1)
        return len(self.rows) - 1

    def line(self, index: int, kind: str, body: dict[str, object]) -> bytes:
        salt = seed(f"{self.origin} salt {index}").hex()[:32]
        fields = {"at": self.at, "body": body, "index": index, "kind": kind, "operator": OPERATOR, "salt": salt, "v": 1}
        return canonical.render(fields)

    def intervene(self, name: str, digest: str, outcome: str = "changed") -> None:
        salt, value = seed(f"{name} {self.origin}")[:16], f"telephone of {name}".encode()
        reference = names.personal_reference(salt, value)
        self.kept.append(Detail(reference, "phone", salt, value))
        self.add("opened", {"intervention": name, "contract_digest": digest, "contact": reference})
        self.add("closed", {"intervention": name, "outcome": outcome})

    def keep_contract(self, text: bytes) -> str:
        digest = names.contract_digest(text)
        self.kept.append(Detail(digest, names.CONTRACT, b"", text))
        return digest

    def rotate(self, reason: str = "rotation") -> None:
        old, new = self.signers[-1], Signer(self.origin, seed(f"{self.origin} {len(self.signers)}"))
        self.add("key", rotation_body(len(self.rows), old, new.verifier, reason=reason))
        self.publish(old, new)
        self.signers.append(new)

    def publish(self, *signers: Signer) -> Checkpoint:
        frontier, _ = merkle.extend(merkle.Frontier(), map(merkle.leaf_hash, self.rows))
        checkpoint = head.signed_head(frontier, signers=signers or self.signers[-1:])
        published.publish(self.checkpoint_folder, checkpoint, at=self.at)
        return checkpoint

    def leaves(self, start: int | None = None, stop: int | None = None) -> Iterator[tuple[object, object]]:
        yield from list(enumerate(self.rows))[start or 0 : stop]

    def nodes(self, wanted: Sequence[tuple[int, int]]) -> dict[tuple[int, int], bytes]:
        _, made = merkle.extend(merkle.Frontier(), map(merkle.leaf_hash, self.rows))
        known = {(node.level, node.position): node.hash for node in made}
        return {name: known[name] for name in wanted if name in known}

    def details(self) -> tuple[Detail, ...]:
        operator = Detail(OPERATOR, names.OPERATOR, b"", b"Ada Byron")
        return tuple(sorted((operator, *self.kept), key=lambda row: row.reference))

    def contract_text(self, digest: str) -> bytes | None:
        return next((row.value for row in self.kept if row.reference == digest), None)


WITNESS = Cosigner("witness.example/w1", seed("witness"))


def cosigned(book: PaperBook, checkpoint: Checkpoint, *, by: Cosigner = WITNESS) -> None:
    """Lay the cosigned form beside the checkpoint, as audit.checkpoint does."""
    (path,) = book.checkpoint_folder.glob(f"{checkpoint.size:010d}-*.checkpoint")
    note = with_signatures(checkpoint.note, [cosign(checkpoint, cosigner=by, at=AT)])
    path.with_suffix(".cosigned").write_text(note, encoding="utf-8")


def sample(folder: Path, client: str = "demo", *, outcome: str = "changed") -> PaperBook:
    """Fifteen entries: a contract, five interventions, a change of key, eight checkpoints, the newest cosigned."""
    book = PaperBook(folder, client)
    digest = book.keep_contract(f"contract: {client}\n".encode())
    book.add("contract", {"contract": "DEMO-2026", "digest": digest})
    book.publish()
    for number in range(5):
        book.intervene(f"iv-000000000000000{number}", digest, outcome)
        book.publish()
        if number == 2:
            book.rotate()
    book.add("from-the-future", {"é": [[], {}, "", True], "😀": -(2**53 - 1), "דּ": 2**53 - 1})
    book.add("note", {"text": "the end"})
    cosigned(book, book.publish())
    return book
