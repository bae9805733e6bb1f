"""The module of the role network_profile that keeps NetworkManager's keyfiles, on a folder of the test's own."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

if TYPE_CHECKING:
    from types import ModuleType

SOURCE = Path(__file__).parents[3] / "roles/network_profile/library/networkmanager_profiles.py"
KEY = "YAnz5TF+lXXJte14tji3zlMNftqL5S6TQ0DHFGZeq2g="
WIREGUARD = f"""[connection]
id=site
type=wireguard
interface-name=wg-site

[wireguard]
private-key={KEY}

[wireguard-peer.xTIBA5rboUvnH4htodjb6e697QjLERt1NAB4mZqp8Dg=]
endpoint=vpn.acme.example:51820
allowed-ips=198.51.100.0/24;2001:db8::/32;
"""
OPENVPN = """[connection]
id=branch
type=vpn

[vpn]
service-type=org.freedesktop.NetworkManager.openvpn
remote=vpn.acme.example
"""


def load() -> ModuleType:
    spec = importlib.util.spec_from_file_location("networkmanager_profiles", SOURCE)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


profiles = load()


def wifi(**changes: Any) -> dict[str, Any]:
    office = {"name": "office", "ssid": "Acme", "security": "wpa-psk", "password": "long enough"}
    return {**office, "hidden": False, "priority": 0, **changes}


def vpn(name: str, keyfile: str, **files: str) -> dict[str, Any]:
    return {"name": name, "keyfile": keyfile, "files": files}


@pytest.fixture
def root(tmp_path: Path) -> Path:
    (tmp_path / profiles.PROFILES).mkdir(parents=True)
    return tmp_path


def test_a_wifi_profile_is_written_as_networkmanager_reads_it() -> None:
    text = profiles.wifi_keyfile(wifi(ssid="A;é", password=" back\\slash ", hidden=True, priority=5))
    assert text == (
        "[connection]\nid=office\ntype=wifi\nautoconnect-priority=5\n\n"
        "[wifi]\nmode=infrastructure\nssid=65;59;195;169;\nhidden=true\n\n"
        "[wifi-security]\nkey-mgmt=wpa-psk\npsk=\\sback\\\\slash\\s\n\n"
        "[ipv4]\nmethod=auto\n\n[ipv6]\nmethod=auto\n"
    )


def test_an_open_network_has_no_security_section() -> None:
    assert "[wifi-security]" not in profiles.wifi_keyfile(wifi(security="open", password=""))


@given(ssid=st.text(min_size=1, max_size=8), password=st.from_regex(profiles.PASSPHRASE, fullmatch=True))
def test_no_accepted_ssid_or_password_adds_a_section_or_a_key(ssid: str, password: str) -> None:
    plain = profiles.parse_keyfile(profiles.wifi_keyfile(wifi()))
    odd = profiles.parse_keyfile(profiles.wifi_keyfile(wifi(ssid=ssid, password=password)))
    assert {name: list(odd[name]) for name in odd.sections()} == {name: list(plain[name]) for name in plain.sections()}
    assert bytes(int(byte) for byte in odd["wifi"]["ssid"].split(";")[:-1]).decode() == ssid


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"ssid": "x" * 33}, "1 to 32 bytes"),
        ({"ssid": ""}, "1 to 32 bytes"),
        ({"password": "short"}, "8 to 63"),
        ({"password": None}, "8 to 63"),
        ({"password": "new\nline is long"}, "8 to 63"),
        ({"security": "open"}, "no password"),
        ({"security": "sae", "password": ""}, "printable"),
        ({"security": "sae", "password": "a\nb"}, "printable"),
        ({"name": "../../etc/shadow"}, "letters, digits"),
        ({"name": ""}, "letters, digits"),
    ],
)
def test_a_wrong_wifi_profile_is_refused_without_quoting_its_password(changes: dict[str, Any], said: str) -> None:
    problems = profiles.all_problems([wifi(**changes)], [])
    assert said in " ".join(problems)
    assert not changes.get("password") or changes["password"] not in " ".join(problems)


@pytest.mark.parametrize(
    ("keyfile", "said"),
    [
        (WIREGUARD.replace(KEY, "notakey"), "private-key of 32 bytes"),
        (WIREGUARD.replace("xTIBA", "xTIB"), "public key of 32 bytes"),
        (WIREGUARD.replace("198.51.100.0/24", "198.51.100.0/33"), "is no network"),
        (WIREGUARD.replace("interface-name=wg-site", ""), "interface-name"),
        (WIREGUARD.partition("[wireguard-peer")[0], "at least one"),
        (WIREGUARD.replace("id=site", "id=other"), "id=site"),
        (WIREGUARD + "[wireguard]\nprivate-key=x\n", "does not parse (DuplicateSectionError)"),
        (OPENVPN.replace("branch", "site").replace("openvpn", "pptp"), "service-type"),
        (OPENVPN.replace("branch", "site").replace("remote=vpn.acme.example", ""), "remote"),
        ("", "id=site"),
        ("private-key=" + KEY, "does not parse (MissingSectionHeaderError)"),
    ],
)
def test_a_wrong_vpn_profile_is_refused_without_quoting_its_keys(keyfile: str, said: str) -> None:
    problems = " ".join(profiles.all_problems([], [vpn("site", keyfile)]))
    assert said in problems
    assert KEY not in problems


def test_right_profiles_have_no_problems() -> None:
    assert profiles.all_problems([wifi()], [vpn("site", WIREGUARD), vpn("branch", OPENVPN)]) == []


def test_every_problem_is_said_at_once() -> None:
    wrong = vpn("office", OPENVPN)
    wrong["files"] = {"../ca": "x"}
    problems = " ".join(profiles.all_problems([wifi(ssid="")], [wrong]))
    for said in ("comes twice", "1 to 32 bytes", "plain file name", "id=office"):
        assert said in problems


def test_files_are_closed_to_others_and_a_second_time_changes_nothing(root: Path) -> None:
    files = profiles.wanted_files([wifi()], [vpn("branch", OPENVPN, **{"ca.pem": "certificate"})])
    written, removed = profiles.converge(root, files, check_mode=False)
    assert (written, removed) == (
        ["branch-ca.pem", "provisioner-branch.nmconnection", "provisioner-office.nmconnection"],
        [],
    )
    assert {(root / path).stat().st_mode & 0o777 for path in files} == {0o600}
    assert (root / profiles.FILES).stat().st_mode & 0o777 == 0o700
    assert profiles.converge(root, files, check_mode=False) == ([], [])


@pytest.mark.parametrize("drift", ["content", "mode", "link"])
def test_a_file_that_drifted_is_put_back(root: Path, drift: str) -> None:
    files = profiles.wanted_files([wifi()], [])
    profiles.converge(root, files, check_mode=False)
    (path,) = (root / name for name in files)
    if drift == "content":
        path.write_text("[connection]\n")
    elif drift == "mode":
        path.chmod(0o644)
    else:
        elsewhere = path.rename(root / "elsewhere")
        path.symlink_to(elsewhere)
    assert profiles.converge(root, files, check_mode=False) == ([path.name], [])
    assert profiles.is_current(path, next(iter(files.values())))


def test_what_is_no_longer_asked_for_goes_and_what_others_made_stays(root: Path) -> None:
    theirs = root / profiles.PROFILES / "home.nmconnection"
    theirs.write_text("theirs")
    profiles.converge(root, profiles.wanted_files([wifi()], []), check_mode=False)
    assert profiles.converge(root, {}, check_mode=False) == ([], ["provisioner-office.nmconnection"])
    assert [path.name for path in theirs.parent.iterdir()] == [theirs.name]
    assert theirs.read_text() == "theirs"


def test_check_mode_tells_the_same_and_writes_nothing(root: Path) -> None:
    stale = root / profiles.PROFILES / "provisioner-old.nmconnection"
    stale.write_text("old")
    told = profiles.converge(root, profiles.wanted_files([wifi()], []), check_mode=True)
    assert told == (["provisioner-office.nmconnection"], [stale.name])
    assert [path.name for path in stale.parent.iterdir()] == [stale.name]
