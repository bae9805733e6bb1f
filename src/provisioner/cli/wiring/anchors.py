"""Who outside is asked about checkpoints, and whose word is believed: from settings and flags to what missions take."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from provisioner.cli import wiring
from provisioner.errors import ConfigurationError, LedgerError, Problem, ProvisionerError, UsageError

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
"""How long each has after other work, which it must not hold up."""


def asked(where: Site, *, seconds: float) -> Asked:
    """Everybody that the settings name; ConfigurationError for a file of authorities without certificates."""
    from provisioner.bridges.timestamp import HttpTimestamp
    from provisioner.bridges.witness import HttpWitness
    from provisioner.ledger.checkpoint import parse_witness_key
    from provisioner.missions.anchoring import Asked, AskedAuthority, AskedWitness

    outside = where.settings.outside
    witnesses = tuple(
        AskedWitness(key=parse_witness_key(one.key), url=one.url, ask=HttpWitness(one.url, seconds).add_checkpoint)
        for one in outside.witnesses
    )
    stamp = outside.timestamp
    if stamp is None:
        return Asked(witnesses=witnesses)
    ask, roots = HttpTimestamp(stamp.url, seconds).stamp, read_authorities(stamp.authorities)
    return Asked(witnesses=witnesses, authority=AskedAuthority(url=stamp.url, authorities=roots, ask=ask))


def anchor_quietly(where: Site, client: str, *, say: Callable[[str], None]) -> None:
    """Anchor the client's newest checkpoint after other work, if the settings name anybody to ask.

    Nothing that goes wrong here, Ctrl-C included, is more than a warning told to `say`.
    """
    if not where.settings.outside.witnesses and where.settings.outside.timestamp is None:
        return
    from provisioner.ledger import published
    from provisioner.missions.anchoring import anchor

    try:
        services = asked(where, seconds=SHORT_SECONDS)
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
