"""Reading one file of a client's folder: a regular file, inside the folder, of bounded size, and never for ever."""

from __future__ import annotations

import os
import stat
from pathlib import Path

from provisioner.errors import ConfigurationError, Problem


def label(path: Path, *, folder: Path) -> str:
    """Given a path in a client's folder, return how messages name it, such as `acme/contract.yml`, on one line."""
    name = str(Path(folder.absolute().name) / path.absolute().relative_to(folder.absolute()))
    return name if name.isprintable() else ascii(name)[1:-1]


def read_regular(path: Path, *, folder: Path, limit: int) -> bytes:
    """Given a path inside a client's folder, return the file's bytes.

    Raises ConfigurationError when it is missing, unreadable, longer than `limit` bytes, changes while it is read, is
    no regular file (a FIFO or device is refused, not waited for) or leads out of the folder through a symbolic link.
    """
    name = label(path, folder=folder)
    try:
        real = path.resolve(strict=True)
        inside = real.is_relative_to(folder.resolve())
    except (OSError, RuntimeError, ValueError) as error:
        raise _unreadable(name, error) from None
    if not inside:
        raise _refused(name, "leads out of the client's folder through a symbolic link")
    return _read(real, name=name, limit=limit)


def read_named(path: Path, *, name: str, limit: int) -> bytes:
    """Given a path anywhere, and what messages call it, return the file's bytes; refused like `read_regular`."""
    try:
        real = path.resolve(strict=True)
    except (OSError, RuntimeError, ValueError) as error:
        raise _unreadable(name, error) from None
    return _read(real, name=name, limit=limit)


def _read(real: Path, *, name: str, limit: int) -> bytes:
    try:
        descriptor = os.open(real, os.O_RDONLY | os.O_NONBLOCK | os.O_NOFOLLOW | os.O_CLOEXEC)
        with os.fdopen(descriptor, "rb") as file:
            before = os.fstat(file.fileno())
            if not stat.S_ISREG(before.st_mode):
                raise _refused(name, "is not a regular file")
            data = b"" if before.st_size > limit else file.read(limit + 1)
            after = os.fstat(file.fileno())
    except (OSError, RuntimeError, ValueError) as error:
        raise _unreadable(name, error) from None
    if max(before.st_size, len(data)) > limit:
        raise _refused(name, f"is longer than the {limit // 1024} KiB that are allowed")
    if (before.st_mtime_ns, before.st_size) != (after.st_mtime_ns, after.st_size) or len(data) != before.st_size:
        raise _refused(name, "changed while it was read; try again")
    return data


def _unreadable(name: str, error: Exception) -> ConfigurationError:
    if isinstance(error, FileNotFoundError):
        return _refused(name, "no such file")
    reason = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
    return _refused(name, f"cannot be read: {reason}")


def _refused(file: str, message: str) -> ConfigurationError:
    return ConfigurationError((Problem(file, 0, 0, "", message),))
