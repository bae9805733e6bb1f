"""The digest of a plan: what an approval is bound to and an entry names."""

from __future__ import annotations

import hashlib
import json
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from provisioner.model.mission import MissionKind
    from provisioner.model.plan import Content, Step


def plan_digest(client: str, mission: MissionKind, *, content: Content, steps: Sequence[Step]) -> str:
    """Given what a plan consists of, return the SHA-256, hex, of its JSON with sorted keys and no spaces, in UTF-8.

    Client, mission, playbook and role digests, assets, groups and variables, their secrets hidden, count, in the order
    of the steps; instants, ids, the operator, the git commit, the version of Ansible and connection data do not. A step
    without groups has no key for them: its digest is that of version 1.
    """
    value = {
        "client": client,
        "mission": mission.value,
        "playbook": {content.playbook: content.playbook_digest},
        "roles": dict(content.roles),
        "steps": [_step(step) for step in steps],
    }
    text = json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False)
    return hashlib.sha256(text.encode()).hexdigest()


def _step(step: Step) -> dict[str, object]:
    groups = {"groups": {name: list(assets) for name, assets in step.groups.items()}} if step.groups else {}
    return {"assets": list(step.assets), "variables": dict(step.variables), **groups}
