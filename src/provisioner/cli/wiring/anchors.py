"""Who outside is asked about checkpoints, and whose word is believed: from settings and flags to what missions take."""

from __future__ import annotations

import time
from math import inf
from pathlib import Path
from typing import TYPE_CHECKING

from provisioner.cli import wiring
from provisioner.errors import ConfigurationError, LedgerError, NoAnswer, Problem, ProvisionerError, UsageError

if TYPE_CHECKING:
    from collections.abc import Callable

    from provisioner.cli.wiring import Site
    from provisioner.ledger.checkpoint import WitnessKey
    from provisioner.ledger.timestamp import Authorities
    from provisioner.missions.anchoring import Asked
    from provisioner.missions.anchors import Trusted

PATIENT_SECONDS = 30.0
"""How long each service has when somebody asked for a checkpoint."""

SHORT_SECONDS = 5.0
"""How long a call to one of them has after other work, which it must not hold up."""

ALL_SHORT_SECONDS = 15.0
"""How long all of these calls together have."""


class Patience:
    """How long a call to a service may take: `seconds`, and all of them together `total`, from now on."""

    def __init__(self, seconds: float, *, total: float = inf) -> None:
        """Begin now."""
        self._seconds = seconds
        self._total = total
        self._end = time.monotonic() + total

    def left(self) -> float:
        """Return the seconds that the next call has; raises NoAnswer when the total is over."""
        left = self._end - time.monotonic()
        if left <= 0:
            raise NoAnswer(f"not asked: the {self._total:g} s for all services together are over")
        return min(self._seconds, left)


def asked(where: Site, patience: Patience) -> Asked:
    """Everybody that the settings name; ConfigurationError for a file of authorities without certificates."""
    from provisioner.bridges.timestamp import HttpTimestamp
    from provisioner.bridges.witness import HttpWitness
    from provisioner.ledger.checkpoint import parse_witness_key
    from provisioner.missions.anchoring import Asked, AskedAuthority, AskedWitness

    outside = where.settings.outside

    def witness(url: str, key: str) -> AskedWitness:
        return AskedWitness(
            key=parse_witness_key(key),
            url=url,
            ask=lambda body: HttpWitness(url, patience.left()).add_checkpoint(body),
        )

    witnesses = tuple(witness(one.url, one.key) for one in outside.witnesses)
    stamp = outside.timestamp
    if stamp is None:
        return Asked(witnesses=witnesses)
    url, roots = stamp.url, read_authorities(stamp.authorities)
    authority = AskedAuthority(
        url=url, authorities=roots, ask=lambda query: HttpTimestamp(url, patience.left()).stamp(query)
    )
    return Asked(witnesses=witnesses, authority=authority)


def anchor_quietly(where: Site, client: str, *, say: Callable[[str], None]) -> None:
    """Anchor the client's newest checkpoint after other work, if the settings name anybody to ask.

    Nothing that goes wrong here, Ctrl-C included, is more than a warning told to `say`.
    """
    if not where.settings.outside.witnesses and where.settings.outside.timestamp is None:
        return
    from provisioner.ledger import published
    from provisioner.missions.anchoring import anchor

    try:
        services = asked(where, Patience(SHORT_SECONDS, total=ALL_SHORT_SECONDS))
        with wiring.open_book(where, client, read_only=True) as book:
            newest = published.latest(book.checkpoint_folder)
            attempts = anchor(book, newest, services, at=wiring.now()).attempts if newest else ()
        for attempt in attempts:
            if attempt.problem:
                say(f"warning: {attempt.by}: {attempt.problem}")
    except (ProvisionerError, OSError) as error:
        say(f"warning: the checkpoint was not anchored: {error}")
    except KeyboardInterrupt:
        say("warning: the checkpoint was not anchored: interrupted; `invoke audit.checkpoint` does it later")


def witness_keys(text: str) -> tuple[WitnessKey, ...]:
    """Given witnesses' keys with commas between them, return them; UsageError for one that is none."""
    from provisioner.ledger.checkpoint import parse_witness_key

    try:
        return tuple(parse_witness_key(part.strip()) for part in text.split(",") if part.strip())
    except LedgerError as error:
        raise UsageError(str(error), hint="the witness printed its key with `invoke audit.witness --init`") from error


def own_witnesses(where: Site) -> tuple[WitnessKey, ...]:
    """Return the keys of the witnesses in the settings."""
    from provisioner.ledger.checkpoint import parse_witness_key

    return tuple(parse_witness_key(one.key) for one in where.settings.outside.witnesses)


def trusted(where: Site, *, witness: str, time_authority: str) -> Trusted:
    """Whose word counts for a verification: those named by the flags, else those of the settings."""
    from provisioner.missions.anchors import Trusted

    stamp = where.settings.outside.timestamp
    file = Path(time_authority) if time_authority else stamp and stamp.authorities
    return Trusted(
        witnesses=witness_keys(witness) if witness else own_witnesses(where),
        witnesses_given=bool(witness),
        authorities=read_authorities(file) if file else None,
        authorities_given=bool(time_authority),
    )


def named(*, witness: str, time_authority: str) -> Trusted:
    """Whose word counts for a bundle: only those named by the flags, for it may be somebody else's."""
    from provisioner.missions.anchors import Trusted

    authorities = read_authorities(Path(time_authority)) if time_authority else None
    return Trusted(witnesses=witness_keys(witness), authorities=authorities)


def read_authorities(path: Path) -> Authorities:
    """Return the root certificates in a PEM file; ConfigurationError when there are none."""
    from provisioner.ledger.timestamp import parse_authorities

    try:
        return parse_authorities(path.read_bytes())
    except (LedgerError, OSError) as error:
        said = error.strerror or "" if isinstance(error, OSError) else str(error)
        raise ConfigurationError((Problem(str(path), 0, 0, "", said),)) from error
