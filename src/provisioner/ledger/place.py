"""Where a database file may lie: on a local file system, in a folder of its owner's."""

from __future__ import annotations

import os
from pathlib import Path

from provisioner.errors import LedgerError
from provisioner.ledger.folders import make_folder, sync_folder, sync_way

NETWORK = frozenset(
    {
        "nfs",
        "nfs4",
        "cifs",
        "smb3",
        "smbfs",
        "9p",
        "afs",
        "ceph",
        "coda",
        "gfs2",
        "glusterfs",
        "lustre",
        "ocfs2",
        "davfs",
    }
    | {f"fuse.{name}" for name in ("sshfs", "glusterfs", "ceph", "davfs2", "rclone", "s3fs", "curlftpfs")}
)
"""File systems whose locks and syncs SQLite's write-ahead log cannot rely on."""

MOUNTS = Path("/proc/self/mountinfo")


def refuse_network(folder: Path, *, mounts: str) -> None:
    """Raise LedgerError if `folder` lies on a network file system; `mounts` is the text of /proc/self/mountinfo."""
    kind = filesystem(folder, mounts=mounts)
    if kind in NETWORK:
        raise LedgerError(
            f"{folder} is on a network file system ({kind}), which cannot hold the ledger's database",
            hint="set PROVISIONER_STATE to a local folder, or PROVISIONER_DATABASE_URL to a PostgreSQL server",
        )


def filesystem(folder: Path, *, mounts: str) -> str:
    """Return the type of the file system that holds `folder` (absolute, resolved), empty if `mounts` does not say."""
    best, kind = -1, ""
    for line in mounts.splitlines():
        before, _, after = line.partition(" - ")
        point = Path(before.split(" ")[4].encode().decode("unicode_escape"))
        if folder.is_relative_to(point) and len(point.parts) >= best:
            best, kind = len(point.parts), after.split(" ")[0]
    return kind


def prepare_file(path: Path) -> None:
    """Make the database file (0600) and its folders (0700) where there are none; raises LedgerError.

    While it holds nothing, the names on the way to it are made durable: SQLite syncs no folder but the file's own.
    """
    try:
        make_folder(path.parent)
        os.close(os.open(path, os.O_RDWR | os.O_CREAT, 0o600))
        if not path.stat().st_size:
            sync_way(path)
    except OSError as error:
        raise _barred(path, error) from error


def keep_names(folder: Path) -> None:
    """Make the names in `folder` durable; raises LedgerError."""
    try:
        sync_folder(folder)
    except OSError as error:
        raise LedgerError(f"{folder}: what is written there would not be durable: {error.strerror}") from error


def leave_trace(path: Path) -> None:
    """Make an empty file (0600), there even after a power cut; raises LedgerError."""
    try:
        os.close(os.open(path, os.O_WRONLY | os.O_CREAT, 0o600))
        sync_folder(path.parent)
    except OSError as error:
        raise LedgerError(f"{path} cannot be made: {error.strerror}") from error


def is_there(path: Path) -> bool:
    """Whether there is such a path; raises LedgerError, naming whose folder is in the way, if we may not look."""
    try:
        return path.exists()
    except OSError as error:
        raise _barred(path, error) from error


def _barred(path: Path, error: OSError) -> LedgerError:
    hint = ""
    if isinstance(error, PermissionError):
        near = next(place for place in (path, *path.parents) if os.path.lexists(place))
        hint = f"{near} belongs to {_owner(near)}: type the command as that user, or set PROVISIONER_STATE"
    return LedgerError(f"{path}: the ledger cannot be opened: {error.strerror}", hint=hint)


def _owner(path: Path) -> str:
    try:
        return path.owner()
    except KeyError:
        return f"uid {path.stat().st_uid}"
