#!/usr/bin/python
# Copyright the provisioner authors. SPDX-License-Identifier: Apache-2.0
"""Restart the services that run on files from before an update, as far as needrestart's own settings allow.

Returns `restarted`, those that ran on old files and do no more. A machine without needrestart is left as it is.
"""

from __future__ import annotations

import subprocess
from contextlib import suppress

from ansible.module_utils.basic import AnsibleModule
from ansible.module_utils.patch_level_machine import run, stale

LONGEST = 600


def main():
    """Restart, and say which."""
    module = AnsibleModule(argument_spec={}, supports_check_mode=True)
    _, before, unseen = stale()
    if module.check_mode or unseen or not before:
        module.exit_json(changed=False, restarted=[])
    # What still runs on old files after that time is a row of the acceptance: it ends no play.
    with suppress(subprocess.TimeoutExpired):
        run("needrestart", "-q", "-l", "-r", "a", timeout=LONGEST)
    restarted = sorted(set(before) - set(stale()[1]))
    module.exit_json(changed=bool(restarted), restarted=restarted)


if __name__ == "__main__":
    main()
