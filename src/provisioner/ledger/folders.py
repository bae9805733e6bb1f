"""Folders whose names outlive a power cut: POSIX keeps a new name only once the folder that holds it was synced."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path


def make_folder(folder: Path) -> None:
    """Make a folder (0700) and those above it that lack, all of them durable on return; raises OSError."""
    lacking = [each for each in (folder, *folder.parents) if not each.exists()]
    for each in reversed(lacking):
        each.mkdir(mode=0o700, exist_ok=True)
        sync_folder(each.parent)
    if not lacking:
        folder.mkdir(exist_ok=True)


def sync_folder(folder: Path) -> None:
    """Make the names in `folder` durable; raises OSError."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def sync_way(path: Path) -> None:
    """Make the names on the way to `path` durable, whoever made the folders; ends at one that we may not read."""
    for folder in path.parents:
        try:
            sync_folder(folder)
        except PermissionError:
            return
