"""Inventories: groups, precedence as Ansible has it, connection keys, vault files; only problems, whatever the text."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from provisioner.config.inventory import host_names, load_inventory
from provisioner.errors import ConfigurationError
from provisioner.model.asset import HIDDEN, Asset, Transport

if TYPE_CHECKING:
    from provisioner.config.role_inputs import RoleInputs

BASE = (Path(__file__).parents[2] / "golden" / "config" / "base" / "acme" / "hosts.yml").read_text(encoding="utf-8")

LAYERED = """
all:
  vars: {ansible_user: t, workplace_label: inline all, workplace_screens: 1}
  hosts:
    lone: {ansible_host: 192.0.2.9}
  children:
    site:
      vars: {workplace_label: inline site, workplace_profile: office, workplace_docked: true}
      children:
        b_floor:
          vars: {workplace_label: inline b}
          hosts: {ws-01: {ansible_host: 192.0.2.1}, ws-02: {ansible_host: 192.0.2.2, workplace_label: inline ws-02}}
        a_floor: {vars: {workplace_label: inline a, workplace_screens: 3}, hosts: {ws-01: {}}}
    deep: {children: {deeper: {children: {a_floor: {}}}}, vars: {workplace_docked: false}}
"""
FILES = {
    "group_vars/all.yml": "workplace_printers: [file all]\nworkplace_profile: developer\n",
    "group_vars/site.yml": "workplace_printers: [file site, two]\n",
    "group_vars/b_floor/main.yml": "workplace_lamp: {watts: 4}\n",
    "group_vars/b_floor/more.yml": "workplace_lamp: {watts: 5, colour: warm}\n",
    "host_vars/ws-02.yml": "workplace_screens: 4\nworkplace_label: file ws-02\n",
}


def layered(folder: Path) -> None:
    (folder / "hosts.yml").write_text(LAYERED)
    for name, text in FILES.items():
        (folder / name).parent.mkdir(exist_ok=True, parents=True)
        (folder / name).write_text(text)


def by_name(folder: Path, roles: RoleInputs) -> dict[str, Asset]:
    return {asset.name: asset for asset in load_inventory(folder, roles=roles, decrypt=None).assets}


def test_groups_hold_the_machines_of_their_children(folder: Path, roles: RoleInputs) -> None:
    layered(folder)
    inventory = load_inventory(folder, roles=roles, decrypt=None)
    assert inventory.client == "acme"
    assert inventory.groups["all"] == {"lone", "ws-01", "ws-02"}
    assert inventory.groups["site"] == {"ws-01", "ws-02"}
    assert inventory.groups["deep"] == {"ws-01"}
    assert {asset.name: asset.groups for asset in inventory.assets}["ws-02"] == {"all", "site", "b_floor"}


def test_values_are_those_that_ansible_itself_would_take(folder: Path, roles: RoleInputs) -> None:
    layered(folder)
    program = [str(Path(sys.executable).parent / "ansible-inventory"), "-i", str(folder / "hosts.yml"), "--list"]
    ran = subprocess.run(program, capture_output=True, text=True, check=True, cwd=folder)
    theirs = json.loads(ran.stdout)["_meta"]["hostvars"]
    for name, asset in by_name(folder, roles).items():
        wanted = {key: value for key, value in theirs[name].items() if not key.startswith("ansible_")}
        assert dict(asset.variables) == wanted
        assert asset.address.host == theirs[name]["ansible_host"]


def test_a_machine_is_reached_as_its_keys_say(folder: Path, roles: RoleInputs) -> None:
    key = "SHA256:uNiVztksCsDhcc0u9e8BrrQXVUpKZIqTMCzqzMBD9zM"
    (folder / "hosts.yml").write_text(
        "all: {hosts: {"
        f"pc: {{ansible_user: t, ansible_host: 127.0.0.1, ansible_port: 2222, host_key: '{key}', ansible_password: a, "
        "ansible_become_password: b}, win.acme.example: {ansible_user: ACME\\admin, ansible_connection: winrm}}}"
    )
    machines = by_name(folder, roles)
    address = machines["pc"].address
    assert (address.host, address.port, address.user, address.transport, address.host_key) == (
        "127.0.0.1",
        2222,
        "t",
        Transport.SSH,
        key,
    )
    assert machines["pc"].secrets == {"password": "a", "become_password": "b"}
    assert "ansible_password" not in machines["pc"].variables
    windows = machines["win.acme.example"].address
    assert (windows.host, windows.port, windows.transport) == ("win.acme.example", 5986, Transport.WINRM)


def test_secrets_show_in_no_text_of_an_asset(folder: Path, roles: RoleInputs) -> None:
    (folder / "hosts.yml").write_text("all: {hosts: {pc: {ansible_user: t, ansible_password: hunter2}}}")
    assert "hunter2" not in repr(load_inventory(folder, roles=roles, decrypt=None))


NETWORKS = "workplace_networks: [{name: guest}, {name: office, password: hunter2}]\n"


def test_the_secrets_of_roles_are_hidden_in_an_asset_and_kept_for_the_run(folder: Path, roles: RoleInputs) -> None:
    (folder / "hosts.yml").write_text("all: {hosts: {pc: {ansible_user: t, workplace_screens: 2}}}")
    (folder / "host_vars").mkdir()
    (folder / "host_vars" / "pc.yml").write_text(NETWORKS)
    (asset,) = load_inventory(folder, roles=roles, decrypt=None).assets
    assert asset.variables == {
        "workplace_screens": 2,
        "workplace_networks": [{"name": "guest"}, {"name": "office", "password": HIDDEN}],
    }
    assert asset.confidential == {
        "workplace_networks": [{"name": "guest"}, {"name": "office", "password": "hunter2"}],
    }
    assert "hunter2" not in repr(asset)


def test_a_secret_in_clear_is_a_warning_with_its_place_and_none_in_a_vault_file(
    folder: Path, roles: RoleInputs
) -> None:
    (folder / "hosts.yml").write_text(
        "all: {hosts: {pc: {ansible_user: t, ansible_password: hunter2, ansible_become_password: }}}"
    )
    variables = folder / "host_vars" / "pc.yml"
    variables.parent.mkdir()
    variables.write_text(NETWORKS)
    found = load_inventory(folder, roles=roles, decrypt=None).warnings
    assert [warning.split(": a secret")[0] for warning in found] == [
        "acme/host_vars/pc.yml:1:62: workplace_networks[1].password",
        "acme/hosts.yml:1:55: all.hosts.pc.ansible_password",
    ]
    assert "hunter2" not in str(found) and "ansible-vault encrypt" in found[0]

    (folder / "hosts.yml").write_text("all: {hosts: {pc: {ansible_user: t}}}")
    variables.write_bytes(b"$ANSIBLE_VAULT;1.1;AES256\n")
    hidden = load_inventory(folder, roles=roles, decrypt=lambda _, __: NETWORKS.encode())
    assert hidden.warnings == ()
    assert hidden.assets[0].confidential


def test_a_vault_file_is_opened_by_the_one_who_can(folder: Path, roles: RoleInputs) -> None:
    (folder / "group_vars").mkdir()
    path = folder / "group_vars" / "all.yml"
    path.write_bytes(b"$ANSIBLE_VAULT;1.1;AES256\n6162\n")
    asked: list[tuple[Path, bytes]] = []

    def decrypt(path: Path, data: bytes) -> bytes:
        asked.append((path, data))
        return b"ansible_become_password: hunter2\n"

    inventory = load_inventory(folder, roles=roles, decrypt=decrypt)
    assert inventory.assets[0].secrets == {"become_password": "hunter2"}
    assert asked == [(path, b"$ANSIBLE_VAULT;1.1;AES256\n6162\n")]


def test_what_a_vault_file_holds_shows_in_no_message(folder: Path, roles: RoleInputs) -> None:
    (folder / "group_vars").mkdir()
    (folder / "group_vars" / "all.yml").write_bytes(b"$ANSIBLE_VAULT;1.1;AES256\n")
    wrong = (
        b"workplace_screens: hunter2\nworkplace_profile: hunter2\nansible_port: hunter2\nansible_password: [hunter2]\n"
    )
    with pytest.raises(ConfigurationError) as caught:
        load_inventory(folder, roles=roles, decrypt=lambda _, __: wrong)
    assert len(caught.value.problems) == 4
    assert "hunter2" not in str(caught.value)


def test_names_are_read_without_looking_at_variables(folder: Path) -> None:
    (folder / "hosts.yml").write_text("all: {hosts: {a: {nobody_knows_this: 1}, b: }}")
    assert host_names(folder, decrypt=None) == ("a", "b")


def test_a_chain_of_groups_without_end_is_refused_in_time(folder: Path, roles: RoleInputs) -> None:
    links = "\n".join(f"g{i}: {{children: {{g{i + 1}: }}}}" for i in range(3_000))
    (folder / "hosts.yml").write_text(links + "\ng3000: {hosts: {a: {ansible_user: t}}}\n")
    with pytest.raises(ConfigurationError, match="more than 20 groups deep"):
        load_inventory(folder, roles=roles, decrypt=None)


@settings(
    max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
)
@given(
    at=st.integers(0, len(BASE)),
    length=st.integers(0, 30),
    put=st.text(max_size=8) | st.sampled_from(["{}", "[]", "~", "- ", ": ", "children: ", "hosts: ", "all", "ws-01: "]),
)
def test_a_changed_inventory_loads_or_is_refused_with_problems(
    folder: Path, roles: RoleInputs, at: int, length: int, put: str
) -> None:
    (folder / "hosts.yml").write_bytes((BASE[:at] + put + BASE[at + length :]).encode("utf-8", "surrogatepass"))
    try:
        load_inventory(folder, roles=roles, decrypt=None)
    except ConfigurationError as error:
        assert error.problems
