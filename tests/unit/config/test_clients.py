"""Client folders: which one has a machine, and contract and inventory together."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from provisioner.config.clients import client_folder, client_folders, find_host, load_client
from provisioner.errors import ConfigurationError, UsageError

if TYPE_CHECKING:
    from provisioner.config.role_inputs import RoleInputs


@pytest.fixture
def root(folder: Path) -> Path:
    other = folder.parent / "zenith"
    shutil.copytree(folder, other)
    (other / "hosts.yml").write_text("all: {hosts: {ws-01: {}, only-here: {}}}")
    return folder.parent


def test_a_machine_of_one_client_is_found(root: Path) -> None:
    assert find_host(root, "only-here", client=None) == root / "zenith"
    assert find_host(root, "ws-01", client="acme") == root / "acme"


def test_a_machine_of_two_clients_asks_which(root: Path) -> None:
    with pytest.raises(UsageError, match="ws-01 is a machine of acme, zenith") as caught:
        find_host(root, "ws-01", client=None)
    assert "--client" in caught.value.hint
    assert caught.value.exit_code == 2


@pytest.mark.parametrize("host", ["ws-00", "../acme/hosts.yml", "", "-oProxyCommand=x", "ws-01\n"])
def test_a_machine_of_nobody_is_a_usage_error(root: Path, host: str) -> None:
    with pytest.raises(UsageError, match="no machine is called"):
        find_host(root, host, client=None)


def test_the_closest_name_is_suggested(root: Path) -> None:
    with pytest.raises(UsageError, match=r"did you mean only-here\?"):
        find_host(root, "onlyhere", client="zenith")


@pytest.mark.parametrize("client", ["acne", "../clients/acme", "/etc", ".", ""])
def test_a_client_without_a_folder_is_a_usage_error(root: Path, client: str) -> None:
    with pytest.raises(UsageError, match="no client folder is called"):
        client_folder(root, client)


def test_a_folder_that_cannot_be_a_client_is_not_passed_over(root: Path) -> None:
    (root / "notes").mkdir()
    (root / ".git").mkdir()
    assert [folder.name for folder in client_folders(root)] == ["acme", "notes", "zenith"]
    shutil.copytree(root / "acme", root / "Acme SAS")
    with pytest.raises(UsageError, match="is no client id"):
        list(client_folders(root))


def test_no_inventories_at_all_says_which_variable_to_set(tmp_path: Path) -> None:
    with pytest.raises(UsageError) as caught:
        list(client_folders(tmp_path / "none"))
    assert "PROVISIONER_INVENTORIES" in caught.value.hint


def test_problems_of_both_files_come_together(folder: Path, roles: RoleInputs) -> None:
    for name, old, new in (("contract.yml", "fr", "de"), ("hosts.yml", "ws-02", "WS-02")):
        path = folder / name
        path.write_text(path.read_text().replace(old, new, 1))
    with pytest.raises(ConfigurationError) as caught:
        load_client(folder, roles=roles, decrypt=None)
    assert [problem.file for problem in caught.value.problems] == ["acme/contract.yml", "acme/hosts.yml"]


def test_a_missing_file_does_not_hide_the_problems_of_the_other(folder: Path, roles: RoleInputs) -> None:
    (folder / "hosts.yml").unlink()
    path = folder / "contract.yml"
    path.write_text(path.read_text().replace("language: fr", "language: de"))
    with pytest.raises(ConfigurationError) as caught:
        load_client(folder, roles=roles, decrypt=None)
    assert [problem.file for problem in caught.value.problems] == ["acme/contract.yml", "acme/hosts.yml"]


def test_the_tutorials_client_loads_without_a_warning() -> None:
    from provisioner.config.role_inputs import load_role_inputs

    checkout = Path(__file__).parents[3]
    loaded = load_client(checkout / "inventories" / "demo", roles=load_role_inputs(checkout / "roles"), decrypt=None)
    assert [contract.warnings for contract in loaded.contracts] == [()]
    addresses = {asset.name: asset.address.port for asset in loaded.inventory.assets}
    machines = {"ws-01": 22201, "ws-02": 22202, "srv-01": 22203, "kiosk-01": 22204}
    assert addresses == machines | {"site": 22205, "offsite": 22206}
    covered = {
        asset.name
        for asset in loaded.inventory.assets
        if asset.groups & set(loaded.contracts[0].versions[0].contract.assets)
    }
    assert covered == {"ws-01", "ws-02", "srv-01", "site", "offsite"}


def test_a_client_folder_that_is_a_link_goes_by_the_links_name(folder: Path, roles: RoleInputs, tmp_path: Path) -> None:
    (tmp_path / "elsewhere").mkdir()
    real = folder.rename(tmp_path / "elsewhere" / "2026")
    folder.symlink_to(real)
    assert load_client(folder, roles=roles, decrypt=None).inventory.client == "acme"
