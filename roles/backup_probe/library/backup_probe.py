#!/usr/bin/python
# Copyright the provisioner authors. SPDX-License-Identifier: Apache-2.0
"""Try, with this agent's own key, to remove and to overwrite what its store holds.

Given `folder`, where the agent keeps its settings, and `seconds`, return `probe`, what it came to. A store that lets
something through does not fail the task: what it came to is a row of the acceptance table. Check mode tries nothing.
"""

from __future__ import annotations

import json

from ansible.module_utils.backup_probing import probe
from ansible.module_utils.basic import AnsibleModule


def door(folder):
    """Given the agent's folder of settings, return the command that speaks to its store and to no other."""
    with open(f"{folder}/config.json", encoding="utf-8") as file:
        store = json.load(file)["store"]
    options = {
        "BatchMode": "yes",
        "ConnectTimeout": "30",
        "GlobalKnownHostsFile": "/dev/null",
        "IdentitiesOnly": "yes",
        "StrictHostKeyChecking": "yes",
        "UserKnownHostsFile": f"{folder}/known_hosts",
    }
    words = [word for key, value in options.items() for word in ("-o", f"{key}={value}")]
    who = f"{store['user']}@{store['host']}"
    return ["ssh", "-F", "none", "-T", "-i", f"{folder}/id_ed25519", *words, "-p", str(store["port"]), who]


def main():
    """Read the parameters, probe, return what it came to."""
    module = AnsibleModule(
        argument_spec={"folder": {"type": "path", "required": True}, "seconds": {"type": "int", "required": True}},
        supports_check_mode=True,
    )
    try:
        command = door(module.params["folder"])
    except (OSError, ValueError, KeyError, TypeError) as error:
        module.fail_json(msg=f"No agent is set up on this machine: {error!r}.")
    if module.check_mode:
        module.exit_json(changed=False)
    module.exit_json(changed=False, probe=probe([*command, "probe"], module.params["seconds"]))


if __name__ == "__main__":
    main()
