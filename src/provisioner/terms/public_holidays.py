"""Public holidays of a country and its subdivision, with their names (rule 14). Home of the `holidays` library."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING

from provisioner.errors import UsageError
from provisioner.model.contract import Language

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import date

LAST_YEAR = 2100
"""The library computes nothing after it."""

_LANGUAGES = {Language.FR: ("fr", "en_US"), Language.EN: ("en_US", "en_GB")}


@lru_cache(maxsize=1024)
def public_holidays(place: str, year: int, *, language: Language) -> Mapping[date, str]:
    """Given `FR`, `FR-57`, `FR-6AE` or `FR-GP` and a year, return its public holidays by day, in order.

    Names are in the language, else in English where the library has no such words, else in the country's own. Raises
    UsageError for a place that the library does not know, and for a year after LAST_YEAR.
    """
    import holidays

    if year > LAST_YEAR:
        raise UsageError(f"public holidays of {place} are known up to {LAST_YEAR}, not for {year}")
    country, _, subdivision = place.partition("-")
    kind = getattr(holidays, country, None)
    if kind is None:
        raise UsageError(f"the public holidays of {place} are not known")
    spoken = next((one for one in _LANGUAGES[language] if one in kind.supported_languages), None)
    try:
        found = holidays.country_holidays(country, subdiv=subdivision or None, years=year, language=spoken)
    except NotImplementedError:
        raise UsageError(f"the public holidays of {place} are not known") from None
    return {day: found[day] for day in sorted(found)}
