"""`audit.erase`: take a person's details, or those beyond their term, out of a client's log. Needs no Ansible."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from provisioner.cli.audit.flags import CLIENT
from provisioner.cli.command import JSON_HELP, command, print_json, required, say
from provisioner.errors import UsageError

if TYPE_CHECKING:
    from invoke.context import Context

    from provisioner.missions.erase import Found

EXAMPLE = 'invoke audit.erase --client demo --person "Jane Doe" --check'


@command(
    help={
        "client": CLIENT,
        "person": "whose details: a name, or the pseudonym of an operator such as op-1a2b",
        "expired": "instead of a person: what is older than the contract's term `retention: details`",
        "check": "list what would go; change and record nothing",
        "yes": "do not ask; needed where there is no terminal",
        "json": JSON_HELP,
    }
)
def erase(
    _context: Context,
    client: str = "",
    person: str = "",
    expired: bool = False,
    check: bool = False,
    yes: bool = False,
    json: bool = False,
) -> int:
    """Erase personal details for good: names of operators, personal values, names and contacts in contract texts.

    No entry changes and every proof holds; the erasure is recorded, without the name.
    Example: invoke audit.erase --client demo --person "Jane Doe" --check
    """
    from provisioner.cli import wiring
    from provisioner.cli.wiring.erasure import wish_for
    from provisioner.missions import erase as mission

    name = required("client", client, EXAMPLE)
    if bool(person) == expired:
        raise UsageError("either --person or --expired is needed, and not both", hint=f"for example: {EXAMPLE}")
    site = wiring.site(writes=not check)
    wish = wish_for(site, name, person=person)
    with wiring.open_book(site, name, read_only=True) as book:
        found = mission.look(book, wish)
    if not found and not expired and (check or not found.unfinished):
        raise UsageError(f"nothing that is kept for {name} names this person", hint="audit.log shows who acted")
    entry: int | None = None
    if wiped := not check and (bool(found) or found.unfinished):
        _confirm(found, yes=yes)
        with wiring.open_book(site, name) as book:
            if found:
                entry = mission.carry_out(book, wish)
            else:
                mission.finish(book)
    _tell(name, found, entry=entry, wiped=wiped, json=json)
    return 0


def _tell(client: str, found: Found, *, entry: int | None, wiped: bool, json: bool) -> None:
    if json:
        print_json(_document(client, found, entry=entry, wiped=wiped))
    else:
        _show(client, found, entry=entry, wiped=wiped)


def _listed(found: Found) -> list[tuple[str, str, str]]:
    """Reference, field and value of everything that goes; of a contract's text, that names in it are blanked."""
    texts = ((digest, "contract", "what names the person in its text") for digest in found.blanked)
    return [*found.rows, *texts]


def _confirm(found: Found, *, yes: bool) -> None:
    """Let pass what the flag or the person at the terminal agrees to; raises UsageError, with the list, otherwise."""
    if yes or not found:
        return
    listed = "\n".join(f"{field} {reference}: {value}" for reference, field, value in _listed(found))
    if not (sys.stdin.isatty() and sys.stderr.isatty()):
        raise UsageError(f"this would be erased for good:\n{listed}", hint="to do so, type it again with --yes")
    say(listed)
    say("Erase this for good? Nobody can bring it back. [yes/no]")
    if sys.stdin.readline().strip() != "yes":
        raise UsageError("nothing was erased", hint="answer yes, or type it with --yes")


def _document(client: str, found: Found, *, entry: int | None, wiped: bool) -> dict[str, object]:
    from provisioner.missions.erase import OUT_OF_REACH

    keys = ("reference", "field", "value")
    return {
        "client": client,
        "entry": entry,
        "wiped": wiped,
        "fields": dict(found.fields),
        "found": [] if entry is not None else [dict(zip(keys, row, strict=True)) for row in _listed(found)],
        "references": [reference for reference, _, _ in found.rows],
        "blanked": list(found.blanked),
        "out_of_reach": list(OUT_OF_REACH),
    }


def _show(client: str, found: Found, *, entry: int | None, wiped: bool) -> None:
    from provisioner.cli.present import table
    from provisioner.missions.erase import OUT_OF_REACH

    counted = ", ".join(f"{count} {field}" for field, count in found.fields.items())
    if entry is not None:
        print(f"erased for {client}: {counted}; recorded as entry {entry}")
        for digest in found.blanked:
            print(f"the contract with the digest {digest} can no longer be shown as it was signed")
        for sentence in OUT_OF_REACH:
            print(f"not reached: {sentence}")
    elif wiped:
        print("the bytes that an earlier erasure left in the database's files are gone; nothing else was to be erased")
    elif found:
        table("", ("reference", "field", "what would go"), _listed(found))
        print(f"would be erased for {client}: {counted}")
    else:
        print(f"no personal detail of {client} is beyond the contract's term")
