#!/usr/bin/python3
# Copyright the provisioner authors. SPDX-License-Identifier: Apache-2.0
"""The jobs of a store of backups. Standard library only; the role backup_store installs it.

    backup_store.py vault --client acme [--agent ws-01]
        check the inboxes, copy what is sound into the vaults, forget there
    backup_store.py offsite --client acme [--agent ws-01]
        copy the vaults of the site into those of this store
    backup_store.py dismiss --client acme --agent ws-01 --snapshot ID
        somebody has looked at this snapshot: it is never copied, and holds up the others no longer
    backup_store.py read --vault DIR
        the door of an off-site store, a forced command: it may read the vault that it names

The status of each agent is /var/lib/provisioner/store/CLIENT/AGENT.json. What is wrong with an inbox or a vault is told
there, and is no failure of the job. Exit codes: 0 every agent was looked at, 1 not every one, 2 asked for wrongly.
"""

from __future__ import annotations

import argparse
import fcntl
import json
import os
import re
import shlex
import sys
from contextlib import contextmanager
from pathlib import Path

import backup_store_status as status
from backup_store_job import Job, OffSite, Place, Site
from backup_store_restic import Repository

SECRETS = Path("/etc/provisioner/store")
AGENT = re.compile(r"[a-z0-9][a-z0-9.-]{0,252}")
SNAPSHOT = re.compile(r"[0-9a-f]{64}")


def main(words):
    """Given the words of the command line, do one job and return the exit code."""
    wanted = parse(words)
    if wanted.job == "read":
        return read(Path(wanted.vault), os.environ.get("SSH_ORIGINAL_COMMAND", ""))
    asked = json.loads((SECRETS / wanted.client / "agents.json").read_text(encoding="utf-8"))
    agents = [each for each in asked["agents"] if wanted.agent in ("", each["name"])]
    if not agents:
        return refuse(f"{wanted.client} has no agent {wanted.agent or 'at all'} on this store")
    places = [
        Place(Path(asked["root"]), asked["client"], each["name"], each["keep"], asked["reader"]) for each in agents
    ]
    if wanted.job == "dismiss":
        return dismiss(places[0], wanted.snapshot)
    return max(once(place, offsite=wanted.job == "offsite") for place in places)


def parse(words):
    """Return what is asked for; end with 2 when it is not understood."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    jobs = parser.add_subparsers(dest="job", required=True)
    for name in ("vault", "offsite", "dismiss"):
        job = jobs.add_parser(name)
        job.add_argument("--client", required=True)
        job.add_argument("--agent", default="", required=name == "dismiss")
    jobs.choices["dismiss"].add_argument("--snapshot", required=True, nargs="+")
    jobs.add_parser("read").add_argument("--vault", required=True)
    return parser.parse_args(words)


def refuse(sentence):
    """Say why nothing is done; return 2."""
    sys.stderr.write(f"{sentence}\n")
    return 2


@contextmanager
def alone(place):
    """Yield whether this is the only job for an agent, for as long as the block lasts."""
    folder = place.state / "job"
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    with (folder / f"{place.agent}.lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            yield False
        else:
            yield True


def once(place, *, offsite):
    """Do one round for an agent and say in one line how it is; return 1 when another job is at it."""
    with alone(place) as free:
        if not free:
            sys.stderr.write(f"{place.agent}: another job is at it\n")
            return 1
        job: Job = OffSite(place, site_of(place)) if offsite else Site(place)
        job.run()
        said = "; ".join(f"{code}: {text}" for code, text in job.problems.items())
        sys.stdout.write(f"{place.agent}: {said or 'well'}\n")
        return 0


def site_of(place):
    """Return the vault of the site as an off-site store reaches it; the name behind `rclone:` is the agent's."""
    folder = place.secrets
    site = json.loads((folder / "site.json").read_text(encoding="utf-8"))
    options = ("IdentitiesOnly=yes", "BatchMode=yes", "StrictHostKeyChecking=yes", "ConnectTimeout=30")
    words = ["ssh", "-F", "none", "-i", str(folder / "id_ed25519"), "-p", str(site["port"])]
    for option in (*options, f"UserKnownHostsFile={folder / 'known_hosts'}", "GlobalKnownHostsFile=/dev/null"):
        words += ["-o", option]
    program = shlex.join([*words, f"{site['user']}@{site['host']}"])
    return Repository(f"rclone:{place.agent}", folder / "site_password", ("-o", f"rclone.program={program}"))


def dismiss(place, snapshots):
    """Note that somebody has looked at snapshots in doubt: they are not copied, and no longer hold up the others."""
    wrong = [each for each in snapshots if not SNAPSHOT.fullmatch(each)]
    if wrong:
        return refuse(f"expected the 64 hexadecimal digits of a snapshot, found {', '.join(wrong)}")
    with alone(place) as free:
        if not free:
            return refuse(f"a job is at {place.agent}; try again when it has ended")
        job = Site(place)
        job.memory["aside"] |= dict.fromkeys(snapshots, status.text_of(job.now))
        status.write(job.memory_file, job.memory)
    return 0


def read(vault, asked):
    """Become the rclone that serves the vault that the other side named; it has no right to write there."""
    agent = (asked.split() or [""])[-1]
    if not AGENT.fullmatch(agent) or not (vault / agent).is_dir():
        return refuse("expected the name of an agent whose vault is here")
    serve = ("serve", "restic", "--stdio", "--append-only", str(vault / agent))
    os.execv("/usr/bin/rclone", ["rclone", "--config", "", *serve])


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
