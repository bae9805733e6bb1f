"""`invoke patch.*` on real machines with a real repository: canary, pilot, a lock, a broken and a lying package."""

from __future__ import annotations

import json
import subprocess
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

import pytest
from tests import ports
from tests.acceptance.conftest import CHECKOUT

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.acceptance.conftest import Desk
    from tests.conftest import LabMachine

REPOSITORY = Path(__file__).resolve().parents[1] / "apt_repository.sh"
UPDATES: dict[str, Any] = {
    "waves": [{"name": "canary", "count": 1}, {"name": "broad"}],
    "gate": {"max_failed": "0%", "max_unreachable": "50%"},
    "reboot": "never",
}


class Park:
    """Machines of a desk, and the repository on each of them."""

    def __init__(self, desk: Desk, machines: dict[str, LabMachine]) -> None:
        self.desk = desk
        self.machines = machines

    def offer(self, *packages: str, on: str = "") -> None:
        """Let the repository of every machine, or of one, hold these packages and no others."""
        script = REPOSITORY.read_text()
        for name, machine in self.machines.items():
            if on in ("", name):
                words = " ".join(packages)
                given = f"cat > /root/repository.sh <<'END'\n{script}\nEND\n"
                machine.shell(f"{given}sh /root/repository.sh /srv/apt {words}")

    def version(self, name: str, package: str = "prov-alpha") -> str:
        return self.machines[name].shell(f"dpkg-query --show --showformat '${{Version}}' {package}").strip()

    def batches(self) -> list[list[str]]:
        """The machines of each intervention, in order."""
        rows = self.desk.ask("audit.log", "--client", "demo")[1]["entries"]
        opened = [str(row["index"]) for row in rows if row["kind"] == "opened"]
        shown = [self.desk.ask("audit.show", "--client", "demo", "--entry", index)[1]["entries"] for index in opened]
        return [entries[0]["body"]["assets"] for entries in shown]

    def run(self) -> tuple[int, dict[str, Any]]:
        done = self.desk.invoke("patch.run", "--client", "demo", "--json")
        print(done.stderr)
        code, told = done.returncode, json.loads(done.stdout)
        print(json.dumps(told, indent=1))
        return code, told


@pytest.fixture
def park(new_desk: Callable[[], Desk], lab_machine: Callable[..., LabMachine]) -> Iterator[Park]:
    """Two machines with version 1 of two packages; everything else of them is left alone by the tests."""
    desk = new_desk()
    desk.contract["missions"] = {"software_updates": UPDATES}
    machines = {}
    for name in ("ws-01", "ws-02"):
        machine = lab_machine(f"{name}-{desk.folder.name}", state=desk.state)
        # Only what the tests offer: what Debian offers on that day is none of their business.
        machine.shell("rm -f /etc/apt/sources.list /etc/apt/sources.list.d/*")
        desk.add("workstations", name, machine.port)
        machines[name] = machine
    found = Park(desk, machines)
    found.offer("prov-alpha=1.0", "prov-beta=1.0")
    for machine in machines.values():
        machine.shell("apt-get -q update && apt-get -q -y install prov-alpha prov-beta")
    desk.write()
    yield found
    # Machines of one test alone: with those of all of them at once systemd would find no inotify instance.
    for machine in machines.values():
        machine.engine.call("rm", "--force", "--ignore", "--time", "0", machine.running.container)


def states(told: dict[str, Any]) -> dict[str, str]:
    return {row["asset"]: row["state"] for row in told["machines"]}


def test_the_canary_proves_what_the_others_get_whatever_the_repository_says(park: Park) -> None:
    park.offer("prov-alpha=2.0", "prov-beta=2.0")
    park.offer("prov-alpha=9.0", on="ws-02")
    code, told = park.run()
    assert (code, told["ended"] is not None, states(told)) == (0, True, {"ws-01": "patched", "ws-02": "patched"}), told
    assert [row["version"] for row in told["lock"]] == ["2.0", "2.0"]
    # The repository of the second had moved on, and had lost a package: it got what the first one proved.
    assert [park.version(name) for name in park.machines] == ["2.0", "2.0"]
    assert park.version("ws-02", "prov-beta") == "2.0"
    assert park.desk.kinds()[-6:] == ["plan", "opened", "closed", "opened", "closed", "wave"]
    code, verified = park.desk.ask("audit.verify", "--client", "demo")
    assert (code, verified["status"]) == (0, "OK")

    before = len(park.desk.kinds())
    code, again = park.run()
    assert (code, again["interventions"], again["next"]["code"]) == (0, [], "window")
    assert again["next"]["until"]
    assert len(park.desk.kinds()) == before, "nothing was due: no entry"


def test_a_package_that_fails_halts_after_the_canary_until_a_person_says_why(park: Park) -> None:
    park.offer("prov-alpha=3.0:fails", "prov-beta=2.0")
    code, told = park.run()
    assert (code, told["halted"], told["next"]["code"]) == (6, True, "max_failed"), told
    assert states(told) == {"ws-01": "partial", "ws-02": "untouched"}
    assert park.version("ws-02") == "1.0"
    assert park.run()[0] == 6, "it stays halted"
    assert park.desk.ask("patch.resume", "--client", "demo")[0] == 2, "a reason is needed"

    park.offer("prov-alpha=4.0", "prov-beta=2.0")
    code, _ = park.desk.ask("patch.resume", "--client", "demo", "--reason", "version 4 mends it")
    assert code == 0
    code, told = park.run()
    assert (code, states(told)) == (0, {"ws-01": "patched", "ws-02": "patched"}), told
    assert [park.version(name) for name in park.machines] == ["4.0", "4.0"]
    assert park.version("ws-02", "prov-beta") == "2.0", "what the first try of the canary proved counts"
    assert park.desk.ask("patch.resume", "--client", "demo", "--reason", "again")[0] == 2, "it is over"


def test_an_installer_that_says_done_and_does_nothing_is_caught(park: Park) -> None:
    park.offer("prov-alpha=2.0")
    liar = 'case "$*" in *" install "*) exit 0;; esac; exec /usr/bin/apt-get.true "$@"'
    park.machines["ws-01"].shell(
        f"mv /usr/bin/apt-get /usr/bin/apt-get.true; printf '#!/bin/sh\\n%s\\n' '{liar}' > /usr/bin/apt-get;"
        "chmod 0755 /usr/bin/apt-get"
    )
    code, told = park.run()
    assert (code, states(told)) == (6, {"ws-01": "failed", "ws-02": "untouched"}), told
    assert told["machines"][0]["reason"] == "package prov-alpha: 1.0"


def test_a_machine_that_does_not_answer_holds_nobody_and_is_tried_again(park: Park) -> None:
    park.desk.add("workstations", "ws-00", ports.free_port())
    park.desk.contract["missions"]["software_updates"] = UPDATES | {"waves": [{"name": "first"}]}
    park.desk.write()
    park.offer("prov-alpha=2.0")
    code, told = park.run()
    assert code == 4
    assert states(told) == {"ws-00": "unreachable", "ws-01": "patched", "ws-02": "patched"}
    assert (told["ended"], told["next"]["code"]) == (None, "missed")
    code, status = park.desk.ask("patch.status", "--client", "demo")
    assert (code, states(status), status["next"]) == (0, states(told), told["next"])
    assert sum(status["states"].values()) == 3


def test_outside_its_windows_nothing_is_done_or_recorded(park: Park) -> None:
    far = {"name": "far", "rrule": "FREQ=YEARLY;BYMONTH=1;BYMONTHDAY=2", "start": "02:00", "duration": "1h"}
    terms = UPDATES | {"windows": [far], "freezes": []}
    park.desk.contract["missions"]["software_updates"] = terms
    park.desk.write()
    code, told = park.run()
    assert (code, told["rollout"], told["interventions"]) == (0, None, [])
    assert told["next"]["until"].endswith("01:00:00Z")
    assert park.desk.ask("audit.log", "--client", "demo")[0] == 2, "the log is empty still"


def test_a_killed_controller_and_a_second_one_at_once(park: Park) -> None:
    park.offer("prov-alpha=2.0:waits", "prov-beta=2.0")
    canary, other = park.machines.values()
    other.shell("touch /run/go")
    command, environment = park.desk.command("patch.run", "--client", "demo")
    nothing = subprocess.DEVNULL
    first = subprocess.Popen(command, env=environment, cwd=CHECKOUT, stdout=nothing, stdin=nothing)
    try:
        canary.shell("until [ -e /run/waiting ]; do sleep 0.1; done")
        second = park.desk.invoke("patch.run", "--client", "demo")
        assert (second.returncode, "Alice Acceptance" in second.stderr) == (2, True), second.stderr
    finally:
        first.kill()
        first.wait()
    canary.shell("touch /run/go")
    code, told = park.run()
    assert (code, states(told)) == (0, {"ws-01": "patched", "ws-02": "patched"}), told
    assert [park.version(name) for name in park.machines] == ["2.0", "2.0"]
    for machine in (canary, other):
        unpacked = machine.shell("grep -c ' upgrade prov-alpha:all 1.0 2.0' /var/log/dpkg.log").strip()
        assert unpacked == "1", "nothing was installed twice"
    entries = park.desk.ask("audit.log", "--client", "demo")[1]["entries"]
    outcomes = [row["outcome"] for row in entries if row["kind"] == "closed"]
    assert outcomes[0] == "interrupted"
    assert set(outcomes[1:]) <= {"changed", "unchanged"}, "the machine may have finished by itself"


def test_check_mode_says_what_would_be_installed_and_installs_nothing(park: Park) -> None:
    park.offer("prov-alpha=2.0")
    # Check mode fetches no lists of packages; a scan has.
    assert park.desk.ask("patch.scan", "--client", "demo", "--host", "ws-01")[0] == 0
    code, told = park.desk.ask("patch.run", "--client", "demo", "--check")
    assert (code, told["interventions"][0]["outcome"], states(told)["ws-02"]) == (0, "changed", "untouched")
    assert park.version("ws-01") == "1.0"
    assert park.desk.last()["simulated"] is True
    assert park.desk.kinds()[-2:] == ["opened", "closed"]


def test_a_scan_names_what_is_pending_and_changes_nothing(park: Park) -> None:
    park.offer("prov-alpha=2.0", "prov-beta=1.0")
    park.desk.add("workstations", "ws-00", ports.free_port())
    park.desk.write()
    code, told = park.desk.ask("patch.scan", "--client", "demo")
    pending = told["pending"]
    found = {row["name"]: (row["outcome"], [one["name"] for one in pending[row["name"]]]) for row in told["assets"]}
    assert (code, told["outcome"]) == (4, "unreachable")
    assert found["ws-00"] == ("unreachable", [])
    assert found["ws-01"] == found["ws-02"] == ("unchanged", ["prov-alpha"])
    package = pending["ws-01"][0]
    assert (package["before"], package["version"], package["security"]) == ("1.0", "2.0", True)
    assert park.version("ws-01") == "1.0"
    assert park.desk.kinds()[-4:] == ["opened", "closed", "scan", "scan"], "none for the one that did not answer"
    assert park.desk.ask("patch.scan", "--client", "demo", "--host", "ws-99")[0] == 2
    told_person = park.desk.invoke("patch.scan", "--client", "demo", "--host", "ws-01")
    assert (told_person.returncode, "prov-alpha" in told_person.stdout) == (0, True)


def test_an_age_is_told_by_advisories_and_without_them_by_nothing(park: Park) -> None:
    desk, now = park.desk, datetime.now(ZoneInfo("Europe/Paris"))
    desk.contract["missions"]["software_updates"] = UPDATES | {"deadlines": {"critical": "3d"}}
    desk.contract["objectives"] = [{"id": "age", "metric": "patch_age", "target": "2d"}]
    desk.write()
    park.offer("prov-alpha=2.0", "prov-beta=1.0")

    def measured() -> dict[str, Any]:
        code, told = desk.ask("sla.statement", "--client", "demo", "--period", f"{now:%Y-%m}")
        assert code == 0, told
        return next(one for one in told["measurements"] if one["asset"] == "ws-01")

    def deadlines() -> dict[str, Any]:
        return {one["asset"]: one for one in desk.ask("patch.status", "--client", "demo")[1]["deadlines"]["machines"]}

    assert deadlines()["ws-01"]["reason"] == "never_scanned"
    code, told = desk.ask("patch.scan", "--client", "demo", "--host", "ws-01")
    assert (code, told["advisories"], told["pending"]["ws-01"][0]["severity"]) == (0, None, None)
    assert (told["levels"]["ws-01"]["oldest"], told["levels"]["ws-01"]["reason"]) == (None, "no_advisories")
    one = measured()
    assert (one["state"], "had no advisories" in one["reason"]) == ("not_evaluable", True), one
    assert (deadlines()["ws-01"]["state"], deadlines()["ws-01"]["reason"]) == ("not_evaluable", "no_advisories")

    folder, day = desk.state / "advisories", now.astimezone(UTC).date()
    folder.mkdir()
    codename = park.machines["ws-01"].shell(". /etc/os-release; echo $VERSION_CODENAME").strip()
    fixed = {"status": "resolved", "fixed_version": "2.0", "urgency": "high"}
    tracker = {"prov-alpha": {"CVE-2026-4242": {"releases": {codename: fixed}}}}
    (folder / f"{day}.json").write_text(json.dumps(tracker))
    known = day - timedelta(days=5)
    listed = f"[{known:%d %b %Y}] DSA-6000-1 prov-alpha - security update\n\t[{codename}] - prov-alpha 2.0\n"
    (folder / f"{day}.dsa").write_text(listed)
    code, told = desk.ask("patch.scan", "--client", "demo", "--host", "ws-01")
    (package,) = told["pending"]["ws-01"]
    found = {key: package[key] for key in ("severity", "issues", "known", "source")}
    assert found == {
        "severity": "critical",
        "issues": ["CVE-2026-4242"],
        "known": f"{known}T00:00:00Z",
        "source": "prov-alpha",
    }
    level = told["levels"]["ws-01"]
    assert (code, level["oldest"], level["release"]) == (0, {"critical": f"{known}T00:00:00Z"}, codename)
    scanned = datetime.fromisoformat(level["at"])
    since = datetime(known.year, known.month, known.day, tzinfo=UTC)
    one = measured()
    assert (one["state"], one["elapsed_seconds"]) == ("running", int((scanned - since).total_seconds()))
    assert one["events"] == told["entries"][-1:], "it rests on the entry of the scan"
    assert (deadlines()["ws-01"]["state"], deadlines()["ws-02"]["reason"]) == ("past", "never_scanned")
    page = desk.invoke("patch.scan", "--client", "demo", "--host", "ws-01").stdout
    assert "CVE-2026-4242" in page and f"advisories of {day}" in page
    assert desk.ask("audit.verify", "--client", "demo")[1]["status"] == "OK"


def silence(machine: LabMachine) -> None:
    """Nothing answers any more, and nothing says so: as when packets are dropped."""
    machine.engine.call("pause", machine.running.container)


def speak(machine: LabMachine) -> None:
    machine.engine.call("unpause", machine.running.container)


def hang_up(machine: LabMachine) -> None:
    """Every connection is reset, and no new one is taken."""
    machine.shell("systemctl stop ssh; pkill -KILL sshd; true")


def answer(machine: LabMachine) -> None:
    machine.shell("systemctl start ssh")


@pytest.mark.parametrize(("fault", "end"), [(silence, speak), (hang_up, answer)], ids=["silence", "reset"])
def test_a_connection_that_is_lost_in_the_middle_is_unknown_and_settled_later(
    park: Park, fault: Callable[[LabMachine], None], end: Callable[[LabMachine], None]
) -> None:
    terms = UPDATES | {"waves": [{"name": "all"}], "gate": {"max_failed": "0%", "max_unreachable": "0%"}}
    park.desk.contract["missions"]["software_updates"] = terms
    park.desk.write()
    park.offer("prov-alpha=2.0:waits", "prov-beta=2.0")
    lost, sound = park.machines.values()
    sound.shell("touch /run/go")
    command, environment = park.desk.command("patch.run", "--client", "demo", "--json")
    pipe, nothing = subprocess.PIPE, subprocess.DEVNULL
    with subprocess.Popen(command, env=environment, cwd=CHECKOUT, stdin=nothing, stdout=pipe, stderr=nothing) as run:
        lost.shell("until [ -e /run/waiting ]; do sleep 0.1; done")
        fault(lost)
        begun = time.monotonic()
        printed, _ = run.communicate(timeout=120)
        took = time.monotonic() - begun
    end(lost)
    told = json.loads(printed)
    assert states(told) == {"ws-01": "unknown", "ws-02": "patched"}, told
    assert (run.returncode, told["next"]["code"]) == (6, "max_unreachable")
    # Five seconds between keepalives, of which three may be missed; then 45 more at the most.
    assert took < 20 + 45, f"{took:.0f} s"
    lost.shell("touch /run/go; for _ in $(seq 300); do fuser -s /var/lib/dpkg/lock || break; sleep 0.1; done")
    assert park.desk.ask("patch.resume", "--client", "demo", "--reason", "the cable is in again")[0] == 0
    code, told = park.run()
    assert (code, states(told)) == (0, {"ws-01": "patched", "ws-02": "patched"}), told
    assert park.version("ws-01") == park.version("ws-02") == "2.0"
    assert park.batches()[-1] == ["ws-01"], "the sound one is not touched again"
