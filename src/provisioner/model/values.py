"""Values that a contract writes as text: durations, money, percentages, days, names. `str` is the inverse of `parse`.

`Text` and `Shorthand` say how a field of a noun is written. The loader in `config/` hands them to pydantic, which
looks for the two dunder methods by name; nothing here imports it.
"""

from __future__ import annotations

import re
from base64 import b64decode
from dataclasses import dataclass
from datetime import date, time
from decimal import Decimal
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated, Any

if TYPE_CHECKING:
    from collections.abc import Callable


@dataclass(frozen=True)
class Text:
    """How a scalar is written: `parse` turns text that matches `pattern` into the value; else `expected …` is said.

    `types` are the JSON types an editor may see for it (YAML tools read a bare 20 as an integer).
    """

    parse: Callable[[str], object]
    pattern: str
    expected: str
    types: tuple[str, ...] = ("string",)

    def __call__(self, value: object) -> object:
        """Given what the file holds, return the value; raise ValueError with one sentence otherwise."""
        if not isinstance(value, str):
            raise ValueError(f"expected {self.expected}")
        if not re.fullmatch(self.pattern, value):
            raise ValueError(f"expected {self.expected}, found {shown(value)}")
        return self.parse(value)

    def __get_pydantic_core_schema__(self, _source: object, _handler: object) -> dict[str, Any]:
        return {"type": "function-plain", "function": {"type": "no-info", "function": self}}

    def __get_pydantic_json_schema__(self, _schema: object, _handler: object) -> dict[str, Any]:
        types = self.types[0] if len(self.types) == 1 else list(self.types)
        return {"type": types, "pattern": f"^(?:{self.pattern})$", "$comment": self.expected}


@dataclass(frozen=True)
class Shorthand:
    """A shorter way to write a structure: text that `expand` turns into the full form (other shapes pass unchanged)."""

    expand: Callable[[str], object]
    pattern: str
    expected: str

    def __get_pydantic_core_schema__(self, source: object, handler: Callable[[object], Any]) -> dict[str, Any]:
        def before(value: object) -> object:
            return self.expand(value) if isinstance(value, str) and re.fullmatch(self.pattern, value) else value

        function = {"type": "no-info", "function": before}
        return {"type": "function-before", "function": function, "schema": handler(source)}

    def __get_pydantic_json_schema__(self, schema: dict[str, Any], handler: Callable[[object], Any]) -> dict[str, Any]:
        return {
            "anyOf": [
                {"type": "string", "pattern": f"^(?:{self.pattern})$", "$comment": self.expected},
                handler(schema["schema"]),
            ]
        }


def shown(text: str) -> str:
    """Given text of a file, return it quoted for a message: on one line, ASCII, at most 60 characters."""
    return ascii(text if len(text) <= 60 else text[:57] + "...")


_DURATION = re.compile(r"(-?)([0-9]{1,5})(mo|bd|m|h|d)")
_FIXED_SECONDS = {"m": 60, "h": 3600, "d": 86400}


@dataclass(frozen=True)
class Duration:
    """A length of time: `m`, `h` and `d` (24 h) are fixed; `mo` are calendar months, `bd` business days (rule 1)."""

    amount: int
    unit: str

    @classmethod
    def parse(cls, text: str) -> Duration:
        """Given `4h` (or `-10m`), return it; raise ValueError otherwise."""
        match = _DURATION.fullmatch(text)
        if match is None:
            raise ValueError(f"expected a duration such as 90m, 4h, 2d, 3mo or 2bd, found {shown(text)}")
        sign, amount, unit = match.groups()
        return cls(-int(amount) if sign else int(amount), unit)

    def __str__(self) -> str:
        return f"{self.amount}{self.unit}"

    @property
    def seconds(self) -> int:
        """Its length in seconds; ValueError for months and business days, which need a calendar."""
        if self.unit not in _FIXED_SECONDS:
            raise ValueError(f"{self} has no fixed length")
        return self.amount * _FIXED_SECONDS[self.unit]


NO_TIME = Duration(0, "m")


@dataclass(frozen=True, order=True)
class Money:
    """An amount in the contract's currency, without VAT: two decimals at most, never a float."""

    amount: Decimal

    @classmethod
    def parse(cls, text: str) -> Money:
        """Given `1200.00`, return it; raise ValueError otherwise."""
        if not re.fullmatch(MONEY_PATTERN, text):
            raise ValueError(f"expected an amount such as 1200.00, found {shown(text)}")
        return cls(Decimal(text))

    def __str__(self) -> str:
        return f"{self.amount:.2f}"


@dataclass(frozen=True, order=True)
class Percentage:
    """A share from 0% to 100%, with up to three decimals; `value` is 99.5 for `99.5%`."""

    value: Decimal

    @classmethod
    def parse(cls, text: str) -> Percentage:
        """Given `99.5%`, return it; raise ValueError otherwise."""
        if not re.fullmatch(PERCENTAGE_PATTERN, text):
            raise ValueError(f"expected a percentage such as 99.5%, found {shown(text)}")
        value = Decimal(text[:-1])
        if value > 100:
            raise ValueError(f"expected a percentage of at most 100%, found {text}")
        return cls(value)

    def __str__(self) -> str:
        return f"{self.value.normalize():f}%"


@dataclass(frozen=True)
class Size:
    """An amount of storage in MiB or GiB (IEC 80000-13)."""

    amount: int
    unit: str

    @classmethod
    def parse(cls, text: str) -> Size:
        """Given `2GiB`, return it; raise ValueError otherwise."""
        if not re.fullmatch(SIZE_PATTERN, text):
            raise ValueError(f"expected a size such as 500MiB or 2GiB, found {shown(text)}")
        return cls(int(text[:-3]), text[-3:])

    def __str__(self) -> str:
        return f"{self.amount}{self.unit}"

    @property
    def mib(self) -> int:
        """It in MiB."""
        return self.amount * (1024 if self.unit == "GiB" else 1)


def parse_day(text: str) -> date:
    """Given `2026-01-31`, return the date; raise ValueError for no such day, or a year outside 1970-2199."""
    if not re.fullmatch(DAY_PATTERN, text):
        raise ValueError(f"expected a day such as 2026-01-31, found {shown(text)}")
    try:
        day = date.fromisoformat(text)
    except ValueError:
        raise ValueError(f"{text} is not a day of the calendar") from None
    if not 1970 <= day.year <= 2199:
        raise ValueError(f"expected a day between 1970 and 2199, found {text}")
    return day


def parse_time(text: str) -> time:
    """Given `22:00`, return the wall time; `24:00` is midnight, `00:00`."""
    return time.fromisoformat("00:00" if text == "24:00" else text)


def parse_ssh_key(text: str) -> str:
    """Given `ssh-ed25519 AAAA… comment`, return it; ValueError when its bytes are not of the type it names."""
    kind, data = text.split()[:2]
    try:
        named = b64decode(data, validate=True)[4 : 4 + len(kind)]
    except ValueError:
        named = b""
    if named != kind.encode():
        raise ValueError(f"expected an SSH public key, but the text after {kind} is not one; copy the whole .pub line")
    return text


def _positive(text: str) -> Duration:
    duration = Duration.parse(text)
    if duration.amount == 0:
        raise ValueError(f"expected a duration longer than zero, found {text}")
    return duration


def _count(text: str) -> int:
    return int(text)


def _some(text: str) -> int:
    if text == "0":
        raise ValueError("expected a number of at least 1, found 0")
    return int(text)


def _flag(text: str) -> bool:
    return text == "true"


def _some_share(text: str) -> Percentage:
    share = Percentage.parse(text)
    if share.value == 0:
        raise ValueError("expected a percentage above 0%")
    return share


MONEY_PATTERN = r"[0-9]{1,12}(\.[0-9]{1,2})?"
PERCENTAGE_PATTERN = r"[0-9]{1,3}(\.[0-9]{1,3})?%"
DAY_PATTERN = r"[0-9]{4}-[0-9]{2}-[0-9]{2}"
SIZE_PATTERN = r"[1-9][0-9]{0,6}(MiB|GiB)"
COUNT_PATTERN = r"0|[1-9][0-9]{0,6}"
TIME_PATTERN = r"([01][0-9]|2[0-3]):[0-5][0-9]"

Count = Annotated[int, Text(_count, COUNT_PATTERN, "a whole number such as 20", ("string", "integer"))]
AtLeastOne = Annotated[int, Text(_some, COUNT_PATTERN, "a whole number such as 20, at least 1", ("string", "integer"))]
Flag = Annotated[bool, Text(_flag, "true|false", "true or false", ("string", "boolean"))]
Day = Annotated[date, Text(parse_day, DAY_PATTERN, "a day such as 2026-01-31")]
StartTime = Annotated[time, Text(parse_time, TIME_PATTERN, "a time such as 22:00")]
EndTime = Annotated[time, Text(parse_time, TIME_PATTERN + "|24:00", "a time such as 04:00 or 24:00")]
Amount = Annotated[Money, Text(Money.parse, MONEY_PATTERN, 'an amount such as "1200.00", at most two decimals')]
LabourHours = Annotated[Decimal, Text(Decimal, MONEY_PATTERN, 'a number of hours such as "40"', ("string", "integer"))]
Share = Annotated[Percentage, Text(Percentage.parse, PERCENTAGE_PATTERN, "a percentage such as 5%")]
SomeShare = Annotated[Percentage, Text(_some_share, PERCENTAGE_PATTERN, "a percentage such as 10%, above 0%")]
SomeSpace = Annotated[Size, Text(Size.parse, SIZE_PATTERN, "a size such as 500MiB or 2GiB")]
Elapsed = Annotated[Duration, Text(Duration.parse, "[0-9]{1,5}(m|h|d)", "a duration such as 90m, 4h or 2d")]
SomeElapsed = Annotated[Duration, Text(_positive, "[0-9]{1,5}(m|h|d)", "a duration such as 90m, 4h or 2d")]
Span = Annotated[Duration, Text(_positive, "[0-9]{1,3}(mo|d)", "a duration such as 90d or 12mo")]

Identifier = Annotated[str, Text(str, "[A-Za-z0-9][A-Za-z0-9._-]{0,63}", "a name of letters, digits, dots and hyphens")]
ClientId = Annotated[
    str, Text(str, "[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?", "a client id of a-z, 0-9 and hyphens such as acme")
]
GroupName = Annotated[str, Text(str, "[A-Za-z_][A-Za-z0-9_]{0,62}", "a group name of letters, digits and underscores")]
HostName = Annotated[
    str,
    Text(
        str,
        r"(?=.{1,253}$)[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?(\.[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?)*",
        "a host name of a-z, 0-9, hyphens and dots such as ws-01",
    ),
]
Words = Annotated[str, Text(str, r"\S.{0,498}\S|\S", "text on one line, at most 500 characters")]
CurrencyCode = Annotated[str, Text(str, "[A-Z]{3}", "an ISO 4217 code such as EUR")]
Zone = Annotated[str, Text(str, r"[A-Za-z][A-Za-z0-9_+-]*(/[A-Za-z0-9_+-]+){0,2}", "a time zone such as Europe/Paris")]
Priority = Annotated[str, Text(str, "P[1-9]", "a priority such as P1")]
SshKey = Annotated[
    str,
    Text(
        parse_ssh_key,
        r"(ssh-ed25519|ssh-rsa|ecdsa-sha2-nistp(256|384|521)|sk-[a-z0-9-]+@openssh\.com) +[A-Za-z0-9+/=]+( .*)?",
        "an SSH public key such as the line in id_ed25519.pub",
    ),
]


PackageVersion = Annotated[str, Text(str, "[0-9][A-Za-z0-9.+:~-]{0,127}", "a version of a package such as 2027.0")]
PciDevice = Annotated[
    str, Text(str, r"[0-9a-f]{4}:([0-9a-f]{4}|\*)", "a PCI device, vendor:device in hex, such as 10de:2204 or 10de:*")
]
KernelModule = Annotated[
    str, Text(str, "[A-Za-z0-9_]{1,63}", "a kernel module as /proc/modules names it, such as nvidia")
]
FileSystemPath = Annotated[str, Text(str, "/(boot|usr|var)?", "one of /, /boot, /usr and /var")]


class Period(StrEnum):
    """A period that counts start anew in: calendar ones, or the year since `starts`."""

    MONTH = "month"
    QUARTER = "quarter"
    YEAR = "year"
    CONTRACT_YEAR = "contract_year"


class Party(StrEnum):
    """One of the two parties."""

    CLIENT = "client"
    PROVIDER = "provider"


class Cause(StrEnum):
    """Who or what holds a clock up."""

    CLIENT = "client"
    PROVIDER = "provider"
    THIRD_PARTY = "third_party"
    FORCE_MAJEURE = "force_majeure"
