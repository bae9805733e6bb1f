"""The practice machines, really: systemd containers reached with ssh, looked at with podman."""

from __future__ import annotations

import os
import subprocess
import time

import pytest

from provisioner.errors import ExecutionError
from provisioner.lab.access import Access
from provisioner.lab.engine import cache_folder
from provisioner.lab.machines import Lab, Machine, wait_for_sshd


def run(command, given=""):
    return subprocess.run(command, input=given, capture_output=True, text=True, timeout=60, check=False)


@pytest.fixture
def lab(lab_engine):
    lab = Lab(lab_engine, cache_folder(os.environ), f"own-{os.getpid()}")
    yield lab
    lab.down()


def test_machines_come_up_once_and_each_is_its_own(lab, free_port, tmp_path, capsys):
    access = Access(tmp_path / "state", "demo")
    wanted = (Machine("ws-01", free_port()), Machine("ws-02", free_port()))
    first = lab.up(wanted, access, say=print)
    assert [one.machine for one in first] == list(wanted)
    assert len({one.host_key for one in first}) == 2
    assert [(one.machine, one.state) for one in lab.status()] == [(machine, "running") for machine in wanted]
    lines = access.known_hosts.read_text().splitlines()
    assert lines == [f"[127.0.0.1]:{one.machine.port} {one.host_key}" for one in first]
    machine_ids = {lab.engine.call("exec", one.container, "cat", "/etc/machine-id") for one in first}
    assert len(machine_ids) == 2
    capsys.readouterr()
    lab.engine.call("exec", first[0].container, "touch", "/root/kept")

    started = "{{.State.StartedAt}}"
    before = [lab.engine.call("inspect", "--format", started, one.container) for one in first]
    assert lab.up(wanted, access, say=print) == first
    assert [lab.engine.call("inspect", "--format", started, one.container) for one in first] == before
    assert capsys.readouterr().out == ""

    lab.engine.call("stop", "--time", "3", first[0].container)
    assert [one.state for one in lab.status()] == ["exited", "running"]
    assert lab.up(wanted, access, say=print) == first
    lab.engine.call("exec", first[0].container, "test", "-e", "/root/kept")

    assert lab.down() == ("ws-01", "ws-02")
    assert lab.status() == ()
    assert lab.down() == ()


def test_a_machine_asked_for_on_another_port_is_made_anew(lab, free_port, tmp_path):
    access = Access(tmp_path / "state", "demo")
    (first,) = lab.up((Machine("ws-01", free_port()),), access, say=print)
    (second,) = lab.up((Machine("ws-01", free_port()),), access, say=print)
    assert first.host_key != second.host_key
    assert len(lab.status()) == 1


def test_a_given_image_is_used_and_nothing_built(lab_engine, free_port, tmp_path):
    lab = Lab(lab_engine, tmp_path / "cache", f"given-{os.getpid()}", image="localhost/no-such-image")
    with pytest.raises(ExecutionError, match="podman run failed"):
        lab.up((Machine("ws-01", free_port()),), Access(tmp_path, "demo"), say=print)
    assert not (tmp_path / "cache").exists()


@pytest.mark.parametrize("release", ["bookworm", "trixie"])
def test_ssh_takes_the_pinned_key_and_sudo_the_password(lab_machine, tmp_path, release):
    machine = lab_machine(f"lab-{release}", state=tmp_path, release=release)
    done = run(
        machine.ssh("sudo --stdin --prompt= id --user; . /etc/os-release; echo $VERSION_CODENAME"), "technician\n"
    )
    assert done.stdout.split() == ["0", release], done.stderr
    assert run(machine.ssh("sudo --stdin --prompt= id --user"), "wrong\n").returncode != 0
    assert machine.shell("systemctl is-system-running --wait").strip() == "running"


def test_ssh_refuses_a_key_that_podman_did_not_vouch_for(lab_machine, tmp_path):
    machine = lab_machine("lab-bookworm", state=tmp_path)
    machine.access.known_hosts.write_text("")
    assert "Host key verification failed" in run(machine.ssh("true")).stderr


def test_the_public_password_opens_no_login(lab_machine, tmp_path):
    machine = lab_machine("lab-bookworm", state=tmp_path)
    command = machine.ssh("true")
    command[1:1] = ["-o", "PubkeyAuthentication=no"]
    assert "Permission denied (publickey)" in run(command).stderr


def test_packages_install_inside_and_come_from_the_image_when_downloaded(lab_machine, tmp_path):
    machine = lab_machine("lab-bookworm", state=tmp_path)
    install = "DEBIAN_FRONTEND=noninteractive apt-get install --yes --no-install-recommends"
    machine.shell(f"{install} --no-download nftables && nft --version")
    machine.shell(f"{install} --no-download --download-only network-manager cups")
    machine.shell(f"apt-get update && {install} tree && tree --version")


def test_files_that_podman_mounts_elsewhere_can_be_replaced_and_survive_a_restart(lab_machine, tmp_path):
    machine = lab_machine("lab-restarted", state=tmp_path)
    replace = "for f in hosts hostname resolv.conf; do cp /etc/$f /etc/new; mv /etc/new /etc/$f; done"
    machine.shell(f"echo ws-77 > /etc/hostname; {replace}")
    machine.engine.call("stop", "--time", "3", machine.running.container)
    again = lab_machine("lab-restarted", state=tmp_path)
    assert again.shell("hostname; cat /etc/hostname").split() == ["ws-77", "ws-77"]
    assert again.running.host_key == machine.running.host_key


def test_a_machine_that_is_restarted_from_inside_comes_back_and_one_that_was_stopped_does_not(
    lab, lab_engine, free_port, tmp_path
):
    (first,) = lab.up((Machine("ws-01", free_port()),), Access(tmp_path / "state", "demo"), say=print)
    inside = ("exec", first.container, "sh", "-c")
    boot = (*inside, "cut -d ' ' -f 22 /proc/1/stat; cut -d ' ' -f 1,2 /etc/ssh/ssh_host_ed25519_key.pub")
    lab_engine.call(*inside, "touch /root/kept /run/gone")
    started, key = lab_engine.call(*boot).splitlines()
    lab_engine.attempt(*inside, "systemctl reboot")
    # The port answers until the machine goes down: what is awaited is another first process.
    deadline = time.monotonic() + 30
    while (done := lab_engine.attempt(*boot)).returncode or done.stdout.split()[0] == started:
        assert time.monotonic() < deadline, done
        time.sleep(0.1)
    wait_for_sshd(first.machine.port, seconds=30)
    assert lab_engine.call(*boot).splitlines()[1] == key == first.host_key
    lab_engine.call(*inside, "test -e /root/kept && test ! -e /run/gone")
    assert [one.state for one in lab.status()] == ["running"]

    lab_engine.call("stop", "--time", "3", first.container)
    assert [one.state for one in lab.status()] == ["exited"]
    lab_engine.call("start", first.container)
    lab_engine.attempt(*inside, "systemctl reboot")
    assert lab.down() == ("ws-01",), "a machine is removed in the middle of its restart"
    assert lab.status() == ()
