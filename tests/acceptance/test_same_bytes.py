"""The same contract, events and instant give the same bytes on any machine: time zone, language and hash seed of it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

CONTRACT = """\
id: ACME-2026
client: {id: acme, name: Acme SAS}
provider: {name: Exemple Infogérance}
language: fr
currency: EUR
timezone: Europe/Paris
monthly_fee: "1234.56"
starts: 2026-01-01
ends: 2026-12-31
calendars:
  office: {timezone: Europe/Paris, hours: {mon-fri: ["08:00-12:00", "14:00-18:00"]}, holidays: FR-57,
           closed: [2026-10-30]}
  night: {timezone: America/New_York, hours: {mon-sun: ["22:00-06:00"]}}
assets: [workstations, servers]
missions: {service_desk: {}, workstation_setup: {}}
objectives:
  - {id: response, metric: response_time, priority: P1, target: 1h, calendar: office, grace: 5m,
     penalty: {per_breach: "50.00"}}
  - {id: resolution-p1, metric: resolution_time, priority: P1, target: 8h, calendar: night,
     penalty: {percent_of_fee: 3.333%}}
  - {id: resolution-p2, metric: resolution_time, priority: P2, target: 2bd, calendar: office, excludes: [force_majeure]}
  - {id: update, metric: update_time, target: 4h, calendar: office, penalty: {percent_of_fee: 2.5%}}
  - {id: setup, metric: setup_lead_time, target: 2bd, calendar: office}
  - {id: availability, metric: availability, group: servers, target: 99.5%, calendar: office,
     penalty: {tiers: [{below: 99.5%, percent_of_fee: 2%}, {below: 90%, percent_of_fee: 5.001%}]}}
penalty_cap: {percent_of_fee: 10%}
holds: {client: pauses, third_party: pauses}
amendments: [{effective: 2026-11-01, set: {monthly_fee: "1300.00"}}]
"""
HOSTS = """\
all:
  children:
    workstations: {hosts: {ws-01: {}}}
    servers: {hosts: {srv-01: {}, srv-02: {}}}
"""
EVENTS = [
    ("2026-10-23T17:30:00+02:00", {"ticket": "T-1", "kind": "opened", "priority": "P1", "asset": "srv-01"}),
    ("2026-10-24T09:00:00Z", {"ticket": "T-2", "kind": "opened", "priority": "P2", "mission": "workstation_setup"}),
    ("2026-10-25T02:30:00+01:00", {"ticket": "T-1", "kind": "held", "cause": "third_party"}),
    ("2026-10-26T09:15:00+01:00", {"ticket": "T-1", "kind": "responded"}),
    ("2026-10-26T09:30:00+01:00", {"ticket": "T-1", "kind": "replied", "by": "client"}),
    ("2026-10-27T10:00:00+01:00", {"ticket": "T-1", "kind": "replied", "by": "provider"}),
    ("2026-10-28T10:00:00+01:00", {"ticket": "T-2", "kind": "priority_changed", "priority": "P1"}),
    ("2026-10-31T23:59:59+01:00", {"ticket": "T-1", "kind": "resolved"}),
    ("2026-11-02T12:00:00+01:00", {"ticket": "T-1", "kind": "reopened"}),
    ("2026-11-03T12:00:00+01:00", {"ticket": "T-2", "kind": "accepted", "asset": "ws-01"}),
    ("2026-11-10T16:00:00+01:00", {"ticket": "T-3", "kind": "opened", "priority": "P2", "asset": "ws-01"}),
    ("2026-10-01T08:00:00+02:00", {"kind": "up", "asset": "srv-01"}),
    ("2026-10-01T08:00:00+02:00", {"kind": "up", "asset": "srv-02"}),
    ("2026-10-20T11:00:00+02:00", {"kind": "down", "asset": "srv-01"}),
    ("2026-10-20T16:00:00+02:00", {"kind": "up", "asset": "srv-01"}),
    ("2026-10-21T08:00:00+02:00", {"kind": "maintenance", "asset": "srv-02", "until": "2026-10-21T10:00:00+02:00"}),
]
PLACES = {
    "Greenwich": {"TZ": "UTC", "LANG": "C", "LC_ALL": "C", "PYTHONHASHSEED": "1"},
    "Metz": {"TZ": "Europe/Paris", "LANG": "fr_FR.UTF-8", "LC_ALL": "fr_FR.UTF-8", "PYTHONHASHSEED": "2"},
    "Auckland": {"TZ": "Pacific/Auckland", "LANG": "C.UTF-8", "LC_ALL": "C.UTF-8", "PYTHONHASHSEED": "3"},
}


@pytest.fixture
def client(tmp_path: Path) -> Path:
    folder = tmp_path / "acme"
    folder.mkdir()
    (folder / "contract.yml").write_text(CONTRACT)
    (folder / "hosts.yml").write_text(HOSTS)
    lines = [json.dumps({"at": at, **event}) for at, event in EVENTS]
    (folder / "events.jsonl").write_text("\n".join(lines) + "\n")
    return folder


def replayed(client: Path, place: str, *, as_of: str = "2026-11-12T12:00", form: str = "--json") -> bytes:
    """What `sla.replay` prints on a machine of that place; the instant is wall time of the contract's zone."""
    invoke = [str(Path(sys.executable).parent / "invoke"), "sla.replay", form, "--as-of", as_of]
    files = ["--contract", str(client / "contract.yml"), "--events", str(client / "events.jsonl")]
    environment = {name: value for name, value in os.environ.items() if not name.startswith("LC_")}
    return subprocess.run([*invoke, *files], env=environment | PLACES[place], check=True, capture_output=True).stdout


def test_a_document_is_the_same_everywhere(client: Path) -> None:
    here, *there = (replayed(client, place) for place in PLACES)
    assert there == [here] * 2
    said = json.loads(here)
    assert {one["state"] for one in said["measurements"]} >= {"met", "breached", "running", "not_applicable"}
    assert any(one["holidays"] for one in said["measurements"])
    assert said["credits"]


def test_a_page_is_the_same_everywhere(client: Path) -> None:
    assert replayed(client, "Metz", form="--trace") == replayed(client, "Auckland", form="--trace")


def test_an_hour_more_is_seen(client: Path) -> None:
    """Negative control: what a machine that read the instant in its own zone would print is something else."""
    assert replayed(client, "Metz") != replayed(client, "Metz", as_of="2026-11-12T13:00")
