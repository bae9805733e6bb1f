"""`invoke onboard` beside a plain `ansible-playbook` of the same play on the same machine, both with nothing to change.

Says what the contract gate, the preflight, the sealed workspace and the record cost on top of Ansible.
"""

from __future__ import annotations

from _bench import BIN, CHECKOUT, Contender, arguments, interleaved, once, report
from _machines import machines

from provisioner.execution.ansible import AnsibleExecutor
from provisioner.execution.content import read_content
from provisioner.execution.ports import Order
from provisioner.execution.workspace import Workspace
from provisioner.model.plan import Step
from provisioner.testing import make_receipt


def main() -> None:
    with machines(1) as practice:
        ours = Contender("invoke onboard", [str(BIN / "invoke"), "onboard", "--host", "ws-01"], practice.environment)
        once(ours)  # from here on there is nothing to change
        playbook = str(CHECKOUT / "playbooks" / "workstation_setup.yml")
        peer = practice.plain("ansible-playbook", playbook)
        again = practice.plain("ansible-playbook, again", playbook)
        runs = interleaved([ours, peer, again], rounds=arguments().rounds)
        facts = counted(practice)
        report(runs, ours=ours.name, peer=peer.name, control=again.name, facts=facts)


def counted(practice) -> dict[str, object]:  # type: ignore[no-untyped-def]
    """Run once more in this process, to count the play's host-tasks, its events, and the files the run wrote."""
    files = 0
    remove = Workspace.remove

    def count_and_remove(workspace: Workspace) -> None:
        nonlocal files
        files = sum(path.is_file() for path in workspace.root.rglob("*"))
        remove(workspace)

    Workspace.remove = count_and_remove  # type: ignore[method-assign]
    events: list[object] = []
    executor = AnsibleExecutor(
        root=CHECKOUT, runs=practice.state / "runs", known_hosts=practice.known_hosts, identity=practice.identity
    )
    roles = sorted(path.name for path in (CHECKOUT / "roles").iterdir())
    order = Order(
        intervention="iv-benchmark",
        receipt=make_receipt(),
        content=read_content(CHECKOUT, "workstation_setup", roles),
        step=Step(assets=("ws-01",), variables={}),
        assets=practice.assets,
        check=False,
    )
    tally = executor.run(order, events.append).tallies["ws-01"]
    Workspace.remove = remove  # type: ignore[method-assign]
    return {"host-tasks of the play": tally.ok + tally.skipped, "events kept": len(events), "files written": files}


if __name__ == "__main__":
    main()
