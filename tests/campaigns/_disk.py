"""A disk that can lose its power: what was synced is on it, of everything else a part that chance chooses.

What POSIX promises and no more: `fsync` of a file keeps its bytes and size, not its name; `fsync` of a folder keeps the
names in it. Unsynced writes land in any selection, torn at sectors; a file that grew without them shows zeros or
whatever lay there. Renaming is atomic.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from pathlib import Path
    from random import Random

SECTOR = 512


class Made(NamedTuple):
    """A new file or folder: `name` in `folder` is `node`."""

    folder: int
    name: str
    node: int
    directory: bool


class Wrote(NamedTuple):
    """Bytes at an offset of a file."""

    node: int
    offset: int
    data: bytes


class Sized(NamedTuple):
    """A file was cut or stretched to a size."""

    node: int
    size: int


class Renamed(NamedTuple):
    """A name of a folder took the place of another one."""

    folder: int
    name: str
    to: str


class Removed(NamedTuple):
    """A name of a folder is gone."""

    folder: int
    name: str


class Synced(NamedTuple):
    """The disk confirmed a file's bytes, or a folder's names."""

    node: int


class Failed(NamedTuple):
    """The disk refused to confirm: what was pending on a file is forgotten, and a later sync will not know of it."""

    node: int


class Said(NamedTuple):
    """A line that the writer said."""

    line: str


Event = Made | Wrote | Sized | Renamed | Removed | Synced | Failed | Said
Pending = Made | Wrote | Sized | Renamed | Removed


@dataclass
class Node:
    """A file or folder: what is surely on the disk (bytes, or names), and what happened since."""

    directory: bool
    content: bytearray = field(default_factory=bytearray)
    names: dict[str, int] = field(default_factory=dict)
    pending: list[Pending] = field(default_factory=list)


@dataclass(frozen=True, kw_only=True)
class Luck:
    """How a cut treats what was not synced: which share of writes and of names lands, torn or not, over what."""

    chance: Random
    writes: float
    names: float
    torn: bool
    stale: bool


def draw(chance: Random) -> Luck:
    """The luck of one cut."""
    share = (0.0, 0.1, 0.5, 0.9, 1.0)
    return Luck(
        chance=chance,
        writes=chance.choice(share),
        names=chance.choice(share),
        torn=chance.random() < 0.5,
        stale=chance.random() < 0.5,
    )


class Disk:
    """Takes events in order; can show at any moment what a cut leaves. Node 0 is the root folder."""

    def __init__(self) -> None:
        """Begin with an empty root."""
        self.nodes = {0: Node(directory=True)}
        self.said: list[str] = []

    def apply(self, event: Event) -> None:
        """Let one event happen."""
        match event:
            case Said(line):
                self.said.append(line)
            case Synced(node):
                self._sync(self.nodes[node])
            case Failed(node):
                if not self.nodes[node].directory:
                    self.nodes[node].pending.clear()
            case Made(folder, _, node, directory):
                self.nodes[node] = Node(directory)
                self.nodes[folder].pending.append(event)
            case Renamed(folder) | Removed(folder):
                self.nodes[folder].pending.append(event)
            case Wrote(node) | Sized(node):
                self.nodes[node].pending.append(event)

    def _sync(self, node: Node) -> None:
        for event in node.pending:
            _happen(node.content, node.names, event)
        node.pending.clear()

    def cut(self, target: Path, luck: Luck) -> None:
        """Write what is left into the empty folder `target`, as the next start finds it."""
        self._leave(target, 0, luck)

    def _leave(self, target: Path, number: int, luck: Luck) -> None:
        node = self.nodes[number]
        names = dict(node.names)
        for event in node.pending:
            if luck.chance.random() < luck.names:
                _happen(bytearray(), names, event)
        for name, child in names.items():
            if self.nodes[child].directory:
                (target / name).mkdir(mode=0o700)
                self._leave(target / name, child, luck)
            else:
                content = bytearray(self.nodes[child].content)
                _land(content, self.nodes[child].pending, luck)
                (target / name).write_bytes(content)
                (target / name).chmod(0o600)


def _happen(content: bytearray, names: dict[str, int], event: Pending) -> None:
    match event:
        case Made(_, name, node):
            names[name] = node
        case Renamed(_, name, to):
            if name in names:
                names[to] = names.pop(name)
        case Removed(_, name):
            names.pop(name, None)
        case Wrote(_, offset, data):
            content.extend(bytes(max(0, offset + len(data) - len(content))))
            content[offset : offset + len(data)] = data
        case Sized(_, size):
            content.extend(bytes(max(0, size - len(content))))
            del content[size:]


def _land(content: bytearray, pending: list[Pending], luck: Luck) -> None:
    """Let a part of the unsynced writes reach the file."""
    for event in pending:
        if luck.chance.random() >= luck.writes:
            continue
        size = len(content)
        if isinstance(event, Wrote):
            _tear(content, event, luck)
        else:
            _happen(content, {}, event)
        if luck.stale and isinstance(event, Sized) and len(content) > size:
            content[size:] = luck.chance.randbytes(len(content) - size)


def _tear(content: bytearray, event: Wrote, luck: Luck) -> None:
    """Write the sectors of one write that land; what the file grew by without them is stale, or zeros."""
    grown = event.offset + len(event.data) - len(content)
    if grown > 0:
        content.extend(luck.chance.randbytes(grown) if luck.stale else bytes(grown))
    begin = event.offset
    while begin < event.offset + len(event.data):
        end = min(begin - begin % SECTOR + SECTOR, event.offset + len(event.data))
        if not luck.torn or luck.chance.random() < 0.7:
            content[begin:end] = event.data[begin - event.offset : end - event.offset]
        begin = end
