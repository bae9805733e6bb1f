"""The sealed folder of one run, and the files written into it."""

from __future__ import annotations

import configparser
import json
from typing import TYPE_CHECKING, Any

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from provisioner.errors import ExecutionError
from provisioner.execution.ports import Order
from provisioner.execution.workspace import (
    Limits,
    Workspace,
    connection_variables,
    render_config,
    render_inventory,
    unsafe_yaml,
)
from provisioner.model.asset import Address, Transport
from provisioner.model.plan import Step
from provisioner.testing import make_asset, make_content

if TYPE_CHECKING:
    from pathlib import Path


class Unsafe(str):
    """Text that ansible-core does not render."""

    __slots__ = ()


def loader(base: Any) -> Any:
    """A YAML loader that, as ansible-core's, knows `!unsafe`."""

    class Loader(base):  # type: ignore[misc]
        pass

    Loader.add_constructor("!unsafe", lambda load, node: Unsafe(load.construct_scalar(node)))
    return Loader


LOADERS = [loader(yaml.SafeLoader), loader(yaml.CSafeLoader)]

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
def test_data_survives_and_every_text_is_marked_unsafe(data: dict[str, object]) -> None:
    line = unsafe_yaml(data)
    assert "\n" not in line
    for each in LOADERS:
        found = yaml.load(line.encode(), Loader=each)
        assert found == data
        assert all(isinstance(text, Unsafe) for text in texts_of(found))


def test_tuples_are_lists() -> None:
    assert yaml.load(unsafe_yaml({"a": ("b", ("c",))}), Loader=LOADERS[0]) == {"a": ["b", ["c"]]}


def test_the_control_an_unmarked_text_is_seen() -> None:
    assert not all(isinstance(text, Unsafe) for text in texts_of(yaml.load('{a: "x"}', Loader=LOADERS[0])))


def order(*assets: Any, **variables: dict[str, object]) -> Order:
    step = Step(assets=tuple(asset.name for asset in assets), variables=variables)
    return Order(intervention="iv-1", content=make_content(), step=step, assets=assets, check=False)


def test_the_inventory_is_of_the_batch_alone_and_connections_go_before_variables() -> None:
    asked = order(make_asset("a"), make_asset("b"), a={"x": "{{ 1 }}", "ansible_host": "elsewhere"}, c={"x": 1})
    text = render_inventory(asked, {"a": {"ansible_host": "127.0.0.1"}, "b": {}})
    assert yaml.load(text, Loader=LOADERS[0]) == {
        "all": {"hosts": {"a": {"x": "{{ 1 }}", "ansible_host": "127.0.0.1"}, "b": {}}}
    }


def test_the_connection_of_an_ssh_machine(tmp_path: Path) -> None:
    asset = make_asset(secrets={"become_password": "{{ x }}", "password": "p"})
    assert connection_variables(asset, identity=tmp_path / "key", authorities=tmp_path / "ca") == {
        "ansible_host": "127.0.0.1",
        "ansible_port": 2201,
        "ansible_user": "technician",
        "ansible_connection": "ssh",
        "ansible_ssh_private_key_file": str(tmp_path / "key"),
        "ansible_become_password": "{{ x }}",
        "ansible_password": "p",
    }


def test_the_connection_of_a_windows_machine_validates_its_certificate(tmp_path: Path) -> None:
    address = Address(host="192.0.2.1", port=5986, user="admin", transport=Transport.WINRM)
    found = connection_variables(make_asset(address=address), identity=tmp_path / "key", authorities=tmp_path / "ca")
    assert found["ansible_winrm_server_cert_validation"] == "validate"
    assert found["ansible_winrm_transport"] == "ntlm"
    assert found["ansible_winrm_ca_trust_path"] == str(tmp_path / "ca")
    assert "ansible_ssh_private_key_file" not in found


def test_the_configuration_checks_host_keys_against_one_file(tmp_path: Path) -> None:
    workspace = Workspace(tmp_path / "iv-1")
    workspace.seal()
    text = render_config(workspace, tmp_path / "known_hosts", Limits(connect=3, keepalive=2))
    config = configparser.ConfigParser(interpolation=None)
    config.read_string(text)
    arguments = config["ssh_connection"]["ssh_args"]
    assert config["defaults"]["host_key_checking"] == "True"
    assert "StrictHostKeyChecking=yes" in arguments and "=no " not in arguments.replace("UpdateHostKeys=no ", "")
    assert f"UserKnownHostsFile={tmp_path / 'known_hosts'} " in arguments
    assert "GlobalKnownHostsFile=/dev/null" in arguments and "accept-new" not in text
    assert "ConnectTimeout=3" in arguments and "ServerAliveInterval=2" in arguments
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
