"""`audit.log`, `audit.show`, `audit.verify`: read a client's log. Needs no Ansible and no signing key."""

from __future__ import annotations

from typing import TYPE_CHECKING

from provisioner.cli.audit.flags import CLIENT, INSTANT, filled, instant_of
from provisioner.cli.command import JSON_HELP, command, print_json, required, say
from provisioner.errors import UsageError

if TYPE_CHECKING:
    from invoke.context import Context

    from provisioner.missions.audit import Row


def _row(row: Row) -> dict[str, object]:
    from provisioner.reporting.interventions import instant

    return {**vars(row), "at": instant(row.at), "hosts": list(row.hosts)}


def _cells(row: Row) -> tuple[str, ...]:
    outcome = row.outcome + (" (simulated)" if row.simulated else "")
    hosts, person = ", ".join(row.hosts), row.person or row.operator
    return (str(row.index), str(_row(row)["at"]), row.kind, hosts, outcome, person, row.intervention)


@command(
    help={
        "client": CLIENT,
        "host": "only what concerns this machine",
        "since": INSTANT,
        "until": INSTANT + "; a day is included",
        "outcome": "changed, unchanged, failed, unreachable, unknown, refused, halted or interrupted",
        "operator": "a person, or a pseudonym such as op-1a2b",
        "json": JSON_HELP,
    }
)
def log(
    _context: Context,
    client: str = "",
    host: str = "",
    since: str = "",
    until: str = "",
    outcome: str = "",
    operator: str = "",
    json: bool = False,
) -> int:
    """List the entries of a client's log. Example: invoke audit.log --client demo --host ws-01 --outcome failed"""
    from provisioner.cli import wiring
    from provisioner.cli.present import table
    from provisioner.missions import audit

    chosen = audit.Filter(
        host=host or None,
        since=instant_of("since", since, whole_day=False),
        until=instant_of("until", until, whole_day=True),
        outcome=_outcome(outcome),
        operator=operator or None,
    )
    name = required("client", client, "invoke audit.log --client demo")
    with wiring.open_book(wiring.site(), name, read_only=True) as book:
        rows = audit.log(book, chosen)
    if json:
        print_json({"client": name, "entries": [_row(row) for row in rows]})
    elif rows:
        lines = [_cells(row) for row in rows]
        table("", ("entry", "at", "kind", "hosts", "outcome", "operator", "intervention"), lines)
    else:
        say(f"no entry of {name} is of that kind")
    return 0


def _outcome(text: str) -> str | None:
    from provisioner.model.intervention import Outcome

    if text and text not in list(Outcome):
        raise UsageError(f"--outcome {text!r} is no outcome", hint=f"one of: {', '.join(Outcome)}")
    return text or None


@command(help={"client": CLIENT, "entry": "the index of an entry, or the id of an intervention", "json": JSON_HELP})
def show(_context: Context, client: str = "", entry: str = "", json: bool = False) -> int:
    """Show an entry, or all entries of an intervention, in full. Example: invoke audit.show --client demo --entry 3"""
    from provisioner.cli import wiring
    from provisioner.missions import audit
    from provisioner.reporting.contracts import lines_of
    from provisioner.reporting.interventions import instant

    example = "invoke audit.show --client demo --entry 3"
    name, wanted = required("client", client, example), required("entry", entry, example)
    with wiring.open_book(wiring.site(), name, read_only=True) as book:
        found = audit.show(book, wanted)
    documents = [
        {
            "index": shown.entry.index,
            "at": instant(shown.entry.at),
            "kind": shown.entry.kind,
            "operator": shown.entry.operator,
            "salt": shown.entry.salt,
            "leaf_hash": shown.entry.hash.hex(),
            "body": shown.entry.body,
            "known": dict(shown.known),
        }
        for shown in found
    ]
    if json:
        print_json({"client": name, "entries": documents})
    else:
        print("\n\n".join("\n".join(lines_of(document)) for document in documents))
    return 0


@command(
    help={
        "client": CLIENT,
        "bundle": "verify a bundle of audit.export, archive or folder, in place of a client's log",
        "checkpoint": "a file with a checkpoint of this log that you kept: the log must be what it was then, or more",
        "key-fingerprint": "the SHA-256, in hex, of the log's public key that you kept",
        "witness": "the key of a witness you believe, from your own records (several with commas)",
        "time-authority": "a PEM file with the roots of time-stamp authorities you believe",
        "json": JSON_HELP,
    }
)
def verify(
    _context: Context,
    client: str = "",
    bundle: str = "",
    checkpoint: str | None = None,
    key_fingerprint: str | None = None,
    witness: str | None = None,
    time_authority: str | None = None,
    json: bool = False,
) -> int:
    """Derive the whole log again; say OK, UNANCHORED or TAMPERED and what it was compared with. 7 when it is not OK.

    Example: invoke audit.verify --client demo --checkpoint kept/demo.checkpoint
    """
    from pathlib import Path

    from provisioner.cli import wiring
    from provisioner.cli.audit.answers import tell
    from provisioner.cli.audit.export import verify_bundle
    from provisioner.cli.wiring.anchors import named, trusted
    from provisioner.missions import audit
    from provisioner.missions.anchors import vouched

    copy, fingerprint = filled("checkpoint", checkpoint), filled("key-fingerprint", key_fingerprint)
    keys, authority = filled("witness", witness), filled("time-authority", time_authority)
    if bundle and client:
        raise UsageError("--client and --bundle were both given", hint="a bundle is verified without the client's log")
    if bundle:
        parties = named(witness=keys, time_authority=authority)
        return verify_bundle(bundle, checkpoint=copy, fingerprint=fingerprint, parties=parties, json=json)
    name = required("client", client, "invoke audit.verify --client demo")
    where = wiring.site()
    parties = trusted(where, witness=keys, time_authority=authority)
    with wiring.open_book(where, name, read_only=True) as book:
        found = vouched(book, parties)
        report = audit.verify_log(book, kept=Path(copy) if copy else None, fingerprint=fingerprint, vouched=found)
    return tell(report, f"of {name}", json={"client": name} if json else None)
