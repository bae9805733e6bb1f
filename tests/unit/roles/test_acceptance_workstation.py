"""What acceptance reads again for host_identity, os_baseline and software_set: each reader can say pass and fail."""

from __future__ import annotations

import importlib.util
import os
import pwd
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from types import ModuleType

FOLDER = Path(__file__).parents[3] / "roles/acceptance/module_utils"
KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIMCD7E2jTlpVzlTrbDMYKxqlFwGfN4gaeQpUtgzYd4F9 anne@desk"
OTHER = KEY.replace("4F9", "4F8")
TABLE = (
    '{"nftables": [{"set": {"name": "tcp_allowed", "elem": [22, {"range": [8000, 8010]}]}},'
    ' {"set": {"name": "udp_allowed"}}, {"chain": {"hook": "input", "policy": "%s"}}]}'
)


def load(name: str) -> ModuleType:
    """Load a module_utils file under the name that Ansible gives it on a machine."""
    full = f"ansible.module_utils.{name}"
    spec = importlib.util.spec_from_file_location(full, FOLDER / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[full] = module
    spec.loader.exec_module(module)
    return module


rows = load("acceptance_rows")
identity, baseline, software = (load(f"acceptance_{name}") for name in ("identity", "baseline", "software"))


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The root of a machine of our own: what readers take for /etc is below it."""
    for module in (rows, identity, baseline):
        monkeypatch.setattr(
            module, "Path", lambda *parts: tmp_path.joinpath(*(str(part).lstrip("/") for part in parts))
        )
    (tmp_path / "etc/default").mkdir(parents=True)
    return tmp_path


def read(module: ModuleType, kind: str, asked: Any, **more: Any) -> list[tuple[str, str]]:
    found = module.READERS[kind]({"name": "x", "kind": kind, "asked": asked, **more})
    return [(row["found"], row["result"]) for row in found]


def answer(monkeypatch: pytest.MonkeyPatch, module: ModuleType, **said: str) -> None:
    monkeypatch.setattr(module, "output", lambda *command: said.get(command[0].replace("-", "_"), ""))


def test_hostname_now_and_after_a_restart(root: Path) -> None:
    running = os.uname().nodename
    (root / "etc/hostname").write_text(f"{running}\n")
    assert read(identity, "hostname", running) == [(running, "pass")]
    (root / "etc/hostname").write_text("other\n")
    assert read(identity, "hostname", running) == [(f"{running} now, other after a restart", "fail")]


def test_hosts_one_row_an_address(root: Path) -> None:
    (root / "etc/hosts").write_text(
        "127.0.0.1 localhost\n192.0.2.1\tfiles.acme files # note\n192.0.2.1 more\n#192.0.2.9 off\n"
    )
    asked = [{"address": "192.0.2.1", "names": ["files.acme", "files"]}, {"address": "192.0.2.9", "names": ["off"]}]
    assert read(identity, "hosts", asked) == [("files.acme files", "pass"), ("absent", "fail")]


def test_locales_under_the_spelling_of_the_c_library(monkeypatch: pytest.MonkeyPatch) -> None:
    answer(monkeypatch, identity, locale="C\nC.utf8\nfr_FR.utf8\nPOSIX\n")
    assert read(identity, "locales", ["fr_FR.UTF-8", "de_DE.UTF-8"]) == [("generated", "pass"), ("absent", "fail")]


def test_default_locale_and_keyboard(root: Path) -> None:
    assert read(identity, "default_locale", "fr_FR.UTF-8") == [("absent", "fail")]
    (root / "etc/default/locale").write_text('# ours\nLANG="fr_FR.UTF-8"\n')
    assert read(identity, "default_locale", "fr_FR.UTF-8") == [("fr_FR.UTF-8", "pass")]
    (root / "etc/default/keyboard").write_text('XKBMODEL="pc105"\nXKBLAYOUT="fr"\nXKBVARIANT=""\n')
    assert read(identity, "keyboard", "pc105 fr") == [("pc105 fr", "pass")]
    assert read(identity, "keyboard", "pc105 fr oss") == [("pc105 fr", "fail")]


def test_time_zone_that_does_not_exist(root: Path) -> None:
    (root / "etc/localtime").symlink_to("/usr/share/zoneinfo/Europe/Nowhere")
    assert read(identity, "timezone", "Europe/Nowhere") == [("Europe/Nowhere, which does not exist", "fail")]


@pytest.mark.parametrize(("state", "result"), [("active", "pass"), ("inactive", "fail")])
def test_time_service_must_run(monkeypatch: pytest.MonkeyPatch, state: str, result: str) -> None:
    monkeypatch.setattr(identity, "in_container", lambda: False)
    monkeypatch.setattr(identity, "service", lambda name: {"UnitFileState": "enabled", "ActiveState": state})
    assert read(identity, "time_sync", "x.service") == [(f"enabled, {state}", result)]


def test_a_container_has_no_clock_of_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(identity, "in_container", lambda: True)
    assert read(identity, "time_sync", "x.service") == [("a container takes the time from its host", "not_applicable")]


def test_a_later_file_may_empty_the_list_of_time_servers(monkeypatch: pytest.MonkeyPatch) -> None:
    answer(monkeypatch, identity, systemd_analyze="[Time]\nNTP=old\n#NTP=off\n[Time]\nNTP=\nNTP=a b\n")
    assert [result for _, result in read(identity, "time_servers", ["a", "b", "old", "off"])] == ["pass"] * 2 + [
        "fail"
    ] * 2


@pytest.fixture
def account(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An account of ours; returns its file of keys."""
    keys = tmp_path / ".ssh/authorized_keys"
    keys.parent.mkdir()
    keys.write_text(f"# ours\n{KEY}\n")
    keys.chmod(0o600)
    anne = SimpleNamespace(pw_name="anne", pw_dir=str(tmp_path), pw_uid=os.getuid())
    monkeypatch.setattr(pwd, "getpwnam", {"anne": anne}.__getitem__)
    answer(monkeypatch, baseline, sudo="User anne may run the following commands on ws:\n    (ALL : ALL) ALL\n")
    return keys


def administrators(*keys: str, exclusive: bool = False, name: str = "anne") -> list[tuple[str, str]]:
    return read(baseline, "administrators", [{"name": name, "keys": list(keys)}], exclusive=exclusive)


@pytest.mark.usefixtures("account")
def test_an_administrator_as_promised() -> None:
    assert [result for _, result in administrators(KEY)] == ["pass"] * 3
    assert administrators(KEY, name="bruno") == [("absent", "fail")]


def test_keys_missing_extra_or_in_a_file_others_may_write(account: Path) -> None:
    assert administrators(KEY, OTHER)[1] == ("1 of 2", "fail")
    account.write_text(f"{KEY}\n{OTHER}\n")
    assert administrators(KEY)[1] == ("1 of 1", "pass")
    assert administrators(KEY, exclusive=True)[1][1] == "fail"
    account.chmod(0o666)
    assert administrators(KEY)[1] == ("1 of 1, in a file that others may write", "fail")


@pytest.mark.parametrize(
    ("said", "found"),
    [
        ("    (ALL : ALL) ALL\n", "password"),
        ("    (ALL : ALL) NOPASSWD: ALL\n", "no password"),
        ("User anne is not allowed to run sudo on ws.\n", "none"),
        ("    (root) /usr/bin/apt\n", "none"),
    ],
)
def test_what_sudo_lets_an_account_do(monkeypatch: pytest.MonkeyPatch, said: str, found: str) -> None:
    answer(monkeypatch, baseline, sudo=said)
    assert baseline.sudo_of("anne") == found


def test_sshd_by_its_own_reading(monkeypatch: pytest.MonkeyPatch) -> None:
    answer(monkeypatch, baseline, sshd="port 22\npermitrootlogin yes\n")
    assert read(baseline, "sshd", {"permitrootlogin": "no", "x11forwarding": "no"}) == [
        ("yes", "fail"),
        ("absent", "fail"),
    ]


@pytest.mark.parametrize(
    ("policy", "tcp", "results"),
    [
        ("drop", ["22", "8000-8010"], ["pass", "pass", "pass", "pass"]),
        ("accept", ["22"], ["fail", "fail", "pass", "pass"]),
        (None, ["22"], ["fail", "fail", "pass", "pass"]),
    ],
)
def test_firewall_in_the_kernel(
    monkeypatch: pytest.MonkeyPatch, policy: str | None, tcp: list[str], results: list[str]
) -> None:
    answer(monkeypatch, baseline, nft=TABLE % policy if policy else "")
    monkeypatch.setattr(baseline, "service", lambda name: {"UnitFileState": "enabled"})
    assert [result for _, result in read(baseline, "firewall", {"policy": "drop", "tcp": tcp, "udp": []})] == results


def test_banner_that_sshd_shows(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    answer(monkeypatch, baseline, sshd="banner /etc/banner\n")
    (root / "etc/banner").write_text("Keep out.\n")
    assert read(baseline, "banner", "Keep out.") == [("Keep out.", "pass")]
    assert read(baseline, "banner", "") == [("Keep out.", "fail")]


KNOWN = "vim\tamd64\tinstalled\t2:9.1\nnano\tamd64\tconfig-files\t7\nhalf\tall\thalf-configured\t1\nlibc6\ti386\tnot-installed\t\nlibc6\tamd64\tinstalled\t2.41\n"  # noqa: E501


def test_packages_by_the_records_of_dpkg(monkeypatch: pytest.MonkeyPatch) -> None:
    answer(monkeypatch, software, dpkg_query=KNOWN)
    found = read(software, "packages", ["vim", "libc6", "half", "none", "libc6:i386"])
    assert [result for _, result in found] == ["pass", "pass", "fail", "fail", "fail"]
    assert read(software, "packages_absent", ["nano", "vim"]) == [("absent", "pass"), ("installed 2:9.1", "fail")]


def test_pinned_versions(monkeypatch: pytest.MonkeyPatch) -> None:
    answer(monkeypatch, software, dpkg_query=KNOWN, apt_cache="htop:\n  Installed: (none)\n  Candidate: 3.4.1-5\n")
    pins = [
        {"package": "vim", "version": "2:9.1*"},
        {"package": "vim", "version": "2:9.0*"},
        {"package": "htop", "version": "3.*"},
    ]
    assert [result for _, result in read(software, "versions", pins)] == ["pass", "fail", "pass"]
