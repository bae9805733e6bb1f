"""A contract as a document: every term in force on a day, and what that day makes of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields, is_dataclass
from datetime import date, time
from decimal import Decimal
from enum import Enum
from typing import TYPE_CHECKING

from provisioner.model.window import Window

if TYPE_CHECKING:
    from provisioner.model.balance import Balance
    from provisioner.model.contract import Contract


def plain(value: object) -> object:
    """Given a noun of the contract, return it in JSON's kinds: texts as the contract has them, absent keys left out."""
    if hasattr(value, "parse"):  # durations, money and the like: `str` is the inverse of `parse`
        return str(value)
    if isinstance(value, time):
        return value.strftime("%H:%M")
    if isinstance(value, (date, Decimal)):
        return str(value)
    if isinstance(value, Enum):
        return value.value
    if is_dataclass(value):
        pairs = ((item.name.removesuffix("_"), getattr(value, item.name)) for item in fields(value))
        document = {name: plain(item) for name, item in pairs if item is not None}
        return document | {"end": "24:00"} if isinstance(value, Window) and value.end == time() else document
    if isinstance(value, Mapping):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple, set, frozenset)):
        return [plain(item) for item in value]
    return value


@dataclass(frozen=True, kw_only=True)
class Standing:
    """What a day makes of a contract: whether it is in force, its last day (None: it runs on), the covered machines."""

    day: date
    in_force: bool
    last_day: date | None
    covered: tuple[str, ...]
    uncovered: tuple[str, ...]


def contract_document(contract: Contract, standing: Standing, *, digest: str) -> dict[str, object]:
    """Given the terms of a day and where they stand, return the document `contract.show --json` prints."""
    return {
        "contract": contract.id,
        "digest": digest,
        "as_of": str(standing.day),
        "in_force": standing.in_force,
        "last_day": str(standing.last_day) if standing.last_day else None,
        "covered": list(standing.covered),
        "uncovered": list(standing.uncovered),
        "terms": plain(contract),
    }


def balance_document(balance: Balance) -> dict[str, object]:
    """Given a balance, return its document: whole assets or seconds, the price of what went beyond as text."""
    return {
        "contract": balance.contract,
        "clause": balance.clause,
        "unit": balance.unit.value,
        "first": str(balance.first),
        "last": str(balance.last),
        "granted": balance.granted,
        "used": balance.used,
        "left": balance.left,
        "expired": balance.expired,
        "overage": balance.overage,
        "overage_amount": None if balance.overage_amount is None else str(balance.overage_amount),
        "assets": sorted(balance.assets),
    }


def lines_of(document: object, indent: int = 0) -> list[str]:
    """Given a document of JSON's kinds, return it as indented lines for a person."""
    pad = "  " * indent
    if isinstance(document, Mapping):
        lines = []
        for key, value in document.items():
            if isinstance(value, (Mapping, list)) and value:
                lines += [f"{pad}{key}:", *lines_of(value, indent + 1)]
            else:
                lines.append(f"{pad}{key}: {_scalar(value)}")
        return lines
    if isinstance(document, list):
        if all(not isinstance(item, (Mapping, list)) for item in document):
            return [f"{pad}{', '.join(_scalar(item) for item in document)}"]
        lines = []
        for item in document:
            first, *rest = lines_of(item, indent + 1) if item else [_scalar(item)]
            lines += [f"{pad}- {first.strip()}", *rest]
        return lines
    return [f"{pad}{_scalar(document)}"]


def _scalar(value: object) -> str:
    if value is None or isinstance(value, (Mapping, list)):
        return "none"
    if isinstance(value, bool):
        return "yes" if value else "no"
    return str(value)
