"""What a machine says about its files names none on the controller but those of the pool."""

from __future__ import annotations

from pathlib import Path

import yaml
from ansible.parsing.dataloader import DataLoader
from ansible.template import Templar, trust_as_template

INSTALL = Path(__file__).resolve().parents[3] / "roles/patched_packages/tasks/install.yml"
SOUND = {"path": "/var/cache/provisioner/archives/a.deb", "sha256": "a" * 64}


def fetched(*archives: dict[str, str]) -> object:
    """The files that the role would fetch."""
    (task,) = [task for task in yaml.safe_load(INSTALL.read_text()) if "ansible.builtin.fetch" in task]
    templar = Templar(loader=DataLoader(), variables={"__patched_packages_done": {"archives": list(archives)}})
    return templar.template(trust_as_template(task["loop"]))


def test_only_a_digest_names_a_file() -> None:
    odd = ("../../../../etc/cron.d/evil", "a" * 63, "A" * 64, "a" * 64 + "\n", "a" * 64 + "/../../x", "")
    assert fetched(SOUND, *(SOUND | {"sha256": name} for name in odd)) == [SOUND]
