"""Leases: one intervention at a time on an asset. A lease is a lock the kernel drops when its holder dies."""

from __future__ import annotations

import fcntl
from contextlib import contextmanager
from typing import IO, TYPE_CHECKING

from provisioner.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

ADMISSION = ".admission"
"""The lock of a client's turn; no asset's name begins with a dot."""

ROLLOUT = ".rollout"
"""The lock of a client's rollout: one controller at a time drives it."""


HOLDER_LENGTH = 200


class FileLeases:
    """The leases of one state folder; assets' names come from a validated inventory, so they are safe as file names."""

    def __init__(self, folder: Path) -> None:
        """Keep the lock files under `folder`, one folder a client."""
        self._folder = folder

    @contextmanager
    def hold(self, client: str, asset: str) -> Iterator[None]:
        """Hold the asset's lease; raise UsageError when another living intervention has it."""
        with self._file(client, asset) as handle:
            try:
                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                raise UsageError(
                    f"another intervention is working on {asset} of client {client}; nothing was done or recorded",
                    hint=f"see `invoke audit.log --client {client} --host {asset}` and try again when it has closed",
                ) from None
            yield

    @contextmanager
    def rollout(self, client: str, who: str) -> Iterator[None]:
        """Drive the client's rollout as `who` until the context ends; raise UsageError, saying who does already."""
        with self._file(client, ROLLOUT) as handle:
            try:
                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                handle.seek(0)
                holder = handle.read(HOLDER_LENGTH).strip() or "somebody"
                said = f"{holder} is driving the rollout of client {client} already; nothing was done or recorded"
                raise UsageError(said, hint=f"see `invoke patch.status --client {client}`") from None
            handle.truncate(0)
            handle.write(who)
            handle.flush()
            yield

    @contextmanager
    def admission(self, client: str) -> Iterator[None]:
        """Wait for the client's turn to admit and hold it: what one command opens, the next one counts."""
        with self._file(client, ADMISSION) as handle:
            fcntl.flock(handle, fcntl.LOCK_EX)
            yield

    def _file(self, client: str, name: str) -> IO[str]:
        folder = self._folder / client
        try:
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            return (folder / f"{name}.lock").open("a+")
        except OSError as error:
            hint = "the state folder needs space, and to be yours"
            raise UsageError(f"{folder}: no lease can be taken: {error.strerror}", hint=hint) from error
