"""`invoke patch.*` on real machines with a real repository: canary, pilot, a lock, a broken and a lying package."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

from tests import ports
from tests.acceptance._park import lines_while_installing, states

if TYPE_CHECKING:
    from tests.acceptance._park import Park


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

    # That one is a security update that no canary has: shown, and a rollout with a canary of its own begins at once.
    # Its canary is not offered it either, so the machine keeps what is proven, and the next call waits for a window.
    assert told["superseded"] == [{"name": "prov-alpha", "version": "9.0"}]
    code, second = park.run()
    assert (code, second["ended"] is not None, second["rollout"] != told["rollout"]) == (0, True, True)
    assert (second["superseded"], park.version("ws-02")) == ([], "2.0")

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
    park.terms(waves=[{"name": "first"}])
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
    park.terms(windows=[far], freezes=[])
    code, told = park.run()
    assert (code, told["rollout"], told["interventions"]) == (0, None, [])
    assert told["next"]["until"].endswith("01:00:00Z")
    assert park.desk.ask("audit.log", "--client", "demo")[0] == 2, "the log is empty still"


def test_of_two_at_once_one_works_and_the_other_says_who(park: Park) -> None:
    park.offer("prov-alpha=2.0:waits", "prov-beta=2.0")
    canary, other = park.machines.values()
    other.shell("touch /run/go")
    with park.begun() as first:
        lines_while_installing(first.stderr, "ws-01", canary)
        second = park.desk.invoke("patch.run", "--client", "demo")
        canary.shell("touch /run/go")
        printed, _ = first.communicate(timeout=120)
    assert (second.returncode, "Alice Acceptance" in second.stderr) == (2, True), second.stderr
    assert (first.returncode, states(json.loads(printed))) == (0, {"ws-01": "patched", "ws-02": "patched"})
    assert [park.upgrades(name) for name in park.machines] == [1, 1]
    assert park.batches() == [["ws-01"], ["ws-02"]], "the second recorded nothing"


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
    desk.contract["objectives"] = [{"id": "age", "metric": "patch_age", "target": "2d"}]
    park.terms(deadlines={"critical": "3d"})
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
