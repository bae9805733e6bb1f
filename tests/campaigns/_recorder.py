"""Records everything that a writer does to its state folder: each write, sync, name and word, in order, under strace.

What it does not understand it refuses: a call that changes a file in another way, a shared writable mapping. The one
file it leaves out is SQLite's `-shm`, which is memory that happens to have a name.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from tests.campaigns._disk import Failed, Made, Removed, Renamed, Said, Sized, Synced, Wrote
from tests.campaigns._server import SYNCS, WHOLE

if TYPE_CHECKING:
    from pathlib import Path

    from tests.campaigns._disk import Event
    from tests.campaigns._server import Life, Server
    from tests.campaigns._writer import Job

UNDERSTOOD = ("openat", "close", "lseek", "write", "pwrite64", "ftruncate", "rename", "unlink", "mkdir")
REFUSED = (
    *("open", "creat", "dup", "dup2", "dup3", "writev", "pwritev", "pwritev2", "truncate", "fallocate", "sendfile"),
    *("copy_file_range", "splice", "rmdir", "mkdirat", "renameat", "renameat2", "unlinkat", "link", "linkat"),
    *("symlink", "symlinkat", "mmap"),
)
CALL = re.compile(r"(?:\[pid +\d+\] |\d+ +)?(\w+)\((.*)\) += (-?\d+)")
STRING = re.compile(r'"((?:\\x[0-9a-f]{2})*)"')


@dataclass
class Open:
    """An open file: its node (None: not in the state folder) and where the next `write` goes."""

    node: int
    position: int = 0


@dataclass
class Recorder:
    """What happened below the folder `root`, over the lives of one writer after the other.

    `seen` says as what each file and folder, by number, came into being.
    """

    server: Server
    root: Path
    events: list[Event] = field(default_factory=list)
    seen: dict[int, str] = field(default_factory=dict)
    _nodes: dict[str, int] = field(default_factory=dict)
    _open: dict[int, Open] = field(default_factory=dict)
    _count: int = 0

    def record(self, job: Job, *inject: str) -> Life:
        """Let a writer do its job, with faults if any are given, and add what it did to `events`."""
        life = self.server.traced(job, *inject, calls=(*UNDERSTOOD, *REFUSED, *SYNCS), form=WHOLE)
        self._nodes[str(self.root)] = 0
        self._open = {}
        for line in life.trace:
            self._line(line)
        return life

    def node(self, path: Path) -> int:
        """The number of a file that is there now."""
        return self._nodes[str(path)]

    def _line(self, line: str) -> None:
        assert "unfinished" not in line, "the writer is no longer one thread: the order of its calls is not known"
        match = CALL.match(line)
        if match is None or (match[3].startswith("-") and match[1] not in SYNCS):
            return
        name, arguments, result = match[1], match[2], int(match[3])
        if name == "openat":
            self._openat(arguments, result)
        elif name in ("rename", "unlink", "mkdir"):
            self._names(name, [_path(text) for text in STRING.findall(arguments)])
        elif name in ("write", "pwrite64", "lseek", "ftruncate", "close", *SYNCS):
            self._file(name, arguments, result)
        else:
            self._refuse(name, arguments)

    def _openat(self, arguments: str, result: int) -> None:
        path = _path(STRING.findall(arguments)[0])
        if not self._concerns(path):
            return
        if path not in self._nodes:
            assert "O_CREAT" in arguments, arguments
            self._make(path, directory=False)
        elif "O_TRUNC" in arguments:
            self.events.append(Sized(self._nodes[path], 0))
        assert "O_APPEND" not in arguments, arguments
        self._open[result] = Open(self._nodes[path])

    def _names(self, name: str, paths: list[str]) -> None:
        if not self._concerns(paths[0]):
            return
        folder, _, last = paths[0].rpartition("/")
        if name == "mkdir":
            self._make(paths[0], directory=True)
        elif name == "unlink":
            del self._nodes[paths[0]]
            self.events.append(Removed(self._nodes[folder], last))
        else:
            assert paths[1].rpartition("/")[0] == folder, paths
            self._nodes[paths[1]] = self._nodes.pop(paths[0])
            self.events.append(Renamed(self._nodes[folder], last, paths[1].rpartition("/")[2]))

    def _make(self, path: str, *, directory: bool) -> None:
        folder, _, last = path.rpartition("/")
        self._count += 1
        self._nodes[path] = self._count
        self.seen[self._count] = path
        self.events.append(Made(self._nodes[folder], last, self._count, directory))

    def _file(self, name: str, arguments: str, result: int) -> None:
        descriptor = int(arguments.partition(",")[0])
        if name == "write" and descriptor == 1:
            self.events.append(Said(_bytes(STRING.findall(arguments)[0]).decode()))
        if (file := self._open.get(descriptor)) is None:
            return
        if name == "close":
            del self._open[descriptor]
        elif name == "lseek":
            file.position = result
        elif name == "ftruncate":
            self.events.append(Sized(file.node, int(arguments.partition(",")[2])))
        elif name in SYNCS:
            self.events.append(Failed(file.node) if result else Synced(file.node))
        else:
            data = _bytes(STRING.findall(arguments)[0])[:result]
            offset = int(arguments.rpartition(",")[2]) if name == "pwrite64" else file.position
            file.position += result if name == "write" else 0
            self.events.append(Wrote(file.node, offset, data))

    def _refuse(self, name: str, arguments: str) -> None:
        paths = any(self._concerns(_path(text)) for text in STRING.findall(arguments))
        words = [word.strip() for word in arguments.split(",")]
        files = [word for word in words if word.isdecimal() and int(word) in self._open]
        if name == "mmap":
            paths, files = False, files if "MAP_SHARED" in arguments and "PROT_WRITE" in arguments else []
            files = [word for word in words[4:5] if word in files]
        assert not paths and not files, f"the recorder does not know what {name}({arguments}) did"

    def _concerns(self, path: str) -> bool:
        return f"{path}/".startswith(f"{self.root}/") and not path.endswith("-shm")


def _bytes(text: str) -> bytes:
    return bytes.fromhex(text.replace("\\x", ""))


def _path(text: str) -> str:
    return _bytes(text).decode()
