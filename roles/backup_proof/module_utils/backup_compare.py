# Copyright the provisioner authors. SPDX-License-Identifier: Apache-2.0
"""Compare a restored tree with the manifest that was written when it was saved.

Every entry of the manifest ends in exactly one of four: `equal`, `different`, `moving` (it changed while it was read:
it and its kind must be there, what is in it may differ) or `unfaithful` (what restic does not restore as it was, which
is counted by kind under `not_kept`). What is there and in no entry is a difference of the kind `extra`. An object can
only appear or vanish where its folder changes: there, and nowhere else, it is moving too.
"""

from __future__ import annotations

import errno
import hashlib
import os
import stat
from collections import Counter

from ansible.module_utils.backup_manifest import decoded, encoded, entries

NAMED = 20
"""How many of a kind are named; all are counted."""

TYPES = {
    stat.S_IFREG: "file", stat.S_IFDIR: "dir", stat.S_IFLNK: "symlink", stat.S_IFIFO: "fifo", stat.S_IFSOCK: "socket",
    stat.S_IFCHR: "char", stat.S_IFBLK: "block",
}  # fmt: skip


class Comparison:
    """What was found so far; `result()` is the table."""

    def __init__(self):
        self.counts = Counter(equal=0, different=0, moving=0, unfaithful=0)
        self.differences, self.kept = Counter(), Counter()
        self.named, self.kept_named, self.moving_named = [], [], []
        self.bytes = self.appeared = 0

    def differs(self, path, kind, asked, found):
        """Count a difference, and name it while there are few."""
        self.differences[kind] += 1
        if len(self.named) < NAMED:
            row = {"path": encoded(path), "kind": kind, "asked": str(asked)[:200], "found": str(found)[:200]}
            self.named.append(row)

    def not_kept(self, path, kind):
        """Count what restic did not restore as it was."""
        self.kept[kind] += 1
        if len(self.kept_named) < NAMED:
            self.kept_named.append({"path": encoded(path), "kind": kind})

    def moves(self, path):
        """Count what changed while it was read."""
        self.counts["moving"] += 1
        if len(self.moving_named) < NAMED:
            self.moving_named.append(encoded(path))

    def result(self):
        """The table: numbers, and the first names of each sort, percent-encoded."""
        return {
            "compared": sum(self.counts.values()),
            **self.counts,
            "appeared": self.appeared,
            "bytes": self.bytes,
            "differences": dict(sorted(self.differences.items())),
            "named": self.named,
            "not_kept": dict(sorted(self.kept.items())),
            "not_kept_named": self.kept_named,
            "moving_named": self.moving_named,
        }


def compare(root, manifest, root_of=None):
    """Given the bytes of a restored tree's root and a manifest's file, return the table of the comparison.

    `root_of` says for an entry under which root it was restored, None for one that was not (default: all under
    `root`). Raises ManifestError for a file that is no manifest, OSError where a tree cannot be read.
    """
    found, trees = Comparison(), {root: _Tree(root)} if root_of is None else {}
    for entry in entries(manifest):
        under = root if root_of is None else root_of(entry)
        if under is not None:
            _one(trees.setdefault(under, _Tree(under)), entry, found)
    for tree in trees.values():
        tree.links.judge(found)
        _extra(tree, found)
    return found.result()


class _Tree:
    """A restored tree: its root, the paths that belong there, its moving folders, its hard links, what is a folder."""

    def __init__(self, root):
        self.root, self.known, self.moving, self.links = root, set(), set(), _Links()
        self.seen = {b"": True}

    def real(self, folder):
        """Whether a folder and those above it are folders: nothing is followed out of the restored tree."""
        if folder not in self.seen:
            try:
                here = stat.S_ISDIR(os.lstat(self.root + folder).st_mode)
            except OSError:
                here = False
            self.seen[folder] = here and self.real(folder.rpartition(b"/")[0])
        return self.seen[folder]


def _one(tree, entry, found):
    path = entry["path"]
    tree.known.add(path)
    place, above = tree.root + path, path.rpartition(b"/")[0]
    there = os.lstat(place) if tree.real(above) and os.path.lexists(place) else None
    if entry.get("w") and entry["t"] == "dir":
        tree.moving.add(path)
    kind = TYPES.get(stat.S_IFMT(there.st_mode), "unknown") if there else "nothing"
    vanished = there is None and entry.get("w") and above in tree.moving
    if vanished or (entry.get("w") and kind == entry["t"]):
        found.moves(path)
    elif there is None and (entry["t"] == "socket" or entry.get("e")):
        found.not_kept(path, "socket" if entry["t"] == "socket" else "unreadable")
        found.counts["unfaithful"] += 1
    elif kind != entry["t"]:
        found.differs(path, "type" if there else "missing", entry["t"], kind)
        found.counts["different"] += 1
    else:
        _same_kind(tree, entry, there, found)


def _same_kind(tree, entry, there, found):
    path, place = entry["path"], tree.root + entry["path"]
    tree.links.saw(entry, there)
    rows = [row for row in _rows(place, entry, there) if row[1] != row[2]]
    kept = dict(_unfaithful(entry, there, rows))
    rows = [row for row in rows if row[0] not in kept.values()]
    for name, asked, seen in rows:
        found.differs(path, name, asked, seen)
    for name in kept:
        found.not_kept(path, name)
    tree.links.ended(path, "different" if rows else "unfaithful" if kept else "equal")
    found.bytes += entry["s"] if entry["t"] == "file" else 0


def _rows(place, entry, there):
    """Yield what is compared of an object that is there: name, asked, found."""
    kind = entry["t"]
    if kind != "symlink":
        yield "mode", entry["m"], f"{stat.S_IMODE(there.st_mode):04o}"
    yield "owner", f"{entry['u']}:{entry['g']}", f"{there.st_uid}:{there.st_gid}"
    yield "mtime", entry["n"], there.st_mtime_ns
    yield "xattr", dict(entry.get("x", {})), attributes(place)
    if kind == "file":
        yield "size", entry["s"], there.st_size
        yield "content", entry.get("h"), content(place) if entry.get("h") else None
    elif kind == "symlink":
        yield "link", entry.get("l"), encoded(os.readlink(place))
    elif kind in ("char", "block"):
        yield "device", entry.get("r"), f"{os.major(there.st_rdev)}:{os.minor(there.st_rdev)}"


def attributes(place):
    """Given the bytes of a path, return `{name: SHA-256 of the value}` of its extended attributes, ACLs included."""
    try:
        names = os.listxattr(place, follow_symlinks=False)
    except OSError as error:
        if error.errno != errno.ENOTSUP:
            raise
        return {}
    return {
        encoded(os.fsencode(name)): hashlib.sha256(os.getxattr(place, name, follow_symlinks=False)).hexdigest()
        for name in names
    }


def content(place):
    """SHA-256 of a regular file, hex; nothing is followed and nothing is waited for."""
    found = hashlib.sha256()
    descriptor = os.open(place, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
    with open(descriptor, "rb", buffering=0) as file:
        for block in iter(lambda: file.read(1 << 20), b""):
            found.update(block)
    return found.hexdigest()


def _unfaithful(entry, there, rows):
    """Yield what restic is known not to restore: its name, and the row that it explains ("" for none)."""
    names = {row[0] for row in rows}
    if entry["t"] == "symlink" and "link" in names:
        target = decoded(entry["l"])
        written = replaced(target)
        if written != target and any(row[0] == "link" and row[2] == encoded(written) for row in rows):
            yield "link_target", "link"
    if entry.get("e"):
        yield "unreadable", ""
    if entry.get("z") and not {"size", "content"} & names and there.st_blocks * 512 >= there.st_size:
        yield "sparse", ""


def replaced(target):
    """The bytes that restic 0.14 writes for the target of a link: U+FFFD for every byte that is no UTF-8.

    Go's encoding of JSON takes one byte at a time (utf8.DecodeRune), where Python replaces what belongs together.
    """
    out, rest = [], target
    while rest:
        try:
            out.append(rest.decode("utf-8"))
            break
        except UnicodeDecodeError as error:
            out.append(rest[: error.start].decode("utf-8") + "\ufffd")
            rest = rest[error.start + 1 :]
    return "".join(out).encode("utf-8")


class _Links:
    """Hard links: which objects were one when they were saved, and which are one now."""

    def __init__(self):
        self.groups, self.inodes, self.fates = {}, {}, {}

    def saw(self, entry, there):
        """Note an object that is there; folders have no hard links."""
        self.fates[entry["path"]] = "equal"
        if entry["t"] == "dir":
            return
        inode = (there.st_dev, there.st_ino)
        if entry.get("k") is not None:
            self.groups.setdefault(entry["k"], []).append((entry["path"], entry["t"], inode))
        if entry.get("k") is not None or there.st_nlink > 1:
            self.inodes.setdefault(inode, []).append((entry["path"], entry.get("k"), entry["t"]))

    def ended(self, path, fate):
        """Note what was found of an object, its links apart."""
        self.fates[path] = fate

    def judge(self, found):
        """Compare the groups, then count what every object ended as."""
        for members in self.groups.values():
            if len({inode for _, _, inode in members}) > 1:
                self._apart(members, found)
        for members in self.inodes.values():
            if len({group for _, group, _ in members}) > 1 or (len(members) > 1 and members[0][1] is None):
                for path, _, _ in members:
                    found.differs(path, "hard_link", "apart", "one object")
                    self.fates[path] = "different"
        found.counts.update(self.fates.values())

    def _apart(self, members, found):
        """restic makes one object again of regular files only."""
        for path, kind, _ in members:
            if kind == "file":
                found.differs(path, "hard_link", "one object", "apart")
                self.fates[path] = "different"
            else:
                found.not_kept(path, f"hard_link_of_{kind}")
                if self.fates[path] == "equal":
                    self.fates[path] = "unfaithful"


def _extra(tree, found):
    """Count what is in the tree and in no entry; the folders that only lead to entries are none."""
    leading = {path[:end] for path in tree.known for end in _ends(path)}
    pending = [b""]
    while pending:
        folder = pending.pop()
        with os.scandir(tree.root + folder or b"/") as inside:
            for item in sorted(inside, key=lambda item: item.name):
                path = folder + b"/" + item.name
                if path not in tree.known and path not in leading:
                    if folder in tree.moving:
                        tree.moving.add(path)
                        found.appeared += 1
                    else:
                        found.differs(path, "extra", "nothing", "something")
                if item.is_dir(follow_symlinks=False):
                    pending.append(path)


def _ends(path):
    """Where the parents of a path end."""
    end = path.rfind(b"/")
    while end > 0:
        yield end
        end = path.rfind(b"/", 0, end)
