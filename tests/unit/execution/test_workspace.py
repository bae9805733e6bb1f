"""The sealed folder of one run, and the files written into it."""

from __future__ import annotations

import configparser
import json
import subprocess
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from ansible.inventory.manager import InventoryManager
from ansible.parsing.dataloader import DataLoader
from ansible.plugins.connection import ConnectionBase
from ansible.template import is_trusted_as_template, trust_as_template
from hypothesis import given, settings
from hypothesis import strategies as st

from provisioner.errors import ExecutionError, UsageError
from provisioner.execution.ports import Order
from provisioner.execution.receipts import receipt_variables
from provisioner.execution.winrm import WinrmProbe
from provisioner.execution.workspace import (
    Limits,
    Workspace,
    connection_variables,
    refuse_odd_path,
    render_config,
    render_inventory,
    unsafe_yaml,
)
from provisioner.model.asset import HIDDEN, Address, Transport
from provisioner.model.plan import Step
from provisioner.testing import make_asset, make_content, make_receipt


def read(text: str) -> Any:
    """What ansible-core makes of an inventory's text."""
    return DataLoader().load(trust_as_template(text))


texts = st.text(st.characters(exclude_categories=("Cs",))) | st.sampled_from(
    [
        "{{ lookup('pipe', 'id') }}",
        '"',
        "'",
        "\\",
        "\n",
        "\x85",
        "\u2028",
        "\ufeff",
        "\x7f",
        "😀",
        "no",
        "22:30",
        "010",
        "1.10",
        "2026-11-24",
        "0x1f",
        "1e3",
        "yes",
        "~",
    ]
)
values = st.recursive(
    st.none() | st.booleans() | st.integers() | texts,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts, inner, max_size=3),
    max_leaves=8,
)


def texts_of(value: object) -> list[object]:
    if isinstance(value, dict):
        return [text for item in value.values() for text in texts_of(item)]
    if isinstance(value, list):
        return [text for item in value for text in texts_of(item)]
    return [value] if isinstance(value, str) else []


@settings(max_examples=200, deadline=None)
@given(st.dictionaries(texts, values, max_size=4))
def test_data_survives_and_no_text_is_a_template(data: dict[str, object]) -> None:
    line = unsafe_yaml(data)
    assert "\n" not in line
    found = read(line)
    assert found == data
    assert texts_of(found) == texts_of(data)
    assert not any(is_trusted_as_template(text) for text in texts_of(found))


def test_tuples_are_lists() -> None:
    assert read(unsafe_yaml({"a": ("b", ("c",))})) == {"a": ["b", ["c"]]}


def test_the_control_an_unmarked_text_is_seen() -> None:
    assert all(is_trusted_as_template(text) for text in texts_of(read('["x"]')))


def test_the_control_a_text_that_is_marked_itself_is_read_as_a_number() -> None:
    assert read('{a: !unsafe "1.10"}') == {"a": 1.1}


def order(*assets: Any, **variables: dict[str, object]) -> Order:
    step = Step(assets=tuple(asset.name for asset in assets), variables=variables)
    return Order(
        intervention="iv-1",
        receipt=make_receipt(),
        content=make_content(),
        step=step,
        assets=assets,
        check=False,
    )


def test_the_inventory_is_of_the_batch_alone_and_connections_go_before_variables() -> None:
    variables = {"x": "{{ 1 }}", "ansible_host": "elsewhere", "intervention_receipt_text": "a client's"}
    asked = order(make_asset("a"), make_asset("b"), a=variables, c={"x": 1})
    text = render_inventory(asked, {"a": {"ansible_host": "127.0.0.1"}, "b": {}})
    receipt = receipt_variables(make_receipt())
    assert read(text) == {
        "all": {"hosts": {"a": {"x": "{{ 1 }}", **receipt, "ansible_host": "127.0.0.1"}, "b": receipt}}
    }


def test_groups_have_the_machines_of_the_batch_and_are_there_without_any(tmp_path: Path) -> None:
    asked = order(make_asset("a"), make_asset("b"))
    groups = {"agents": ("b", "c", "a"), "stores": ("d",)}
    asked = replace(asked, step=replace(asked.step, assets=("a", "b", "c", "d"), groups=groups))
    file = tmp_path / "hosts.yml"
    file.write_text(render_inventory(asked, {"a": {"ansible_host": "127.0.0.1"}, "b": {}}))
    found = InventoryManager(loader=DataLoader(), sources=[str(file)])
    assert [host.name for host in found.get_hosts("agents")] == ["b", "a"]
    assert "stores" in found.groups and found.get_hosts("stores") == []
    assert {host.name for host in found.get_hosts("all")} == {"a", "b"}, "who does not answer is in no play"
    assert found.get_host("a").vars["ansible_host"] == "127.0.0.1"


WIFI = [{"name": "office", "password": "hunter2"}, {"name": "guest"}]
HIDDEN_WIFI = [{"name": "office", "password": HIDDEN}, {"name": "guest"}]


def test_what_the_step_hides_is_put_back_for_the_machine_that_asked_for_it() -> None:
    secret = make_asset("a", variables={"wifi": HIDDEN_WIFI}, confidential={"wifi": WIFI, "other": "not of this step"})
    text = render_inventory(order(secret, a={"wifi": HIDDEN_WIFI, "x": 1}), {"a": {}})
    found = read(text)["all"]["hosts"]["a"]
    assert found == {"wifi": WIFI, "x": 1, **receipt_variables(make_receipt())}
    assert all(not is_trusted_as_template(found) for found in texts_of(read(text)["all"]["hosts"]))


def test_the_connection_of_an_ssh_machine(tmp_path: Path) -> None:
    asset = make_asset(secrets={"become_password": "{{ x }}", "password": "p"})
    assert connection_variables(asset, identity=tmp_path / "key", authorities=tmp_path / "ca") == {
        "ansible_host": "127.0.0.1",
        "ansible_port": 2201,
        "ansible_user": "technician",
        "ansible_connection": "ssh",
        "ansible_ssh_private_key_file": str(tmp_path / "key"),
        "ansible_ssh_common_args": "-o IdentitiesOnly=yes",
        "ansible_become_password": "{{ x }}",
        "ansible_password": "p",
    }


def test_without_a_key_of_the_client_the_technicians_own_are_tried() -> None:
    found = connection_variables(make_asset(), identity=None, authorities=None)
    assert not {"ansible_ssh_private_key_file", "ansible_ssh_common_args"} & found.keys()


def test_the_connection_of_a_windows_machine_validates_its_certificate(tmp_path: Path) -> None:
    address = Address(host="192.0.2.1", port=5986, user="admin", transport=Transport.WINRM)
    authorities = tmp_path / "ca.pem"
    authorities.touch()
    found = connection_variables(make_asset(address=address), identity=tmp_path / "key", authorities=authorities)
    assert found["ansible_winrm_server_cert_validation"] == "validate"
    assert found["ansible_winrm_transport"] == "ntlm"
    assert found["ansible_winrm_ca_trust_path"] == str(authorities)
    assert not {"ansible_ssh_private_key_file", "ansible_ssh_common_args"} & found.keys()


def test_the_run_trusts_whom_the_probe_trusts_and_goes_through_no_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", "/nowhere")
    address = Address(host="192.0.2.1", port=5986, user="admin", transport=Transport.WINRM)
    found = connection_variables(make_asset(address=address), identity=None, authorities=None)
    assert found["ansible_winrm_ca_trust_path"] == str(WinrmProbe(Path("/nowhere"))._trusted("demo"))
    assert "ansible_winrm_proxy" in found and found["ansible_winrm_proxy"] is None


def as_ssh_reads(arguments: str, *more: str) -> dict[str, str]:
    """The options that OpenSSH itself takes from what Ansible would pass on."""
    words = [*ConnectionBase._split_ssh_args(arguments), *more]
    done = subprocess.run(["ssh", "-G", *words, "example.test"], capture_output=True, text=True, check=True)
    return dict(line.split(" ", 1) for line in done.stdout.splitlines() if " " in line)


@pytest.mark.parametrize("name", ["My Projects", "Bob's", "état (2)", "a=b@c", "two  spaces"])
def test_a_state_folder_may_have_spaces_and_letters_of_any_language(tmp_path: Path, name: str) -> None:
    state = tmp_path / name
    refuse_odd_path(state)
    workspace = Workspace(state / "iv-1")
    workspace.seal()
    config = configparser.ConfigParser(inline_comment_prefixes=(";",))  # as Ansible reads it
    config.read_string(render_config(workspace, state / "known_hosts", Limits()))
    workspace.remove()
    connection = connection_variables(make_asset(), identity=state / "id", authorities=None)
    key = f'IdentityFile="{connection["ansible_ssh_private_key_file"]}"'  # as Ansible passes it on
    more = ConnectionBase._split_ssh_args(str(connection["ansible_ssh_common_args"]))
    effective = as_ssh_reads(config.get("ssh_connection", "ssh_args", raw=True), "-o", key, *more)
    assert effective["userknownhostsfile"] == str(state / "known_hosts")
    assert (effective["identityfile"], effective["identitiesonly"]) == (str(state / "id"), "yes")
    assert config.get("defaults", "roles_path", raw=True) == f"{state}/iv-1/project/roles"


@pytest.mark.parametrize(
    "name", ["a:b", "100%", "${HOME}", 'say "x"', "a\\b", "a ;b", "a,b", "{{ x }}", "a\nb", "a\u202eb"]
)
def test_a_state_folder_that_would_be_misread_is_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(UsageError, match="cannot be configured in a folder with") as caught:
        refuse_odd_path(tmp_path / name)
    assert "PROVISIONER_STATE" in caught.value.hint and str(caught.value).isprintable()


def test_the_configuration_checks_host_keys_against_one_file(tmp_path: Path) -> None:
    workspace = Workspace(tmp_path / "iv-1")
    workspace.seal()
    text = render_config(workspace, tmp_path / "known_hosts", Limits(connect=3, keepalive=2))
    config = configparser.ConfigParser(interpolation=None)
    config.read_string(text)
    effective = as_ssh_reads(config["ssh_connection"]["ssh_args"])
    assert config["defaults"]["host_key_checking"] == "True"
    assert config["defaults"]["no_target_syslog"] == "True"
    assert effective["stricthostkeychecking"] in ("true", "yes") and effective["updatehostkeys"] in ("false", "no")
    assert effective["userknownhostsfile"] == str(tmp_path / "known_hosts")
    assert effective["globalknownhostsfile"] == "/dev/null"
    assert (effective["connecttimeout"], effective["serveraliveinterval"]) == ("3", "2")
    assert (effective["serveralivecountmax"], effective["controlmaster"]) == ("3", "auto")
    assert config["ssh_connection"]["pipelining"] == "False" and config["ssh_connection"]["usetty"] == "True"
    workspace.remove()


def test_a_folder_is_made_for_us_alone_and_never_twice(tmp_path: Path) -> None:
    workspace = Workspace(tmp_path / "runs" / "iv-1")
    workspace.seal()
    assert workspace.root.stat().st_mode & 0o777 == 0o700
    assert workspace.sockets.stat().st_mode & 0o777 == 0o700
    with pytest.raises(ExecutionError, match="exists already"):
        workspace.seal()
    sockets = workspace.sockets
    workspace.remove()
    assert not workspace.root.exists() and not sockets.exists()
    workspace.remove()


def test_the_sockets_path_is_short_however_deep_the_state_lies(tmp_path: Path) -> None:
    workspace = Workspace(tmp_path / ("deep" * 20) / "iv-1")
    workspace.seal()
    assert len(str(workspace.sockets)) + 1 + 40 + 17 < 107, "%C is 40 characters, and OpenSSH adds 17 while it binds"
    workspace.remove()


def write(workspace: Workspace, name: str, text: str) -> None:
    folder = workspace.root / "artifacts" / "iv-1" / "job_events"
    folder.mkdir(parents=True, exist_ok=True)
    (folder / name).write_text(text, encoding="utf-8")


def test_raw_events_come_in_their_order_and_broken_ones_are_passed_over(tmp_path: Path) -> None:
    workspace = Workspace(tmp_path / "iv-1")
    for name, event in {
        "10-x.json": "third",
        "9-x.json": "second",
        "1-x.json": "first",
        "y-partial.json": "last",
    }.items():
        write(workspace, name, json.dumps({"event": event}))
    write(workspace, "2-x.json", '{"event": "cut sh')
    write(workspace, "3-x.json", "[]")
    write(workspace, "11-x.json.tmp", json.dumps({"event": "unfinished"}))
    assert [found["event"] for found in workspace.raw_events()] == ["first", "second", "third", "last"]
    assert list(Workspace(tmp_path / "absent").raw_events()) == []
