"""40 planted secrets through a run that succeeds and one that fails telling them: no form of one is left anywhere.

Searched: standard output and error of every command, the database and its write-ahead log, a bundle with details, the
state folder, temporary files and the home, the process list during the runs (the machine's processes too, since it is
a container), and the machine's files and journal. In full also a check run and a controller that is killed
(`invoke dev.campaign --name secrets`). A secret belongs where a role is asked to put it, and nowhere else: ALLOWED.
"""

from __future__ import annotations

import base64
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from contextlib import closing
from functools import partial
from pathlib import Path
from sqlite3 import connect
from typing import TYPE_CHECKING
from urllib.parse import quote

import pytest
from tests.campaigns._secrets import Watcher, found, in_files, on_machine, plant, plant_key, unexpected
from tests.campaigns._secrets_site import WAYS, Site, make_site

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.acceptance.conftest import Desk
    from tests.conftest import LabMachine

FULL = os.environ.get("PROVISIONER_CAMPAIGN") == "full"

QUICK = ("os_baseline", "network_profile", "intervention_receipt", "acceptance")
"""The roles of the quick form: those that are given secrets, and the two that every play ends with."""

PROFILE = r"/etc/NetworkManager/system-connections/provisioner-[a-z0-9-]+\.nmconnection"
ALLOWED = {
    **{f"wifi {index}": PROFILE for index in range(4)},
    **{f"wireguard {index}": PROFILE for index in range(2)},
    "certificate 0": r"/etc/NetworkManager/provisioner/site-ca\.pem",
    **{f"hash {index}": "/etc/shadow-?" for index in range(2)},
}
"""Where on the machine a role is asked to write a secret, by its kind."""

NMCLI = """#!/bin/sh
case "$*" in
  *"-g NAME"*) sed -n 's/^id=//p' /etc/NetworkManager/system-connections/* ;;
  *) echo 'not running' ;;
esac
"""
"""Stands for NetworkManager, which the practice machine lacks: the role writes its profiles only where it is."""


@pytest.fixture(scope="module")
def site(new_desk: Callable[[], Desk]) -> Iterator[Site]:
    scratch = Path(tempfile.mkdtemp(prefix="s-"))
    yield make_site(new_desk(), scratch, roles=() if FULL else QUICK)
    shutil.rmtree(scratch)


@pytest.fixture(scope="module")
def machine(site: Site, lab_machine: Callable[..., LabMachine]) -> LabMachine:
    machine = lab_machine("secrets", state=site.desk.state)
    run(machine, "chpasswd", f"technician:{site.texts('become')[0]}\n")
    run(
        machine, "mkdir -p /etc/NetworkManager/system-connections; cat >/usr/bin/nmcli; chmod 755 /usr/bin/nmcli", NMCLI
    )
    return machine


def run(machine: LabMachine, script: str, given: str) -> str:
    """Run a script on the machine as root, behind the back of SSH and Ansible."""
    return machine.engine.call("exec", "-i", machine.running.container, "sh", "-c", script, given=given)


def test_no_secret_is_left_anywhere(site: Site, machine: LabMachine) -> None:
    began, planted = time.monotonic(), tuple(site.planted.values())
    assert len(planted) == 40
    watcher = Watcher(planted, site.desk.state / "ledger.db-wal", inherited=frozenset(names(site, "variable")))
    with watcher:
        codes = runs(site, machine)
    assert codes == [0, 5] + [0, 5, -9, 3] * FULL, "\n".join(site.said)
    bundle = site.root / "evidence" / "all.tar.gz"
    bundle.parent.mkdir()
    for words in (("audit.show", "--entry", "all"), ("audit.log", "--json"), ("audit.verify", "--json")):
        site.invoke(words[0], "--client", "demo", *words[1:])
    assert site.invoke("audit.export", "--client", "demo", "--details", "--out", str(bundle)) == 0, site.said[-1]
    places = on_machine(planted, partial(run, machine))
    sinks = {
        "output": found(planted, "\n".join(site.said).encode()),
        "processes and write-ahead log": sorted(watcher.hits),
        "state, home, temporary files": in_files(planted, *site.searched),
        "bundle": in_files(planted, bundle.parent),
        "machine": unexpected(places, ALLOWED),
    }
    lasted = time.monotonic() - began
    print(f"seconds of each command: {', '.join(f'{one:.0f}' for one in site.seconds)}")
    print(f"{len(planted)} secrets x {len(sinks)} sinks, {len(codes)} runs, {watcher.rounds} looks at the processes:")
    print(
        f"{sum(map(len, sinks.values()))} hits in {lasted:.0f} s; "
        + ", ".join(f"{k} {len(v)}" for k, v in sinks.items())
    )
    assert not any(sinks.values()), sinks
    # The control: the run that succeeded put them where they were asked for, and the search of the machine finds them.
    assert {hit.split(": ")[0] for hit in places} == set(ALLOWED)


def names(site: Site, kind: str) -> list[str]:
    return [name for name in site.planted if name.startswith(kind)]


def runs(site: Site, machine: LabMachine) -> list[int]:
    """A run that succeeds and one that fails telling everything; in full in check mode too, and one that is killed."""
    site.write(port=machine.port)
    codes = [site.invoke("onboard", "--host", "ws-01", "--json")]
    site.write(*WAYS, port=machine.port)
    codes.append(site.invoke("onboard", "--host", "ws-01"))
    if FULL:
        site.write(port=machine.port)
        codes.append(site.invoke("onboard", "--host", "ws-01", "--check"))
        site.write(*WAYS, port=machine.port)
        codes.append(site.invoke("onboard", "--host", "ws-01", "--json"))
        codes.append(killed(site))
        codes.append(site.invoke("onboard", "--host", "kiosk-01"))
    return codes


def killed(site: Site) -> int:
    """Kill the controller once a task was told; return how it ended."""
    with subprocess.Popen(**site.command("onboard", "--host", "ws-01"), stdout=subprocess.PIPE, text=True) as running:
        assert running.stdout is not None
        site.said.extend(running.stdout.readline() for _ in range(4))
        running.kill()
        return running.wait()


@pytest.mark.parametrize("way", ["plain", "base64", "inside base64", "url", "json", "hex", "HEX"])
def test_every_form_has_a_needle(way: str) -> None:
    secret = plant("x", 'Zq{}/+"é')
    data = secret.text.encode()
    written = {
        "plain": data,
        "base64": base64.b64encode(data),
        "inside base64": base64.b64encode(b"technician:" + data),
        "url": quote(secret.text, safe="").encode(),
        "json": json.dumps(secret.text).encode(),
        "hex": data.hex().encode(),
        "HEX": data.hex().upper().encode(),
    }
    assert found([secret], b"it is " + written[way] + b"!") == ["x"]
    assert found([plant("y")], written[way]) == []
    key = plant_key("k")
    assert found([key], base64.b64encode(key.text.encode())) == ["k"]


def test_a_planted_leak_is_found_in_each_sink(site: Site, machine: LabMachine, tmp_path: Path) -> None:
    """Negative control: one secret put into every sink by hand."""
    leak = plant("leak")
    with closing(connect(tmp_path / "ledger.db")) as database:
        database.execute("PRAGMA journal_mode = wal")
        database.execute("CREATE TABLE entries (leaf TEXT)")
        database.execute("INSERT INTO entries VALUES (?)", (leak.text,))
        database.commit()
        watcher = Watcher((leak,), tmp_path / "ledger.db-wal")
        sleeper = "import time; print(flush=True); time.sleep(60)"
        with subprocess.Popen(
            [sys.executable, "-c", sleeper, leak.text], env={"X": leak.text}, stdout=subprocess.PIPE
        ) as process:
            assert process.stdout is not None
            process.stdout.readline()
            watcher.look()
            process.kill()
    assert watcher.hits == {"leak: command line", "leak: environment", "leak: ledger.db-wal"}
    (tmp_path / "deep").mkdir()
    (tmp_path / "deep" / leak.text).touch()
    subprocess.run(["tar", "-czf", tmp_path / "deep.tar.gz", "-C", tmp_path, "deep"], check=True)
    assert {hit.rpartition("/")[2] for hit in in_files([leak], tmp_path)} == {"ledger.db", leak.text, "deep.tar.gz"}
    run(machine, "cat >/opt/leak; logger -t leak -f /opt/leak; sleep 1", leak.text)
    hits = on_machine([leak], partial(run, machine))
    assert {"leak: /opt/leak", "leak: journal"} <= set(hits)
    assert unexpected(hits, {"leak": "/opt/.*"}) and not unexpected(["leak: /opt/leak"], {"leak": "/opt/.*"})
