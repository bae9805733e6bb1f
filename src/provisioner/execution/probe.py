"""The probe of a whole house: each asset by the transport of its address."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from provisioner.execution.ports import Contact, Probe
    from provisioner.model.asset import Asset, Transport


class TransportProbe:
    """Sends each asset to the probe of its transport."""

    def __init__(self, probes: Mapping[Transport, Probe]) -> None:
        self._probes = probes

    def reach(self, asset: Asset, *, accept: Callable[[str], bool]) -> Contact:
        """Reach the asset over the transport of its address: see `provisioner.execution.ports.Probe`."""
        return self._probes[asset.address.transport].reach(asset, accept=accept)
