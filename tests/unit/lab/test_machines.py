"""What is decided without a container: the wait for sshd, ports, and what podman's list means."""

from __future__ import annotations

import contextlib
import json
import socket
import threading
from dataclasses import dataclass, field
from subprocess import CompletedProcess

import pytest

from provisioner.errors import ExecutionError, UsageError
from provisioner.lab.access import Access
from provisioner.lab.machines import Found, Lab, Machine, Running, wait_for_sshd


@dataclass
class Podman:
    """A podman that answers from a table of first words, and remembers what it was asked."""

    answers: dict[str, str]
    asked: list[tuple[str, ...]] = field(default_factory=list)
    sudo: bool = False

    def call(self, *arguments, given="", seconds=0):
        self.asked.append(arguments)
        return self.answers.get(arguments[0], "")

    def attempt(self, *arguments, given="", seconds=0):
        return CompletedProcess(arguments, 0)


@pytest.fixture
def server():
    """Return a function that serves one greeting on a port of its own."""
    listeners = []

    def serve(greeting):
        listener = socket.create_server(("127.0.0.1", 0))
        listeners.append(listener)

        def answer():
            while True:
                try:
                    connection, _ = listener.accept()
                except OSError:
                    return
                # Whoever hung up before the greeting, a stranger on this port included, costs no later one its answer.
                with connection, contextlib.suppress(OSError):
                    connection.sendall(greeting)

        threading.Thread(target=answer, daemon=True).start()
        return listener.getsockname()[1]

    yield serve
    for listener in listeners:
        listener.shutdown(socket.SHUT_RDWR)
        listener.close()


def container(name, *, port, image="img", state="running"):
    labels = {"": "p", ".name": name, ".port": str(port), ".release": "bookworm", ".image": image}
    return {
        "Names": [f"provisioner-p-{name}"],
        "State": state,
        "Labels": {f"provisioner.lab{key}": value for key, value in labels.items()},
    }


def test_an_ssh_greeting_is_what_is_waited_for(server):
    wait_for_sshd(server(b"SSH-2.0-OpenSSH_9.2\r\n"), seconds=5)


@pytest.mark.parametrize("greeting", [b"HTTP/1.1 200 OK\r\n", b""])
def test_anything_else_is_no_ssh_server(server, greeting):
    port = server(greeting)
    with pytest.raises(ExecutionError, match=rf"no SSH server answers on 127\.0\.0\.1:{port} after 0 s"):
        wait_for_sshd(port, seconds=0.2)


def test_machines_are_read_from_podmans_list_by_name(tmp_path):
    listed = [container("ws-02", port=2, state="exited"), container("ws-01", port=1)]
    lab = Lab(Podman({"ps": json.dumps(listed)}), tmp_path, "p")
    assert lab.status() == (
        Found(Machine("ws-01", 1), "provisioner-p-ws-01", "img", "running"),
        Found(Machine("ws-02", 2), "provisioner-p-ws-02", "img", "exited"),
    )


@pytest.mark.parametrize(
    ("there", "expected"),
    [
        ([], ["run"]),
        ([{"port": "same"}], []),
        ([{"port": "same", "state": "exited"}], ["start"]),
        ([{"port": 1}], ["rm", "run"]),
        ([{"port": "same", "image": "older"}], ["rm", "run"]),
    ],
)
def test_only_what_differs_is_done(server, tmp_path, there, expected):
    port = server(b"SSH-2.0-x\r\n")
    listed = [container("ws-01", **(one | {"port": port if one["port"] == "same" else one["port"]})) for one in there]
    podman = Podman({"ps": json.dumps(listed), "exec": "ssh-ed25519 AAAA\n"})
    (running,) = Lab(podman, tmp_path, "p", "img").up((Machine("ws-01", port),), Access(tmp_path, "demo"), say=print)
    assert running.host_key == "ssh-ed25519 AAAA"
    assert [asked[0] for asked in podman.asked if asked[0] not in ("ps", "exec")] == expected
    if "run" in expected:
        (run,) = [asked for asked in podman.asked if asked[0] == "run"]
        assert f"--publish=127.0.0.1:{port}:22" in run
        assert run[-2:] == ("img", "/sbin/init")


def test_machines_are_introduced_to_one_another_by_name(tmp_path):
    podman = Podman({"inspect": "provisioner-p-a 10.0.0.1\nprovisioner-p-b 10.0.0.2\n"})
    both = tuple(Running(Machine(name, port), f"provisioner-p-{name}", "") for name, port in (("a", 1), ("b", 2)))
    Lab(podman, tmp_path, "p", "img").introduce(both)
    told = [(asked[2], asked[-1]) for asked in podman.asked if asked[0] == "exec"]
    lines = "10.0.0.1 a # practice\n10.0.0.2 b # practice\n"
    assert told == [("provisioner-p-a", lines), ("provisioner-p-b", lines)]


def test_two_machines_cannot_share_a_port(tmp_path):
    podman = Podman({})
    with pytest.raises(UsageError, match="share a port"):
        Lab(podman, tmp_path, "p", "img").up((Machine("a", 1), Machine("b", 1)), Access(tmp_path, "demo"), say=print)
    assert podman.asked == []


def test_a_machine_that_shows_no_key_is_not_trusted(server, tmp_path):
    port = server(b"SSH-2.0-x\r\n")
    lab = Lab(Podman({"ps": "[]", "exec": "cut: no such file"}), tmp_path, "p", "img")
    with pytest.raises(ExecutionError, match="no Ed25519 host key"):
        lab.up((Machine("ws-01", port),), Access(tmp_path, "demo"), say=print)
    assert not Access(tmp_path, "demo").known_hosts.exists()


def test_down_removes_this_prefix_only_and_images_when_asked(tmp_path):
    (tmp_path / "bookworm-0.tar").write_text("tree")
    podman = Podman({"ps": json.dumps([container("ws-01", port=1)]), "images": "localhost/x:a\nlocalhost/x:b\n"})
    lab = Lab(podman, tmp_path, "p")
    assert lab.down() == ("ws-01",)
    assert podman.asked[0][2:4] == ("--filter", "label=provisioner.lab=p")
    assert podman.asked[1] == ("rm", "--force", "--time", "1", "provisioner-p-ws-01")
    assert (tmp_path / "bookworm-0.tar").exists()
    lab.down(images=True)
    assert podman.asked[-1] == ("rmi", "localhost/x:a", "localhost/x:b")
    assert not (tmp_path / "bookworm-0.tar").exists()
