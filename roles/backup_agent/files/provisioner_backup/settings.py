# Copyright the provisioner authors. SPDX-License-Identifier: Apache-2.0
"""Where the agent keeps things, and what it was asked to do."""

from __future__ import annotations

import json
import shlex
from dataclasses import dataclass
from pathlib import Path


class Trouble(Exception):
    """A run cannot go on: `reason` is one of the words of status.json, the text says it to a person."""

    def __init__(self, reason, text):
        super().__init__(text)
        self.reason = reason


@dataclass(frozen=True)
class Places:
    """The two folders of the agent: what the role wrote, and what the agent writes; and that of node_exporter."""

    settings: Path = Path("/etc/provisioner/backup")
    state: Path = Path("/var/lib/provisioner/backup")
    metrics: Path = Path("/var/lib/prometheus/node-exporter")

    @property
    def status(self):
        """How the last run went."""
        return self.state / "status.json"

    @property
    def completed(self):
        """How the last run that completed went: what status.json said then."""
        return self.state / "completed.json"

    @property
    def manifest(self):
        """What the last run saw."""
        return self.state / "manifest.jsonl"

    @property
    def canary(self):
        """Files whose content the controller knows beforehand."""
        return self.state / "canary"

    @property
    def dumps(self):
        """Dumps of databases, while a run lasts."""
        return self.state / "dumps"

    @property
    def work(self):
        """What a run needs and nobody else: the lock, restic's cache, digests of unchanged files."""
        return self.state / "work"

    @property
    def own(self):
        """What is written while a run reads, and is therefore never backed up."""
        return (self.work, self.status, self.completed, self.manifest)


@dataclass(frozen=True)
class Settings:
    """What config.json asks for. `store` is {host, port, user, host_key}, `databases` a list of {name, kind}."""

    agent: str
    store: dict
    paths: tuple
    exclude: tuple
    databases: tuple
    seed: bytes

    @classmethod
    def read(cls, path):
        """Given config.json, return what it asks for; raise Trouble when it is no such file."""
        try:
            said = json.loads(path.read_bytes())
            return cls(
                agent=str(said["agent"]),
                store={key: said["store"][key] for key in ("host", "port", "user", "host_key")},
                paths=tuple(map(str, said["paths"])),
                exclude=tuple(map(str, said["exclude"])),
                databases=tuple({"name": str(one["name"]), "kind": str(one["kind"])} for one in said["databases"]),
                seed=bytes.fromhex(said["seed"]),
            )
        except (OSError, ValueError, KeyError, TypeError) as problem:
            raise Trouble(
                "agent", f"{path} cannot be used ({problem!r}); configure this machine's backup anew"
            ) from None


def door(settings, places):
    """Return restic's words for the repository behind the store's forced command.

    The password is named by its file: no process list shows it. A store that no longer answers is noticed by ssh.
    """
    options = (
        ("BatchMode", "yes"),
        ("ConnectTimeout", "30"),
        ("GlobalKnownHostsFile", "/dev/null"),
        ("IdentitiesOnly", "yes"),
        ("ServerAliveCountMax", "4"),
        ("ServerAliveInterval", "15"),
        ("StrictHostKeyChecking", "yes"),
        ("UserKnownHostsFile", str(places.settings / "known_hosts")),
    )
    ssh = ["ssh", "-F", "none", "-T", "-i", str(places.settings / "id_ed25519")]
    ssh += [word for key, value in options for word in ("-o", f"{key}={value}")]
    ssh += ["-p", str(settings.store["port"]), f"{settings.store['user']}@{settings.store['host']}"]
    password, cache = str(places.settings / "password"), str(places.work / "cache")
    return [
        "-r",
        "rclone:inbox",
        "-o",
        f"rclone.program={shlex.join(ssh)}",
        "--password-file",
        password,
        "--cache-dir",
        cache,
    ]
