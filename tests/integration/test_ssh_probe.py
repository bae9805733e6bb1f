"""The SSH probe against OpenSSH: a real sshd on loopback, and a practice machine with a real sudo."""

from __future__ import annotations

import base64
import contextlib
import shutil
import subprocess
import time
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from tests.ports import free_port

from provisioner.execution import known_hosts
from provisioner.execution.first_contact import Deadlines
from provisioner.execution.known_hosts import HostKey
from provisioner.execution.ports import Contact, Trust
from provisioner.execution.ssh import SshProbe
from provisioner.lab.machines import wait_for_sshd
from provisioner.model.asset import Address, Asset

if TYPE_CHECKING:
    from collections.abc import Iterator

SECRET = "S3cret-of-the-test"


def make_key(path: Path, kind: str = "ed25519", *, passphrase: str = "") -> Path:
    subprocess.run(["ssh-keygen", "-q", "-t", kind, "-N", passphrase, "-C", path.name, "-f", path], check=True)
    return path


def public(path: Path) -> HostKey:
    kind, blob = path.with_name(f"{path.name}.pub").read_text().split()[:2]
    return HostKey(kind, base64.b64decode(blob))


class Sshd:
    """An sshd of the test's own, which lets root in with `identity`; start it anew with other keys or options."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.port = free_port()
        self.identity = make_key(folder / "identity")
        self.log = folder / "log"
        self.log.touch()
        self._process: subprocess.Popen[bytes] | None = None

    def start(self, *host_keys: Path, **options: str) -> Asset:
        self.stop()
        Path("/run/sshd").mkdir(exist_ok=True)
        shutil.copy(self.identity.with_name("identity.pub"), self.folder / "authorized_keys")
        settings = {
            "Port": str(self.port),
            "ListenAddress": "127.0.0.1",
            "AuthorizedKeysFile": str(self.folder / "authorized_keys"),
            "PermitRootLogin": "yes",
            "StrictModes": "no",
            "UsePAM": "no",
            "PidFile": "none",
            "LogLevel": "VERBOSE",
        } | options
        lines = [f"{name} {value}" for name, value in settings.items()] + [f"HostKey {key}" for key in host_keys]
        (self.folder / "config").write_text("\n".join(lines) + "\n")
        with self.log.open("ab") as log:
            command = ["/usr/sbin/sshd", "-D", "-e", "-f", self.folder / "config"]
            self._process = subprocess.Popen(command, stderr=log, stdin=subprocess.DEVNULL)
        wait_for_sshd(self.port)
        address = Address(host="127.0.0.1", port=self.port, user="root")
        return Asset(client="demo", name="ws-01", groups=frozenset(), address=address)

    def stop(self) -> None:
        if self._process is not None:
            self._process.terminate()
            self._process.wait(10)
            self._process = None

    def logged(self, words: str) -> int:
        return self.log.read_text().count(words)


@pytest.fixture
def sshd(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Sshd]:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.delenv("SSH_AUTH_SOCK", raising=False)
    with contextlib.ExitStack() as stack:
        server = Sshd(tmp_path)
        stack.callback(server.stop)
        yield server


@pytest.fixture(scope="module")
def keys(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """One host key of each type."""
    folder = tmp_path_factory.mktemp("keys")
    return {kind: make_key(folder / kind, kind) for kind in ("rsa", "ecdsa", "ed25519")}


@pytest.fixture
def host(keys: dict[str, Path]) -> Path:
    return keys["ed25519"]


def probe_of(sshd: Sshd, *, deadlines: Deadlines | None = None, key: bool = True) -> SshProbe:
    return SshProbe(sshd.folder / "known_hosts", identity=sshd.identity if key else None, deadlines=deadlines)


def pinned(asset: Asset, key: HostKey) -> Asset:
    return replace(asset, address=replace(asset.address, host_key=key.fingerprint))


def yes(_: str) -> bool:
    return True


def test_first_contact_is_asked_once_then_known_and_good_for_ssh(sshd: Sshd, host: Path) -> None:
    asset = sshd.start(host)
    asked: list[str] = []

    def accept(fingerprint: str) -> bool:
        asked.append(fingerprint)
        return True

    first = probe_of(sshd).reach(asset, accept=accept)
    again = probe_of(sshd).reach(asset, accept=pytest.fail)

    assert first == Contact(trust=Trust.FIRST_USE, fingerprint=public(host).fingerprint)
    assert again == Contact(trust=Trust.KNOWN, fingerprint=public(host).fingerprint)
    assert asked == [public(host).fingerprint]
    assert ssh(sshd, asset).stdout == "in\n"


def ssh(sshd: Sshd, asset: Asset) -> subprocess.CompletedProcess[str]:
    options = ["GlobalKnownHostsFile=/dev/null", "StrictHostKeyChecking=yes", "BatchMode=yes", "IdentitiesOnly=yes"]
    options.append(f"UserKnownHostsFile={sshd.folder / 'known_hosts' / 'demo'}")
    command = ["ssh", "-F", "none", "-i", sshd.identity, "-p", str(asset.address.port)]
    command += [part for option in options for part in ("-o", option)]
    return subprocess.run([*command, "root@127.0.0.1", "echo in"], capture_output=True, text=True, check=False)


def test_an_unknown_key_is_refused_before_any_login(sshd: Sshd, host: Path) -> None:
    asset = replace(sshd.start(host, PasswordAuthentication="yes"), secrets={"password": SECRET})

    contact = probe_of(sshd).reach(asset, accept=lambda _: False)

    assert (contact.reason, contact.fingerprint) == ("host_key_unknown", public(host).fingerprint)
    assert not contact.reached
    assert sshd.logged("Failed") == sshd.logged("Accepted") == 0
    assert not (sshd.folder / "known_hosts").exists()
    assert ssh(sshd, asset).returncode == 255, "control: ssh does not know it either"


def test_a_changed_key_is_refused_before_any_login(sshd: Sshd, host: Path) -> None:
    assert probe_of(sshd).reach(sshd.start(host), accept=yes).reason == ""
    kept = (sshd.folder / "known_hosts" / "demo").read_bytes()
    other = make_key(sshd.folder / "other")
    asset = replace(sshd.start(other, PasswordAuthentication="yes"), secrets={"password": SECRET})
    accepted = sshd.logged("Accepted")

    contact = probe_of(sshd).reach(asset, accept=pytest.fail)

    assert (contact.reason, contact.fingerprint) == ("host_key_changed", public(other).fingerprint)
    assert public(host).fingerprint in contact.text
    assert (sshd.folder / "known_hosts" / "demo").read_bytes() == kept
    assert (sshd.logged("Failed"), sshd.logged("Accepted")) == (0, accepted)


def test_the_remedy_of_a_changed_key_is_a_command_that_works(sshd: Sshd, host: Path) -> None:
    assert probe_of(sshd).reach(sshd.start(host), accept=yes).reason == ""
    asset = sshd.start(make_key(sshd.folder / "other"))
    text = probe_of(sshd).reach(asset, accept=pytest.fail).text

    subprocess.run(text.split("`")[1], shell=True, check=True, capture_output=True)

    assert probe_of(sshd).reach(asset, accept=yes).trust is Trust.FIRST_USE


def test_hashed_names_are_known(sshd: Sshd, host: Path) -> None:
    asset = sshd.start(host)
    probe_of(sshd).reach(asset, accept=yes)
    path = sshd.folder / "known_hosts" / "demo"
    subprocess.run(["ssh-keygen", "-q", "-H", "-f", path], check=True, capture_output=True)

    assert "127.0.0.1" not in path.read_text()
    assert probe_of(sshd).reach(asset, accept=pytest.fail).trust is Trust.KNOWN


def test_a_revoked_key_is_refused_as_ssh_refuses_it(sshd: Sshd, host: Path) -> None:
    asset = sshd.start(host)
    probe_of(sshd).reach(asset, accept=yes)
    path = sshd.folder / "known_hosts" / "demo"
    with path.open("a") as file:
        file.write(known_hosts.entry(("*",), public(host), marker="@revoked").text + "\n")

    contact = probe_of(sshd).reach(pinned(asset, public(host)), accept=yes)

    assert contact.reason == "host_key_changed"
    assert "@revoked" in contact.text
    assert ssh(sshd, asset).returncode == 255


@pytest.mark.parametrize("kind", ["rsa", "ecdsa"])
def test_the_type_of_key_that_is_known_is_asked_for(kind: str, sshd: Sshd, keys: dict[str, Path]) -> None:
    known = keys[kind]
    asset = sshd.start(*keys.values())
    name = known_hosts.name_of("127.0.0.1", sshd.port)
    known_hosts.remember(sshd.folder / "known_hosts" / "demo", name, public(known))

    contact = probe_of(sshd).reach(asset, accept=pytest.fail)

    assert contact == Contact(trust=Trust.KNOWN, fingerprint=public(known).fingerprint)


@pytest.mark.parametrize("kind", ["rsa", "ecdsa", "ed25519"])
def test_a_pin_of_any_type_is_found_among_the_machines_keys(kind: str, sshd: Sshd, keys: dict[str, Path]) -> None:
    asset = pinned(sshd.start(*keys.values()), public(keys[kind]))

    contact = probe_of(sshd).reach(asset, accept=pytest.fail)

    assert contact == Contact(trust=Trust.PINNED, fingerprint=public(keys[kind]).fingerprint)
    assert ssh(sshd, asset).stdout == "in\n"


def test_a_pin_that_no_key_of_the_machine_has_is_a_changed_key(sshd: Sshd, host: Path, keys: dict[str, Path]) -> None:
    asset = sshd.start(host, keys["rsa"])
    other = public(make_key(sshd.folder / "other"))

    contact = probe_of(sshd).reach(pinned(asset, other), accept=yes)

    assert (contact.reason, contact.fingerprint) == ("host_key_changed", public(host).fingerprint)
    assert other.fingerprint in contact.text
    assert not (sshd.folder / "known_hosts").exists()
    assert sshd.logged("Accepted") == 0


def test_a_refused_login_tries_the_password_once(sshd: Sshd, host: Path) -> None:
    asset = replace(sshd.start(host, PasswordAuthentication="yes"), secrets={"password": SECRET})
    (sshd.folder / "authorized_keys").write_text("")

    contact = probe_of(sshd).reach(asset, accept=yes)

    assert (contact.reason, contact.trust) == ("login_refused", Trust.FIRST_USE)
    assert f"key {sshd.identity}, password" in contact.text
    assert SECRET not in repr(contact)
    assert sshd.logged("Failed password for root") == 1
    assert sshd.logged("Failed publickey for root") <= 1


def test_the_technicians_agent_and_default_keys_are_used(
    sshd: Sshd, host: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asset = sshd.start(host)
    assert probe_of(sshd, key=False).reach(asset, accept=yes).reason == "login_refused"

    with agent(sshd.folder / "agent") as path:
        monkeypatch.setenv("SSH_AUTH_SOCK", str(path))
        subprocess.run(["ssh-add", "-q", sshd.identity], check=True, capture_output=True)
        assert probe_of(sshd, key=False).reach(asset, accept=yes).reason == ""

    assert probe_of(sshd, key=False).reach(asset, accept=yes).reason == "login_refused", "the agent is gone"
    (sshd.folder / ".ssh").mkdir()
    shutil.copy(sshd.identity, sshd.folder / ".ssh" / "id_ed25519")
    assert probe_of(sshd, key=False).reach(asset, accept=yes).reason == ""


@contextlib.contextmanager
def agent(path: Path) -> Iterator[Path]:
    process = subprocess.Popen(["ssh-agent", "-D", "-a", path], stdout=subprocess.DEVNULL)
    try:
        until = time.monotonic() + 10
        while not path.exists() and time.monotonic() < until:
            time.sleep(0.02)
        yield path
    finally:
        process.terminate()
        process.wait(10)


def test_an_identity_under_a_passphrase_is_named(sshd: Sshd, host: Path) -> None:
    asset = sshd.start(host)
    probe = SshProbe(sshd.folder / "known_hosts", identity=make_key(sshd.folder / "locked", passphrase="open sesame"))

    contact = probe.reach(asset, accept=yes)

    assert contact.reason == "login_refused"
    assert "locked (missing, unreadable or protected by a passphrase" in contact.text


def test_noise_of_a_login_does_not_confuse(sshd: Sshd, host: Path) -> None:
    noise = "echo Welcome; printf 'no end of line'; echo oops >&2; "
    asset = sshd.start(host, ForceCommand=f'{noise} eval "$SSH_ORIGINAL_COMMAND"', Banner=str(sshd.folder / "motd"))
    (sshd.folder / "motd").write_text("Authorised use only\n" * 40)

    assert probe_of(sshd).reach(asset, accept=yes).reason == ""


@pytest.mark.parametrize(
    ("command", "reason"),
    [
        ("echo This account is currently not available.", "login_refused"),
        ("sleep 600", "timeout"),
        ("yes", "login_refused"),
    ],
)
def test_a_shell_that_does_something_else_is_bad_news_in_time(
    command: str, reason: str, sshd: Sshd, host: Path
) -> None:
    asset = sshd.start(host, ForceCommand=command)
    before = time.monotonic()

    contact = probe_of(sshd, deadlines=Deadlines(command=1.0)).reach(asset, accept=yes)

    assert (contact.reason, contact.trust) == (reason, Trust.FIRST_USE)
    assert time.monotonic() - before < 8


def test_a_stopped_sshd_is_refused_in_time(sshd: Sshd, host: Path) -> None:
    asset = sshd.start(host)
    sshd.stop()

    assert probe_of(sshd).reach(asset, accept=yes).reason == "connection_refused"


@pytest.fixture(scope="module")
def machine(lab_machine: Any, tmp_path_factory: pytest.TempPathFactory) -> Any:
    """A practice machine with accounts that sudo treats each in another way; all log in with the lab's key."""
    machine = lab_machine("probe-ws", state=tmp_path_factory.mktemp("state"))
    machine.shell(ACCOUNTS)
    wait_for_sshd(machine.port)
    return machine


@pytest.fixture
def probe(machine: Any) -> SshProbe:
    return SshProbe(machine.access.known_hosts.parent, identity=machine.access.key)


ACCOUNTS = """\
for user in plain free notty only; do
  useradd --create-home --shell /bin/sh "$user"
  echo "$user:correct-$user" | chpasswd
  mkdir -p "/home/$user/.ssh"
  cp ~technician/.ssh/authorized_keys "/home/$user/.ssh/"
  chown -R "$user:" "/home/$user/.ssh"
done
cat > /etc/sudoers.d/probe <<'END'
free ALL=(ALL) NOPASSWD: ALL
notty ALL=(ALL) ALL
Defaults timestamp_type=global
Defaults:notty requiretty
only ALL=(ALL) /usr/bin/id
END
mkdir -p /etc/ssh/sshd_config.d
echo 'Match User only
PasswordAuthentication yes' > /etc/ssh/sshd_config.d/probe.conf
systemctl restart ssh
"""


def at(machine: Any, user: str, **secrets: str) -> Asset:
    address = Address(host="127.0.0.1", port=machine.port, user=user)
    return Asset(client="demo", name="ws-01", groups=frozenset(), address=address, secrets=secrets)


@pytest.mark.parametrize(
    ("user", "password", "reason", "words"),
    [
        ("technician", "technician", "", ""),
        ("free", "", "", ""),
        ("free", "not asked for", "", ""),
        ("technician", "Wrong-1", "privilege_refused", "sudo refuses the password"),
        ("technician", "", "privilege_refused", "wants a password and none is given"),
        ("plain", "correct-plain", "privilege_refused", "does not let plain become root"),
        ("only", "correct-only", "privilege_refused", "does not let only become root"),
        ("notty", "correct-notty", "privilege_refused", "wants a terminal"),
    ],
)
def test_sudo_is_really_tried(user: str, password: str, reason: str, words: str, machine: Any, probe: SshProbe) -> None:
    contact = probe.reach(at(machine, user, become_password=password), accept=pytest.fail)

    assert (contact.reason, contact.trust) == (reason, Trust.KNOWN)
    assert contact.reached
    assert words in contact.text
    assert "Wrong-1" not in repr(contact)


def test_a_wrong_sudo_password_is_tried_once(machine: Any, probe: SshProbe) -> None:
    count = "journalctl --no-pager _COMM=sudo | grep -c 'authentication failure.*ruser=technician' || true"
    before = int(machine.shell(count))

    probe.reach(at(machine, "technician", become_password="Wrong-2"), accept=pytest.fail)

    assert int(machine.shell(count)) == before + 1
    assert "Wrong-2" not in machine.shell("journalctl --no-pager")


def test_what_sudo_remembers_does_not_pass_for_a_right_password(machine: Any, probe: SshProbe) -> None:
    session = subprocess.run(machine.ssh("sudo -S true"), input="technician\n", text=True, capture_output=True)
    assert session.returncode == 0
    remembered = subprocess.run(machine.ssh("sudo -n true"), stdin=subprocess.DEVNULL, capture_output=True)
    assert remembered.returncode == 0, "control: sudo does remember"

    contact = probe.reach(at(machine, "technician", become_password="Wrong-3"), accept=pytest.fail)

    assert contact.reason == "privilege_refused"


@pytest.mark.parametrize(("password", "reason"), [("correct-only", "privilege_refused"), ("wrong", "login_refused")])
def test_a_password_login_through_pam(password: str, reason: str, machine: Any) -> None:
    probe = SshProbe(machine.access.known_hosts.parent, identity=machine.access.state / "no-key")

    assert probe.reach(at(machine, "only", password=password), accept=pytest.fail).reason == reason


def test_a_machine_without_python_says_so(machine: Any, probe: SshProbe) -> None:
    machine.shell("mv /usr/bin/python3 /usr/bin/python3.away")
    try:
        contact = probe.reach(at(machine, "free"), accept=pytest.fail)
    finally:
        machine.shell("mv /usr/bin/python3.away /usr/bin/python3")

    assert contact.reason == "no_python"
    assert contact.reached
