# Copyright the provisioner authors. SPDX-License-Identifier: Apache-2.0
"""Load the database dumps of a restored tree into a PostgreSQL cluster that lives as long as the drill, and count rows.

The cluster listens on a socket in the drill's folder and nowhere else; nobody but its own user reaches it. A dump may
come from a machine that was broken into: it is loaded as a role that is no superuser, so nothing in it is a program.
"""

from __future__ import annotations

import glob
import json
import os
import pwd
import re
import shutil
import subprocess
import time

from ansible.module_utils.backup_restic import Red

OWNER, ROLE = "postgres", "drill"
PLAIN = ("--no-owner", "--no-privileges", "--exit-on-error")
TABLES = (
    "SELECT json_object_agg(quote_ident(schemaname) || '.' || quote_ident(tablename), (xpath('/row/n/text()', "
    "query_to_xml(format('SELECT count(*) AS n FROM %I.%I', schemaname, tablename), false, true, '')))"
    "[1]::text::bigint) "
    "FROM pg_tables WHERE schemaname !~ '^pg_' AND schemaname <> 'information_schema'"
)
"""Rows by table: one question for all tables of a database, as the agent asks it."""


def load_dumps(tree, agent_state, folder, deadline):
    """Given a restored tree, load each dump that its counts name and return what became of it, by name.

    `text` is empty when all was loaded and every table has as many rows as when it was dumped. Raises Red where there
    are dumps and no PostgreSQL to load them into, or the time is over.
    """
    dumps = f"{tree}{agent_state}/dumps"
    try:
        with open(f"{dumps}/counts.json", encoding="utf-8") as file:
            counts = json.load(file)
    except FileNotFoundError:
        counts = {}
    left = sorted(name for name in os.listdir(dumps)) if os.path.isdir(dumps) else []
    odd = [name for name in left if name != "counts.json" and name.removesuffix(".dump") not in counts]
    if odd:
        raise Red("database", f"dumps that no count tells of: {', '.join(odd)[:200]}")
    if not counts:
        return []
    with _Cluster(folder, deadline) as cluster:
        return [_load(cluster, name, f"{dumps}/{name}.dump", rows) for name, rows in sorted(counts.items())]


def _load(cluster, name, dump, rows):
    told = {"name": name, "tables": len(rows), "rows": sum(rows.values()), "text": ""}
    if not re.fullmatch(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,62}", name) or not os.path.isfile(dump):
        return told | {"text": "there is no dump of it"}
    try:
        with open(dump, "rb") as given:
            cluster.run("createdb", f"--username={OWNER}", f"--owner={ROLE}", "--template=template0", "--", name)
            cluster.run("pg_restore", *PLAIN, f"--username={ROLE}", f"--dbname={name}", given=given)
            found = json.loads(cluster.run("psql", "-XAtq", "-U", ROLE, "-d", name, "-c", TABLES) or "null") or {}
    except Red as red:
        if red.code == "overrun":
            raise
        return told | {"text": red.text}
    wrong = sorted(table for table in rows.keys() | found.keys() if rows.get(table) != found.get(table))
    if wrong:
        text = "; ".join(f"{table}: {rows.get(table)} rows dumped, {found.get(table)} loaded" for table in wrong[:5])
        told["text"] = f"{len(wrong)} tables differ: {text}"
    return told


class _Cluster:
    """A server of its own user, in the drill's folder; a context."""

    def __init__(self, folder, deadline):
        self.home, self.deadline = os.path.join(folder, "postgresql"), deadline
        places = sorted(glob.glob("/usr/lib/postgresql/*/bin"), key=lambda path: int(path.split("/")[4]))
        if not places:
            raise Red("no_postgresql", "the backup has database dumps, and there is no PostgreSQL here to load them")
        self.programs = places[-1]

    def __enter__(self):
        user = pwd.getpwnam(OWNER)
        os.mkdir(self.home, 0o700)
        os.chown(self.home, user.pw_uid, user.pw_gid)
        os.chmod(os.path.dirname(self.home), 0o711)  # its user must get through, and may list nothing
        words = ("--auth=trust", f"--username={OWNER}", "--no-sync", "--encoding=UTF8", "--locale=C.UTF-8")
        self.run("initdb", *words, f"--pgdata={self.home}/data")
        options = f"-c listen_addresses='' -c unix_socket_directories={self.home} -c fsync=off -c full_page_writes=off"
        try:
            start = ("--wait", f"--pgdata={self.home}/data", f"--log={self.home}/log", f"--options={options}", "start")
            self.run("pg_ctl", *start)
            self.run("createuser", f"--username={OWNER}", "--no-superuser", "--no-createrole", "--no-createdb", ROLE)
        except BaseException:
            self._stop()
            raise
        return self

    def __exit__(self, *_error):
        self._stop()
        os.chmod(os.path.dirname(self.home), 0o700)
        shutil.rmtree(self.home)

    def _stop(self):
        words = [f"{self.programs}/pg_ctl", "--wait", "--mode=immediate", f"--pgdata={self.home}/data", "stop"]
        subprocess.run(self._as(words), capture_output=True, timeout=120, check=False, cwd="/")

    def _as(self, words):
        clean = ["env", "-i", "LC_ALL=C.UTF-8", f"PGHOST={self.home}", "PATH=/usr/bin:/bin"]
        return ["runuser", "-u", OWNER, "--", *clean, *words]

    def run(self, program, *words, given=None):
        """Run one of PostgreSQL's programs and return what it said; raise Red when it fails or is late."""
        left = self.deadline - time.monotonic()
        command = self._as([f"{self.programs}/{program}", *words])
        try:
            done = subprocess.run(
                command, stdin=given or subprocess.DEVNULL, capture_output=True, timeout=max(left, 0.1), check=False,
                cwd="/",
            )  # fmt: skip
        except subprocess.TimeoutExpired:
            raise Red("overrun", f"{program} did not end within the time limit") from None
        if done.returncode:
            lines = done.stderr.decode("utf-8", "replace").strip().splitlines() or ["no reason given"]
            why = next((line for line in lines if "error:" in line.lower()), lines[-1])
            raise Red("database", f"{program} ended with {done.returncode}: {why[:300]}")
        return done.stdout.decode("utf-8")
