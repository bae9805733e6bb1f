"""`audit.keys`: the keys of a client's log, and a change of key."""

from __future__ import annotations

from typing import TYPE_CHECKING

from provisioner.cli.audit.flags import CLIENT
from provisioner.cli.command import JSON_HELP, command, print_json, required, say
from provisioner.errors import UsageError

if TYPE_CHECKING:
    from invoke.context import Context

    from provisioner.missions.signing_keys import SigningKeys


@command(
    help={
        "client": CLIENT,
        "rotate": "put a new key in force; the old one signs the change",
        "revoke": "the same, because the key in force is or may be in other hands",
        "json": JSON_HELP,
    }
)
def keys(_context: Context, client: str = "", rotate: bool = False, revoke: bool = False, json: bool = False) -> int:
    """List the keys of a client's log and the state of the private key file, or change the key.

    Example: invoke audit.keys --client demo --rotate
    """
    from provisioner.cli import wiring
    from provisioner.missions.audit import refuse_unknown
    from provisioner.missions.signing_keys import change_key, signing_keys

    name = required("client", client, "invoke audit.keys --client demo")
    if rotate and revoke:
        raise UsageError("--rotate and --revoke were both given", hint="--revoke is for a key in other hands")
    changed = None
    with wiring.open_book(wiring.site(), name, read_only=True) as book:
        refuse_unknown(book)
    if rotate or revoke:
        where, reason = wiring.site(writes=True), "compromise" if revoke else "rotation"
        with wiring.open_book(where, name) as book:
            changed = change_key(book, where.settings.operator, at=wiring.now(), reason=reason).index
    with wiring.open_book(wiring.site(), name, read_only=True) as book:
        found = signing_keys(book)
    if json:
        print_json(
            {
                "client": name,
                "keys": _rows(found),
                "private_key": {"file": str(found.path), "state": found.private.state},
                "changed": changed,
                "unfinished": found.unfinished,
                "problems": [file.problem for file in found.problems],
                "exit_code": found.exit_code,
            }
        )
    else:
        _tell(found, changed)
    return found.exit_code


def _rows(found: SigningKeys) -> list[dict[str, object]]:
    from provisioner.reporting.interventions import instant

    return [
        {
            "entry": tenure.index,
            "id": tenure.key.id.hex(),
            "fingerprint": tenure.key.fingerprint,
            "key": tenure.key.render(),
            "since": instant(tenure.since),
            "until": instant(tenure.until) if tenure.until else None,
            "state": tenure.state,
        }
        for tenure in found.history.tenures
    ]


def _tell(found: SigningKeys, changed: int | None) -> None:
    from provisioner.cli.present import table

    columns = ("entry", "id", "since", "until", "state", "fingerprint")
    rows = [["" if row[name] is None else str(row[name]) for name in columns] for row in _rows(found)]
    table("", columns, rows)
    newest = found.history.newest.key
    print(f"verifier key: {newest.render()}")
    print(f"private key: {found.private.state} ({found.path})")
    if found.unfinished:
        print("the last change of key is not finished: the next command that writes does that")
    for file in found.problems:
        print(file.problem)
        say(f"next: {file.hint}")
    if changed is not None:
        print(f"entry {changed} puts the key {newest.id.hex()} in force; the private half of the one before is gone")
        print(f"tell the client the new fingerprint: {newest.fingerprint}")
        print("give each witness the new verifier key")
