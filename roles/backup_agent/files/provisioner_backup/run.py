# Copyright the provisioner authors. SPDX-License-Identifier: Apache-2.0
"""One backup, from the lock to the last word about it."""

from __future__ import annotations

import json
import os
import shutil
import signal
import time
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field

from provisioner_backup import canary, databases, manifest, restic, status
from provisioner_backup.exclusions import Exclusions, pseudo_mounts
from provisioner_backup.settings import Settings, Trouble, door
from provisioner_backup.survey import Files, second_look, survey
from provisioner_backup.walk import lacking, walk

EXIT = {"completed": 0, "failed": 1, "incomplete": 3}
BUSY = 75


class Killed(Exception):
    """Somebody asked this run to end."""


@dataclass(frozen=True)
class Machine:
    """What a run takes from its surroundings.

    `now` returns an aware datetime, `new_id` 32 hex digits, `repository` the Repository of settings and places, and
    `mounts` is the text of /proc/self/mountinfo.
    """

    places: object
    now: object
    new_id: object
    mounts: str = ""
    repository: object = lambda settings, places: restic.Repository(tuple(door(settings, places)), places.work / "tmp")
    access: databases.Access = field(default_factory=databases.Access)


def stamp(instant):
    """Return an aware datetime as status.json writes it."""
    return instant.strftime("%Y-%m-%dT%H:%M:%SZ")


@contextmanager
def ended_by_signals():
    """Turn SIGINT and SIGTERM into Killed, once: what cleans up afterwards is not interrupted again."""

    def killed(number, _frame):
        for each in (signal.SIGINT, signal.SIGTERM):
            signal.signal(each, signal.SIG_IGN)
        raise Killed(f"ended by {signal.Signals(number).name}")

    before = {each: signal.signal(each, killed) for each in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for each, handler in before.items():
            signal.signal(each, handler)


def run(machine):
    """Do one backup; return the exit code: 0 completed, 1 failed, 3 incomplete, 75 when another run is under way.

    status.json says the same in words, whatever happens: at first that a run is under way.
    """
    places = machine.places
    try:
        with status.lock(places), ended_by_signals():
            earlier = status.last(places)
            begun = time.monotonic()
            said = first_words(machine, earlier)
            try:
                status.write(places, said)
                status.reserve(places)
                Backup(machine, said, unclean=bool(earlier) and earlier["state"] == "failed").do()
            except Trouble as problem:
                said |= {"state": "failed", "reason": problem.reason, "text": str(problem)}
            except Killed as problem:
                said |= {"state": "failed", "reason": "killed", "text": str(problem)}
            except OSError as problem:
                full = problem.errno in status.FULL
                said |= {"state": "failed", "reason": "disk_full" if full else "agent", "text": str(problem)[:200]}
            for each in (signal.SIGINT, signal.SIGTERM):
                signal.signal(each, signal.SIG_IGN)
            now = stamp(machine.now())
            said |= {"ended": now, "clock": now, "seconds": round(time.monotonic() - begun)}
            tidy(places)
            status.write(places, said)
            with suppress(OSError):
                status.publish(places, said)
            print(f"{said['state']} {said['reason']} {said['text']}".strip())
            return EXIT[said["state"]]
    except status.Busy:
        print("another run is under way; nothing was done")
        return BUSY


def first_words(machine, earlier):
    """Return the status of a run that begins."""
    now = stamp(machine.now())
    said = {"v": 1, "run": machine.new_id(), "counter": earlier["counter"] + 1 if earlier else 1, "begun": now}
    said |= {"ended": None, "state": "running", "reason": "", "text": "", "missing": [], "unreadable": 0}
    said |= {"snapshot": None, "manifest": None, "manifest_snapshot": None, "files": 0, "bytes": 0, "added": 0}
    return {**said, "seconds": 0, "restic": "", "clock": now}


def tidy(places):
    """Remove what only a run that lasts has: copies of databases above all."""
    for folder in (places.dumps, places.work / "tmp"):
        shutil.rmtree(folder, ignore_errors=True)


class Backup:
    """One backup: `said` is its status, which it completes."""

    def __init__(self, machine, said, *, unclean):
        """Keep what it needs; `unclean` when the run before did not end well."""
        self.places, self.machine, self.said, self.unclean = machine.places, machine, said, unclean
        self.settings = Settings.read(self.places.settings / "config.json")
        self.repository = machine.repository(self.settings, self.places)
        self.dump_problem = None

    def do(self):
        """Do it all; raise Trouble when there is no snapshot, or one that lacks a dump."""
        said = self.said
        said["restic"] = self.repository.version()
        exclusions = self._exclusions()
        lacks = lacking(self.settings.paths, exclusions)
        said["missing"] = list(lacks)
        present = [path for path in self.settings.paths if path not in lacks]
        if not present:
            raise Trouble("missing_path", f"nothing to back up: {words(lacks) or 'no path is configured'}")
        self._fresh_folders()
        self._open()
        self._dump()
        canary.write(self.places.canary, self.settings.seed, counter=said["counter"])
        roots = [*present, str(self.places.canary), str(self.places.dumps)]
        lacks |= lacking(roots[-2:], exclusions)
        said["missing"] = list(lacks)
        code = self._save(roots, exclusions)
        self._judge(lacks, code)

    def _exclusions(self):
        try:
            inside = [path.rstrip("/") + "/" for path in self.settings.paths]
            mounts = [one for one in pseudo_mounts(self.machine.mounts) if any(f"{one}/".startswith(p) for p in inside)]
            apart = [*map(str, self.places.own), *mounts]
            return Exclusions(self.settings.exclude, roots=self.settings.paths, apart=apart)
        except ValueError as problem:
            raise Trouble("agent", str(problem)) from None

    def _fresh_folders(self):
        tidy(self.places)
        for folder in (self.places.dumps, self.places.work / "tmp"):
            folder.mkdir(mode=0o700)

    def _call(self, *arguments):
        answer = self.repository.call(*arguments)
        if answer.code or answer.given_up:
            raise Trouble(*restic.reason(answer))
        return answer

    def _open(self):
        """Find the repository, make it where there is none yet, and take back a lock that an earlier run left.

        A store that had our repository and has another one, or none, is not taken for a new one.
        """
        note = self.places.work / "repository.json"
        at = "{user}@{host}:{port} {host_key}".format(**self.settings.store)
        known = {}
        with suppress(OSError, ValueError):
            known = json.loads(note.read_bytes())
        known = known if known.get("at") == at else {}
        answer = self.repository.call("cat", "config")
        new = answer.code and any(restic.NO_REPOSITORY.search(line) for line in answer.complaints)
        if new and not known:
            self._call("init")
            answer = self._call("cat", "config")
        elif new or answer.code or answer.given_up:
            reason, text = restic.reason(answer)
            raise Trouble(
                reason, f"the store lost this machine's repository; restore it, or remove {note}" if new else text
            )
        found = json.loads("\n".join(answer.lines))["id"]
        if known.get("id", found) != found:
            raise Trouble("restic", f"the store has another repository than it had; if that is right, remove {note}")
        status.put(note, json.dumps({"at": at, "id": found}), note.with_suffix(".new"))
        if self.unclean:
            self._call("unlock")

    def _dump(self):
        """Dump the databases; what fails here is told at the end, after the files were saved."""
        try:
            databases.dump(self.settings.databases, self.places.dumps, access=self.machine.access)
        except Trouble as problem:
            if problem.reason == "disk_full":
                raise
            self.dump_problem = problem

    def _save(self, roots, exclusions):
        """Write the manifest, save everything, look again, save the manifest; return restic's exit code: 0 or 3."""
        said, work = self.said, self.places.work
        files = Files(work / "manifest", work / "marks")
        tree = walk([os.fsencode(root) for root in roots], exclusions)
        head = manifest.header(said["run"], counter=said["counter"], begun=said["begun"], paths=roots)
        said["unreadable"] = survey(tree, files, head=head)
        excluded = [word for pattern in exclusions.patterns for word in ("--exclude", pattern)]
        answer = self._back_up(*excluded, "--", *roots)
        summary = next(one for one in answer.messages if one.get("message_type") == "summary")
        said |= {"files": summary["total_files_processed"], "bytes": summary["total_bytes_processed"]}
        said["added"] = summary["data_added"]
        said["unreadable"] = max(said["unreadable"], len(answer.unreadable))
        said["manifest"], _ = second_look(files, finished=self.places.manifest)
        self._back_up("--tag", "manifest", "--", str(self.places.manifest))
        self._find_snapshots()
        return answer.code

    def _back_up(self, *arguments):
        tag = f"run:{self.said['run']}"
        answer = self.repository.call("backup", "--json", "--host", self.settings.agent, "--tag", tag, *arguments)
        if answer.code not in (0, 3) or answer.given_up:
            raise Trouble(*restic.reason(answer))
        return answer

    def _find_snapshots(self):
        """Ask the store which snapshots it has of this run: its word counts, not that of the program that sent them."""
        answer = self._call("snapshots", "--json", "--tag", f"run:{self.said['run']}")
        for one in json.loads("\n".join(answer.lines)) or []:
            self.said["manifest_snapshot" if "manifest" in one["tags"] else "snapshot"] = one["id"]
        if not (self.said["snapshot"] and self.said["manifest_snapshot"]):
            raise Trouble("restic", "restic ended well, yet the store lists no snapshot of this run")

    def _judge(self, lacks, code):
        """Say what a run with a snapshot and a manifest in the store is worth."""
        if self.dump_problem:
            raise self.dump_problem
        unreadable = self.said["unreadable"]
        if lacks:
            self.said |= {"state": "incomplete", "reason": "missing_path", "text": words(lacks)}
        elif code or unreadable:
            text = f"{unreadable or 'some'} objects could not be read"
            self.said |= {"state": "incomplete", "reason": "unreadable", "text": text}
        else:
            self.said |= {"state": "completed"}


def words(lacks):
    """Return why paths are not backed up, on one line."""
    return "; ".join(f"{path} {why}" for path, why in lacks.items())[:200]
