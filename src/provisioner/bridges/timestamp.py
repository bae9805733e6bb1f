"""A time-stamp service over HTTP (RFC 3161, section 3.4)."""

from __future__ import annotations

from dataclasses import dataclass

from provisioner.bridges.http import post
from provisioner.errors import NoAnswer

TOKEN_LIMIT = 64 * 1024


@dataclass(frozen=True)
class HttpTimestamp:
    """The service at `url`; an answer takes `seconds` at most."""

    url: str
    seconds: float

    def stamp(self, query: bytes) -> bytes:
        """Send a TimeStampReq and return the TimeStampResp, both DER and neither read; raises NoAnswer otherwise."""
        kind = "application/timestamp-query"
        answer = post(self.url, query, content_type=kind, seconds=self.seconds, limit=TOKEN_LIMIT)
        if answer.status != 200:
            raise NoAnswer(f"{self.url}: HTTP status {answer.status} instead of a time stamp")
        return answer.body
