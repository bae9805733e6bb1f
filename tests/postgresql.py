"""A PostgreSQL server of the tests' own, from the programs of a Debian package, gone when the tests are."""

from __future__ import annotations

import os
import pwd
import shutil
import signal
import subprocess
import tempfile
import time
from contextlib import contextmanager
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING, Any

import psycopg
from psycopg import sql
from tests.ports import free_port

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

PROGRAMS = Path("/usr/lib/postgresql")
USER, PASSWORD = "provisioner", "s3cret/pass word"
SETTINGS = ("listen_addresses=127.0.0.1", "shared_buffers=32MB", "max_connections=60")

TABLES = ("entries", "nodes", "pending", "details")
ENDED = "SELECT count(pg_terminate_backend(pid, 10000)) FROM pg_stat_activity WHERE datname = %s"
SCHEMAS = r"SELECT nspname FROM pg_namespace WHERE nspname NOT LIKE 'pg\_%' AND nspname <> 'information_schema'"


class NoServer(Exception):
    """There is no PostgreSQL server on this machine, or it does not start."""


class Server:
    """A running server: one superuser, who needs a password over TCP only. Each test gets databases of its own."""

    def __init__(self, folder: Path, port: int, process: subprocess.Popen[bytes]) -> None:
        """Take over a server that was started with its socket in `folder`."""
        self.folder, self.port, self.process = folder, port, process
        self._free: list[str] = []
        self._names = (f"test_{number}" for number in count())

    def url(self, database: str, *options: str) -> str:
        """The URL of a database by socket, which asks for no password; `options` as in "name=value"."""
        query = "&".join((f"host={self.folder}", f"port={self.port}", *options))
        return f"postgresql+psycopg://{USER}@/{database}?{query}"

    def tcp_url(self, database: str, *, user: str = USER, password: str = PASSWORD) -> str:
        """The URL of a database by TCP on loopback, password included."""
        quoted = password.replace("/", "%2F").replace(" ", "%20")
        return f"postgresql+psycopg://{user}:{quoted}@127.0.0.1:{self.port}/{database}"

    @contextmanager
    def connect(self, database: str = "postgres") -> Iterator[psycopg.Connection[tuple[Any, ...]]]:
        """A connection of the superuser's that commits each statement."""
        with psycopg.connect(host=str(self.folder), port=self.port, user=USER, dbname=database, autocommit=True) as one:
            yield one

    def create(self) -> str:
        """Return the name of an empty database: one that was given back, or a new one."""
        if self._free:
            return self._free.pop()
        name = next(self._names)
        with self.connect() as connection:
            connection.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name)))
        return name

    def drop(self, name: str) -> None:
        """Take a database back, emptied, whoever is connected to it: a new one costs more than all the tests in it."""
        with self.connect() as connection:
            connection.execute(ENDED, (name,))
            connection.execute(sql.SQL("ALTER DATABASE {} RESET ALL").format(sql.Identifier(name)))
        with self.connect(name) as connection:
            for (schema,) in connection.execute(SCHEMAS).fetchall():
                connection.execute(sql.SQL("DROP SCHEMA {} CASCADE").format(sql.Identifier(schema)))
            connection.execute("CREATE SCHEMA public")
            connection.execute("GRANT USAGE ON SCHEMA public TO PUBLIC")
        self._free.append(name)

    def copy(self, source: str, target: str) -> None:
        """Fill the tables of `target`, which are there and empty, with the rows of those of `source`."""
        with self.connect(source) as one, self.connect(target) as other:
            for table in TABLES:
                rows = one.execute(f"SELECT * FROM {table}".encode()).fetchall()
                places = ", ".join(["%s"] * len(rows[0])) if rows else ""
                other.cursor().executemany(f"INSERT INTO {table} VALUES ({places})".encode(), rows)


@contextmanager
def running(*settings: str) -> Iterator[Server]:
    """Start a server with further `settings` ("name=value"), stop it at the end; raises NoServer."""
    newest = max(PROGRAMS.glob("*/bin/initdb"), key=lambda path: float(path.parts[-3]), default=None)
    if newest is None:
        raise NoServer(f"there is no PostgreSQL server under {PROGRAMS}")
    folder = Path(tempfile.mkdtemp(prefix="provisioner-postgresql-"))
    try:
        _initialise(folder, newest)
        port = free_port()
        chosen = [word for setting in (*SETTINGS, f"port={port}", *settings) for word in ("-c", setting)]
        command = [str(newest.with_name("postgres")), "-D", str(folder / "data"), "-k", str(folder), *chosen]
        with (folder / "log").open("wb") as log:
            process = subprocess.Popen(_unprivileged(command), cwd=folder, stdout=log, stderr=log)
        try:
            server = Server(folder, port, process)
            _await(server)
            yield server
        finally:
            process.send_signal(signal.SIGQUIT)  # no checkpoint: nobody reads this data again
            process.wait(timeout=30)
    finally:
        shutil.rmtree(folder)


def _initialise(folder: Path, initdb: Path) -> None:
    (folder / "password").write_text(PASSWORD)
    if os.geteuid() == 0:
        for path in (folder, folder / "password"):
            shutil.chown(path, _account())
    auth = ["--auth-local=trust", "--auth-host=scram-sha-256", f"--pwfile={folder / 'password'}"]
    command = [str(initdb), "-D", str(folder / "data"), f"--username={USER}", "--encoding=UTF8", "--locale=C", *auth]
    done = subprocess.run(_unprivileged([*command, "--no-sync"]), cwd=folder, capture_output=True, text=True)
    if done.returncode:
        raise NoServer(f"initdb: {done.stderr.strip()}")


def _unprivileged(command: Sequence[str]) -> list[str]:
    """The command as a user that PostgreSQL accepts, interrupted when this process dies."""
    who = []
    if os.geteuid() == 0:
        account = pwd.getpwnam(_account())
        who = [f"--reuid={account.pw_uid}", f"--regid={account.pw_gid}", "--clear-groups"]
    return ["setpriv", *who, "--pdeathsig=INT", *command]


def _account() -> str:
    names = {entry.pw_name for entry in pwd.getpwall()}
    return "postgres" if "postgres" in names else "nobody"


def _await(server: Server) -> None:
    """Wait until the server answers; raises NoServer, with what it said, when it ends or takes 30 s."""
    deadline = time.monotonic() + 30
    while True:
        try:
            with server.connect():
                return
        except psycopg.OperationalError as error:
            if server.process.poll() is not None or time.monotonic() > deadline:
                raise NoServer(f"the server does not answer: {(server.folder / 'log').read_text()}") from error
            time.sleep(0.05)
