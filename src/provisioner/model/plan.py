"""Plan: who, what playbook, which variables, in which order, until when. Data, never commands; it has a digest."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

    from provisioner.model.mission import MissionKind


@dataclass(frozen=True, kw_only=True)
class Content:
    """What would be executed: the playbook and each role with their SHA-256 digests, in hex, and what they run on.

    `collections` are those the roles call, each `VERSION DIGEST` with the digest of its list of files; `ansible` is the
    version of ansible-core, `commit` the checkout's.
    """

    playbook: str
    playbook_digest: str
    roles: Mapping[str, str]
    ansible: str
    commit: str
    collections: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class Step:
    """One playbook on one batch of assets; `variables` are per asset, without connection data, their secrets hidden.

    `groups` are what the plays of the playbook name under `hosts`, besides `all`: which of the assets each works on.
    """

    assets: tuple[str, ...]
    variables: Mapping[str, Mapping[str, object]]
    groups: Mapping[str, tuple[str, ...]] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class Plan:
    """The decision as data. `digest` is over mission, assets, content and variables: not times, ids or operator."""

    client: str
    mission: MissionKind
    content: Content
    steps: tuple[Step, ...]
    digest: str

    @property
    def assets(self) -> tuple[str, ...]:
        """Every asset of the plan, in order."""
        return tuple(name for step in self.steps for name in step.assets)
