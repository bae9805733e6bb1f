# Copyright the provisioner authors. SPDX-License-Identifier: Apache-2.0
"""What one object is like: a row of the manifest, and the marks by which a change is noticed."""

from __future__ import annotations

import errno
import hashlib
import os
import stat
import time

from provisioner_backup.manifest import KINDS, quoted

BLOCK = 1 << 20
TICK_NS = 100_000_000
"""More than the step in which a file system counts time: what is written within one step changes no mark."""


def mark(state):
    """Given what lstat says, return what differs after any change: inode, mode, size, and both times in ns."""
    return [state.st_ino, state.st_mode, state.st_size, state.st_mtime_ns, state.st_ctime_ns]


def look(path, *, known=None, unreadable=None):
    """Given the bytes of a path, return (row, mark) of what is there; raise FileNotFoundError when nothing is.

    `known` returns the digest of a file's content by its mark, None where it is to be read. What cannot be read has
    `e`, the error's name, in place of what was not read. A file that changes while it is read has `w`.
    """
    state = os.lstat(path)
    kind = KINDS[stat.S_IFMT(state.st_mode)]
    row = {"p": quoted(path), "t": kind}
    failed = errno.errorcode.get(unreadable, str(unreadable)) if unreadable else ""
    digest = None
    if kind == "file" and not failed:
        state, digest, failed, moving = content(path, state, known=known)
        row.update({"w": True} if moving else {})
    row |= {"m": f"{stat.S_IMODE(state.st_mode):04o}", "u": state.st_uid, "g": state.st_gid, "n": state.st_mtime_ns}
    if kind == "file":
        row["s"] = state.st_size
        row.update({"z": True} if state.st_blocks * 512 < state.st_size else {})
        row.update({"h": digest} if digest else {})
    elif kind == "symlink":
        row["l"] = quoted(os.readlink(path))
    elif kind in ("char", "block"):
        row["r"] = f"{os.major(state.st_rdev)}:{os.minor(state.st_rdev)}"
    attributes, other = extended(path)
    row.update({"x": attributes} if attributes else {})
    row.update({"e": failed or other} if failed or other else {})
    return row, [*mark(state), None if "w" in row else digest]


def content(path, state, *, known):
    """Return (state, SHA-256, error, whether it changed meanwhile) of a file that lstat saw as `state`."""
    digest = known(mark(state)) if known else None
    if digest:
        return state, digest, "", False
    if 0 <= time.time_ns() - state.st_ctime_ns < TICK_NS:
        time.sleep(TICK_NS / 1e9)
    try:
        handle = reader(path)
    except FileNotFoundError:
        raise
    except OSError as problem:
        return state, None, errno.errorcode.get(problem.errno, str(problem.errno)), False
    with handle:
        before = os.fstat(handle.fileno())
        found = hashlib.sha256()
        try:
            while block := handle.read(BLOCK):
                found.update(block)
        except OSError as problem:
            return before, None, errno.errorcode.get(problem.errno, str(problem.errno)), False
        after = os.fstat(handle.fileno())
    return after, found.hexdigest(), "", not mark(state) == mark(before) == mark(after)


def reader(path):
    """Open a file to read its bytes, leaving the time of its last reading alone where that is allowed."""
    flags = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
    try:
        opened = os.open(path, flags | os.O_NOATIME)
    except PermissionError:
        opened = os.open(path, flags)
    return os.fdopen(opened, "rb", buffering=0)


def extended(path):
    """Return ({name: SHA-256 of the value} of the extended attributes of a path, error); ACLs are among them."""
    found = {}
    try:
        for name in sorted(map(os.fsencode, os.listxattr(path, follow_symlinks=False))):
            value = os.getxattr(path, name, follow_symlinks=False)
            found[quoted(name)] = hashlib.sha256(value).hexdigest()
    except OSError as problem:
        if problem.errno not in (errno.ENOTSUP, errno.ENODATA):
            return found, errno.errorcode.get(problem.errno, str(problem.errno))
    return found, ""
