#!/usr/bin/python3
# Copyright the provisioner authors. SPDX-License-Identifier: Apache-2.0
"""Back this machine up once, as /etc/provisioner/backup/config.json says; started by provisioner-backup.service."""

from __future__ import annotations

import sys
import uuid
from datetime import UTC, datetime
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))

from provisioner_backup.run import Machine, run
from provisioner_backup.settings import Places

if __name__ == "__main__":
    mounts = Path("/proc/self/mountinfo").read_text(errors="surrogateescape")
    machine = Machine(places=Places(), now=lambda: datetime.now(UTC), new_id=lambda: uuid.uuid4().hex, mounts=mounts)
    sys.exit(run(machine))
