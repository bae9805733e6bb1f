"""A client whose files hold forty secrets, and a copy of the checkout with a role that tells all it is given."""

from __future__ import annotations

import base64
import json
import secrets
import shutil
import subprocess
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml
from tests.campaigns._secrets import Secret, plant, plant_key

if TYPE_CHECKING:
    from collections.abc import Collection

    from tests.acceptance.conftest import Desk

CHECKOUT = Path(__file__).resolve().parents[2]

ODD = 'Zq{}/+"é'
"""A shape that every encoding changes."""

VARIABLES = ("DB_PASSWORD", "AWS_SECRET_ACCESS_KEY", "ANSIBLE_BECOME_PASS", "VAULT_TOKEN", "SSH_PASSPHRASE", "API_KEY")

COUNTED = {
    "connection": (1, ODD),
    "become": (1, ODD),
    "vault": (1, ODD),
    "wifi": (4, 'Zq{}/+" w'),
    "hash": (2, "$6$salt$ZqZq/{}"),
    "word": (10, ODD),
    "mapping": (4, ODD),
    "nested": (4, ODD),
    "line": (3, "token=Zq{}"),
    "certificate": (1, "-----BEGIN KEY-----\n{}\n-----END KEY-----\n"),
    "variable": (6, ODD),
}


def plant_all() -> dict[str, Secret]:
    """Forty secrets by kind: those of COUNTED, two keys of WireGuard, and a number."""
    names = [(kind, index) for kind, (count, _) in COUNTED.items() for index in range(count)]
    made = [plant(f"{kind} {index}", COUNTED[kind][1]) for kind, index in names]
    number = str(10**14 + secrets.randbelow(9 * 10**14))
    made += [plant_key("wireguard 0"), plant_key("wireguard 1"), Secret("number 0", number, number)]
    return {secret.kind: secret for secret in made}


LEAK: dict[str, dict[str, Any]] = {
    "leak_ways": {"type": "list", "elements": "str", "default": []},
    "leak_words": {"type": "list", "elements": "str", "no_log": True, "default": []},
    "leak_mapping": {"type": "dict", "no_log": True, "default": {}},
    "leak_nested": {
        "type": "list",
        "elements": "dict",
        "default": [],
        "options": {"name": {"type": "str"}, "secret": {"type": "str", "no_log": True}},
    },
    "leak_text": {"type": "str", "no_log": True, "default": ""},
    "leak_number": {"type": "int", "no_log": True, "default": 0},
}

EVERY = (
    "leak_words + leak_mapping.values() | list + leak_nested | map(attribute='secret') | list"
    " + leak_text.splitlines() + network_profile_wifi | map(attribute='password') | list"
    " + network_profile_vpn | map(attribute='keyfile') | list"
    " + os_baseline_administrators | map(attribute='password_hash') | list"
    " + [ansible_become_password, ansible_password, leak_number | string]"
)
"""Every secret that the role knows, as a list."""

WAYS = {
    "plain": "item",
    "base64": "item | b64encode",
    "inside base64": "('technician:' ~ item) | b64encode",
    "url": "item | urlencode",
    "json": "[item] | to_json",
    "hex": "item.encode('utf-8').hex()",
}
"""How the role writes a secret down."""


def tasks() -> list[dict[str, Any]]:
    """Tell everything: in the names of tasks, in what is printed, in the table of checks, in what fails."""
    row = {"name": "n", "asked": "{{ leak_words[0] }}", "found": "{{ ansible_become_password }}", "result": "fail"}
    table = {"provisioner_checks": {"ws-01": [row, {**row, "personal": True}]}}
    failing = "leak_ways | length > 0"
    return [
        {"name": "Say {{ leak_words[0] }}", "ansible.builtin.debug": {"msg": "{{ " + EVERY + " }}"}},
        {"name": "Say each", "ansible.builtin.debug": {"msg": "{{ item }}"}, "loop": "{{ leak_words }}"},
        {
            "name": "Leave a table",
            "ansible.builtin.set_stats": {"per_host": False, "data": table},
            "when": failing,
        },
        *(
            {
                "name": f"Fail with all: {way}",
                "ansible.builtin.fail": {"msg": f"{{% for item in {EVERY} %}}{{{{ {text} }}}} {{% endfor %}}"},
                "ignore_errors": True,
                "when": f"'{way}' in leak_ways",
            }
            for way, text in WAYS.items()
        ),
        {
            "name": "Fail with each",
            "ansible.builtin.fail": {"msg": "{{ item }}"},
            "loop": "{{ leak_words }}",
            "ignore_errors": True,
            "when": failing,
        },
        {
            "name": "Fail with {{ leak_words[1] }}",
            "ansible.builtin.fail": {"msg": "it is {{ leak_words[2] }}, {{ ansible_become_password }}"},
            "when": failing,
        },
    ]


def copy_checkout(folder: Path, *, roles: Collection[str]) -> None:
    """Copy what a run needs of the checkout, the telling role first in the play, then these `roles`, or all of them."""
    for name in ("src", "playbooks", "roles"):
        shutil.copytree(CHECKOUT / name, folder / name, ignore=shutil.ignore_patterns("molecule", "__pycache__"))
    shutil.copy(CHECKOUT / "tasks.py", folder)
    for part, content in {
        "meta/argument_specs.yml": {"argument_specs": {"main": {"options": LEAK}}},
        "defaults/main.yml": {name: option["default"] for name, option in LEAK.items() if "default" in option},
        "tasks/main.yml": tasks(),
    }.items():
        path = folder / "roles" / "leak" / part
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(content))
    playbook = folder / "playbooks" / "workstation_setup.yml"
    (play,) = yaml.safe_load(playbook.read_text())
    kept = [role for role in play["roles"] if role["role"] in roles or not roles]
    playbook.write_text(json.dumps([{**play, "roles": [{"role": "leak", "tags": ["leak"]}, *kept]}]))


@dataclass
class Site:
    """A desk whose client holds the secrets: folders of its own for the home, temporary files and what is typed."""

    desk: Desk
    root: Path
    scratch: Path
    planted: dict[str, Secret] = field(default_factory=plant_all)
    said: list[str] = field(default_factory=list)
    seconds: list[float] = field(default_factory=list)

    @property
    def searched(self) -> tuple[Path, ...]:
        """Where nothing may be left: the state folder, the home, temporary files."""
        return self.desk.state, self.root / "home", self.scratch

    def texts(self, kind: str) -> list[str]:
        """The texts of the secrets of a kind, in order."""
        return [secret.text for name, secret in self.planted.items() if name.rpartition(" ")[0] == kind]

    def write(self, *ways: str, port: int) -> None:
        """Write the client's files; the machine's role fails in these ways, or not at all."""
        self.desk.hosts = {"kiosks": self.desk.hosts["kiosks"]}
        self.desk.add("workstations", "ws-01", port, leak_ways=list(ways))
        self.desk.write()
        hosts = json.loads((self.desk.client / "hosts.yml").read_text())
        hosts["all"]["vars"] = {"ansible_user": "technician"}
        (self.desk.client / "hosts.yml").write_text(json.dumps(hosts))

    def write_secrets(self) -> None:
        """Write the secrets into vault files of the group and of the machine, and the vault's password beside."""
        (self.root / "vault").write_text(self.texts("vault")[0] + "\n")
        for path, content in {
            "group_vars/all/vault.yml": self.of_all(),
            "host_vars/ws-01/vault.yml": self.own(),
        }.items():
            target = self.desk.client / path
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_text(json.dumps(content, ensure_ascii=False))
            command = [str(Path(sys.executable).with_name("ansible-vault")), "encrypt", str(target)]
            command += ["--vault-password-file", str(self.root / "vault")]
            subprocess.run(command, check=True, capture_output=True)

    def of_all(self) -> dict[str, Any]:
        """What every machine has."""
        public = base64.b64encode(bytes(32)).decode()
        profile = "[connection]\nid={name}\ntype=wireguard\ninterface-name={name}\n[wireguard]\nprivate-key={key}\n"
        profile += f"[wireguard-peer.{public}]\nallowed-ips=192.0.2.0/24;\n"
        keys, files = self.texts("wireguard"), {"ca.pem": self.texts("certificate")[0]}
        return {
            "ansible_become_password": self.texts("become")[0],
            "ansible_password": self.texts("connection")[0],
            "network_profile_wifi": [
                {"name": f"office-{index}", "ssid": "Office", "password": text}
                for index, text in enumerate(self.texts("wifi"))
            ],
            "network_profile_vpn": [
                {"name": "site", "keyfile": profile.format(name="site", key=keys[0]), "files": files},
                {"name": "home", "keyfile": profile.format(name="home", key=keys[1]), "files": {}},
            ],
        }

    def own(self) -> dict[str, Any]:
        """What one machine has."""
        key = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIAABAgMEBQYHCAkKCwwNDg8QERITFBUWFxgZGhscHR4f admin"
        return {
            "os_baseline_administrators": [
                {"name": f"admin{index}", "keys": [key], "password_hash": text}
                for index, text in enumerate(self.texts("hash"))
            ],
            "leak_words": self.texts("word"),
            "leak_mapping": {f"key{index}": text for index, text in enumerate(self.texts("mapping"))},
            "leak_nested": [{"name": "n", "secret": text} for text in self.texts("nested")],
            "leak_text": "\n".join(self.texts("line")),
            "leak_number": int(self.texts("number")[0]),
        }

    def command(self, *words: str) -> dict[str, Any]:
        """What runs `invoke WORDS` in the copy of the checkout, with secrets in its environment."""
        command, environment = self.desk.command(*words)
        own = {
            "HOME": str(self.root / "home"),
            "TMPDIR": str(self.scratch),
            "PYTHONPATH": str(self.root / "checkout" / "src"),
            "PYTHONDONTWRITEBYTECODE": "1",
            "PROVISIONER_VAULT_PASSWORD_FILE": str(self.root / "vault"),
            **dict(zip(VARIABLES, self.texts("variable"), strict=True)),
        }
        return {
            "args": command,
            "env": {**environment, **own},
            "cwd": self.root / "checkout",
            "stdin": subprocess.DEVNULL,
        }

    def invoke(self, *words: str) -> int:
        """Type `invoke WORDS`, keep what it said, return its exit code."""
        began = time.monotonic()
        done = subprocess.run(**self.command(*words), capture_output=True, text=True, timeout=600, check=False)
        self.seconds.append(time.monotonic() - began)
        self.said.append(done.stdout + done.stderr)
        return done.returncode


def make_site(desk: Desk, scratch: Path, *, roles: Collection[str]) -> Site:
    """Set a site up at a desk; `scratch` is for temporary files, a short path; `roles` as for `copy_checkout`."""
    site = Site(desk, desk.folder / "site", scratch)
    (site.root / "home").mkdir(parents=True)
    (site.root / "checkout").mkdir()
    copy_checkout(site.root / "checkout", roles=roles)
    site.write_secrets()
    return site
