"""`invoke backup.*` on real machines: real restic over SSH into a real store, watched; a silence opens a ticket."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.acceptance.conftest import Desk
    from tests.conftest import LabMachine

TERMS: dict[str, Any] = {
    "rpo": "1h",
    "keep": {"daily": 7},
    "paths": ["/srv/data", "/srv/more"],
    "exclude": ["*.tmp"],
    "stores": ["site"],
}
AGENTS = ("ws-01", "ws-02")


class Office:
    """Two machines that are backed up and one store, all of one desk."""

    def __init__(self, desk: Desk, machines: dict[str, LabMachine]) -> None:
        self.desk = desk
        self.machines = machines

    def typed(self, *words: str) -> tuple[int, dict[str, Any]]:
        code, told = self.desk.ask(*words, "--client", "demo")
        print(code, json.dumps(told, indent=1))
        return code, told

    def copy(self) -> None:
        """Let the store's job run now, instead of within the hour."""
        self.machines["site"].shell("systemctl start --wait provisioner-vault-demo.service")

    def status(self) -> tuple[int, dict[str, dict[str, Any]], dict[str, Any]]:
        code, told = self.typed("backup.status")
        return code, {row["asset"]: row for row in told["machines"]}, told


@pytest.fixture
def office(new_desk: Callable[[], Desk], lab_machine: Callable[..., LabMachine]) -> Iterator[Office]:
    desk = new_desk()
    desk.contract["missions"] = {"backup": TERMS}
    desk.contract["assets"] = ["workstations", "stores"]
    machines = {name: lab_machine(f"{name}-{desk.folder.name}", state=desk.state) for name in (*AGENTS, "site")}
    ask = ("inspect", "--format", "{{.NetworkSettings.IPAddress}}", machines["site"].running.container)
    address = machines["site"].engine.call(*ask).strip()
    for name in AGENTS:
        secret = f"of-{name}-and-no-other"
        desk.add("workstations", name, machines[name].port, backup_agent_password=secret)
        machines[name].shell(
            "mkdir -p /srv/data /srv/more && echo precious > /srv/data/file && echo x > /srv/data/scratch.tmp"
        )
    reached = {"backup_store_address": address, "backup_store_port": 22, "backup_store_quota": "200M"}
    desk.add("stores", "site", machines["site"].port, backup_store_vault_password="of-the-vault-alone", **reached)
    desk.write()
    yield Office(desk, machines)
    for machine in machines.values():
        machine.engine.call("rm", "--force", "--ignore", "--time", "0", machine.running.container)


def test_configure_watch_and_silence(office: Office) -> None:
    desk, site = office.desk, office.machines["site"]

    code, told = office.typed("backup.configure", "--now")
    assert (code, told["outcome"]) == (0, "changed")
    assert {row["asset"]: row["policy"]["interval_seconds"] for row in told["policies"]} == {
        "ws-01": 1200 - 300,
        "ws-02": 900,
    }
    assert all(check["result"] == "pass" for asset in told["assets"] for check in asset["checks"])

    office.copy()
    code, rows, told = office.status()
    assert code == 0, rows
    assert {row["state"] for row in rows.values()} == {"ok"} and len(told["recorded"]) == 2
    assert rows["ws-01"]["proven"] is None and [rule["proven"] for rule in rows["ws-01"]["rules"]] == [False] * 5

    body = next(
        entry["body"]
        for index in told["recorded"]
        for entry in desk.ask("audit.show", "--client", "demo", "--entry", str(index))[1]["entries"]
        if entry["body"]["asset"] == "ws-01"
    )
    assert (body["kind"], body["store"], body["missing"], body["unreadable"]) == ("backup_status", "site", 0, 0)
    assert len(body["manifest"]) == 64
    ls = f"restic --no-cache -q -r /srv/backup/demo/vault/ws-01 ls {body['copy']} | grep -a ^/srv/"
    listed = site.shell(f"RESTIC_PASSWORD=of-the-vault-alone {ls}")
    assert "/srv/data/file" in listed and "scratch.tmp" not in listed, "what the contract says is in the vault"

    # Runs were measured: they are short, and there is room for a larger interval. A third time changes nothing.
    code, told = office.typed("backup.configure", "--host", "ws-01")
    assert (code, told["policies"][0]["policy"]["interval_seconds"]) == (0, 1800)
    code, told = office.typed("backup.configure", "--host", "ws-01")
    assert (code, told["outcome"]) == (0, "unchanged")

    # One of two paths goes: restic calls it well, and it is no success.
    office.machines["ws-02"].shell("rm -r /srv/more; systemctl start provisioner-backup.service || true")
    # What the store says of the other is older than the rpo, though the machine is on: as if nothing had come.
    older = 'sed -i \'s/"\\(time\\|arrived\\)": "20[0-9]*-/"\\1": "2020-/\''
    site.shell(f"{older} /var/lib/provisioner/store/demo/ws-01.json")
    code, rows, told = office.status()
    assert (code, rows["ws-02"]["state"]) == (5, "incomplete") and "missing_path" in rows["ws-02"]["reason"]
    assert (rows["ws-01"]["state"], rows["ws-01"]["breached"]) == ("silent", True)
    (ticket,) = told["tickets"]
    assert ticket.startswith("backup-ws-01-")
    _, rows, told = office.status()
    assert (told["tickets"], rows["ws-01"]["ticket"]) == ([], ticket), "not twice while one is open"
    (opened,) = desk.ask("ticket.list", "--client", "demo")[1]["tickets"]
    assert (opened["ticket"], opened["asset"], opened["priority"]) == (ticket, "ws-01", "P1")

    desk.contract["missions"]["backup"]["rpo"] = "18m"
    desk.write()
    code, told = office.typed("backup.configure")
    assert (code, told["outcome"]) == (3, "refused"), "a promise that cannot be kept is not begun"
    assert {reason["clause"] for reason in told["reasons"]} == {"missions.backup.rpo"}
    assert desk.kinds()[-1] == "refused"
