# Copyright the provisioner authors. SPDX-License-Identifier: Apache-2.0
"""Readers for peripherals. Standard library only."""

from __future__ import annotations

READERS = {}
