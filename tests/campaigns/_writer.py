"""The writer of the durability campaigns: our own `Book`, in a process of its own that can be killed or cut off.

It says `ack <index> <text>` on its standard output after `append` returned, never before. Run as a program with a job
in JSON it does that job; run with `serve` it reads jobs, one a line, and forks a child for each, so that a thousand
writers cost one import.
"""

from __future__ import annotations

import ctypes
import json
import os
import signal
import sys
from collections.abc import Callable
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

from tests.campaigns._mission import intervene

from provisioner.config.settings import prepare_state
from provisioner.errors import LedgerError, ProvisionerError
from provisioner.ledger import sqlite
from provisioner.ledger.book import Book, open_book
from provisioner.ledger.entry import Draft
from provisioner.ledger.history import ROTATION

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

CLIENT = "demo"
OPERATOR = "op-0011223344556677"
UNHEARD = 99
AT = datetime(2026, 11, 23, 14, tzinfo=UTC)

Say = Callable[[str], object]


@dataclass(frozen=True, kw_only=True)
class Job:
    """What a writer does: `commands`, each of which opens the book, appends groups of so many drafts, signs, closes.

    A group of none changes the log's key. `name` begins the texts of its entries: no two jobs on one state folder share
    one. `padding` is how many characters each text has besides. A `mission` performs an intervention called `name`
    instead. `sabotage` names what is broken in the writer, for a negative control; one on `hold` waits to be continued.
    """

    state: str
    name: str = "w"
    commands: tuple[tuple[int, ...], ...] = ((1, 3), (2,))
    padding: int = 0
    mission: bool = False
    sabotage: str = ""
    hold: bool = False

    def render(self) -> str:
        """One line of JSON."""
        return json.dumps(asdict(self))


def parse_job(line: str) -> Job:
    """The inverse of `render`."""
    fields = json.loads(line)
    return Job(**{**fields, "commands": tuple(tuple(groups) for groups in fields["commands"])})


def opened(state: Path, *, read_only: bool = False) -> Book:
    """Open the book of a state folder, as every command does."""
    return open_book(f"sqlite:///{state}/ledger.db", CLIENT, state=state, read_only=read_only)


def texts(job: Job, command: int, group: int) -> list[str]:
    """The texts of one group: each says of how many it is one, so that half a group is seen."""
    count = job.commands[command][group]
    return [f"{job.name}.{command}.{group}:{item}/{count}" for item in range(count)]


def work(job: Job, say: Say) -> None:
    """Do the job. The first entry of each group has a personal value beside it, kept before the append."""
    prepare_state(Path(job.state))
    if job.mission:
        intervene(Path(job.state), job.name, say=say)
        return
    for command, groups in enumerate(job.commands):
        with opened(Path(job.state)) as book:
            for group, count in enumerate(groups):
                if count:
                    append(book, texts(job, command, group), say=say, padding="x" * job.padding)
                else:
                    say(f"rotated {book.rotate(AT, OPERATOR, reason=ROTATION).index}")
            book.sign(AT + timedelta(seconds=command))


def append(book: Book, group: Sequence[str], *, say: Say, padding: str = "") -> None:
    """Append a group of texts and acknowledge each."""
    reference = book.keep(group[0], field="note")
    bodies = [{"text": text, "personal": reference, "padding": padding} for text in group]
    for entry in book.append([Draft("note", AT, OPERATOR, body) for body in bodies]):
        say(f"ack {entry.index} {entry.body['text']}")


def work_early(job: Job, say: Say) -> None:
    """Sabotage: acknowledge before the append, as a program does that answers first and writes then."""
    for command, groups in enumerate(job.commands):
        with opened(Path(job.state)) as book:
            for group in range(len(groups)):
                last = list(book.leaves())[-1:]
                first = int(str(last[0][0])) + 1 if last else 1
                for index, text in enumerate(texts(job, command, group), start=first):
                    say(f"ack {index} {text}")
                append(book, texts(job, command, group), say=lambda _: None)
            book.sign(AT + timedelta(seconds=command))


def work_deaf(job: Job, say: Say) -> None:
    """Sabotage: take a failed append for one that went well."""
    for command, groups in enumerate(job.commands):
        with opened(Path(job.state)) as book:
            for group in range(len(groups)):
                last = list(book.leaves())[-1:]
                first = int(str(last[0][0])) + 1 if last else 1
                try:
                    append(book, texts(job, command, group), say=say)
                except LedgerError:
                    for index, text in enumerate(texts(job, command, group), start=first):
                        say(f"ack {index} {text}")


def work_first(job: Job, say: Say) -> None:
    """Sabotage: touch the machine, then ask for the intent to be recorded."""
    say(f"acted {job.name}")
    work(job, say)


@contextmanager
def sabotaged(name: str) -> Iterator[Callable[[Job, Say], None]]:
    """Break one thing in this process until the block is left, and give what does a job then."""
    kept = sqlite.WRITING, sqlite._settle, os.fsync
    weaker = {"synchronous=NORMAL": 1, "synchronous=OFF": 0}
    if name in weaker:
        sqlite.WRITING = {**sqlite.WRITING, "synchronous": weaker[name]}
    elif name == "keys not synced":
        os.fsync = lambda fd: None  # what SQLite syncs is synced still
    elif name == "appends behind what a dead writer left":
        sqlite._settle = lambda connection, path: None
    try:
        yield {"acknowledges early": work_early, "deaf to errors": work_deaf, "acts first": work_first}.get(name, work)
    finally:
        sqlite.WRITING, sqlite._settle, os.fsync = kept


class UnheardError(Exception):
    """The pipe to the campaign failed: no matter of the ledger's."""


def tell(line: str) -> None:
    """One line in one system call: it is out or it is not."""
    try:
        os.write(1, f"{line}\n".encode())
    except OSError as error:
        raise UnheardError from error


def do(job: Job) -> None:
    """Do a job in this process and exit: 0, the exit code of our own error, which is said, or UNHEARD."""
    try:
        code = _done(job)
    except UnheardError:
        code = UNHEARD
    os._exit(code)


def _done(job: Job) -> int:
    try:
        with sabotaged(job.sabotage) as doing:
            doing(job, tell)
    except ProvisionerError as error:
        tell(f"error {type(error).__name__}: {error}")
        return error.exit_code
    return 0


def serve() -> None:
    """Fork a child for each job on standard input. Say `pid N` when it begins (or waits), `ended N` when it is dead."""
    anybody = ctypes.c_ulong(-1)
    with TemporaryDirectory() as folder:
        work(Job(state=folder), lambda _: None)  # what is imported late is imported now; no connection stays open
    for line in sys.stdin:
        job = parse_job(line)
        if (pid := os.fork()) == 0:
            if job.hold:
                ctypes.CDLL(None).prctl(0x59616D61, anybody, 0, 0, 0)  # PR_SET_PTRACER: strace is not our parent
                os.kill(os.getpid(), signal.SIGSTOP)
            do(job)
        if job.hold:
            os.waitpid(pid, os.WUNTRACED)
        tell(f"pid {pid}")
        _, status = os.waitpid(pid, 0)
        tell(f"ended {os.waitstatus_to_exitcode(status)}")


if __name__ == "__main__":
    if sys.argv[1] == "serve":
        serve()
    else:
        do(parse_job(sys.argv[1]))
