"""One run of our executor on every machine of a state folder: TREE STATE."""

from __future__ import annotations

import secrets
import sys
from pathlib import Path

from _machines import assets_of

from provisioner.execution.ansible import AnsibleExecutor
from provisioner.execution.content import read_content
from provisioner.execution.ports import Order, RunStatus
from provisioner.model.plan import Step
from provisioner.testing import make_receipt

tree, state = Path(sys.argv[1]), Path(sys.argv[2])
assets = assets_of(state)
executor = AnsibleExecutor(
    root=tree,
    runs=state / "runs",
    known_hosts=state / "known_hosts" / "bench",
    identity=state / "ssh" / "bench" / "id_ed25519",
)
order = Order(
    intervention=f"iv-{secrets.token_hex(8)}",
    receipt=make_receipt(),
    content=read_content(tree, "fleet", ["hardware_check", "acceptance"]),
    step=Step(assets=tuple(asset.name for asset in assets), variables={}),
    assets=assets,
    check=False,
)
result = executor.run(order, lambda event: None)
assert result.status is RunStatus.FINISHED, result
assert len(result.checks) == len(assets), result
assert not any(tally.failed or tally.unreachable for tally in result.tallies.values()), result
