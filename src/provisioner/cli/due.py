"""`invoke contract.due`: what contracts ask for in the days ahead, and what is overdue; as a calendar too."""

from __future__ import annotations

import os
import re
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from provisioner.cli.command import JSON_HELP, command, print_json, say
from provisioner.cli.typed import language_of
from provisioner.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from invoke.context import Context

    from provisioner.missions.agenda import Looked
    from provisioner.model.agenda import Agenda
    from provisioner.model.contract import Language
    from provisioner.model.values import Duration


@command(
    help={
        "client": "the client's folder (default: every client)",
        "ahead": "how far to look: 90d, 6mo",
        "as-of": "look from this instant in the past: 2026-11-24T18:00:00+01:00 (default: now)",
        "contract-id": "look at this contract only",
        "ical": "write the agenda to this file as a calendar (RFC 5545) too",
        "language": "fr or en (default: the contract's language)",
        "json": JSON_HELP,
    }
)
def due(
    _context: Context,
    client: str = "",
    ahead: str = "90d",
    as_of: str = "",
    contract_id: str = "",
    ical: str = "",
    language: str = "",
    json: bool = False,
) -> int:
    """List reviews, notice, ends, amendments, drills, pins, what expires, and what is due on tickets; overdue first.

    Example: invoke contract.due --client demo --ahead 6mo --ical demo.ics
    """
    from provisioner.cli import wiring
    from provisioner.cli.wiring import service
    from provisioner.missions.agenda import agenda_of, look_ahead

    span, wanted, site = _span(ahead), language_of(language), wiring.site()
    at = as_of or wiring.now().isoformat(timespec="seconds")
    looked = []
    for name in service.clients_of(site, client):
        promises = service.promises(site, name, as_of=at, contract_id=contract_id, measured=False)
        with service.book_if_begun(site, name) as book:
            looked.append(look_ahead(book, promises, ahead=span))
    _tell(agenda_of(looked, span), looked, language=wanted, file=Path(ical) if ical else None, json=json)
    return 0


def _tell(
    agenda: Agenda, looked: Sequence[Looked], *, language: Language | None, file: Path | None, json: bool
) -> None:
    from provisioner.cli.present import page
    from provisioner.model.contract import Language
    from provisioner.reporting.agenda import agenda_calendar, agenda_document, agenda_tables
    from provisioner.reporting.language import Wording

    contracts = [(one.client, loaded.versions[0].contract) for one in looked for loaded in one.promises.contracts]
    wordings = {
        (client, terms.id): Wording(language=language or terms.language, zone=terms.timezone, currency=terms.currency)
        for client, terms in contracts
    }
    if file is not None:
        _write(file, agenda_calendar(agenda, wordings))
        say(f"written: {file}, {len(agenda.items)} events")
    for one in looked:
        if not one.recorded:
            say(f"note: {one.client} has no log yet, so only its contract is looked at")
    if json:
        print_json(agenda_document(agenda))
        return
    languages, zones = ({getattr(one, name) for one in wordings.values()} for name in ("language", "zone"))
    words = Wording(
        language=languages.pop() if len(languages) == 1 else Language.EN,
        zone=zones.pop() if len(zones) == 1 else "",
    )
    page(agenda_tables(agenda, wordings, words=words))


def _span(text: str) -> Duration:
    from provisioner.model.values import Duration

    if not re.fullmatch("[0-9]{1,3}(mo|d)", text):
        raise UsageError(f"--ahead {text[:20]!a} is no number of days or months", hint="write it such as 90d or 6mo")
    return Duration.parse(text)


def _write(path: Path, data: bytes) -> None:
    """Write a calendar so that whoever reads the file sees the old or the new one; only one of ours is replaced."""
    from provisioner.reporting.agenda import is_ours

    if path.is_symlink() or (path.exists() and not (path.is_file() and is_ours(path.read_bytes()))):
        hint = "name another file, or take that one away"
        raise UsageError(f"--ical {path} is there and is no calendar that contract.due wrote", hint=hint)
    draft = None
    try:
        descriptor, draft = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
        with os.fdopen(descriptor, "wb") as file:
            file.write(data)
        Path(draft).replace(path)
    except OSError as error:
        if draft is not None:
            Path(draft).unlink(missing_ok=True)
        raise UsageError(f"--ical {path} cannot be written: {error.strerror}") from None
