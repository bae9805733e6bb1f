"""One run of ours on 20 machines at once beside `ansible-playbook` with default settings on the same machines.

The play is host_identity and acceptance, with nothing to change: what differs is forks, connection and recording.
"""

from __future__ import annotations

import shutil
import sys
import tempfile
from pathlib import Path

from _bench import CHECKOUT, Contender, arguments, interleaved, once, report
from _machines import machines

MACHINES = 20
PLAY = """---
- name: Identity and its acceptance
  hosts: all
  become: true
  gather_facts: true
  gather_subset: ["!all", "!min", distribution, virtual]
  roles:
    - role: host_identity
    - role: acceptance
"""


def main() -> None:
    with machines(MACHINES) as practice, tempfile.TemporaryDirectory() as folder:
        tree = Path(folder)
        (tree / "playbooks").mkdir()
        (tree / "playbooks" / "fleet.yml").write_text(PLAY)
        for role in ("host_identity", "acceptance"):
            shutil.copytree(CHECKOUT / "roles" / role, tree / "roles" / role)
        script = str(Path(__file__).with_name("_fleet_run.py"))
        ours = Contender(f"ours, {MACHINES} machines", [sys.executable, script, folder, str(practice.state)], {})
        once(ours)  # from here on there is nothing to change
        playbook = str(tree / "playbooks" / "fleet.yml")
        peer = practice.plain("ansible-playbook, default settings", playbook, roles=tree / "roles")
        again = practice.plain("ansible-playbook, again", playbook, roles=tree / "roles")
        runs = interleaved([ours, peer, again], rounds=arguments().rounds)
        report(runs, ours=ours.name, peer=peer.name, control=again.name, facts={"machines": MACHINES})


if __name__ == "__main__":
    main()
