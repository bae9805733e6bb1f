"""A witness over HTTP (C2SP tlog-witness)."""

from __future__ import annotations

from dataclasses import dataclass

from provisioner.bridges.http import post
from provisioner.model.witnessing import BODY_LIMIT, Answer


@dataclass(frozen=True)
class HttpWitness:
    """The witness whose submission prefix is `url`; an answer takes `seconds` at most."""

    url: str
    seconds: float

    def add_checkpoint(self, body: bytes) -> Answer:
        """Submit, and return the answer; raises NoAnswer when there is none in time."""
        return post(
            f"{self.url}/add-checkpoint", body, content_type="text/plain", seconds=self.seconds, limit=BODY_LIMIT
        )
