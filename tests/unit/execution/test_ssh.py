"""The probe against peers that misbehave: bytes by hand, then a scripted SSH server."""

from __future__ import annotations

import contextlib
import os
import socket
import threading
import time
from typing import TYPE_CHECKING, Any

import paramiko
import pytest
from tests.ports import free_port

from provisioner.errors import ExecutionError
from provisioner.execution import known_hosts
from provisioner.execution.first_contact import Deadlines
from provisioner.execution.known_hosts import HostKey
from provisioner.execution.ports import Contact, Trust
from provisioner.execution.ssh import Question, SshProbe
from provisioner.model.asset import Address, Asset

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

QUICK = Deadlines(connect=0.4, handshake=0.6, login=0.8, command=0.8)
SECRET = "S3cret-of-the-test"


def asset(port: int, *, host_key: str = "", **secrets: str) -> Asset:
    address = Address(host="127.0.0.1", port=port, user="ops", host_key=host_key)
    return Asset(client="demo", name="ws-01", groups=frozenset(), address=address, secrets=secrets)


def yes(_: str) -> bool:
    return True


@pytest.fixture(autouse=True)
def technician(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A technician with no key and no agent."""
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.delenv("SSH_AUTH_SOCK", raising=False)


@pytest.fixture
def probe(tmp_path: Path) -> SshProbe:
    return SshProbe(tmp_path / "known_hosts")


@pytest.fixture
def hasty(tmp_path: Path) -> SshProbe:
    """For steps that never end: how long it waits is known, and short."""
    return SshProbe(tmp_path / "known_hosts", deadlines=QUICK)


class Peer:
    """Listens on loopback and plays `script` on each connection; what is left open is closed at the end."""

    def __init__(self, script: Callable[[socket.socket], object]) -> None:
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        self._script = script
        self._threads = [threading.Thread(target=self._listen)]
        self._open: list[socket.socket] = []
        self._threads[0].start()

    @property
    def met(self) -> int:
        return len(self._open)

    def _listen(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                connection, _ = self._listener.accept()
                self._open.append(connection)
                self._threads.append(threading.Thread(target=self._play, args=(connection,)))
                self._threads[-1].start()

    def _play(self, connection: socket.socket) -> None:
        with contextlib.suppress(OSError, EOFError, paramiko.SSHException):
            self._script(connection)

    def close(self) -> None:
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        for connection in self._open:
            with contextlib.suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)
        for thread in self._threads:
            thread.join()
        for connection in self._open:
            connection.close()


@pytest.fixture
def peer() -> Iterator[Callable[[Callable[[socket.socket], object]], Peer]]:
    with contextlib.ExitStack() as stack:
        yield lambda script: stack.enter_context(contextlib.closing(Peer(script)))


def drip(connection: socket.socket, data: bytes) -> None:
    for number in range(600):
        connection.sendall(data[number % len(data) :][:1])
        time.sleep(0.05)


def wait_for_end(connection: socket.socket) -> None:
    while connection.recv(4096):
        pass


BAD_PEERS: dict[str, tuple[Callable[[socket.socket], object], str]] = {
    "silent": (wait_for_end, "timeout"),
    "banner_only": (lambda peer: (peer.sendall(b"SSH-2.0-OpenSSH_9.2\r\n"), wait_for_end(peer)), "timeout"),
    "tarpit_in_banner": (lambda peer: drip(peer, b"x"), "timeout"),
    "endless_lines": (lambda peer: drip(peer, b"a\n"), "timeout"),
    "tarpit_in_exchange": (
        lambda peer: (peer.sendall(b"SSH-2.0-x\r\n\x00\x00\x04\x0c"), drip(peer, b"\x14")),
        "timeout",
    ),
    "drops_at_once": (lambda peer: peer.shutdown(socket.SHUT_RDWR), "protocol_error"),
    "drops_in_banner": (lambda peer: (peer.sendall(b"SSH-2"), peer.shutdown(socket.SHUT_RDWR)), "protocol_error"),
    "drops_in_exchange": (
        lambda peer: (peer.sendall(b"SSH-2.0-x\r\n\x00\x00"), peer.shutdown(socket.SHUT_RDWR)),
        "protocol_error",
    ),
    "ssh_1": (lambda peer: (peer.sendall(b"SSH-1.5-old\r\n"), wait_for_end(peer)), "protocol_error"),
    "nonsense": (lambda peer: (peer.sendall(b"SSH-2.0-x\r\n" + b"\xff" * 512), wait_for_end(peer)), "protocol_error"),
    "web_server": (lambda peer: peer.sendall(b"HTTP/1.1 400 Bad Request\r\n" * 120), "protocol_error"),
}


@pytest.mark.parametrize("name", BAD_PEERS)
def test_a_peer_that_is_no_ssh_server_is_bad_news_in_time(name: str, peer: Any, hasty: SshProbe) -> None:
    script, reason = BAD_PEERS[name]
    before = time.monotonic()

    contact = hasty.reach(asset(peer(script).port, password=SECRET), accept=pytest.fail)

    assert (contact.reason, contact.trust, contact.fingerprint) == (reason, None, "")
    assert contact.text.startswith("ws-01 (127.0.0.1:")
    assert time.monotonic() - before < QUICK.connect + QUICK.handshake + 2
    assert not [thread for thread in threading.enumerate() if isinstance(thread, paramiko.Transport)]


def test_nobody_listening_is_connection_refused(probe: SshProbe) -> None:
    port = free_port()

    assert probe.reach(asset(port), accept=pytest.fail).reason == "connection_refused"


def test_dropped_packets_are_a_timeout(hasty: SshProbe) -> None:
    with contextlib.ExitStack() as stack:
        listener = stack.enter_context(socket.socket())
        listener.bind(("127.0.0.1", 0))
        listener.listen(0)
        for _ in range(4):  # fill the queue: the kernel drops the next SYN
            filler = stack.enter_context(socket.socket())
            filler.setblocking(False)
            filler.connect_ex(listener.getsockname())
        before = time.monotonic()
        contact = hasty.reach(asset(listener.getsockname()[1]), accept=pytest.fail)

    assert contact.reason == "timeout"
    assert "did not answer within 0.4 s" in contact.text
    assert time.monotonic() - before < 2


def test_a_name_that_does_not_resolve_is_no_route(probe: SshProbe, monkeypatch: pytest.MonkeyPatch) -> None:
    def unknown(*_: object, **__: object) -> None:
        raise socket.gaierror(-2, "Name or service not known")

    monkeypatch.setattr(socket, "getaddrinfo", unknown)
    contact = probe.reach(asset(22), accept=pytest.fail)

    assert contact.reason == "no_route"
    assert "does not resolve" in contact.text


def test_a_network_that_is_not_there_is_no_route(probe: SshProbe, monkeypatch: pytest.MonkeyPatch) -> None:
    def unreachable(*_: object, **__: object) -> None:
        raise OSError(113, "No route to host")

    monkeypatch.setattr(socket, "create_connection", unreachable)

    assert probe.reach(asset(22), accept=pytest.fail).reason == "no_route"


class Server(paramiko.ServerInterface):
    """A scripted SSH server: which ways in, which password, and what becomes of a command."""

    def __init__(self, *, ways: str = "password", password: str = SECRET, answer: str = "ready") -> None:
        self.key: paramiko.PKey = paramiko.ECDSAKey.generate()
        self._ways, self._password, self._answer = ways, password, answer
        self.passwords: list[str] = []
        self.stdin = b""
        self.commands: list[str] = []
        self.asked = threading.Event()

    def play(self, connection: socket.socket) -> None:
        self.asked.clear()
        transport = paramiko.Transport(connection)
        transport.add_server_key(self.key)
        try:
            transport.start_server(server=self)
            channel = transport.accept(timeout=20)
            if channel is not None:
                self._serve(channel)
            transport.join(20)
        finally:
            transport.close()
            transport.packetizer.complete_handshake()

    def get_allowed_auths(self, username: str) -> str:
        return self._ways

    def check_auth_none(self, username: str) -> int:
        if self._answer == "hang_in_login":
            time.sleep(QUICK.login + 0.5)
        return paramiko.AUTH_FAILED

    def check_auth_password(self, username: str, password: str) -> int:
        self.passwords.append(password)
        return paramiko.AUTH_SUCCESSFUL if password == self._password else paramiko.AUTH_FAILED

    def check_auth_interactive(self, username: str, submethods: str) -> paramiko.InteractiveQuery:
        return paramiko.InteractiveQuery("", "", ("Password: ", self._answer == "echoes"))

    def check_auth_interactive_response(self, responses: list[str]) -> Any:
        self.passwords += responses
        if self._answer == "asks_again":
            return paramiko.InteractiveQuery("", "", ("New password: ", False))
        return paramiko.AUTH_SUCCESSFUL if responses == [self._password] else paramiko.AUTH_FAILED

    def check_channel_request(self, kind: str, chanid: int) -> int:
        return paramiko.OPEN_SUCCEEDED

    def check_channel_exec_request(self, channel: paramiko.Channel, command: bytes) -> bool:
        self.commands.append(command.decode())
        if self._answer == "hang_in_exec":
            time.sleep(QUICK.command + 0.5)
        self.asked.set()
        return self._answer != "refuses_exec"

    def _serve(self, channel: paramiko.Channel) -> None:
        self.asked.wait(20)
        marker = self.commands[-1].split(" sh provisioner-")[1].split()[0]
        said = {
            "ready": "motd\n{m} begin\n\n{m} uid 0\n\n{m} python 3 11\n\n{m} end -\n",
            "echoes_input": "\n{m} begin\nsudo: got {stdin}\n{m} end -\n",
            "breaks_off": "\n{m} begin\n",
            "fills_a_packet": "x" * 4090 + "\n{m} end",
        }.get(self._answer, "")
        if "echoes_input" in self._answer:
            self.stdin = channel.recv(1000)
        if self._answer == "floods":
            for _ in range(2000):
                channel.sendall(b"x" * 1000)
        filled = said.format(m=f"provisioner-{marker}", stdin=self.stdin.decode())
        channel.sendall(filled.encode())
        if self._answer not in (
            "ready",
            "silent",
            "fills_a_packet",
        ):  # a login script's child may keep the channel of a ready machine open
            channel.close()


def meet(server: Server, peer: Any, probe: SshProbe, **secrets: str) -> Contact:
    secrets.setdefault("password", SECRET)
    return probe.reach(asset(peer(server.play).port, **secrets), accept=yes)


def test_a_machine_that_takes_the_password_is_ready(peer: Any, probe: SshProbe, tmp_path: Path) -> None:
    server = Server()
    port = peer(server.play).port

    first = probe.reach(asset(port, password=SECRET), accept=yes)
    again = probe.reach(asset(port, password=SECRET), accept=pytest.fail)

    print_ = server.key.fingerprint
    assert first == Contact(trust=Trust.FIRST_USE, fingerprint=print_)
    assert again == Contact(trust=Trust.KNOWN, fingerprint=print_)
    lines = known_hosts.read(tmp_path / "known_hosts" / "demo")
    mine = HostKey(server.key.get_name(), server.key.asbytes())
    assert known_hosts.known(lines, f"[127.0.0.1]:{port}").keys == (mine,)


def test_no_word_is_said_before_the_key_is_accepted(peer: Any, probe: SshProbe, tmp_path: Path) -> None:
    server = Server()
    asked: list[str] = []

    def no(fingerprint: str) -> bool:
        asked.append(fingerprint)
        return False

    contact = probe.reach(asset(peer(server.play).port, password=SECRET), accept=no)

    assert (contact.reason, contact.trust) == ("host_key_unknown", None)
    assert asked == [server.key.fingerprint] == [contact.fingerprint]
    assert server.key.fingerprint in contact.text
    assert "--accept-new-key" in contact.text
    assert server.passwords == []
    assert not (tmp_path / "known_hosts").exists()


@pytest.mark.parametrize("pinned", [True, False])
def test_a_changed_key_is_refused_whatever_the_flags(pinned: bool, peer: Any, probe: SshProbe, tmp_path: Path) -> None:
    server = Server()
    port = peer(server.play).port
    other = HostKey("ssh-rsa", b"\x00\x00\x00\x07ssh-rsa-other")
    path = tmp_path / "known_hosts" / "demo"
    known_hosts.remember(path, f"[127.0.0.1]:{port}", other)
    before = path.read_bytes()

    pin = other.fingerprint if pinned else ""
    contact = probe.reach(asset(port, host_key=pin, password=SECRET), accept=pytest.fail)

    assert contact.reason == "host_key_changed"
    assert contact.fingerprint == server.key.fingerprint
    assert other.fingerprint in contact.text
    assert server.key.fingerprint in contact.text
    assert path.read_bytes() == before
    assert server.passwords == []


def test_a_key_that_changes_between_acceptance_and_login_is_refused(peer: Any, probe: SshProbe, tmp_path: Path) -> None:
    server = Server()

    def swap(_: str) -> bool:
        server.key = paramiko.ECDSAKey.generate()
        return True

    contact = probe.reach(asset(peer(server.play).port, password=SECRET), accept=swap)

    assert contact.reason == "host_key_changed"
    assert server.passwords == []


def test_a_revoked_key_is_refused_even_when_it_is_pinned(peer: Any, probe: SshProbe, tmp_path: Path) -> None:
    server = Server()
    mine = HostKey(server.key.get_name(), server.key.asbytes())
    path = tmp_path / "known_hosts" / "demo"
    path.parent.mkdir()
    path.write_text(known_hosts.entry(("*",), mine, marker="@revoked").text + "\n")

    contact = probe.reach(asset(peer(server.play).port, host_key=mine.fingerprint, password=SECRET), accept=yes)

    assert contact.reason == "host_key_changed"
    assert "@revoked" in contact.text
    assert server.passwords == []
    assert "127.0.0.1" not in path.read_text()


def test_a_pinned_key_needs_no_question_and_is_written_for_ssh(peer: Any, probe: SshProbe, tmp_path: Path) -> None:
    server = Server()
    port = peer(server.play).port
    path = tmp_path / "known_hosts" / "demo"
    known_hosts.remember(path, f"[127.0.0.1]:{port}", HostKey("ssh-rsa", b"\x00\x00\x00\x07ssh-rsa-stale"))

    contact = probe.reach(asset(port, host_key=server.key.fingerprint, password=SECRET), accept=pytest.fail)

    assert (contact.reason, contact.trust) == ("", Trust.PINNED)
    kept = known_hosts.known(known_hosts.read(path), f"[127.0.0.1]:{port}").keys
    assert [key.fingerprint for key in kept] == [server.key.fingerprint]


@pytest.mark.parametrize("ways", ["password", "keyboard-interactive", "publickey,password"])
def test_a_wrong_password_is_tried_once(ways: str, peer: Any, probe: SshProbe) -> None:
    server = Server(ways=ways, password="another")

    contact = meet(server, peer, probe)

    assert (contact.reason, contact.trust) == ("login_refused", Trust.FIRST_USE)
    assert "ops (password)" in contact.text
    assert server.passwords == [SECRET]
    assert SECRET not in repr(contact)


@pytest.mark.parametrize("answer", ["asks_again", "echoes"])
def test_the_password_answers_one_hidden_question_only(answer: str, peer: Any, probe: SshProbe) -> None:
    server = Server(ways="keyboard-interactive", answer=answer)

    assert meet(server, peer, probe).reason == "login_refused"
    assert server.passwords == ([SECRET] if answer == "asks_again" else [])


def test_a_machine_that_wants_keys_only_gets_no_password(peer: Any, probe: SshProbe) -> None:
    server = Server(ways="publickey")

    contact = meet(server, peer, probe)

    assert contact.reason == "login_refused"
    assert "no key, no password" in contact.text
    assert server.passwords == []


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        ("hang_in_login", "did not answer a login"),
        ("hang_in_exec", "a first command did not end"),
        ("silent", "a first command did not end"),
    ],
)
def test_a_machine_that_hangs_half_way_is_a_timeout(answer: str, said: str, peer: Any, hasty: SshProbe) -> None:
    before = time.monotonic()

    contact = meet(Server(answer=answer), peer, hasty)

    assert (contact.reason, contact.trust) == ("timeout", Trust.FIRST_USE)
    assert said in contact.text
    assert time.monotonic() - before < 6


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        ("refuses_exec", "protocol_error"),
        ("breaks_off", "protocol_error"),
        ("floods", "login_refused"),
        ("says_nothing", "login_refused"),
    ],
)
def test_a_machine_that_stops_half_way_is_bad_news(answer: str, reason: str, peer: Any, probe: SshProbe) -> None:
    contact = meet(Server(answer=answer), peer, probe)

    assert (contact.reason, contact.trust) == (reason, Trust.FIRST_USE)


def test_an_answer_has_the_length_that_was_asked_for(peer: Any, probe: SshProbe) -> None:
    port = peer(Server(answer="floods").play).port
    question = Question(command="exec sh provisioner-1 x", given="", until="never said", most=5000)
    said = probe.ask(asset(port, password=SECRET), question, accept=yes)
    assert set(said) == {"x"}
    assert 5000 <= len(said) < 5000 + 4096


@pytest.mark.parametrize("answer", ["ready", "fills_a_packet"])
def test_an_answer_ends_at_the_text_that_was_asked_for(answer: str, peer: Any, tmp_path: Path) -> None:
    """The machine keeps the channel open; the text may come in two parts, since 4,096 bytes are read at a time."""
    probe = SshProbe(tmp_path / "known_hosts", deadlines=Deadlines(command=5))
    port = peer(Server(answer=answer).play).port
    question = Question(command="exec sh provisioner-1 x", given="", until="provisioner-1 end")
    assert "provisioner-1 end" in probe.ask(asset(port, password=SECRET), question, accept=yes)


def test_secrets_travel_on_standard_input_and_stay_out_of_sentences(
    peer: Any, probe: SshProbe, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(0)
    server = Server(answer="echoes_input")

    contact = meet(server, peer, probe, become_password="Up-and-away")

    assert server.stdin == b"Up-and-away\n"
    assert contact.reason == "privilege_refused"
    assert "got ***" in contact.text
    for secret in ("Up-and-away", SECRET):
        assert secret not in server.commands[0]
        assert secret not in repr(contact)
        assert secret not in caplog.text


def test_an_identity_that_cannot_be_used_is_named(peer: Any, tmp_path: Path) -> None:
    (tmp_path / "identity").write_text("no key")
    probe = SshProbe(tmp_path / "known_hosts", identity=tmp_path / "identity", deadlines=QUICK)

    contact = meet(Server(ways="publickey"), peer, probe, password="")

    assert contact.reason == "login_refused"
    assert f"{tmp_path / 'identity'} (missing, unreadable or protected by a passphrase" in contact.text


def test_a_disk_that_cannot_hold_the_key_is_an_error_not_bad_news(
    peer: Any, probe: SshProbe, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(_: int) -> None:
        raise OSError(28, "No space left on device")

    server = Server()
    port = peer(server.play).port
    monkeypatch.setattr(os, "fsync", full)

    with pytest.raises(ExecutionError, match="cannot be written"):
        probe.reach(asset(port, host_key=server.key.fingerprint, password=SECRET), accept=yes)
    assert server.passwords == []
