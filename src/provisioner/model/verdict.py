"""Verdict: may this be done now, and why (not)."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class Reason:
    """Why something is refused: a stable code, the clause it rests on (a path in the contract), a sentence."""

    code: str
    clause: str
    text: str


@dataclass(frozen=True, kw_only=True)
class Verdict:
    """Allowed with the clause the work rests on, or refused with every reason."""

    clause: str
    reasons: tuple[Reason, ...] = ()

    @property
    def allowed(self) -> bool:
        """Whether nothing speaks against it."""
        return not self.reasons
