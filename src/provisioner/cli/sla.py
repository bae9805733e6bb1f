"""`invoke sla.*`: what was promised, measured and owed, from a file of events or from a client's log."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import TYPE_CHECKING

from provisioner.cli.command import JSON_HELP, command, print_json, required, say
from provisioner.cli.typed import language_of
from provisioner.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from invoke.context import Context

    from provisioner.missions.measuring import Promises
    from provisioner.model.balance import Balance
    from provisioner.model.contract import Language
    from provisioner.model.measurement import Statement

AS_OF = "what is later does not count: 2026-11-24T18:00:00+01:00, or 2026-11-24T18:00 in the contract's time zone"
LANGUAGE = "fr or en (default: the contract's language)"
CONTRACT = "the contract to measure by, where two decide"
TRACE = "show for each stretch of time whether a clock counted it, and why (--json has that in any case)"


@command(
    help={
        "contract": "a file contract.yml; the hosts.yml beside it says which machines it covers",
        "events": "a file of service events, one JSON object a line",
        "as-of": AS_OF,
        "contract-id": CONTRACT,
        "language": LANGUAGE,
        "trace": TRACE,
        "json": JSON_HELP,
    }
)
def replay(
    _context: Context,
    contract: str = "",
    events: str = "",
    as_of: str = "",
    contract_id: str = "",
    language: str = "",
    trace: bool = False,
    json: bool = False,
) -> int:
    """Compute from a contract and a file of events what was measured and what is owed; nothing else is read.

    Example: invoke sla.replay --contract contract.yml --events events.jsonl --as-of 2026-11-30T23:59
    """
    from pathlib import Path

    from provisioner.cli.wiring import service
    from provisioner.missions import measuring as mission
    from provisioner.reporting.statements import statement_document

    example = "invoke sla.replay --contract contract.yml --events events.jsonl --as-of 2026-11-30T23:59"
    path, file = Path(required("contract", contract, example)), Path(required("events", events, example))
    at, spoken = required("as-of", as_of, example), language_of(language)
    promises = service.promises_of_file(path, as_of=at, contract_id=contract_id)
    found = mission.replay(file, promises)
    if json:
        print_json({**statement_document(found), "texts": _texts(promises)})
    else:
        _show(found if trace else _without_traces(found), promises, language=spoken)
    return 0


@command(
    help={
        "client": "the client's folder, and the log it is measured from",
        "period": "a month, such as 2026-10",
        "as-of": f"{AS_OF} (default: now)",
        "contract-id": CONTRACT,
        "language": LANGUAGE,
        "trace": TRACE,
        "json": JSON_HELP,
    }
)
def statement(
    _context: Context,
    client: str = "",
    period: str = "",
    as_of: str = "",
    contract_id: str = "",
    language: str = "",
    trace: bool = False,
    json: bool = False,
) -> int:
    """State a month of a client's log: what was promised, measured and is owed. The log is only read.

    Example: invoke sla.statement --client demo --period 2026-10
    """
    from provisioner.cli import wiring
    from provisioner.cli.wiring import service
    from provisioner.missions import measuring as mission
    from provisioner.reporting.contracts import balance_document
    from provisioner.reporting.statements import statement_document

    example = "invoke sla.statement --client demo --period 2026-10"
    name, month, spoken = required("client", client, example), _month(period), language_of(language)
    site = wiring.site()
    promises = service.promises(site, name, as_of=as_of, contract_id=contract_id)
    with wiring.open_book(site, name, read_only=True) as book:
        found = mission.state(book, promises, period=month)
        origin = book.origin
    for warning in found.warnings:
        say(f"warning: {warning}")
    if json:
        log = {"origin": origin, "size": found.size, "root": found.root.hex()}
        balances = [balance_document(balance) for balance in found.balances]
        more = {"client": name, "period": month, "log": log, "texts": _texts(promises), "balances": balances}
        print_json({**statement_document(found.statement), **more, "warnings": [*found.warnings]})
    else:
        shown = found.statement if trace else _without_traces(found.statement)
        _show(shown, promises, balances=found.balances, language=spoken)
    return 0


def _show(found: Statement, promises: Promises, *, balances: Sequence[Balance] = (), language: Language | None) -> None:
    from provisioner.cli.present import page
    from provisioner.reporting.statement_tables import statement_tables

    page(statement_tables(found, promises.contracts, balances=balances, language=language))


def _without_traces(found: Statement) -> Statement:
    return replace(found, measurements=tuple(one._replace(trace=()) for one in found.measurements))


def _texts(promises: Promises) -> list[dict[str, str]]:
    """Which texts it was measured by: whoever has the same ones gets the same cents."""
    return [{"contract": one.id, "digest": one.digest} for one in promises.contracts]


def _month(text: str) -> str:
    if not re.fullmatch(r"[0-9]{4}-(0[1-9]|1[0-2])", text):
        said = "--period is missing" if not text else f"--period {text[:40]!a} is no month"
        raise UsageError(said, hint="write it such as 2026-10")
    return text
