"""Loads what the role backup_probe gives machines."""

from __future__ import annotations

from tests.unit.roles._backup_proof import load

http2 = load("backup_probe", "backup_http2")
probing = load("backup_probe", "backup_probing")
