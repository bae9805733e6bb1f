#!/usr/bin/python
# Copyright the provisioner authors. SPDX-License-Identifier: Apache-2.0
"""Read every promised state of this machine again and return the table of asked and found.

Given `checks`, a list of `{name, kind, asked, ...}`, return `table`, a list of `{name, asked, found, result}` where
result is `pass`, `fail` or `not_applicable`; the rows of a check with `personal: true` say so too. One promise about a
list gives one row an element. A state that cannot be read is `fail` with the reason; a kind nobody knows fails the
task. Nothing is changed, so check mode reads the same.
"""

from __future__ import annotations

from ansible.module_utils.acceptance_backup import READERS as BACKUP
from ansible.module_utils.acceptance_backup_report import READERS as BACKUP_REPORT
from ansible.module_utils.acceptance_backup_store import READERS as BACKUP_STORE
from ansible.module_utils.acceptance_baseline import READERS as BASELINE
from ansible.module_utils.acceptance_hardware import READERS as HARDWARE
from ansible.module_utils.acceptance_identity import READERS as IDENTITY
from ansible.module_utils.acceptance_network import READERS as NETWORK
from ansible.module_utils.acceptance_peripherals import READERS as PERIPHERALS
from ansible.module_utils.acceptance_proof import READERS as PROOF
from ansible.module_utils.acceptance_rows import table
from ansible.module_utils.acceptance_software import READERS as SOFTWARE
from ansible.module_utils.acceptance_updates import READERS as UPDATES
from ansible.module_utils.basic import AnsibleModule

READERS = {
    **HARDWARE,
    **IDENTITY,
    **BASELINE,
    **NETWORK,
    **SOFTWARE,
    **PERIPHERALS,
    **UPDATES,
    **BACKUP,
    **BACKUP_REPORT,
    **BACKUP_STORE,
    **PROOF,
}


def main():
    """Read the checks, write the table."""
    module = AnsibleModule(
        argument_spec={"checks": {"type": "list", "elements": "dict", "required": True}}, supports_check_mode=True
    )
    checks = module.params["checks"]
    unknown = sorted({str(check.get("kind")) for check in checks} - set(READERS))
    if unknown:
        module.fail_json(msg=f"No way to read {', '.join(unknown)}; known kinds are {', '.join(sorted(READERS))}.")
    module.exit_json(changed=False, table=table(checks, READERS))


if __name__ == "__main__":
    main()
