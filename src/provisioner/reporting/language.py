"""The home of Babel: documents in French and English, with the dates, money and numbers of each.

A text is its English; `locales/<language>/LC_MESSAGES/provisioner.po` holds the others, and is read as it is. English
numbers and dates are those of Great Britain, where a day comes before its month as it does in the contract's country.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from decimal import ROUND_DOWN, Decimal
from enum import Enum
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

from babel.core import Locale
from babel.dates import format_date, format_datetime
from babel.messages.pofile import read_po
from babel.numbers import format_currency, format_decimal
from babel.units import format_unit

from provisioner.model.contract import Language
from provisioner.model.sentence import Sentence
from provisioner.model.values import Duration, Money, Percentage
from provisioner.reporting.vocabulary import PHRASES

if TYPE_CHECKING:
    from collections.abc import Callable

    from babel.messages.catalog import Catalog

LOCALES = Path(__file__).parent / "locales"
_BABEL = {Language.FR: "fr", Language.EN: "en_GB"}
_UNITS = {"m": "minute", "h": "hour", "d": "day", "mo": "month"}
_PLACES = Decimal("0.001")


@cache
def catalogue(language: Language) -> Catalog | None:
    """Return the texts of a language; None for English, in which they are written."""
    if language is Language.EN:
        return None
    with (LOCALES / language.value / "LC_MESSAGES" / "provisioner.po").open("rb") as file:
        return read_po(file, locale=language.value, abort_invalid=True)


@dataclass(frozen=True, kw_only=True)
class Wording:
    """How a document says things: its language, the zone of its instants (empty: UTC), the currency of its money."""

    language: Language
    zone: str = ""
    currency: str = ""

    @property
    def locale(self) -> Locale:
        """What Babel calls the language."""
        return Locale.parse(_BABEL[self.language])

    def say(self, text: str, **values: object) -> str:
        """Given an English text with its values, or a Sentence, return it in the language; unknown text stays."""
        if isinstance(text, Sentence):
            return self.say(text.template, **text.values)
        found = catalogue(self.language)
        message = found.get(text) if found else None
        said = str(message.string) if message and message.string else text
        return said.format(**{name: self.value(value) for name, value in values.items()}) if values else said

    def each(self, *texts: str) -> tuple[str, ...]:
        """Given several texts, such as the heads of columns, return each in the language."""
        return tuple(self.say(text) for text in texts)

    def value(self, value: object) -> str:
        """Given a value of a sentence, return it as the language writes it."""
        return next((write(self, value) for kind, write in _WRITERS if isinstance(value, kind)), str(value))

    def phrase(self, value: Enum) -> str:
        """Given a word of the model, such as a state or a cause, return its phrase."""
        return self.say(PHRASES.get(value, str(value.value)))

    def day(self, day: date) -> str:
        """A day: `Tue 24 Nov 2026`, `mar. 24 nov. 2026`."""
        return format_date(day, "EEE d MMM y", locale=self.locale)

    def month(self, month: str) -> str:
        """A month such as `2026-10`: `October 2026`, `octobre 2026`."""
        return format_date(date.fromisoformat(f"{month}-01"), "MMMM y", locale=self.locale)

    def at(self, at: int) -> str:
        """An instant in POSIX seconds as wall time of the zone, and its offset where the wall shows that time twice."""
        wall = datetime.fromtimestamp(at, ZoneInfo(self.zone) if self.zone else UTC)
        pattern = "d MMM y HH:mm:ss" if wall.second else "d MMM y HH:mm"
        twice = wall.replace(fold=0).utcoffset() != wall.replace(fold=1).utcoffset()
        return format_datetime(
            wall, f"{pattern} 'UTC'xxx" if twice else pattern, tzinfo=wall.tzinfo, locale=self.locale
        )

    def length(self, seconds: int) -> str:
        """Seconds as `26h 5m` or `26h 5min`; hours are not folded into days, which differ between calendars."""
        hours, rest = divmod(abs(seconds), 3600)
        minutes, left = divmod(rest, 60)
        parts = [(hours, "hour"), (minutes, "minute"), (left, "second")]
        units = [self._unit(amount, unit, "narrow") for amount, unit in parts if amount]
        return ("-" if seconds < 0 else "") + " ".join(units or [self._unit(0, "minute", "narrow")])

    def duration(self, duration: Duration) -> str:
        """A duration of the contract: `90 minutes`, `6 months`; business days by their short name."""
        if duration.unit == "bd":
            return self.say("{number} bd", number=duration.amount)
        return self._unit(duration.amount, _UNITS[duration.unit], "long")

    def money(self, money: Money) -> str:
        """An amount in the currency: `€1,200.00`, `1 200,00 €`; without one, only the number."""
        if not self.currency:
            return format_decimal(money.amount, "#,##0.00", locale=self.locale)
        return format_currency(money.amount, self.currency, locale=self.locale)

    def percent(self, value: Decimal) -> str:
        """A share in percent, cut off (not rounded) after three places: 99.4999 never reads as 99.5."""
        number = self.number(value.quantize(_PLACES, rounding=ROUND_DOWN))
        return f"{number}\N{NO-BREAK SPACE}%" if self.language is Language.FR else f"{number}%"

    def number(self, value: Decimal | int) -> str:
        """A number, with as many places as it has."""
        return format_decimal(value, "#,##0.######", locale=self.locale, decimal_quantization=False)

    def _unit(self, amount: int, unit: str, length: str) -> str:
        return format_unit(amount, f"duration-{unit}", length=length, locale=self.locale)  # type: ignore[arg-type]


_WRITERS: tuple[tuple[type, Callable[[Wording, Any], str]], ...] = (
    (Sentence, Wording.say),
    (Enum, Wording.phrase),
    (datetime, lambda words, value: words.at(int(value.timestamp()))),
    (date, Wording.day),
    (timedelta, lambda words, value: words.length(int(value.total_seconds()))),
    (Money, Wording.money),
    (Percentage, lambda words, value: words.percent(value.value)),
    (Duration, Wording.duration),
    (int, Wording.number),
    (Decimal, Wording.number),
)
