"""Figures of performance: from the files beside a contract, and from Prometheus where settings.yml names one."""

from __future__ import annotations

from datetime import datetime, time
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

from provisioner.config.figures import PROMETHEUS, read_figures
from provisioner.model.objective import Metric
from provisioner.model.record import Figures

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping
    from pathlib import Path

    from provisioner.config.outside import PrometheusSettings
    from provisioner.model.contract import LoadedContract

_SECONDS = 10.0


def of_files(contracts: Iterable[LoadedContract], folder: Path) -> Mapping[str, Figures]:
    """Return the figures by source as a replay takes them: files beside the contract are read, nobody is asked."""
    return {source: _read(source, loaded, folder=folder) for source, loaded in _sources(contracts)}


def of_client(
    contracts: Iterable[LoadedContract], folder: Path, *, prometheus: PrometheusSettings | None, as_of: int
) -> Mapping[str, Figures]:
    """Return the figures by source, up to an instant; those of Prometheus are asked for over the term so far.

    A source that gives none says why. Raises ConfigurationError with the lines of a file that are no figures.
    """
    found = {}
    for source, loaded in _sources(contracts):
        if not source.startswith(PROMETHEUS):
            found[source] = _read(source, loaded, folder=folder)
        elif prometheus is None:
            found[source] = Figures(reason="settings.yml names no prometheus")
        else:
            found[source] = _asked(source, loaded, prometheus=prometheus, as_of=as_of)
    return found


def _read(source: str, loaded: LoadedContract, *, folder: Path) -> Figures:
    if source.startswith(PROMETHEUS):
        return Figures(reason="a replay asks no Prometheus")
    return read_figures(folder, source, zone=loaded.timezone)


def _asked(source: str, loaded: LoadedContract, *, prometheus: PrometheusSettings, as_of: int) -> Figures:
    from provisioner.bridges.prometheus import HttpPrometheus

    starts = datetime.combine(loaded.versions[0].contract.starts, time.min, ZoneInfo(loaded.timezone or "UTC"))
    server = HttpPrometheus(prometheus.url, prometheus.step.seconds, _SECONDS)
    return server.figures(source.removeprefix(PROMETHEUS).strip(), start=int(starts.timestamp()), end=as_of)


def _sources(contracts: Iterable[LoadedContract]) -> Iterator[tuple[str, LoadedContract]]:
    """Each source that an objective of performance names in any version, with the earliest contract that does."""
    seen: set[str] = set()
    for loaded in sorted(contracts, key=lambda one: one.versions[0].effective):
        for version in loaded.versions:
            for objective in version.contract.objectives:
                if objective.metric is Metric.PERFORMANCE and objective.source and objective.source not in seen:
                    seen.add(objective.source)
                    yield objective.source, loaded
