"""`audit.witness`: be a witness for somebody's log; the client of a contract is the natural one. Needs no ledger."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

from provisioner.cli.audit.files import read_small, write_small
from provisioner.cli.audit.flags import filled
from provisioner.cli.command import JSON_HELP, command, print_json, say
from provisioner.errors import LedgerError, UsageError

if TYPE_CHECKING:
    from invoke.context import Context

    from provisioner.cli.wiring import Site

INTERRUPTED = 130
"""The exit code of a server that was ended with Ctrl-C, which is no error: its one document is out already."""

LISTEN = "127.0.0.1:8470"
HELP = "invoke audit.witness --help"
ACTION_OF = {"name": "--init", "listen": "--serve", "for": "--serve", "out": "--request"}
SERVE = "invoke audit.witness --serve --listen 127.0.0.1:8470 --for 8h"


@command(
    help={
        "init": "make this witness's key, once",
        "name": "with --init: its name for ever, such as w1.example",
        "trust": "add a log's key (a line provisioner/<client>+<id>+<base64>) to the logs that are witnessed",
        "serve": "answer over HTTP (C2SP tlog-witness)",
        "listen": f"with --serve: address and port (default {LISTEN})",
        "for": "with --serve: for how long, such as 90m, 8h or 30d",
        "request": "cosign a request that came as a file",
        "out": "with --request: where to write the answer (default: standard output)",
        "json": JSON_HELP,
    }
)
def witness(
    _context: Context,
    init: bool = False,
    name: str | None = None,
    trust: str | None = None,
    serve: bool = False,
    listen: str | None = None,
    for_: str | None = None,
    request: str | None = None,
    out: str | None = None,
    json: bool = False,
) -> int:
    """Witness logs: cosign a checkpoint only if it adds to the last one seen. Without an action: the logs and sizes.

    Example: invoke audit.witness --init --name w1.example
    """
    from provisioner.cli import wiring

    log, file = filled("trust", trust), filled("request", request)
    acts = {"--init": init, "--trust": bool(log), "--serve": serve, "--request": bool(file)}
    chosen = [flag for flag, given in acts.items() if given]
    if len(chosen) > 1:
        raise UsageError(f"{' and '.join(chosen)}: one at a time", hint=HELP)
    typed = {"name": name, "listen": listen, "for": for_, "out": out}
    texts = {flag: _belonging(flag, value, chosen) for flag, value in typed.items()}
    where = wiring.site(writes=bool(chosen))
    if init:
        return _init(where, texts["name"], json=json)
    if log:
        return _trust(where, log, json=json)
    if serve:
        return _serve(where, texts["listen"] or LISTEN, texts["for"], json=json)
    if file:
        return _cosign(where, Path(file), texts["out"], json=json)
    return _list(where, json=json)


def _belonging(flag: str, value: str | None, chosen: list[str]) -> str:
    """Return a flag's text, empty where it was not typed; UsageError where typed empty, or without its action."""
    text = filled(flag, value)
    if text and ACTION_OF[flag] not in chosen:
        raise UsageError(f"--{flag} says nothing without {ACTION_OF[flag]}", hint=HELP)
    return text


def _init(where: Site, name: str, *, json: bool) -> int:
    from provisioner.cli.wiring import witness

    if not name:
        raise UsageError("--name is missing", hint="invoke audit.witness --init --name w1.example")
    vkey = witness.make(where, name)
    if json:
        print_json({"witness": vkey})
    else:
        say("the witness's key; the log's operator puts it into settings.yml, you keep it to verify with:")
        print(vkey)
    return 0


def _trust(where: Site, vkey: str, *, json: bool) -> int:
    from provisioner.cli.wiring import witness

    origin, keys, new = witness.trust(where, vkey)
    if json:
        print_json({"log": origin, "keys": keys, "new": new})
    else:
        print(f"{origin}: {keys} key{'' if keys == 1 else 's'}{'' if new else '; this one was there already'}")
    return 0


def _serve(where: Site, listen: str, span: str, *, json: bool) -> int:
    from provisioner.cli.wiring import witness

    seconds = _seconds(span)
    with witness.listener(where, _address(listen), say) as listener:
        try:
            if json:
                print_json({"url": listener.url, "seconds": seconds})
                sys.stdout.flush()
            else:
                print(f"listening on {listener.url} for {span}", flush=True)
            listener.serve_for(seconds)
        except KeyboardInterrupt:
            say("interrupted")
            return INTERRUPTED
    return 0


def _address(text: str) -> tuple[str, int]:
    host, _, port = text.rpartition(":")
    if not host or not (port.isascii() and port.isdecimal()) or len(port) > 5 or int(port) > 65535:
        raise UsageError(f"--listen {text[:80]!a} is no address and port", hint=f"such as {LISTEN}")
    return host, int(port)


def _seconds(text: str) -> int:
    from provisioner.model.values import Duration

    if not text:
        raise UsageError("--for is missing: a server ends by itself", hint=SERVE)
    try:
        seconds = Duration.parse(text).seconds
    except ValueError as error:
        raise UsageError(f"--for: {error}", hint=SERVE) from error
    if seconds <= 0:
        raise UsageError(f"--for {text} is no time at all", hint=SERVE)
    return seconds


def _cosign(where: Site, path: Path, out: str, *, json: bool) -> int:
    """Answer a request that came as a file; a size (409) is an answer that the log's side can take in too."""
    from provisioner.cli.wiring import witness
    from provisioner.model.witnessing import BODY_LIMIT

    answer = witness.answer(where, read_small(path, limit=BODY_LIMIT))
    said = answer.body.decode()
    if answer.status in (400, 404):
        raise UsageError(f"{path}: {said.strip()}")
    if out and answer.status in (200, 409):
        write_small(Path(out), answer.body)
    if answer.status != 200:
        sized = f"this witness has {said.strip()} entries of that log, and the request begins at another size"
        hint = f"invoke audit.checkpoint … --request FILE --old-size {said.strip()}" if answer.status == 409 else ""
        raise LedgerError(f"{path}: not cosigned: {sized if hint else said.strip()}", hint=hint)
    if json:
        print_json({"status": answer.status, "answer": said, "out": out or None})
    elif out:
        print(f"cosigned: {out}")
    else:
        print(said, end="")
    return 0


def _list(where: Site, *, json: bool) -> int:
    from provisioner.cli.present import table
    from provisioner.cli.wiring import witness
    from provisioner.reporting.interventions import instant

    vkey, logs = witness.watched(where)
    instants = [instant(log.at) if log.at else None for log in logs]
    if json:
        shown = [
            {"log": log.origin, "keys": [key.render() for key in log.keys], "size": log.size, "at": at}
            for log, at in zip(logs, instants, strict=True)
        ]
        print_json({"witness": vkey, "logs": shown})
        return 0
    print(vkey)
    rows = [
        (log.origin, str(len(log.keys)), "" if log.size is None else str(log.size), at or "never")
        for log, at in zip(logs, instants, strict=True)
    ]
    table("", ("log", "keys", "entries", "cosigned"), rows)
    return 0
