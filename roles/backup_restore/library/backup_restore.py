#!/usr/bin/python
# Copyright the provisioner authors. SPDX-License-Identifier: Apache-2.0
"""Restore a backup for good, on the machine itself through its own door, or on a store from the vault.

Given `client`, `agent`, `snapshot`, `known`, `to`, `paths`, `overwrite`, `id`, `store` and `seconds`, return
`restored`, what it came to. Check mode looks, and changes nothing.
"""

from __future__ import annotations

import json
import shlex

from ansible.module_utils.backup_restoring import restore
from ansible.module_utils.basic import AnsibleModule

AGENT, STORE, AGENT_STATE = "/etc/provisioner/backup", "/etc/provisioner/store", "/var/lib/provisioner/backup"


def place(asked):
    """Given the module's parameters, return the repository's name, the file of its password, restic's options."""
    if asked["store"]:
        folder = f"{STORE}/{asked['client']}"
        with open(f"{folder}/agents.json", encoding="utf-8") as file:
            root = json.load(file)["root"]
        return f"{root}/{asked['client']}/vault/{asked['agent']}", f"{folder}/vault_password", []
    with open(f"{AGENT}/config.json", encoding="utf-8") as file:
        store = json.load(file)["store"]
    options = {
        "BatchMode": "yes",
        "ConnectTimeout": "30",
        "GlobalKnownHostsFile": "/dev/null",
        "IdentitiesOnly": "yes",
        "ServerAliveCountMax": "4",
        "ServerAliveInterval": "15",
        "StrictHostKeyChecking": "yes",
        "UserKnownHostsFile": f"{AGENT}/known_hosts",
    }
    words = [word for key, value in options.items() for word in ("-o", f"{key}={value}")]
    ssh = ["ssh", "-F", "none", "-T", "-i", f"{AGENT}/id_ed25519", *words]
    ssh += ["-p", str(store["port"]), f"{store['user']}@{store['host']}"]
    return "rclone:inbox", f"{AGENT}/password", [f"rclone.program={shlex.join(ssh)}"]


def main():
    """Read the parameters, restore, return what it came to."""
    module = AnsibleModule(
        argument_spec={
            "client": {"type": "str", "required": True},
            "agent": {"type": "str", "required": True},
            "snapshot": {"type": "str", "default": ""},
            "known": {"type": "list", "elements": "dict", "default": []},
            "to": {"type": "str", "required": True},
            "paths": {"type": "list", "elements": "str", "default": []},
            "overwrite": {"type": "bool", "default": False},
            "id": {"type": "str", "required": True},
            "store": {"type": "bool", "default": False},
            "seconds": {"type": "int", "required": True},
        },
        supports_check_mode=True,
    )
    asked = module.params
    try:
        repository, password_file, options = place(asked)
    except (OSError, ValueError, KeyError, TypeError) as error:
        module.fail_json(msg=f"This machine reaches no backup of {asked['agent']}: {error!r}.")
    known = {one["snapshot"]: one for one in asked["known"]}
    keys = ("snapshot", "to", "paths", "overwrite", "id", "seconds")
    order = {
        "repository": repository,
        "password_file": password_file,
        "options": options,
        "manifests": {name: one["manifest"] for name, one in known.items()},
        "arrivals": {name: one["arrived"] for name, one in known.items()},
        "agent_state": AGENT_STATE,
        "look": module.check_mode,
        **{key: asked[key] for key in keys},
    }
    told = restore(order)
    module.exit_json(changed=told["passed"], restored=told)


if __name__ == "__main__":
    main()
