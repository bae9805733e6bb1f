"""What is typed for proofs of backups, and how they are told."""

from __future__ import annotations

from dataclasses import replace

import pytest
from tests.unit.missions.test_backup_proofs import GREEN, HELD

from provisioner.cli.backup_proofs import damages_of, permille_of, snapshot_of
from provisioner.errors import UsageError
from provisioner.model.drill import SABOTAGES, Damage, Named
from provisioner.reporting.backup_proofs import drill_page, probe_page, proof_document, rto_word


def test_a_share_of_the_files() -> None:
    assert [permille_of(text) for text in ("", "5%", "0.5%", "99.9%")] == [1000, 50, 5, 999]
    for text in ("0%", "100%", "5", "5.55%", "-5%", "५%"):
        with pytest.raises(UsageError, match="no share"):
            permille_of(text)


def test_damages_and_snapshots() -> None:
    assert damages_of("all") == SABOTAGES
    assert damages_of("bit_flipped, index_lost") == ("bit_flipped", "index_lost")
    assert damages_of("") == ()
    assert snapshot_of("0123abcd") == "0123abcd"
    with pytest.raises(UsageError, match="no beginning"):
        snapshot_of("latest")


def test_only_a_full_drill_that_passed_proves_the_time() -> None:
    assert rto_word(GREEN, rto=60) == "met"
    assert rto_word(GREEN, rto=59) == "breached"
    assert rto_word(replace(GREEN, passed=False, reasons=("canary",)), rto=60) == "breached"
    assert rto_word(replace(GREEN, full=False), rto=60) == "not_evaluable (sampled)"
    assert rto_word(GREEN, rto=None) == "not_evaluable (no rto is promised)"
    document = proof_document(GREEN, rto=60)
    assert document is not None
    assert (document["rto"], document["bytes_a_second"], document["of"]) == ("met", 2000, "2026-12-01T06:00:00Z")


def test_what_is_not_kept_is_on_the_page_by_name() -> None:
    assert GREEN.compared is not None
    named = replace(GREEN.compared, named=(Named("/run/x%0A", "socket"),))
    sections = drill_page(replace(GREEN, compared=named), host="ws-01", on="site", rto=60)
    assert "not kept by restic: socket 1" in sections[0].lines
    assert sections[1].rows == (("socket", "/run/x%0A"),)


def test_a_damage_that_was_not_noticed_is_on_the_page() -> None:
    damages = (Damage("none", False, ()), Damage("bit_flipped", False, ()))
    red = replace(GREEN, passed=False, reasons=("unnoticed",), sabotage=damages, untouched=True)
    (section,) = drill_page(red, host="ws-01", on="site", rto=None)
    assert section.rows == (("undamaged copy", "passed", ""), ("bit_flipped", "PASSED: NOT NOTICED", ""))
    assert "FAILED" in section.lines[0]


def test_a_probe_shows_what_was_tried() -> None:
    (section,) = probe_page(HELD, host="ws-01", store="site", passed=True)
    assert section.rows[0] == ("create_lock", "200", "changed", "as promised")
    (section,) = probe_page(replace(HELD, tries=()), host="ws-01", store="site", passed=False)
    assert "FAILED" in section.lines[0]
