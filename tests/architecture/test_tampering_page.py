"""The tables of docs/explanation/tampering.md are those of the campaign. Run this file as a program to write them."""

from __future__ import annotations

import sys
from pathlib import Path

CHECKOUT = Path(__file__).resolve().parents[2]
sys.path[:0] = [] if str(CHECKOUT) in sys.path else [str(CHECKOUT)]

from tests.campaigns._tampering_table import Said, rendered  # noqa: E402

PAGE = CHECKOUT / "docs" / "explanation" / "tampering.md"
AFTER = "## What is behind the rows\n"


def with_tables(page: str, tables: str) -> str:
    """The page with these tables in the place of its own."""
    before, _, rest = page.partition("## (a) ")
    return before + tables + "\n" + AFTER + rest.partition(AFTER)[2]


def test_the_tables_of_the_page_are_those_of_the_campaign() -> None:
    page = PAGE.read_text(encoding="utf-8")
    assert page == with_tables(page, rendered()), "run python tests/architecture/test_tampering_page.py"


def test_another_table_or_a_page_without_one_is_seen() -> None:
    page = PAGE.read_text(encoding="utf-8")
    assert page != with_tables(page, rendered().replace("not detected", "TAMPERED", 1))
    assert with_tables("# Nothing\n", rendered()) != "# Nothing\n"


def test_each_answer_is_explained() -> None:
    explained = PAGE.read_text(encoding="utf-8").partition("## (a) ")[0]
    assert [said for said in Said if said is not Said.NO_SUCH and f"| {said} |" not in explained] == []


if __name__ == "__main__":
    PAGE.write_text(with_tables(PAGE.read_text(encoding="utf-8"), rendered()), encoding="utf-8")
