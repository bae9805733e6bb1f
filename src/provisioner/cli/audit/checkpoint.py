"""`audit.checkpoint`: sign the log as it is now, and have the checkpoint cosigned and stamped by others."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from provisioner.cli.audit.files import keep_copy, read_small, write_small
from provisioner.cli.audit.flags import CLIENT, filled
from provisioner.cli.command import JSON_HELP, command, print_json, required, say
from provisioner.errors import UsageError

if TYPE_CHECKING:
    from invoke.context import Context

    from provisioner.cli.wiring import Site
    from provisioner.missions.anchoring import Anchored

EXAMPLE = "invoke audit.checkpoint --client demo"
REQUEST = "invoke audit.checkpoint --client demo --request demo.request --for-witness w1.example+01234567+BA…"


@command(
    help={
        "client": CLIENT,
        "out": "a file to copy the checkpoint to, with the lines of witnesses; never over another one",
        "request": "a file to write a witness's request to, for one that is reached by file; nobody else is asked",
        "for-witness": "the key of the witness that the request is for, or whose answer it is",
        "old-size": "how many entries that witness has, when its last answer said so",
        "cosignature": "a file with a witness's answer, to be kept beside the checkpoint that it cosigns",
        "json": JSON_HELP,
    }
)
def checkpoint(
    _context: Context,
    client: str = "",
    out: str | None = None,
    request: str | None = None,
    for_witness: str | None = None,
    old_size: str | None = None,
    cosignature: str | None = None,
    json: bool = False,
) -> int:
    """Sign a checkpoint (with nothing new: the newest) and ask the witnesses and time-stamp service of the settings.

    7 when none of them vouches for it. Example: invoke audit.checkpoint --client demo --out kept/demo.checkpoint
    """
    from provisioner.cli import wiring

    name = required("client", client, EXAMPLE)
    copy, asking, answer = filled("out", out), filled("request", request), filled("cosignature", cosignature)
    key, size = filled("for-witness", for_witness), filled("old-size", old_size)
    if (asking and answer) or (size and not asking):
        raise UsageError("--request makes a request, --cosignature takes an answer in: one at a time", hint=REQUEST)
    if key and not (asking or answer):
        raise UsageError("--for-witness says nothing without --request or --cosignature", hint=REQUEST)
    where = wiring.site(writes=True)
    _refuse_unknown(where, name)
    if asking:
        found = _requested(where, name, Path(asking), for_witness=key, old_size=size)
    elif answer:
        found = _taken_in(where, name, Path(answer), for_witness=key)
    else:
        found = _signed(where, name)
    if copy:
        keep_copy(Path(copy), found.checkpoint.note.encode())
    if json:
        print_json(_document(name, found, request=asking))
    else:
        _show(name, found, request=asking)
    return 7 if found.alone else 0


def _refuse_unknown(where: Site, client: str) -> None:
    from provisioner.cli import wiring
    from provisioner.missions.audit import refuse_unknown

    with wiring.open_book(where, client, read_only=True) as book:
        refuse_unknown(book)


def _signed(where: Site, client: str) -> Anchored:
    from provisioner.cli import wiring
    from provisioner.cli.wiring import anchors
    from provisioner.missions.anchoring import anchor

    asked = anchors.asked(where, anchors.Patience(anchors.PATIENT_SECONDS))
    with wiring.open_book(where, client) as book:
        return anchor(book, book.sign(wiring.now()), asked, at=wiring.now())


def _requested(where: Site, client: str, path: Path, *, for_witness: str, old_size: str) -> Anchored:
    """Sign, and write what the witness is to be sent; nobody is asked."""
    from provisioner.cli import wiring
    from provisioner.cli.wiring import anchors
    from provisioner.missions.anchoring import Asked, anchor, request_for

    keys = anchors.witness_keys(required("for-witness", for_witness, REQUEST))
    if len(keys) != 1:
        raise UsageError("a request is for one witness", hint=REQUEST)
    with wiring.open_book(where, client) as book:
        newest = book.sign(wiring.now())
        body = request_for(book, newest, keys[0], old=_number(old_size))
        found = anchor(book, newest, Asked(), at=wiring.now())
    write_small(path, body)
    return found


def _number(text: str) -> int | None:
    if text and not (text.isascii() and text.isdecimal() and len(text) < 19):
        raise UsageError(f"--old-size {text[:40]!a} is no number of entries", hint=f"{REQUEST} --old-size 41")
    return int(text) if text else None


def _taken_in(where: Site, client: str, path: Path, *, for_witness: str) -> Anchored:
    from provisioner.cli import wiring
    from provisioner.cli.wiring import anchors
    from provisioner.missions.anchoring import take_answer
    from provisioner.model.witnessing import BODY_LIMIT

    keys = anchors.witness_keys(for_witness) if for_witness else anchors.own_witnesses(where)
    if not keys:
        raise UsageError("whose answer is it? --for-witness is missing", hint=REQUEST.replace("request", "cosignature"))
    with wiring.open_book(where, client) as book:
        return take_answer(book, read_small(path, limit=BODY_LIMIT), keys)


def _document(client: str, found: Anchored, *, request: str) -> dict[str, object]:
    from provisioner.reporting.interventions import instant

    attempts = [
        {"by": one.by, "at": instant(one.at) if one.at else None, "problem": one.problem} for one in found.attempts
    ]
    return {
        "client": client,
        "size": found.checkpoint.size,
        "file": str(found.path),
        "checkpoint": found.checkpoint.note,
        "anchors": attempts,
        "request": request or None,
        "exit_code": 7 if found.alone else 0,
    }


def _show(client: str, found: Anchored, *, request: str) -> None:
    from provisioner.reporting.interventions import instant

    print(f"checkpoint of {found.checkpoint.size} entries of {client}: {found.path}")
    for attempt in found.attempts:
        if attempt.at:
            print(f"{attempt.by}: {instant(attempt.at)}")
        else:
            say(f"warning: {attempt.by}: {attempt.problem}")
    if found.alone:
        say("error: the checkpoint is signed, but nobody who was asked vouches for it")
    if request:
        print(f"request for the witness: {request}; take its answer in with --cosignature FILE")
