"""The executor against OpenSSH: one regression test for each trap of ansible-runner and Ansible that can hurt.

An sshd of the tests' own on loopback, which lets root in with a key of the tests' own; toy playbooks in a folder.
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from tests.ports import free_port

from provisioner.errors import ExecutionError, StillRunning, UsageError
from provisioner.execution.ansible import AnsibleExecutor, refuse_weak_environment
from provisioner.execution.content import read_content
from provisioner.execution.ports import Order, RunResult, RunStatus
from provisioner.execution.workspace import Limits
from provisioner.model.asset import HIDDEN, Address
from provisioner.model.event import Event, EventKind
from provisioner.model.plan import Step
from provisioner.model.redaction import REDACTED
from provisioner.testing import make_asset, make_receipt

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

SSHD = "/usr/sbin/sshd"
CANARY = "s3cret-canary-7d1e"

pytestmark = pytest.mark.skipif(
    os.geteuid() != 0 or not Path(SSHD).exists(), reason="needs root and OpenSSH's server: root logs in to itself"
)


def make_key(path: Path) -> Path:
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", path], check=True)
    return path


def processes() -> Iterator[tuple[int, int, bytes]]:
    """Yield pid, parent and command line of every process that lives: a zombie changes nothing any more."""
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            state, parent = (folder / "stat").read_text().rpartition(")")[2].split()[:2]
            command = (folder / "cmdline").read_bytes()
        except OSError:
            continue
        if state not in "ZX":
            yield int(folder.name), int(parent), command


def living(mark: str) -> list[int]:
    return [pid for pid, _, command in processes() if mark.encode() in command and pid != os.getpid()]


def wait_for(condition: Callable[[], bool], seconds: float) -> bool:
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.05)
    return True


@dataclass(frozen=True)
class Server:
    """A running sshd: its port, the key that opens it, its own public key and its process."""

    port: int
    identity: Path
    public: str
    pid: int

    def family(self) -> list[int]:
        """The process and all it started."""
        found, parents = [self.pid], {pid: parent for pid, parent, _ in processes()}
        for pid in sorted(parents):
            if parents[pid] in found:
                found.append(pid)
        return found


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    folder = tmp_path_factory.mktemp("sshd")
    identity, host_key = make_key(folder / "identity"), make_key(folder / "host")
    port = free_port()
    shutil.copy(folder / "identity.pub", folder / "authorized_keys")
    Path("/run/sshd").mkdir(exist_ok=True)
    settings = [f"Port {port}", "ListenAddress 127.0.0.1", f"HostKey {host_key}", "PermitRootLogin yes", "UsePAM no"]
    settings += [f"AuthorizedKeysFile {folder}/authorized_keys", "StrictModes no", "PidFile none"]
    settings += [f"Subsystem sftp {next(Path('/usr/lib').glob('**/sftp-server'))}"]
    (folder / "config").write_text("\n".join(settings) + "\n")
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen([SSHD, "-D", "-e", "-f", str(folder / "config")], stderr=log)
    try:
        assert wait_for(lambda: _answers(port), 20), (folder / "log").read_text()
        yield Server(port, identity, (folder / "host.pub").read_text(), process.pid)
    finally:
        process.terminate()
        process.wait(10)


def _answers(port: int) -> bool:
    try:
        with socket.create_connection(("127.0.0.1", port), timeout=1) as peer:
            return peer.recv(4) == b"SSH-"
    except OSError:
        return False


class Site:
    """A checkout with one toy playbook, and what an executor needs beside it."""

    def __init__(self, folder: Path, server: Server) -> None:
        self.folder = folder
        self.server = server
        self.root = folder / "checkout"
        self.runs = folder / "runs"
        self.known_hosts = folder / "known_hosts"
        self.trust(server.public)
        (self.root / "playbooks").mkdir(parents=True)

    def trust(self, public: str) -> None:
        self.known_hosts.write_text(f"[127.0.0.1]:{self.server.port} {' '.join(public.split()[:2])}\n")

    def playbook(self, *tasks: dict[str, Any], **keys: Any) -> None:
        play = {"hosts": "all", "gather_facts": False, "tasks": list(tasks), **keys}
        (self.root / "playbooks" / "toy.yml").write_text(json.dumps([play]))

    def executor(self, **limits: int) -> AnsibleExecutor:
        return AnsibleExecutor(
            root=self.root,
            runs=self.runs,
            known_hosts=self.known_hosts,
            identity=self.server.identity,
            limits=Limits(**limits),
        )

    def order(self, intervention: str = "iv-1", *, check: bool = False, **variables: object) -> Order:
        address = Address(host="127.0.0.1", port=self.server.port, user="root")
        asset = make_asset("ws-01", address=address, secrets={"become_password": CANARY})
        roles = [path.name for path in (self.root / "roles").glob("*")]
        step = Step(assets=("ws-01",), variables={"ws-01": variables})
        content = read_content(self.root, "toy", roles)
        receipt = make_receipt(intervention=intervention)
        return Order(
            intervention=intervention, receipt=receipt, content=content, step=step, assets=(asset,), check=check
        )

    def run(
        self,
        intervention: str = "iv-1",
        *,
        check: bool = False,
        on_event: Any = lambda event: None,
        **variables: object,
    ) -> RunResult:
        return self.executor().run(self.order(intervention, check=check, **variables), on_event)


@pytest.fixture
def site(tmp_path: Path, server: Server) -> Site:
    return Site(tmp_path, server)


def at_task(name: str, act: Callable[[], object]) -> Callable[[Event], None]:
    def on_event(event: Event) -> None:
        if event.kind is EventKind.TASK and event.task == name:
            act()

    return on_event


def test_a_run_is_told_as_it_happens_and_leaves_nothing(site: Site) -> None:
    rows = [{"name": "n", "asked": "a", "found": "a", "result": "pass"}]
    site.playbook(
        {"name": "Change", "ansible.builtin.copy": {"dest": str(site.folder / "made"), "content": "x", "mode": "0644"}},
        {"name": "Look", "ansible.builtin.ping": {}},
        {"name": "Skip", "ansible.builtin.ping": {}, "when": False},
        {"name": "Tell", "ansible.builtin.set_stats": {"data": {"provisioner_checks": {"ws-01": rows}}}},
    )
    events: list[Event] = []
    result = site.run(on_event=events.append)
    tally = result.tallies["ws-01"]
    assert (result.status, result.check, tally.ok, tally.changed, tally.skipped) == (RunStatus.FINISHED, False, 3, 1, 1)
    assert [check.name for check in result.checks["ws-01"]] == ["n"]
    assert [(event.kind.value, event.task) for event in events if event.host or event.kind is EventKind.TASK] == [
        ("task", "Change"),
        ("changed", "Change"),
        ("task", "Look"),
        ("ok", "Look"),
        ("task", "Skip"),
        ("skipped", "Skip"),
        ("task", "Tell"),
        ("ok", "Tell"),
    ]
    assert list(site.runs.iterdir()) == []


@pytest.mark.parametrize("count", [1, 2])
def test_ansible_knows_the_machines_of_the_batch_and_no_others(site: Site, count: int) -> None:
    """The step names two; the batch has one of them, or, so that the reading is seen to tell, both."""
    known = "{{ groups['all'] | sort | join(' ') }} {{ hostvars | length }}"
    rows = [{"name": "known", "asked": "", "found": known, "result": "pass"}]
    site.playbook({"name": "Tell", "ansible.builtin.set_stats": {"data": {"provisioner_checks": {"ws-01": rows}}}})
    order = site.order()
    both = tuple(replace(order.assets[0], name=name) for name in ("ws-01", "ws-02"))
    step = Step(assets=("ws-01", "ws-02"), variables={"ws-01": {"x": 1}, "ws-02": {"x": 2}})
    result = site.executor().run(replace(order, step=step, assets=both[:count]), lambda event: None)
    (found,) = result.checks["ws-01"]
    assert found.found == {1: "ws-01 1", 2: "ws-01 ws-02 2"}[count]


def test_a_run_works_in_a_folder_with_spaces_and_beside_an_agent_full_of_keys(
    tmp_path: Path, server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The agent's keys alone would end in "Too many authentication failures"."""
    state = tmp_path / "My Projects" / "état (Bob's)"
    state.mkdir(parents=True)
    keys = [make_key(tmp_path / f"other-{number}") for number in range(7)]
    identity = Path(shutil.copy(server.identity, state / "id_ed25519"))
    socket_path = tmp_path / "agent"
    agent = subprocess.Popen(["ssh-agent", "-D", "-a", str(socket_path)], stdout=subprocess.DEVNULL)
    try:
        assert wait_for(socket_path.is_socket, 10)
        monkeypatch.setenv("SSH_AUTH_SOCK", str(socket_path))
        subprocess.run(["ssh-add", "-q", *map(str, keys)], check=True)
        site = Site(state, replace(server, identity=identity))
        site.playbook({"name": "Look", "ansible.builtin.ping": {}})
        result = site.run()
    finally:
        agent.terminate()
        agent.wait(10)
    assert (result.status, result.tallies["ws-01"].ok) == (RunStatus.FINISHED, 1)
    assert list(site.runs.iterdir()) == []


def test_a_secret_of_a_role_reaches_the_machine_and_no_message(site: Site) -> None:
    password = "wifi-canary-5b2a"
    site.playbook(
        {
            "name": "Use",
            "ansible.builtin.copy": {"dest": str(site.folder / "made"), "content": "{{ wifi[0].password }}"},
        },
        {"name": "Leak", "ansible.builtin.fail": {"msg": "cannot join with {{ wifi[0].password }}"}},
    )
    hidden = [{"name": "office", "password": HIDDEN}]
    order = site.order(wifi=hidden)
    asset = replace(
        order.assets[0],
        variables={"wifi": hidden},
        confidential={"wifi": [{"name": "office", "password": password}]},
    )
    events: list[Event] = []
    site.executor().run(replace(order, assets=(asset,)), events.append)
    assert (site.folder / "made").read_text() == password
    assert [event.message for event in events if event.kind is EventKind.FAILED] == [f"cannot join with {REDACTED}"]
    assert password not in repr(events)


def _tell(name: str, *hosts: str) -> dict[str, Any]:
    row = {"name": name, "asked": "a", "found": "a", "result": "pass"}
    told = {host: [row] for host in hosts}
    return {"name": f"Tell {name}", "ansible.builtin.set_stats": {"data": {"provisioner_checks": told}}}


def test_several_plays_each_on_its_group_are_one_tally(site: Site) -> None:
    """A machine that failed in the first play is in none after it, and no play makes it look well."""
    public = {"name": "Fact", "ansible.builtin.set_fact": {"key_of_mine": "{{ inventory_hostname }}-key"}}
    refuse = {"name": "Refuse", "ansible.builtin.fail": {"msg": "no"}, "when": "inventory_hostname == 'bad'"}
    seen = {
        "name": "See",
        "ansible.builtin.copy": {"dest": str(site.folder / "seen"), "content": "{{ hostvars['good'].key_of_mine }}"},
    }
    plays = [
        {"hosts": "agents", "gather_facts": False, "tasks": [public, refuse]},
        {"hosts": "stores", "gather_facts": False, "tasks": [seen, _tell("store", "store")]},
        {"hosts": "nobody", "gather_facts": False, "tasks": [_tell("nobody", "good")]},
        {"hosts": "agents", "gather_facts": False, "tasks": [_tell("agent", "good")]},
    ]
    (site.root / "playbooks" / "toy.yml").write_text(json.dumps(plays))
    order = site.order()
    assets = tuple(replace(order.assets[0], name=name) for name in ("good", "bad", "store"))
    groups = {"agents": ("good", "bad"), "stores": ("store",), "nobody": ("absent",)}
    step = Step(assets=("good", "bad", "store", "absent"), variables={}, groups=groups)
    result = site.executor().run(replace(order, step=step, assets=assets), lambda event: None)
    assert (site.folder / "seen").read_text() == "good-key"
    tallies = {name: (tally.ok, tally.failed) for name, tally in result.tallies.items()}
    assert tallies == {"good": (2, 0), "bad": (1, 1), "store": (2, 0)}
    assert {name: len(rows) for name, rows in result.checks.items()} == {"store": 1, "good": 1}
    assert result.status is RunStatus.FINISHED


def test_where_all_of_a_play_fail_those_of_the_next_were_not_processed(site: Site) -> None:
    plays = [
        {
            "hosts": "agents",
            "gather_facts": False,
            "tasks": [{"name": "Refuse", "ansible.builtin.fail": {"msg": "no"}}],
        },
        {"hosts": "stores", "gather_facts": False, "tasks": [{"name": "Look", "ansible.builtin.ping": {}}]},
    ]
    (site.root / "playbooks" / "toy.yml").write_text(json.dumps(plays))
    order = site.order()
    assets = tuple(replace(order.assets[0], name=name) for name in ("agent", "store"))
    step = Step(assets=("agent", "store"), variables={}, groups={"agents": ("agent",), "stores": ("store",)})
    result = site.executor().run(replace(order, step=step, assets=assets), lambda event: None)
    assert set(result.tallies) == {"agent"}, "the store has no tally: judged as not processed, never as well"


def test_a_folder_that_exists_is_refused(site: Site) -> None:
    site.playbook()
    (site.runs / "iv-1" / "env").mkdir(parents=True)
    (site.runs / "iv-1" / "env" / "cmdline").write_text("--check")
    with pytest.raises(ExecutionError, match="exists already"):
        site.run()


def test_a_run_inherits_neither_check_mode_nor_variables(site: Site) -> None:
    site.playbook(
        {
            "name": "Write",
            "ansible.builtin.copy": {"dest": str(site.folder / "made"), "content": "{{ x | default('unset') }}"},
        }
    )
    first = site.run("iv-1", check=True, x="of client A")
    assert (first.check, (site.folder / "made").exists()) == (True, False)
    second = site.run("iv-2")
    assert (second.check, (site.folder / "made").read_text()) == (False, "unset")


def test_client_data_is_never_read_as_a_template(site: Site) -> None:
    stolen, control = site.folder / "stolen", site.folder / "control"
    evil = f"{{{{ lookup('pipe', 'touch {stolen}') }}}}"
    ours = f"{{{{ lookup('pipe', 'touch {control}') }}}}"
    site.playbook(
        {
            "name": "Use all",
            "ansible.builtin.copy": {
                "dest": str(site.folder / "made"),
                "content": "{{ text }}|{{ nested.list[0] }}|{{ nested.keys() | last }}|{{ ours }}",
            },
        },
        vars={"ours": ours},
    )
    result = site.run(text=evil, nested={"list": [evil], evil: 1})
    assert result.tallies["ws-01"].failed == 0
    assert (site.folder / "made").read_text() == f"{evil}|{evil}|{evil}|"
    assert control.exists(), "the control: a template of the playbook's own is read"
    assert not stolen.exists()


@pytest.mark.parametrize("error", [OSError("no space left on device"), ValueError("a bug")])
def test_an_error_of_our_handler_is_raised_and_ends_the_run(site: Site, error: Exception) -> None:
    site.playbook(
        {"name": "First", "ansible.builtin.command": "true"},
        {"name": "Long", "ansible.builtin.command": "sleep 60"},
    )

    def act() -> None:
        raise error

    before = time.monotonic()
    with pytest.raises(type(error), match=str(error)):
        site.run(on_event=at_task("Long", act))
    assert time.monotonic() - before < 40
    assert list(site.runs.iterdir()) == []


def test_a_changed_host_key_is_refused_whatever_the_runner_asks_for(site: Site) -> None:
    site.playbook({"name": "Change", "ansible.builtin.command": f"touch {site.folder}/made"})
    site.trust(make_key(site.folder / "other").with_name("other.pub").read_text())
    result = site.run()
    assert (result.tallies["ws-01"].unreachable, result.tallies["ws-01"].ok) == (1, 0)
    assert not (site.folder / "made").exists()


def test_an_unknown_host_key_is_refused(site: Site) -> None:
    site.playbook({"name": "Change", "ansible.builtin.command": f"touch {site.folder}/made"})
    site.known_hosts.write_text("")
    assert site.run().tallies["ws-01"].unreachable == 1
    assert site.known_hosts.read_text() == ""


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("ANSIBLE_HOST_KEY_CHECKING", "False"),
        ("ANSIBLE_SSH_HOST_KEY_CHECKING", "no"),
        ("ANSIBLE_SSH_ARGS", "-o StrictHostKeyChecking=no"),
        ("ANSIBLE_SSH_COMMON_ARGS", "-oStrictHostKeyChecking=accept-new"),
        ("ANSIBLE_PARAMIKO_HOST_KEY_AUTO_ADD", "True"),
    ],
)
def test_an_environment_that_weakens_host_key_checking_is_refused(name: str, value: str) -> None:
    with pytest.raises(UsageError, match=name):
        refuse_weak_environment({name: value})
    refuse_weak_environment({"ANSIBLE_HOST_KEY_CHECKING": "True", "ANSIBLE_FORKS": "5", "PATH": "/bin"})


def test_a_play_that_matches_no_machine_is_broken_not_successful(site: Site) -> None:
    site.playbook({"name": "Change", "ansible.builtin.command": "true"}, hosts="nobody")
    result = site.run()
    assert (result.status, dict(result.tallies)) == (RunStatus.BROKEN, {})
    assert result.message == "skipping: no hosts matched"


def test_a_playbook_that_cannot_be_read_is_broken_and_says_why(site: Site) -> None:
    site.playbook({"name": "Change", "no_such_module_anywhere": {}})
    result = site.run()
    assert (result.status, dict(result.tallies)) == (RunStatus.BROKEN, {})
    assert "no_such_module_anywhere" in result.message


def test_hidden_failures_are_seen(site: Site) -> None:
    failing = {"name": "Fail", "ansible.builtin.command": "false"}
    site.playbook({"name": "Try", "block": [failing], "rescue": [{"ansible.builtin.command": "true"}]})
    events: list[Event] = []
    assert site.run("iv-1", on_event=events.append).tallies["ws-01"].rescued == 1
    site.playbook({**failing, "ignore_errors": True})
    assert site.run("iv-2", on_event=events.append).tallies["ws-01"].ignored == 1
    assert EventKind.IGNORED in [event.kind for event in events]


def test_what_a_role_refuses_is_said(site: Site) -> None:
    specs = {"argument_specs": {"main": {"options": {"toy_count": {"type": "int", "required": True}}}}}
    (site.root / "roles/toy/meta").mkdir(parents=True)
    (site.root / "roles/toy/meta/argument_specs.yml").write_text(json.dumps(specs))
    site.playbook(roles=["toy"])
    events: list[Event] = []
    assert site.run(on_event=events.append).tallies["ws-01"].failed == 1
    (failed,) = [event for event in events if event.kind is EventKind.FAILED]
    assert "toy_count" in failed.message


def files_with(mark: str, *folders: Path) -> list[Path]:
    found = [path for folder in folders for path in folder.rglob("*") if path.is_file() and not path.is_symlink()]
    return [path for path in found if mark.encode() in path.read_bytes()]


def test_secrets_are_in_no_process_list_and_remain_nowhere(site: Site) -> None:
    site.playbook(
        {"name": "First", "ansible.builtin.command": "true"},
        {"name": "Say", "ansible.builtin.fail": {"msg": "the password is {{ ansible_become_password }}"}},
    )
    seen: dict[str, Any] = {}

    def look() -> None:
        seen["commands"] = living(CANARY)
        # The runner's own records of events, the failure among them, may be there already: they go with the folder.
        found = files_with(CANARY, site.runs)
        seen["files"] = [path.name for path in found if "job_events" not in path.parts]
        seen["sockets"] = (site.runs / "iv-1" / "sockets").readlink()
        seen["mode"] = (site.runs / "iv-1").stat().st_mode & 0o777

    events: list[Event] = []

    def on_event(event: Event) -> None:
        events.append(event)
        at_task("Say", look)(event)

    site.run(on_event=on_event)
    sockets = seen["sockets"]
    assert isinstance(sockets, Path)
    assert (seen["commands"], seen["mode"]) == ([], 0o700)
    assert sorted(seen["files"]) == ["hosts.yml", "secrets.json"], (
        "the control: the inventory of the run has it while it runs"
    )
    assert files_with(CANARY, site.folder) == []
    assert not sockets.exists()
    (failed,) = [event for event in events if event.kind is EventKind.FAILED]
    assert failed.message == f"the password is {REDACTED}"


def test_the_callers_ansible_settings_do_not_leak_in(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    home = site.folder / "home"
    home.mkdir()
    for folder in (home / ".ansible.cfg", site.folder / "ansible.cfg"):
        folder.write_text("[defaults]\nforks = 4\n")
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.setenv("ANSIBLE_FORKS", "3")
    monkeypatch.setenv("ANSIBLE_CONFIG", str(site.folder / "ansible.cfg"))
    monkeypatch.setenv("PYTHONPATH", "/nowhere")
    monkeypatch.chdir(site.folder)
    content = (
        "{{ lookup('config', 'DEFAULT_FORKS') }} {{ lookup('env', 'ANSIBLE_FORKS') }}{{ lookup('env', 'PYTHONPATH') }}"
    )
    site.playbook({"name": "Write", "ansible.builtin.copy": {"dest": str(site.folder / "made"), "content": content}})
    site.run()
    assert (site.folder / "made").read_text().strip() == "20"


def long_play(site: Site) -> str:
    """A play whose second task starts, sleeps for a time that marks it, and then has its effect."""
    mark = f"61.{os.getpid()}{abs(hash(str(site.folder))) % 10**6}"
    script = f"touch {site.folder}/started; sleep {mark}; touch {site.folder}/effect"
    site.playbook(
        {"name": "First", "ansible.builtin.command": "true"},
        {"name": "Long", "ansible.builtin.shell": script},
    )
    return mark


def test_ctrl_c_ends_the_run_and_what_it_was_doing(site: Site) -> None:
    mark = long_play(site)

    def interrupt() -> None:
        assert wait_for(lambda: bool(living(mark)), 30)
        os.kill(os.getpid(), signal.SIGINT)

    before = signal.getsignal(signal.SIGINT)
    result = site.run(on_event=at_task("Long", interrupt))
    assert result.status is RunStatus.CANCELLED
    assert wait_for(lambda: not living(mark), 5)
    assert not (site.folder / "effect").exists()
    assert signal.getsignal(signal.SIGINT) is before


@pytest.mark.parametrize("limit", [{"run": 5}, {"silence": 4}])
def test_a_run_ends_at_its_time_limit(site: Site, limit: dict[str, int]) -> None:
    """ansible-runner drops `settings` given as an argument when there is no file `env/settings`."""
    mark = long_play(site)
    before = time.monotonic()
    result = site.executor(**limit).run(site.order(), lambda event: None)
    assert result.status is RunStatus.TIMED_OUT
    assert time.monotonic() - before < 40
    assert wait_for(lambda: not living(mark), 5)


CONTROLLER = """
import json, sys
from pathlib import Path
sys.path[:0] = json.loads(sys.argv[1])
spec = json.loads(sys.argv[2])
from provisioner.execution.ansible import AnsibleExecutor
from provisioner.execution.content import read_content
from provisioner.execution.ports import Order
from provisioner.model.asset import Address
from provisioner.model.plan import Step
from provisioner.testing import make_asset, make_receipt
root = Path(spec["root"])
asset = make_asset("ws-01", address=Address(host="127.0.0.1", port=spec["port"], user="root"))
order = Order(intervention="iv-9", content=read_content(root, "toy", []), step=Step(assets=("ws-01",), variables={}),
              assets=(asset,), check=False, receipt=make_receipt())
AnsibleExecutor(root=root, runs=Path(spec["runs"]), known_hosts=Path(spec["known_hosts"]),
                identity=Path(spec["identity"])).run(order, lambda event: None)
"""


def controller(site: Site) -> subprocess.Popen[bytes]:
    spec = {"root": site.root, "runs": site.runs, "known_hosts": site.known_hosts, "identity": site.server.identity}
    text = json.dumps({**{name: str(path) for name, path in spec.items()}, "port": site.server.port})
    return subprocess.Popen([sys.executable, "-c", CONTROLLER, json.dumps(sys.path), text])


def test_nothing_goes_on_after_kill_9_and_the_last_task_is_known(site: Site) -> None:
    mark = long_play(site)
    process = controller(site)
    try:
        assert wait_for(lambda: (site.folder / "started").exists() and bool(living(mark)), 60)
        assert living(f"{site.runs}/iv-9"), "the control: the run's processes are found while they live"
        with pytest.raises(StillRunning, match="still alive"):
            site.executor().salvage("iv-9")
        process.kill()
        process.wait()
        assert wait_for(lambda: not living(f"{site.runs}/iv-9"), 5), "ansible-playbook outlived its controller"
        assert wait_for(lambda: not living(mark), 5), "the machine goes on with what a dead controller asked for"
    finally:
        process.kill()
        process.wait()
    assert not (site.folder / "effect").exists()
    events = site.executor().salvage("iv-9")
    assert [event.task for event in events if event.kind is EventKind.TASK] == ["First", "Long"]
    assert site.executor().left() == ("iv-9",)
    site.executor().discard("iv-9")
    assert not (site.runs / "iv-9").exists()
    assert site.executor().salvage("iv-9") == ()


@pytest.mark.parametrize(("kept", "tasks"), [(json.dumps([CANARY]), [f"Join with {REDACTED}"]), ('["', []), (None, [])])
def test_what_a_dead_controller_left_says_no_secret(site: Site, kept: str | None, tasks: list[str]) -> None:
    folder = site.runs / "iv-8" / "artifacts" / "iv-8" / "job_events"
    folder.mkdir(parents=True)
    told = {"event": "playbook_on_task_start", "event_data": {"task": f"Join with {CANARY}"}}
    (folder / "1-a-partial.json").write_text(json.dumps(told))
    if kept is not None:
        (site.runs / "iv-8" / "secrets.json").write_text(kept)
    assert [event.task for event in site.executor().salvage("iv-8")] == tasks


def test_a_machine_that_stops_answering_ends_as_unreachable_in_time(site: Site) -> None:
    mark = long_play(site)
    stopped: list[int] = []

    def stop() -> None:
        assert wait_for(lambda: bool(living(mark)), 30)
        stopped.extend(site.server.family())
        for pid in stopped:
            os.kill(pid, signal.SIGSTOP)

    before = time.monotonic()
    try:
        executor = site.executor(connect=3, keepalive=1)
        result = executor.run(site.order(), at_task("Long", stop))
    finally:
        for pid in stopped:
            os.kill(pid, signal.SIGCONT)
    tally = result.tallies["ws-01"]
    assert (tally.unreachable, tally.ok) == (1, 1), "which the judge calls unknown: the task may have ended"
    assert time.monotonic() - before < 30
    assert wait_for(lambda: not living(mark), 5)


def test_an_sshd_that_never_answers_ends_as_unreachable_in_time(site: Site) -> None:
    site.playbook({"name": "First", "ansible.builtin.command": "true"})
    os.kill(site.server.pid, signal.SIGSTOP)
    before = time.monotonic()
    try:
        result = site.executor(connect=3, keepalive=1).run(site.order(), lambda event: None)
    finally:
        os.kill(site.server.pid, signal.SIGCONT)
    assert (result.tallies["ws-01"].unreachable, result.tallies["ws-01"].ok) == (1, 0)
    assert time.monotonic() - before < 25
