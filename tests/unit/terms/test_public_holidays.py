"""Rule 14: public holidays by country and subdivision, with names in the contract's language."""

from __future__ import annotations

from datetime import date

import pytest

from provisioner.errors import UsageError
from provisioner.model.contract import Language
from provisioner.terms.public_holidays import public_holidays

GOOD_FRIDAY, STEPHEN, ABOLITION = date(2026, 4, 3), date(2026, 12, 26), date(2026, 5, 27)


@pytest.mark.parametrize(
    ("place", "day", "name"),
    [
        ("FR", date(2026, 11, 11), "Armistice"),
        ("FR", GOOD_FRIDAY, None),
        ("FR-57", GOOD_FRIDAY, "Vendredi saint"),
        ("FR-6AE", STEPHEN, "Saint-Étienne"),
        ("FR", ABOLITION, None),
        ("FR-GP", ABOLITION, "Abolition de l'esclavage"),
        ("FR-971", ABOLITION, "Abolition de l'esclavage"),
    ],
)
def test_each_place_has_its_own(place: str, day: date, name: str | None) -> None:
    assert public_holidays(place, 2026, language=Language.FR).get(day) == name


def test_names_are_in_the_language_of_the_contract_or_in_english() -> None:
    new_year = date(2026, 1, 1)
    assert public_holidays("FR", 2026, language=Language.EN)[new_year] == "New Year's Day"
    assert public_holidays("DE-BY", 2026, language=Language.FR)[new_year] == "New Year's Day"
    assert public_holidays("GB-ENG", 2026, language=Language.EN)[new_year] == "New Year's Day"


@pytest.mark.parametrize(("place", "year"), [("XX", 2026), ("FR-99", 2026), ("FR", 2101)])
def test_what_is_not_known_is_an_error_and_not_a_year_without_holidays(place: str, year: int) -> None:
    with pytest.raises(UsageError, match=r"known"):
        public_holidays(place, year, language=Language.FR)
