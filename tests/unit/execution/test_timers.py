"""Units of a timer: systemd reads what is written, and sees what is wrong."""

from __future__ import annotations

from pathlib import Path

from provisioner.execution.timers import units, verify

ODD = {"PROVISIONER_STATE": '/srv/a b/100%/"quoted"/$HOME'}


def written(folder: Path, **changes: str) -> list[str]:
    found = units("demo", invoke=Path("/bin/true"), checkout=Path("/tmp"), environment=ODD)
    for name, text in found.items():
        for before, after in changes.items():
            text = text.replace(before, after)
        (folder / name).write_text(text)
    return list(found)


def test_systemd_has_nothing_to_complain_of(tmp_path: Path) -> None:
    assert verify(tmp_path, written(tmp_path)) == ""


def test_the_control_a_setting_that_systemd_does_not_know_is_named(tmp_path: Path) -> None:
    assert "Persistant" in verify(tmp_path, written(tmp_path, Persistent="Persistant"))


def test_a_missed_call_is_not_made_up_for() -> None:
    timer = units("demo", invoke=Path("/bin/true"), checkout=Path("/tmp"), environment={})[
        "provisioner-patch-demo.timer"
    ]
    assert "\nPersistent=false\n" in timer
    assert "\nRandomizedDelaySec=120s\n" in timer


def test_what_a_variable_holds_means_itself() -> None:
    service = units("demo", invoke=Path("/a $b/invoke"), checkout=Path("/a%b"), environment=ODD)
    text = service["provisioner-patch-demo.service"]
    assert r'Environment="PROVISIONER_STATE=/srv/a b/100%%/\"quoted\"/$HOME"' in text
    assert 'ExecStart="/a $$b/invoke" patch.run --client demo' in text
    assert "\nWorkingDirectory=/a%%b\n" in text
