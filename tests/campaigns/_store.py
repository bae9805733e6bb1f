"""A store made by the role, and a host that backs up to it over SSH and may fall into other hands.

The agents are restic with a key made on the host, so that an attack has what root of a real host has: key and password.
"""

from __future__ import annotations

import json
import os
import shlex
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from provisioner.lab.engine import cache_folder

if TYPE_CHECKING:
    from tests.conftest import LabMachine

CHECKOUT = Path(__file__).resolve().parents[2]
VAULT_PASSWORD = "the-password-of-the-vault"
KEEP = {"hourly": 24, "daily": 7}

HELPERS = r"""
set -u
export RESTIC_PROGRESS_FPS=0.1
come="ssh -F none -o IdentitiesOnly=yes -o BatchMode=yes -o UserKnownHostsFile=/root/known"
repo() { # AGENT CLIENT WORDS...
  restic --no-cache -q -r rclone:x -o rclone.program="$come -i /root/$1 backup-$2@$STORE" \
    --password-file "/root/$1.password" "${@:3}"
}
door() { # AGENT CLIENT: a socket that speaks HTTP/2 with the store
  socat "UNIX-LISTEN:/run/$1.sock,fork" EXEC:"$come -i /root/$1 backup-$2@$STORE" 2>/dev/null & door=$!
  until test -S "/run/$1.sock"; do sleep 0.05; done
}
ask() { # AGENT PATH CURL...: the status of the answer
  curl -s -m 60 -o /dev/null -w '%{http_code}\n' --http2-prior-knowledge --unix-socket "/run/$1.sock" "${@:3}" "http://x/$2"
}
shut() { kill $door; rm -f "/run/$1.sock"; }
"""


RESTORED = r"""
import hashlib, json, pathlib, shutil, subprocess, sys, tempfile

place, password = sys.argv[1:]
restic = ["restic", "--no-cache", "--no-lock", "-r", place, "--password-file", password]
found, empty = {}, pathlib.Path(tempfile.mkdtemp(), "empty")
for each in json.loads(subprocess.run([*restic, "snapshots", "--json"], capture_output=True).stdout or "null") or ():
    shutil.rmtree(empty, ignore_errors=True)
    done = subprocess.run([*restic, "restore", "--verify", each["id"], "--target", str(empty)], capture_output=True)
    digest = hashlib.sha256()
    for path in sorted(empty.rglob("*")):
        digest.update(f"{path.relative_to(empty)}\0".encode() + (path.read_bytes() if path.is_file() else b""))
    found[each.get("original") or each["id"]] = "lost" if done.returncode else digest.hexdigest()
shutil.rmtree(empty.parent)
print(json.dumps(found))
"""
"""Restores each snapshot of a repository into an empty place, and prints the digest of the tree by its source's id."""


@dataclass(frozen=True)
class Host:
    """The host of the agents, and the address of the store as the host sees it."""

    machine: LabMachine
    store: str

    def run(self, script: str, *, check: bool = True) -> str:
        """Run a script with the HELPERS as root; return what it wrote to its standard output."""
        whole = f"STORE={self.store}\n{HELPERS}\n{script}"
        engine, container = self.machine.engine, self.machine.running.container
        done = engine.attempt("exec", "-i", container, "bash", "-s", given=whole, seconds=600)
        assert not check or done.returncode == 0, f"{script}: {done.stdout}{done.stderr}"
        return done.stdout

    def copy(self, store: LabMachine, folder: str, to: str) -> None:
        """Copy a folder of the store to the host, as one may who can read all of it over the door."""
        engine = self.machine.engine
        read = [*engine.command, "exec", store.running.container, "tar", "-C", folder, "-cf", "-", "."]
        packed = subprocess.run(read, capture_output=True, check=True).stdout
        write = [*engine.command, "exec", "-i", self.machine.running.container, "sh", "-c"]
        subprocess.run([*write, f"mkdir -p {to}; tar -C {to} -xf -"], input=packed, check=True)

    def put(self, path: str, content: bytes) -> None:
        """Write a file on the host."""
        command = [*self.machine.engine.command, "exec", "-i", self.machine.running.container, "sh", "-c"]
        subprocess.run([*command, f"mkdir -p $(dirname {path}); cat > {path}"], input=content, check=True)


@dataclass(frozen=True)
class Agent:
    """An agent of a client: what it does, what the store says of it, and what its vault gives back."""

    host: Host
    store: LabMachine
    client: str
    name: str

    @property
    def inbox(self) -> str:
        return f"/srv/backup/{self.client}/inbox/{self.name}"

    @property
    def vault(self) -> str:
        return f"/srv/backup/{self.client}/vault/{self.name}"

    def restic(self, *words: str) -> str:
        return self.host.run(f"repo {self.name} {self.client} {shlex.join(words)}")

    def save(self, text: str, *words: str) -> None:
        """Back up a tree that has `text` in it, and 300 kB that nothing can compress."""
        tree = f"/data/{self.name}"
        self.host.run(
            f"mkdir -p {tree}; echo {shlex.quote(text)} > {tree}/text; head -c 300000 /dev/urandom > {tree}/r"
        )
        self.restic("backup", *words, tree)

    def ask(self, path: str, *words: str) -> str:
        """Send one request to the store by hand; return the status of the answer."""
        script = f"door {self.name} {self.client}; ask {self.name} {path} {shlex.join(words)}; shut {self.name}"
        return self.host.run(script).strip()

    def round(self) -> dict[str, Any]:
        """Let the store do its round; return the status it leaves."""
        job = "python3 /usr/local/lib/provisioner/backup_store.py"
        self.store.shell(f"{job} vault --client {self.client} --agent {self.name}")
        found = json.loads(self.store.shell(f"cat /var/lib/provisioner/store/{self.client}/{self.name}.json"))
        assert isinstance(found, dict)
        return found

    def dismiss(self, *snapshots: str) -> None:
        job = "python3 /usr/local/lib/provisioner/backup_store.py"
        named = f"--client {self.client} --agent {self.name} --snapshot {' '.join(snapshots)}"
        self.store.shell(f"{job} dismiss {named}")

    def restored(self, *, inbox: bool = False) -> dict[str, str]:
        """Restore every snapshot of the vault (or the inbox) into an empty place; digest of its files, by source id.

        What cannot be restored wholly is "lost".
        """
        place = self.inbox if inbox else self.vault
        password = f"inbox/{self.name}" if inbox else "vault_password"
        words = ("python3", "-", place, f"/etc/provisioner/store/{self.client}/{password}")
        engine, container = self.store.engine, self.store.running.container
        found = json.loads(engine.call("exec", "-i", container, *words, given=RESTORED, seconds=600))
        assert isinstance(found, dict)
        return found


def codes(status: dict[str, Any]) -> list[str]:
    return sorted(each["code"] for each in status["problems"])


def make_host(machine: LabMachine, store: LabMachine) -> Host:
    """Install what an agent and an attacker need, and pin the store's key."""
    machine.shell(
        "apt-get -qq update; apt-get -qq -y --no-install-recommends install restic curl socat >/dev/null 2>&1"
    )
    address = store.shell("hostname -I").split()[0]
    machine.shell(f"echo '{address} {store.running.host_key}' > /root/known")
    return Host(machine, address)


def configure(host: Host, store: LabMachine, clients: dict[str, tuple[str, tuple[str, ...]]], folder: Path) -> None:
    """Make the store for each client, given (quota, names of agents), by the role; the keys are made on the host."""
    store.shell("for n in $(seq 0 127); do test -e /dev/loop$n || mknod -m 660 /dev/loop$n b 7 $n; done")
    machine = {"ansible_connection": "containers.podman.podman", "ansible_host": store.running.container,
               "ansible_python_interpreter": "/usr/bin/python3"}  # fmt: skip
    hosts: dict[str, dict[str, str]] = {"store": machine}
    roles = []
    for client, (quota, names) in clients.items():
        agents = [{"name": name, "keep": KEEP} for name in names]
        asked = {"client": client, "quota": quota, "vault_password": VAULT_PASSWORD, "agents": agents}
        roles.append({"role": "backup_store", **{f"backup_store_{key}": value for key, value in asked.items()}})
        for name in names:
            make = (
                f"ssh-keygen -q -t ed25519 -N '' -C '' -f /root/{name}; echo password-of-{name} > /root/{name}.password"
            )
            key = host.run(f"{make}; cat /root/{name}.pub").strip()
            hosts[name] = {"backup_agent_public_key": key, "backup_agent_password": f"password-of-{name}"}
    facts = {"gather_facts": True, "gather_subset": ["!all", "!min", "distribution", "virtual"]}
    (folder / "hosts.json").write_text(json.dumps({"all": {"hosts": hosts}}))
    (folder / "play.json").write_text(json.dumps([{"hosts": "store", **facts, "roles": roles}]))
    _ansible(["-i", str(folder / "hosts.json"), str(folder / "play.json")], store)


def _ansible(words: list[str], store: LabMachine) -> None:
    program = Path(sys.executable).with_name("ansible-playbook")
    engine = store.engine.environment(cache_folder(os.environ) / "bin")
    environment = {**os.environ, **engine, "ANSIBLE_ROLES_PATH": str(CHECKOUT / "roles"), "ANSIBLE_PIPELINING": "1"}
    done = subprocess.run([program, *words], env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout[-6000:] + done.stderr[-2000:]
