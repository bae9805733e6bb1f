"""A park: machines of one desk, with a repository of the tests on each of them, and what is looked up on them."""

from __future__ import annotations

import json
import subprocess
from contextlib import contextmanager
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator

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

    def terms(self, **changed: Any) -> None:
        """Let the contract promise software updates on the usual terms, but for these."""
        self.desk.contract["missions"] = {"software_updates": UPDATES | changed}
        self.desk.write()

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

    def upgrades(self, name: str, package: str = "prov-alpha") -> int:
        """How often dpkg unpacked another version of a package on a machine."""
        return int(self.machines[name].shell(f"grep -c ' upgrade {package}:all ' /var/log/dpkg.log || true"))

    def entries(self, kind: str) -> list[dict[str, Any]]:
        """The bodies of the entries of a kind, in order; `opened` and `closed` are found by their intervention."""
        rows = self.desk.ask("audit.log", "--client", "demo")[1]["entries"]
        found = [str(row["index"]) for row in rows if row["kind"] == kind]
        shown = [self.desk.ask("audit.show", "--client", "demo", "--entry", index)[1]["entries"] for index in found]
        return [next(entry["body"] for entry in entries if entry["kind"] == kind) for entries in shown]

    def batches(self) -> list[list[str]]:
        """The machines of each intervention, in order."""
        return [body["assets"] for body in self.entries("opened")]

    def run(self) -> tuple[int, dict[str, Any]]:
        done = self.desk.invoke("patch.run", "--client", "demo", "--json")
        print(done.stderr)
        code, told = done.returncode, json.loads(done.stdout)
        print(json.dumps(told, indent=1))
        return code, told

    @contextmanager
    def begun(self) -> Iterator[subprocess.Popen[str]]:
        """`patch.run` at work for the time of the block, killed if it is not over by then.

        Its document goes to stdout, its progress, line by line, to stderr.
        """
        command, environment = self.desk.command("patch.run", "--client", "demo", "--json")
        pipe = subprocess.PIPE
        running = subprocess.Popen(
            command,
            env={**environment, "PYTHONUNBUFFERED": "1"},
            cwd=REPOSITORY.parents[1],
            stdin=subprocess.DEVNULL,
            stdout=pipe,
            stderr=pipe,
            text=True,
        )
        try:
            yield running
        finally:
            running.kill()
            running.communicate()


def states(told: dict[str, Any]) -> dict[str, str]:
    return {row["asset"]: row["state"] for row in told["machines"]}


def lines_until(stream: IO[str] | None, *words: str) -> Iterator[str]:
    """The lines of a stream, up to the first that has all the words; the test fails where none has."""
    assert stream is not None
    for line in stream:
        yield line
        if all(word in line for word in words):
            return
    raise AssertionError(f"the run was over before it told of {' '.join(words)}")


def lines_while_installing(stream: IO[str] | None, name: str, machine: LabMachine) -> list[str]:
    """The lines of a stream up to the moment at which a package that waits is being installed on the machine."""
    lines = list(lines_until(stream, name, "choose | Hand"))
    machine.shell("until [ -e /run/waiting ]; do sleep 0.1; done")
    return lines
