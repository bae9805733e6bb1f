"""One run of ours on 20 machines at once beside `ansible-playbook` with default settings on the same machines.

The play is hardware_check and acceptance, which change nothing: what differs is forks, connection and recording.
Twenty systemd containers need more inotify instances than a kernel grants by default: as root,
`sysctl fs.inotify.max_user_instances=1024`.
"""

from __future__ import annotations

import shutil
import sys
import tempfile
from pathlib import Path

from _bench import CHECKOUT, Contender, arguments, interleaved, report
from _machines import machines

MACHINES = 20
PLAY = """---
- name: Look at the hardware and accept it
  hosts: all
  become: true
  gather_facts: true
  gather_subset: ["!all", "!min", distribution, virtual]
  vars:
    hardware_check_minimum: {cpus: 1, memory_mb: 512}
  roles:
    - role: hardware_check
    - role: acceptance
"""


def main() -> None:
    with machines(MACHINES) as practice, tempfile.TemporaryDirectory() as folder:
        tree = Path(folder)
        (tree / "playbooks").mkdir()
        (tree / "playbooks" / "fleet.yml").write_text(PLAY)
        for role in ("hardware_check", "acceptance"):
            shutil.copytree(CHECKOUT / "roles" / role, tree / "roles" / role)
        script = str(Path(__file__).with_name("_fleet_run.py"))
        ours = Contender(f"ours, {MACHINES} machines", [sys.executable, script, folder, str(practice.state)], {})
        playbook = str(tree / "playbooks" / "fleet.yml")
        peer = practice.plain("ansible-playbook, default settings", playbook, roles=tree / "roles")
        again = practice.plain("ansible-playbook, again", playbook, roles=tree / "roles")
        runs = interleaved([ours, peer, again], rounds=arguments().rounds)
        report(runs, ours=ours.name, peer=peer.name, control=again.name, facts={"machines": MACHINES})


if __name__ == "__main__":
    main()
