# Copyright the provisioner authors. SPDX-License-Identifier: Apache-2.0
"""Writing the manifest, and looking at every object a second time.

Beside the manifest lies a private file of marks, a line an object, in the same order: [path, inode, mode, size, mtime,
ctime, digest]. The next run spares reading what has the same marks, and the second look compares with them.
"""

from __future__ import annotations

import hashlib
import json
import os
from contextlib import suppress
from dataclasses import dataclass

from provisioner_backup import manifest
from provisioner_backup.look import look, mark


@dataclass(frozen=True)
class Files:
    """The manifest that is being made, and the marks: the earlier run's before the survey, its own after it."""

    manifest: object
    marks: object


class Earlier:
    """The marks of an earlier run, read alongside a walk that asks in byte order of the paths."""

    def __init__(self, path):
        """Open the file; one that is not there, or was damaged, knows nothing."""
        self._lines = self._read(path)
        self._next = next(self._lines, None)

    @staticmethod
    def _read(path):
        with suppress(OSError, ValueError, KeyError), path.open("rb") as handle:
            for text in handle:
                name, inode, _, size, mtime, ctime, digest = json.loads(text)
                yield manifest.unquoted(name), [inode, size, mtime, ctime], digest

    def digest(self, path, marks):
        """Return the digest of a file whose inode, size and times are as they were, else None."""
        while self._next and self._next[0] < path:
            self._next = next(self._lines, None)
        inode, _, size, mtime, ctime = marks
        if self._next and self._next[0] == path and self._next[1] == [inode, size, mtime, ctime]:
            return self._next[2]
        return None


def survey(tree, files, *, head):
    """Write the manifest of a Tree, `head` first, and the marks; return how many objects could not be read."""
    earlier, groups, unreadable = Earlier(files.marks), {}, 0
    fresh = files.marks.with_suffix(".new")
    with files.manifest.open("wb") as out, fresh.open("wb") as private:
        out.write(head)
        for path in tree.paths:
            try:
                row, marks = look(
                    path,
                    known=lambda known, path=path: earlier.digest(path, known),
                    unreadable=tree.unreadable.get(path),
                )
                state = os.lstat(path)
            except FileNotFoundError:
                continue
            except OSError:
                unreadable += 1
                continue
            link = (state.st_dev, state.st_ino)
            if tree.names[link] > 1 and row["t"] != "dir":
                row["k"] = groups.setdefault(link, len(groups) + 1)
            unreadable += "e" in row
            out.write(manifest.line(row))
            private.write(manifest.line([row["p"], *marks]))
    fresh.replace(files.marks)
    return unreadable


def second_look(files, *, finished):
    """Mark what changed since the survey as moving; write the manifest to `finished`, whole or not at all.

    Return (its SHA-256, how many objects are moving).
    """
    digest, moving = hashlib.sha256(), 0
    fresh = files.manifest.with_suffix(".second")
    with files.manifest.open("rb") as rows, files.marks.open("rb") as private, fresh.open("wb") as out:
        text = rows.readline()
        digest.update(text)
        out.write(text)
        for text, marks in zip(rows, private, strict=True):
            name, *before = json.loads(marks)
            if b'"w":true' in text or not as_before(manifest.unquoted(name), before[:5]):
                moving += 1
                text = manifest.line(json.loads(text) | {"w": True})
            digest.update(text)
            out.write(text)
        out.flush()
        os.fsync(out.fileno())
    fresh.replace(finished)
    return digest.hexdigest(), moving


def as_before(path, before):
    """Whether an object still has its marks."""
    try:
        return mark(os.lstat(path)) == before
    except OSError:
        return False
