#!/usr/bin/python
# Copyright the provisioner authors. SPDX-License-Identifier: Apache-2.0
"""Do a restore drill of an agent from the vault on this machine, or drill damaged copies of the vault.

Given `client`, `agent`, `canary_seed`, `snapshot`, `permille`, `lot`, `known`, `sabotage`, `seconds` and `folder`,
return `drill`, what it came to. A drill that fails does not fail the task: what it came to is a row of the acceptance
table. In check mode nothing is restored: the vault is opened, the snapshot and its manifest are found, and the room is
looked at.
"""

from __future__ import annotations

import json
import os

from ansible.module_utils.backup_drilling import drill, look
from ansible.module_utils.backup_sabotage import sabotage
from ansible.module_utils.basic import AnsibleModule

SECRETS, STATE = "/etc/provisioner/store", "/var/lib/provisioner/store"
AGENT_STATE = "/var/lib/provisioner/backup"


def order_of(asked):
    """Given the module's parameters, return the order of the drill; where a store keeps things is its own word."""
    folder, job = f"{SECRETS}/{asked['client']}", f"{STATE}/{asked['client']}/job"
    with open(f"{folder}/agents.json", encoding="utf-8") as file:
        root = json.load(file)["root"]
    known = {one["snapshot"]: one for one in asked["known"]}
    os.makedirs(job, mode=0o700, exist_ok=True)
    return {
        "repository": f"{root}/{asked['client']}/vault/{asked['agent']}",
        "password_file": f"{folder}/vault_password",
        "snapshot": asked["snapshot"],
        "share": asked["permille"] / 1000,
        "seed": asked["lot"],
        "canary_seed": asked["canary_seed"],
        "manifests": {name: one["manifest"] for name, one in known.items()},
        "arrivals": arrivals(asked) | {name: one["arrived"] for name, one in known.items()},
        "folder": asked["folder"],
        "seconds": asked["seconds"],
        "agent_state": AGENT_STATE,
        "lock": f"{job}/{asked['agent']}.lock",
    }


def arrivals(asked):
    """When the store saw the snapshots come, by its own word; the log's goes before it."""
    try:
        with open(f"{STATE}/{asked['client']}/{asked['agent']}.json", encoding="utf-8") as file:
            return {one["id"]: one["arrived"] for one in json.load(file)["vault"]["snapshots"]}
    except FileNotFoundError:
        return {}


def main():
    """Read the parameters, do the drill, return what it came to."""
    module = AnsibleModule(
        argument_spec={
            "client": {"type": "str", "required": True},
            "agent": {"type": "str", "required": True},
            "canary_seed": {"type": "str", "required": True, "no_log": True},
            "snapshot": {"type": "str", "default": ""},
            "permille": {"type": "int", "default": 1000},
            "lot": {"type": "str", "default": ""},
            "known": {"type": "list", "elements": "dict", "default": []},
            "sabotage": {"type": "list", "elements": "str", "default": []},
            "seconds": {"type": "int", "required": True},
            "folder": {"type": "str", "required": True},
        },
        supports_check_mode=True,
    )
    asked = module.params
    try:
        order = order_of(asked)
    except (OSError, ValueError, KeyError) as error:
        module.fail_json(msg=f"No vault of {asked['client']} is kept on this machine: {error}.")
    if module.check_mode:
        told = look(order)
    elif asked["sabotage"]:
        told = sabotage(order, asked["sabotage"])
    else:
        told = drill(order)
    module.exit_json(changed=False, drill=told)


if __name__ == "__main__":
    main()
