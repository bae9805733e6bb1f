"""Agenda: what contracts ask for in the days ahead, and what is overdue."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from datetime import date

    from provisioner.model.sentence import Sentence


class ItemKind(StrEnum):
    """What an item of an agenda is about."""

    REVIEW = "review"
    NOTICE = "notice"
    RENEWAL = "renewal"
    END = "end"
    AMENDMENT = "amendment"
    DRILL = "drill"
    PIN = "pin"
    EXPIRY = "expiry"
    DUE = "due"
    ESCALATION = "escalation"


@dataclass(frozen=True, slots=True, kw_only=True)
class Item:
    """One thing to do or to know: its day in the contract's zone, and its instant (POSIX seconds) where it has one.

    `subject` tells items of one kind and clause apart, and stays the same when the item moves to another day.
    `overdue` is what should have been done before the instant of the agenda.
    """

    client: str
    contract: str
    kind: ItemKind
    clause: str
    subject: str
    day: date
    at: int | None = None
    overdue: bool = False
    text: Sentence


@dataclass(frozen=True, kw_only=True)
class Agenda:
    """Items in the order they are to be looked at, from `as_of` (POSIX seconds) to the day `until`, included."""

    as_of: int
    until: date
    clients: tuple[str, ...]
    items: tuple[Item, ...]
