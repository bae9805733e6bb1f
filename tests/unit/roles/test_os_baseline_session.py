"""The login in use is never locked out: each way to lose it is refused, and what keeps it is not."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from types import ModuleType

PATH = Path(__file__).parents[3] / "roles/os_baseline/library/os_baseline_session.py"
LOGIN = {"user": "anne", "address": "192.0.2.7", "port": "50000", "server": "192.0.2.1", "server_port": 22}
HARD = {"permitrootlogin": ["no"], "passwordauthentication": ["no"], "kbdinteractiveauthentication": ["no"],
        "pubkeyauthentication": ["yes"]}  # fmt: skip
SOFT = {**HARD, "passwordauthentication": ["yes"]}
KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIMCD7E2jTlpVzlTrbDMYKxqlFwGfN4gaeQpUtgzYd4F9 anne@desk"
A, B = {"SHA256:a"}, {"SHA256:b"}


def load() -> ModuleType:
    spec = importlib.util.spec_from_file_location("os_baseline_session", PATH)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


session = load()
by_key, by_password, unknown = ("publickey", "SHA256:a"), ("password", ""), ("", "")


@pytest.mark.parametrize(
    ("rules", "used", "before", "after", "why"),
    [
        (HARD, by_key, A, A | B, ""),
        (HARD, by_key, A | B, A, ""),
        (HARD, by_key, A, B, "would be removed"),
        (SOFT, by_key, A, B, "would be removed"),
        (HARD, by_key, B, B, ""),  # a key that no file holds, such as a certificate: nothing here takes it away
        ({**HARD, "pubkeyauthentication": ["no"]}, by_key, A, A, "keys are turned off"),
        (HARD, by_password, A, A, "passwords are turned off"),
        (SOFT, by_password, A, B, ""),
        (HARD, unknown, A, A, ""),
        (HARD, unknown, set(), set(), "no authorized key"),
        (HARD, unknown, A, B, "is not known"),
        (SOFT, unknown, A, B, "is not known"),
        (SOFT, unknown, set(), set(), ""),
        (
            {**SOFT, "passwordauthentication": ["no"], "kbdinteractiveauthentication": ["yes"]},
            by_password,
            set(),
            set(),
            "",
        ),
    ],
)
def test_what_locks_an_account_out(rules: Any, used: Any, before: Any, after: Any, why: str) -> None:
    found = session.lockout(LOGIN, rules, used=used, before=before, after=after)
    assert why in found
    assert bool(found) == bool(why)


@pytest.mark.parametrize(
    ("permitted", "used", "why"),
    [
        ("no", by_key, "root may no longer log in"),
        ("forced-commands-only", by_key, "root may no longer log in"),
        ("without-password", by_key, ""),
        ("without-password", by_password, "passwords are turned off"),
        ("yes", by_password, ""),
    ],
)
def test_what_locks_root_out(permitted: str, used: Any, why: str) -> None:
    rules = {**SOFT, "permitrootlogin": [permitted]}
    found = session.lockout({**LOGIN, "user": "root"}, rules, used=used, before=A, after=A)
    assert why in found
    assert bool(found) == bool(why)


@pytest.mark.parametrize(
    ("rules", "out"),
    [
        ({}, False),
        ({"allowusers": ["bruno", "anne"]}, False),
        ({"allowusers": ["bruno"]}, True),
        ({"allowusers": ["anne@198.51.100.*"]}, True),
        ({"allowusers": ["anne@192.0.2.*"]}, False),
        ({"denyusers": ["an*"]}, True),
        ({"allowgroups": ["staff"]}, True),
        ({"allowgroups": ["sudo"]}, False),
        ({"denygroups": ["sudo"]}, True),
    ],
)
def test_lists_of_accounts_and_groups(rules: Any, out: bool) -> None:
    assert bool(session.listed(LOGIN, ["anne", "sudo"], rules)) == out


def test_the_journal_tells_how_this_very_session_logged_in() -> None:
    lines = [
        "Accepted password for anne from 192.0.2.7 port 50001 ssh2",
        "Accepted publickey for anne from 192.0.2.7 port 50000 ssh2: ED25519 SHA256:abc+/9",
    ]
    assert session.method_in(lines, LOGIN) == ("publickey", "SHA256:abc+/9")
    assert session.method_in(lines[:1], LOGIN) == ("", "")


def test_fingerprint_is_that_of_ssh_keygen() -> None:
    assert session.fingerprint(KEY) == "SHA256:mINsJpXIE+sSqrISwpiFBggOC6wSUj9ST5bV/CyM4I4"
    assert session.fingerprint(f'from="192.0.2.*" {KEY}') == session.fingerprint(KEY)
    assert session.fingerprint("no key") == session.fingerprint("ssh-ed25519 AAAA*") == ""


def test_keys_of_every_file_sshd_reads(tmp_path: Path) -> None:
    (tmp_path / ".ssh").mkdir()
    (tmp_path / ".ssh/authorized_keys2").write_text(f"# {KEY}\n{KEY}\n")
    account = SimpleNamespace(pw_dir=str(tmp_path), pw_name="anne")
    assert session.keys_now(account, [".ssh/authorized_keys", "%h/.ssh/authorized_keys2"]) == {session.fingerprint(KEY)}
    assert session.keys_now(account, ["none"]) == set()


def test_a_main_file_that_reads_no_drop_ins_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(session, "SSHD_CONFIG", tmp_path / "sshd_config")
    (tmp_path / "sshd_config").write_text("#Include /etc/ssh/sshd_config.d/*.conf\nPort 22\n")
    assert "would have no effect" in session.effective("", LOGIN)[1]
    (tmp_path / "sshd_config").write_text("Include /etc/ssh/sshd_config.d/*.conf\n")
    monkeypatch.setattr(session, "run", lambda *command: (255, "", "x.conf: line 1: Bad configuration option: Frob\n"))
    assert "Bad configuration option: Frob" in session.effective("Frob yes", LOGIN)[1]


def test_the_session_is_found_in_our_own_environment_or_above() -> None:
    told = session.session_of({"SSH_CONNECTION": "192.0.2.7 50000 192.0.2.1 2222", "LOGNAME": "anne", "USER": "root"})
    assert told == {**LOGIN, "server_port": 2222}


def test_the_live_table_is_read_as_the_role_writes_it(monkeypatch: pytest.MonkeyPatch) -> None:
    text = ('{"nftables": [{"set": {"name": "tcp_allowed", "elem": [631, 22, {"range": [8000, 8010]}]}},'
            ' {"set": {"name": "udp_allowed"}}, {"chain": {"policy": "drop"}}]}')  # fmt: skip
    monkeypatch.setattr(session, "run", lambda *command: (0, text, ""))
    assert session.firewall() == {"policy": "drop", "tcp": ["22", "631", "8000-8010"], "udp": []}
    monkeypatch.setattr(session, "run", lambda *command: (1, "", "No such file or directory"))
    assert session.firewall() == {}


def test_without_ssh_there_is_no_login_to_lose(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(session.os, "getpid", lambda: 1)
    assert session.session() == {}
