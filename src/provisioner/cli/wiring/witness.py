"""The witness of this state folder: `<state>/witness/`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from provisioner.cli import wiring
from provisioner.errors import LedgerError, UsageError

if TYPE_CHECKING:
    from collections.abc import Callable

    from provisioner.cli.wiring import Site
    from provisioner.model.witnessing import Answer
    from provisioner.serving.listener import Listener
    from provisioner.serving.memory import Memory
    from provisioner.serving.witness import Watched, Witness


def make(where: Site, name: str) -> str:
    """Make the witness's key under `name` and return its vkey; UsageError when there is one, or for a bad name."""
    from provisioner.ledger.folders import sync_way

    memory = _memory(where)
    made = memory.make_key(name)
    try:
        sync_way(memory.folder / "witness.key")
    except OSError as error:
        raise LedgerError(f"{memory.folder}: the key in it would not be durable: {error.strerror}") from error
    return made.key.render()


def trust(where: Site, vkey: str) -> tuple[str, int, bool]:
    """Add a log's key to the list: return the log's origin, how many keys it has now, and whether this one is new."""
    from provisioner.ledger.checkpoint import parse_verifier_key

    memory = _memory(where)
    memory.cosigner()
    try:
        key = parse_verifier_key(vkey)
    except LedgerError as error:
        raise UsageError(str(error), hint="audit.keys shows the keys of a log; entry 0 holds its first") from error
    new = memory.trust(key)
    return key.name, len(memory.logs()[key.name]), new


def answer(where: Site, body: bytes) -> Answer:
    """Answer a submission that came as a file."""
    return _witness(where).add_checkpoint(body)


def listener(where: Site, address: tuple[str, int], told: Callable[[str], None]) -> Listener:
    """Listen for submissions; nothing is answered before `serve_for`."""
    from provisioner.serving.listener import Listener

    return Listener(address, _witness(where), told=told)


def watched(where: Site) -> tuple[str, tuple[Watched, ...]]:
    """Return the witness's vkey and what it knows of each log."""
    witness = _witness(where)
    return witness.key.render(), witness.logs()


def _memory(where: Site) -> Memory:
    from provisioner.ledger.keys import write_durably
    from provisioner.serving.memory import Memory

    return Memory(where.settings.state / "witness", write=write_durably)


def _witness(where: Site) -> Witness:
    from provisioner.serving.witness import Witness

    return Witness(_memory(where), now=wiring.now)
