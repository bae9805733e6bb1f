"""Files of figures: read strictly, each wrong line named."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING

import pytest

from provisioner.config.figures import read_figures, source_problem
from provisioner.errors import ConfigurationError
from provisioner.model.service_event import Figure

if TYPE_CHECKING:
    from pathlib import Path

SOURCE = "probes/latency"


def write(folder: Path, text: str, *, name: str = "2026-10.csv") -> Path:
    client = folder / "acme"
    (client / SOURCE).mkdir(parents=True, exist_ok=True)
    (client / SOURCE / name).write_text(text, encoding="utf-8")
    return client


def test_figures_of_all_months_in_order(tmp_path: Path) -> None:
    write(tmp_path, "at,value\n2026-11-01T00:00:00+01:00,2\n", name="2026-11.csv")
    client = write(tmp_path, "at,value\r\n2026-10-01T00:00:00+02:00,0.120\r\n2026-10-31T22:59:59Z,-1\r\n")
    found = read_figures(client, SOURCE, zone="Europe/Paris")
    assert found.reason == ""
    assert found.values == (
        Figure(1_790_805_600, Decimal("0.120")),
        Figure(1_793_487_599, Decimal(-1)),
        Figure(1_793_487_600, Decimal(2)),
    )


def test_without_a_file_there_is_a_reason(tmp_path: Path) -> None:
    found = read_figures(tmp_path, SOURCE, zone="Europe/Paris")
    assert (found.values, found.reason) == ((), "no file such as probes/latency/2026-10.csv")
    empty = read_figures(write(tmp_path, "at,value\n"), SOURCE, zone="")
    assert (empty.values, empty.reason) == ((), "")


def test_every_wrong_line_is_named(tmp_path: Path) -> None:
    lines = [
        "at,value",
        "2026-10-02T00:00:00Z,1.5",
        "2026-10-02T00:00:00Z,1.5",
        "2026-10-01T00:00:00Z,1.5",
        "2026-10-03T00:00:00,1",
        "2026-10-03T00:00:00.5Z,1",
        "2026-10-03T00:00:00Z,NaN",
        "2026-10-03T00:00:00Z,1,5",
        "",
        "2026-10-31T23:00:00Z,1",
        "2026-10-04T00:00:00Z,2",
    ]
    with pytest.raises(ConfigurationError) as refused:
        read_figures(write(tmp_path, "\n".join(lines)), SOURCE, zone="Europe/Paris")
    said = str(refused.value).splitlines()
    assert [line.split(":")[:2] for line in said] == [["acme/probes/latency/2026-10.csv", str(n)] for n in range(3, 11)]
    assert said[0].endswith("is not after the figure above it")
    assert said[-1].endswith("is not in 2026-10, Europe/Paris time")


@pytest.mark.parametrize(
    ("name", "text", "said"),
    [
        ("october.csv", "at,value\n", "expected a file for each month"),
        ("2026-13.csv", "at,value\n", "expected a file for each month"),
        ("2026-10.csv", "time;value\n", "expected the columns at,value"),
        ("2026-10.csv", "", "expected the columns at,value"),
    ],
)
def test_what_is_no_such_file_is_refused(name: str, text: str, said: str, tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match=said):
        read_figures(write(tmp_path, text, name=name), SOURCE, zone="Europe/Paris")


def test_a_file_outside_the_folder_is_refused(tmp_path: Path) -> None:
    client = write(tmp_path, "at,value\n", name="2026-09.csv")
    (tmp_path / "elsewhere.csv").write_text("at,value\n", encoding="utf-8")
    (client / SOURCE / "2026-10.csv").symlink_to(tmp_path / "elsewhere.csv")
    with pytest.raises(ConfigurationError, match="leads out of the client's folder"):
        read_figures(client, SOURCE, zone="")


@pytest.mark.parametrize("source", ["probes/latency", "a", "prometheus:up", "prometheus: max(up)", "a.b/c-d_e"])
def test_a_source_is_a_folder_or_a_query(source: str) -> None:
    assert source_problem(source) == ""


@pytest.mark.parametrize("source", ["../x", "/etc", "a/../b", "a//b", "prometheus:", "prometheus: ", "a b", "a/", ".x"])
def test_anything_else_is_no_source(source: str) -> None:
    assert source_problem(source).startswith("expected a ")
