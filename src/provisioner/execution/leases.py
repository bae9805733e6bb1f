"""Leases: one intervention at a time on an asset. A lease is a lock the kernel drops when its holder dies."""

from __future__ import annotations

import fcntl
from contextlib import contextmanager
from typing import TYPE_CHECKING

from provisioner.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


class FileLeases:
    """The leases of one state folder; assets' names come from a validated inventory, so they are safe as file names."""

    def __init__(self, folder: Path) -> None:
        """Keep the lock files under `folder`, one folder a client."""
        self._folder = folder

    @contextmanager
    def hold(self, client: str, asset: str) -> Iterator[None]:
        """Hold the asset's lease; raise UsageError when another living intervention has it."""
        folder = self._folder / client
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        with (folder / f"{asset}.lock").open("a+") as handle:
            try:
                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                raise UsageError(
                    f"another intervention is working on {asset} of client {client}; nothing was done or recorded",
                    hint=f"see `invoke audit.log --client {client} --host {asset}` and try again when it has closed",
                ) from None
            yield
