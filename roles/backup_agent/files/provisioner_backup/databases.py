# Copyright the provisioner authors. SPDX-License-Identifier: Apache-2.0
"""Dumps of PostgreSQL databases, and how many rows each table had in the very state that was dumped.

`<name>.dump` is pg_dump's custom format, uncompressed: restic compresses, and saves again only what changed.
`counts.json` is {database: {"schema.table": rows}}, with names as PostgreSQL quotes them.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field

from provisioner_backup.settings import Trouble

CLEAN = {"LC_ALL": "C.UTF-8", "PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "PGCONNECT_TIMEOUT": "30"}
NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_-]{0,62}")
TABLES = r"""
SELECT quote_ident(schemaname) || '.' || quote_ident(tablename) FROM pg_tables
WHERE schemaname !~ '^pg_' AND schemaname <> 'information_schema' ORDER BY 1;
"""
END = "end-of-answer"


@dataclass(frozen=True)
class Access:
    """As whom psql and pg_dump run, None for who we are, and their environment."""

    user: str | None = "postgres"
    environment: dict = field(default_factory=lambda: CLEAN)

    def start(self, *words, **streams):
        """Start one of them."""
        who = {"user": self.user, "group": self.user, "extra_groups": []} if self.user else {}
        return subprocess.Popen(
            words, stderr=subprocess.PIPE, text=True, env=self.environment, cwd="/", **who, **streams
        )


class Session:
    """A psql that is open, in one transaction that sees one state of its database."""

    def __init__(self, process):
        """Take over a psql that reads its standard input."""
        self._process = process

    def ask(self, statement):
        """Return the lines of the answer to a statement; raise Trouble with PostgreSQL's complaint."""
        self._process.stdin.write(f"{statement}\n\\echo {END}\n")
        self._process.stdin.flush()
        found = []
        for line in self._process.stdout:
            if line.rstrip("\n") == END:
                return found
            found.append(line.rstrip("\n"))
        raise Trouble("dump_failed", f"psql: {complaint(self._process.stderr.read())}")


def complaint(text):
    """Return one line of what a program complained about."""
    told = [line.strip() for line in text.splitlines() if line.strip()]
    return (told or ["no reason given"])[0][:200]


@contextmanager
def session(name, access):
    """Open a psql on a database, in a transaction that reads one state."""
    words = (
        "psql",
        "--no-psqlrc",
        "--quiet",
        "--no-align",
        "--tuples-only",
        "--set=ON_ERROR_STOP=1",
        f"--dbname={name}",
    )
    process = access.start(*words, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    try:
        found = Session(process)
        found.ask("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY;")
        yield found
    except BrokenPipeError:
        raise Trouble("dump_failed", f"psql: {complaint(process.stderr.read())}") from None
    finally:
        process.kill()
        process.wait()
        for stream in (process.stdin, process.stdout, process.stderr):
            with suppress(BrokenPipeError):
                stream.close()


def dump(databases, folder, *, access=Access()):
    """Dump each database into `folder`, and write counts.json; raise Trouble for the first that fails.

    A file that is there is whole, or is named by the Trouble.
    """
    counted = {}
    for database in databases:
        name = database["name"]
        if database["kind"] != "postgresql" or not NAME.fullmatch(name):
            raise Trouble("dump_failed", f"{database['kind']} {name!r}: no database this agent can dump")
        with session(name, access) as opened:
            (snapshot,) = opened.ask("SELECT pg_export_snapshot();")
            write(name, folder, snapshot=snapshot, access=access)
            tables = opened.ask(TABLES)
            counted[name] = {table: int(opened.ask(f"SELECT count(*) FROM {table};")[0]) for table in tables}
    (folder / "counts.json").write_text(json.dumps(counted, indent=1) + "\n")


def write(name, folder, *, snapshot, access):
    """Have pg_dump write a database as one snapshot saw it."""
    words = ("pg_dump", "--format=custom", "--compress=0", "--lock-wait-timeout=600000", f"--snapshot={snapshot}")
    with (folder / f"{name}.dump").open("xb") as handle:
        process = access.start(*words, f"--dbname={name}", stdin=subprocess.DEVNULL, stdout=handle)
        try:
            _, errors = process.communicate()
        finally:
            process.kill()
            process.wait()
        if process.returncode:
            full = "no space left" in errors.lower()
            raise Trouble("disk_full" if full else "dump_failed", f"pg_dump {name}: {complaint(errors)}")
        os.fsync(handle.fileno())
