#!/usr/bin/python
# Copyright the provisioner authors. SPDX-License-Identifier: Apache-2.0
"""Keep exactly the asked Wi-Fi and VPN profiles as NetworkManager keyfiles.

Given `wifi` (each a WIFI_SPEC) and `vpn` (each a VPN_SPEC: the text of a WireGuard or OpenVPN keyfile, and the files it
names), write `provisioner-<name>.nmconnection`, mode 0600, and remove those of them that are no longer asked for;
profiles of others are never touched. Everything is validated before anything is written. Return `applicable`, `reason`
(why nothing was done, where NetworkManager is not installed), `written` and `removed` (file names). Check mode returns
the same and writes nothing.
"""

from __future__ import annotations

import base64
import binascii
import configparser
import ipaddress
import os
import re
import shutil
import tempfile
from pathlib import Path

from ansible.module_utils.basic import AnsibleModule

WIFI_SPEC = {
    "name": {"type": "str", "required": True},
    "ssid": {"type": "str", "required": True},
    "security": {"type": "str", "choices": ["open", "wpa-psk", "sae"], "default": "wpa-psk"},
    "password": {"type": "str", "no_log": True, "default": ""},
    "hidden": {"type": "bool", "default": False},
    "priority": {"type": "int", "default": 0},
}
VPN_SPEC = {
    "name": {"type": "str", "required": True},
    "keyfile": {"type": "str", "required": True, "no_log": True},
    "files": {"type": "dict", "default": {}, "no_log": True},
}
PROFILES = Path("etc/NetworkManager/system-connections")
FILES = Path("etc/NetworkManager/provisioner")
PREFIX = "provisioner-"
OPENVPN = "org.freedesktop.NetworkManager.openvpn"
OPENVPN_PLUGIN = Path("usr/lib/NetworkManager/VPN/nm-openvpn-service.name")
NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,62}")
PASSPHRASE = re.compile(r"[ -~]{8,63}|[0-9A-Fa-f]{64}")


def wifi_problems(wifi: dict) -> list[str]:
    """What is wrong with a Wi-Fi profile, as sentences that never quote the password."""
    label = f"Wi-Fi profile {wifi['name']!r}"
    password, problems = wifi["password"] or "", []
    if not 1 <= len(wifi["ssid"].encode()) <= 32:
        problems.append(f"{label}: expected an ssid of 1 to 32 bytes.")
    if wifi["security"] == "open" and password:
        problems.append(f"{label}: an open network has no password.")
    if wifi["security"] == "wpa-psk" and not PASSPHRASE.fullmatch(password):
        problems.append(f"{label}: expected a password of 8 to 63 printable characters, or 64 hexadecimal digits.")
    if wifi["security"] == "sae" and not (password and password.isprintable()):
        problems.append(f"{label}: expected a password of printable characters.")
    return problems


def wifi_keyfile(wifi: dict) -> str:
    """The text of a Wi-Fi profile, nm-settings-keyfile(5); the ssid as bytes, so that none of it can end the value."""
    ssid = "".join(f"{byte};" for byte in wifi["ssid"].encode())
    lines = ["[connection]", f"id={wifi['name']}", "type=wifi", f"autoconnect-priority={wifi['priority']}", ""]
    lines += ["[wifi]", "mode=infrastructure", f"ssid={ssid}"]
    if wifi["hidden"]:
        lines.append("hidden=true")
    if wifi["security"] != "open":
        secret = wifi["password"].replace("\\", "\\\\").replace(" ", "\\s")
        lines += ["", "[wifi-security]", f"key-mgmt={wifi['security']}", f"psk={secret}"]
    return "\n".join([*lines, "", "[ipv4]", "method=auto", "", "[ipv6]", "method=auto", ""])


def parse_keyfile(content: str) -> configparser.ConfigParser:
    """Sections and keys of a keyfile; raises configparser.Error for what is none, duplicates included."""
    parser = configparser.ConfigParser(
        interpolation=None, delimiters=("=",), comment_prefixes=("#",), default_section=""
    )
    parser.optionxform = str
    parser.read_string(content)
    return parser


def is_wireguard_key(key: str) -> bool:
    """Whether a text is the base64 of 32 bytes."""
    try:
        return len(base64.b64decode(key, validate=True)) == 32
    except binascii.Error:
        return False


def wireguard_problems(parser: configparser.ConfigParser) -> list[str]:
    """What NetworkManager would drop in silence: keys and networks that do not parse, no peer, no interface name."""
    problems = []
    if not parser.get("connection", "interface-name", fallback=""):
        problems.append("[connection] expected an interface-name.")
    if not is_wireguard_key(parser.get("wireguard", "private-key", fallback="")):
        problems.append("[wireguard] expected a private-key of 32 bytes in base64.")
    peers = [section for section in parser.sections() if section.startswith("wireguard-peer.")]
    if not peers:
        problems.append("expected at least one [wireguard-peer.<public key>] section.")
    for peer in peers:
        if not is_wireguard_key(peer.removeprefix("wireguard-peer.")):
            problems.append(f"[{peer}] expected a public key of 32 bytes in base64.")
        for network in filter(None, parser.get(peer, "allowed-ips", fallback="").split(";")):
            try:
                ipaddress.ip_network(network, strict=False)
            except ValueError:
                problems.append(f"[{peer}] allowed-ips: {network!r} is no network.")
    return problems


def vpn_problems(vpn: dict) -> list[str]:
    """What is wrong with a VPN profile, as sentences that never quote a secret."""
    label = f"VPN profile {vpn['name']!r}"
    problems = [
        f"{label}: file {name!r}: expected a plain file name." for name in vpn["files"] if not NAME.fullmatch(name)
    ]
    try:
        parser = parse_keyfile(vpn["keyfile"])
    except configparser.Error as error:
        return [*problems, f"{label}: the keyfile does not parse ({type(error).__name__})."]
    if parser.get("connection", "id", fallback="") != vpn["name"]:
        problems.append(f"{label}: [connection] expected id={vpn['name']}, the name of the profile.")
    kind = parser.get("connection", "type", fallback="")
    service = parser.get("vpn", "service-type", fallback="")
    if kind == "wireguard":
        problems += [f"{label}: {problem}" for problem in wireguard_problems(parser)]
    elif kind != "vpn" or service != OPENVPN:
        problems.append(f"{label}: expected [connection] type=wireguard, or type=vpn with service-type={OPENVPN}.")
    elif not parser.get("vpn", "remote", fallback=""):
        problems.append(f"{label}: [vpn] expected a remote.")
    return problems


def all_problems(wifi: list[dict], vpn: list[dict]) -> list[str]:
    """Every problem of every profile: names that are no file names or come twice, then those of each."""
    names = [profile["name"] for profile in [*wifi, *vpn]]
    problems = [
        f"Profile name {name!r}: expected letters, digits, dots, hyphens." for name in names if not NAME.fullmatch(name)
    ]
    problems += [f"Profile name {name!r} comes twice." for name in sorted(set(names)) if names.count(name) > 1]
    problems += [problem for profile in wifi for problem in wifi_problems(profile)]
    return problems + [problem for profile in vpn for problem in vpn_problems(profile)]


def wanted_files(wifi: list[dict], vpn: list[dict]) -> dict[Path, str]:
    """Path below the root and content of every file that is to exist."""
    files = {PROFILES / f"{PREFIX}{profile['name']}.nmconnection": wifi_keyfile(profile) for profile in wifi}
    for profile in vpn:
        files[PROFILES / f"{PREFIX}{profile['name']}.nmconnection"] = profile["keyfile"].rstrip("\n") + "\n"
        for name, content in profile["files"].items():
            files[FILES / f"{profile['name']}-{name}"] = content
    return files


def owned_files(root: Path) -> set[Path]:
    """Paths below the root of the files of this module that exist."""
    found = [*(root / PROFILES).glob(f"{PREFIX}*.nmconnection"), *(root / FILES).glob("*")]
    return {path.relative_to(root) for path in found}


def is_current(path: Path, content: str) -> bool:
    """Whether a file has this content, this owner and no permission for others."""
    try:
        status = path.lstat()
        return status.st_mode == 0o100600 and status.st_uid == os.geteuid() and path.read_text() == content
    except (OSError, UnicodeDecodeError):
        return False


def write(path: Path, content: str) -> None:
    """Put a file in place at once, never readable by others, not even for an instant."""
    path.parent.mkdir(mode=0o700, exist_ok=True)
    handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=".provisioner-")
    with os.fdopen(handle, "w") as stream:
        stream.write(content)
        stream.flush()
        os.fsync(handle)
    Path(temporary).replace(path)


def converge(root: Path, files: dict[Path, str], *, check_mode: bool) -> tuple[list[str], list[str]]:
    """Make the owned files exactly `files`; return the names written and removed (in check mode: that would be)."""
    stale = sorted(owned_files(root) - set(files))
    outdated = [path for path in files if not is_current(root / path, files[path])]
    if not check_mode:
        for path in outdated:
            write(root / path, files[path])
        for path in stale:
            (root / path).unlink()
    return sorted(path.name for path in outdated), [path.name for path in stale]


def load(module: AnsibleModule, files: dict[Path, str], *, changed: bool) -> None:
    """Have a running NetworkManager read the profiles; fail naming those it did not take."""
    _, running, _ = module.run_command(["nmcli", "-t", "-f", "RUNNING", "general"])
    if running.strip() != "running":
        return
    if changed:
        module.run_command(["nmcli", "connection", "reload"], check_rc=True)
    _, loaded, _ = module.run_command(
        ["nmcli", "-t", "-e", "no", "-f", "FILENAME", "connection", "show"], check_rc=True
    )
    names = {Path(line).name for line in loaded.splitlines()}
    refused = [path.name for path in files if path.parent == PROFILES and path.name not in names]
    if refused:
        module.fail_json(msg=f"NetworkManager did not accept {', '.join(refused)}: see journalctl -u NetworkManager.")


def main() -> None:
    """Run as an Ansible module."""
    module = AnsibleModule(
        argument_spec={
            "wifi": {"type": "list", "elements": "dict", "default": [], "options": WIFI_SPEC},
            "vpn": {"type": "list", "elements": "dict", "default": [], "options": VPN_SPEC},
        },
        supports_check_mode=True,
    )
    wifi, vpn = module.params["wifi"], module.params["vpn"]
    problems = all_problems(wifi, vpn)
    if problems:
        module.fail_json(msg=" ".join(problems))
    if shutil.which("nmcli") is None:
        reason = "NetworkManager is not installed" if wifi or vpn else ""
        module.exit_json(changed=False, applicable=False, reason=reason, written=[], removed=[])
    root = Path("/")
    files = wanted_files(wifi, vpn)
    if any(f"service-type={OPENVPN}" in profile["keyfile"] for profile in vpn) and not (root / OPENVPN_PLUGIN).exists():
        module.warn(
            "The package network-manager-openvpn is missing: OpenVPN profiles are in place, but cannot connect."
        )
    written, removed = converge(root, files, check_mode=module.check_mode)
    if not module.check_mode:
        load(module, files, changed=bool(written or removed))
    module.exit_json(changed=bool(written or removed), applicable=True, reason="", written=written, removed=removed)


if __name__ == "__main__":
    main()
