# Copyright the provisioner authors. SPDX-License-Identifier: Apache-2.0
"""Readers for os_baseline. Standard library only."""

from __future__ import annotations

READERS = {}
