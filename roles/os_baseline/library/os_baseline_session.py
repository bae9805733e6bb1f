#!/usr/bin/python
# Copyright the provisioner authors. SPDX-License-Identifier: Apache-2.0
"""Look at the login in use before anything changes, and refuse a change that would lock it out.

Given `sshd_config` (the drop-in that would be written), `keys` (public keys by account) and `exclusive`, fail with one
sentence if the login in use would not get in after the change; else return

- `ports`: the TCP ports of SSH, that of the session in use included;
- `homes`: the home of each account that exists;
- `firewall`: policy, tcp and udp ports of the live table `inet provisioner`, or {} without one.

It reads only, so check mode sees the same. Without an SSH session (console, container) there is no login to lose.
"""

from __future__ import annotations

import base64
import binascii
import fnmatch
import hashlib
import json
import os
import pwd
import re
import subprocess
import tempfile
from pathlib import Path

from ansible.module_utils.basic import AnsibleModule

SSHD = "/usr/sbin/sshd"
SSHD_CONFIG = Path("/etc/ssh/sshd_config")
INCLUDE = re.compile(r"^\s*Include\s+(\S*/)?sshd_config\.d/\*\.conf", re.MULTILINE | re.IGNORECASE)
ACCEPTED = re.compile(r"Accepted (?P<method>\S+) for (?P<user>\S+) from (?P<address>\S+) port (?P<port>\d+)")
FINGERPRINT = re.compile(r"SHA256:[A-Za-z0-9+/]+")
PASSWORDS = ("password", "keyboard-interactive/pam", "keyboard-interactive")


def run(*command):
    """Return (status, output, errors) of a program; status 127 when it is not on this machine."""
    try:
        done = subprocess.run(
            command, capture_output=True, text=True, check=False, timeout=20, stdin=subprocess.DEVNULL
        )
    except FileNotFoundError:
        return 127, "", f"{command[0]} is not installed"
    return done.returncode, done.stdout, done.stderr


def session():
    """Return the SSH session we run in as `{user, address, port, server, server_port}`, or {}.

    sudo takes SSH_CONNECTION out of our own environment, so the first process above us that has it is asked.
    """
    pid = os.getpid()
    while pid > 1:
        status = Path(f"/proc/{pid}/status").read_text()
        words = Path(f"/proc/{pid}/environ").read_bytes().decode(errors="replace").split("\0")
        environment = dict(word.split("=", 1) for word in words if "=" in word)
        if len(environment.get("SSH_CONNECTION", "").split()) == 4:
            return session_of(environment)
        pid = int(re.search(r"^PPid:\s+(\d+)", status, re.MULTILINE)[1])
    return {}


def session_of(environment):
    """Given an environment with SSH_CONNECTION, return the session."""
    address, port, server, server_port = environment["SSH_CONNECTION"].split()
    user = environment.get("LOGNAME") or environment.get("USER", "")
    return {"user": user, "address": address, "port": port, "server": server, "server_port": int(server_port)}


def how_it_logged_in(login):
    """Return (method, fingerprint) of a session by the journal; ("", "") when the journal no longer knows."""
    _, lines, _ = run(
        "journalctl", "--quiet", "--output=cat", "--reverse", "--lines=1000", "--grep=^Accepted ", "_UID=0"
    )
    return method_in(lines.splitlines(), login)


def method_in(lines, login):
    """Given what sshd logged, newest first, return (method, fingerprint) of the session."""
    for line in lines:
        found = ACCEPTED.search(line)
        if found and (found["user"], found["address"], found["port"]) == (
            login["user"],
            login["address"],
            login["port"],
        ):
            key = FINGERPRINT.search(line)
            return found["method"], key[0] if key else ""
    return "", ""


def effective(candidate, login):
    """Return (settings, problem): what sshd would do for this login with the candidate in front of what it has."""
    main = SSHD_CONFIG.read_text()
    if not INCLUDE.search(main):
        return {}, f"{SSHD_CONFIG} does not include sshd_config.d/*.conf, so the hardening would have no effect."
    about = f"user={login['user']},host={login['address']},addr={login['address']}"
    about += f",laddr={login['server']},lport={login['server_port']}"
    with tempfile.NamedTemporaryFile("w", dir="/run", suffix=".conf") as trial:
        trial.write(candidate + "\n" + main)
        trial.flush()
        status, text, errors = run(SSHD, "-T", "-f", trial.name, "-C", about)
    if status:
        return {}, f"sshd refuses the configuration: {(errors.strip().splitlines() or ['no reason given'])[-1]}"
    return settings(text), ""


def settings(text):
    """Given the output of `sshd -T`, return its settings; a keyword that stands on several lines has a list of all."""
    found = {}
    for line in text.splitlines():
        keyword, _, value = line.partition(" ")
        found.setdefault(keyword, []).append(value)
    return found


def fingerprint(key):
    """Return the SHA256 fingerprint of a public key line as ssh-keygen prints it, or "" if it holds no key."""
    blob = next((word for word in key.split() if word.startswith("AAAA")), "")
    try:
        digest = hashlib.sha256(base64.b64decode(blob, validate=True)).digest()
    except binascii.Error:
        return ""
    return "SHA256:" + base64.b64encode(digest).decode().rstrip("=") if blob else ""


def keys_now(account, patterns):
    """Return the fingerprints of the keys that let an account in, by sshd's AuthorizedKeysFile patterns."""
    found = set()
    for pattern in patterns:
        name = pattern.replace("%h", account.pw_dir).replace("%u", account.pw_name).replace("%%", "%")
        path = Path(account.pw_dir, name)
        lines = path.read_text(errors="replace").splitlines() if path.is_file() else []
        found |= {fingerprint(line) for line in lines if not line.lstrip().startswith("#")}
    return found - {""}


def listed(login, groups, rules):
    """Return the problem if AllowUsers, DenyUsers, AllowGroups or DenyGroups keep the login out, else ""."""

    def users(keyword):
        for pattern in (word for line in rules.get(keyword, []) for word in line.split()):
            user, _, address = pattern.partition("@")
            if fnmatch.fnmatchcase(login["user"], user) and fnmatch.fnmatchcase(login["address"], address or "*"):
                return True
        return False

    def member(keyword):
        patterns = [word for line in rules.get(keyword, []) for word in line.split()]
        return any(fnmatch.fnmatchcase(group, pattern) for group in groups for pattern in patterns)

    if users("denyusers") or ("allowusers" in rules and not users("allowusers")):
        return "AllowUsers or DenyUsers would keep it out"
    if member("denygroups") or ("allowgroups" in rules and not member("allowgroups")):
        return "AllowGroups or DenyGroups would keep it out"
    return ""


def lockout(login, rules, *, used, before, after):
    """Return why a login would no longer get in, or "".

    `rules` are sshd's settings for it after the change, `used` is (method, fingerprint) of the session in use,
    `before` and `after` are the fingerprints of its keys. What is not known counts against the change.
    """
    root = rules.get("permitrootlogin", ["no"])[0]
    passwords = "yes" in rules.get("passwordauthentication", []) + rules.get("kbdinteractiveauthentication", [])
    passwords = passwords and (login["user"] != "root" or root == "yes")
    keys = rules.get("pubkeyauthentication") == ["yes"]
    method, key = used
    if login["user"] == "root" and root not in ("yes", "prohibit-password", "without-password"):
        return "root may no longer log in; connect with an administrator account first"
    if method in PASSWORDS and not passwords:
        return "it uses a password, and passwords are turned off; install a key for it and connect with that first"
    if method == "publickey" and not keys:
        return "it uses a key, and keys are turned off"
    if method == "publickey" and key in before and key not in after:
        return f"the key it uses ({key}) would be removed; list that key with the account"
    if not method and before - after:
        return "which key it uses is not known, and some of its keys would be removed; list them with the account"
    if not method and not passwords and not (keys and after):
        return "it has no authorized key, and passwords are turned off"
    return ""


def refusal(login, module):
    """Return (settings, sentence) for the login in use; the sentence is empty when it will still get in."""
    try:
        account = pwd.getpwnam(login["user"])
    except KeyError:
        return {}, f"The login in use, {login['user']!r}, is no account of this machine; nothing can be said about it."
    rules, problem = effective(module.params["sshd_config"], login)
    if problem:
        return rules, problem
    before = keys_now(account, rules.get("authorizedkeysfile", [".ssh/authorized_keys"])[0].split())
    wanted = {fingerprint(key) for key in module.params["keys"].get(login["user"], [])} - {""}
    removes = module.params["exclusive"] and login["user"] in module.params["keys"]
    after = wanted if removes else before | wanted
    _, groups, _ = run("id", "--name", "--groups", "--", login["user"])
    reason = listed(login, groups.split(), rules)
    reason = reason or lockout(login, rules, used=how_it_logged_in(login), before=before, after=after)
    return rules, f"This would lock out {login['user']}, who is logged in now: {reason}." if reason else ""


def firewall():
    """Return policy, tcp and udp ports of our live table, {} without it."""
    status, text, _ = run("nft", "--json", "list", "table", "inet", "provisioner")
    if status:
        return {}
    items = json.loads(text)["nftables"]
    sets = {item["set"]["name"]: item["set"].get("elem", []) for item in items if "set" in item}
    policy = next((item["chain"].get("policy", "") for item in items if "chain" in item), "")
    ports = {name: sorted(port_text(one) for one in sets.get(f"{name}_allowed", [])) for name in ("tcp", "udp")}
    return {"policy": policy, **ports}


def port_text(element):
    """Return an element of a set of ports as text: `22` or `8000-8010`."""
    return "-".join(map(str, element["range"])) if isinstance(element, dict) else str(element)


def homes(names):
    """Return the home of each account that exists."""
    return {one.pw_name: one.pw_dir for one in pwd.getpwall() if one.pw_name in names}


def main():
    """Look, and hand back what was seen."""
    module = AnsibleModule(
        argument_spec={
            "sshd_config": {"type": "str", "required": True},
            "keys": {"type": "dict", "required": True, "no_log": False},
            "exclusive": {"type": "bool", "required": True},
        },
        supports_check_mode=True,
    )
    login = session()
    rules, refused = refusal(login, module) if login else (settings(run(SSHD, "-T")[1]), "")
    if refused:
        module.fail_json(msg=refused)
    ports = {int(port) for port in rules.get("port", ["22"])} | ({login["server_port"]} if login else set())
    module.exit_json(changed=False, ports=sorted(ports), homes=homes(module.params["keys"]), firewall=firewall())


if __name__ == "__main__":
    main()
