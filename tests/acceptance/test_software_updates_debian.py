"""Debian's own security updates, from Debian's own archives: what the tests' repository cannot show."""

from __future__ import annotations

import hashlib
import json
from typing import TYPE_CHECKING

import pytest
from tests.acceptance._park import states

if TYPE_CHECKING:
    from tests.acceptance._park import Park
    from tests.conftest import LabMachine

SEARCH = """
import json
import apt

def offered(package, label):
    # stable-updates has the release's label too.
    places = [(v, o) for v in package.versions for o in v.origins if not o.archive.endswith("-updates")]
    return max((version for version, origin in places if origin.label == label), default=None)

def alone(version):
    return all(group.installed_target_versions for group in version.get_dependencies("PreDepends", "Depends"))

found = []
for package in apt.Cache():
    old, new = offered(package, "Debian"), offered(package, "Debian-Security")
    if not package.is_installed and old and new and old < new and alone(old) and alone(new):
        row = {"name": package.shortname, "old": old.version, "new": new.version, "sha256": new.sha256}
        found.append((old.size + new.size, sorted(row.items())))
if found:
    print(json.dumps(dict(min(found)[1])))
"""
"""Prints the smallest package that is older in the release than in its security archive, and brings no other along."""


def behind(machine: LabMachine) -> dict[str, str]:
    """A package with its version in the release, the one in the security archive, and that one's SHA-256."""
    printed = machine.shell(f"apt-get -q update >&2; python3 - <<'END'\n{SEARCH}\nEND")
    if not printed:
        sources = machine.shell("apt-cache policy")
        pytest.fail(f"no package of the release is newer in the security archive today:\n{sources}", pytrace=False)
    return dict(json.loads(printed))


def test_a_security_update_of_debian_is_proved_by_the_canary_and_comes_from_the_pool(debian_park: Park) -> None:
    park = debian_park
    canary, other = park.machines.values()
    package = behind(canary)
    for machine in (canary, other):
        machine.shell(f"apt-get -q update && apt-get -q -y install {package['name']}={package['old']}")
    # The second has no repository any more: what it gets is what the first one was given.
    other.shell("rm -f /etc/apt/sources.list /etc/apt/sources.list.d/*")
    code, told = park.run()
    assert (code, states(told)) == (0, {"ws-01": "patched", "ws-02": "patched"}), told
    locked = {row["name"]: row for row in told["lock"]}[package["name"]]
    assert (locked["before"], locked["version"]) == (package["old"], package["new"])
    assert (locked["sha256"], locked["security"]) == (package["sha256"], True)
    assert [park.version(name, package["name"]) for name in park.machines] == [package["new"]] * 2
    kept = park.desk.state / "pools" / "demo" / f"{package['sha256']}.deb"
    assert hashlib.sha256(kept.read_bytes()).hexdigest() == package["sha256"]
