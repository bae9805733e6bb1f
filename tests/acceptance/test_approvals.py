"""Work that the contract does not cover, typed: refused, signed by the client, done; and what does not hold."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from tests.acceptance._signing import key, sign

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.acceptance.conftest import Desk


@pytest.fixture
def desk(new_desk: Callable[[], Desk], free_port: Callable[[], int]) -> Desk:
    """A desk whose kiosk nobody covers and nothing answers; the director of the client may approve."""
    desk = new_desk()
    desk.hosts["kiosks"]["kiosk-01"]["ansible_port"] = free_port()
    public = key(desk.folder, "director").with_name("director.pub").read_text().strip()
    desk.contract["approvals"] = {"keys": [{"name": "director", "ssh": public}]}
    desk.contract["prepaid"] = {"hours": "1", "per": "year", "round_up_to": "15m", "overage_hourly": "90.00"}
    desk.write()
    return desk


def opened(desk: Desk, intervention: str) -> dict[str, Any]:
    entries = desk.ask("audit.show", "--client", "demo", "--entry", intervention)[1]["entries"]
    return dict(next(entry["body"] for entry in entries if entry["kind"] == "opened"))


def test_refused_signed_and_admitted(desk: Desk, tmp_path: Path) -> None:
    refused = desk.invoke("onboard", "--host", "kiosk-01")
    assert refused.returncode == 3
    (file,) = map(str, (desk.state / "requests").iterdir())
    assert Path(file).stem in refused.stdout and file in refused.stdout, "the digest of the plan, and the file"
    missing = desk.invoke("onboard", "--host", "kiosk-01", "--approval", file)
    assert missing.returncode == 2 and "ssh-keygen -Y sign" in missing.stderr
    sign(refused.stdout, private=desk.folder / "director", file=file)
    code, told = desk.ask("onboard", "--host", "kiosk-01", "--approval", file, "--spent", "80m")
    assert (code, told["outcome"], told["clause"]) == (4, "unreachable", "approvals"), (
        "admitted: a connection was tried"
    )
    assert told["warnings"][1].endswith("have 1 h left: this run goes 30 min at 90.00 EUR an hour beyond them")
    assert told["warnings"][2].startswith("approved by director")
    body = opened(desk, told["intervention"])
    assert (body["spent"], body["in_allowance"], body["warnings"]) == ("80m", False, told["warnings"])
    signed = tmp_path / "signature"
    signed.write_text(body["approval"]["signature"])
    allowed = tmp_path / "allowed_signers"
    allowed.write_text(f"director {(desk.folder / 'director.pub').read_text()}")
    words = ["ssh-keygen", "-Y", "verify", "-f", allowed, "-I", "director", "-n", "provisioner-approval", "-s", signed]
    subprocess.run(words, input=body["approval"]["request"].encode(), check=True, capture_output=True)
    # One variable changed since, and the same machine under the same contract is another plan.
    desk.hosts["kiosks"]["kiosk-01"]["host_identity_timezone"] = "Europe/Berlin"
    desk.write()
    code, told = desk.ask("onboard", "--host", "kiosk-01", "--approval", file)
    assert (code, [reason["code"] for reason in told["reasons"]]) == (3, ["uncovered", "approval_other_plan"])
    assert told["request"] != file and json.loads(Path(told["request"]).read_text())["id"] == told["intervention"]
    assert desk.invoke("audit.verify", "--client", "demo").returncode == 0


def test_nobody_approves_work_of_their_own(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    home = desk.folder / "home"
    (home / ".ssh").mkdir(parents=True)
    (home / ".ssh" / "id_ed25519.pub").write_text((desk.folder / "director.pub").read_text())
    refused = desk.invoke("onboard", "--host", "kiosk-01")
    (file,) = map(str, (desk.state / "requests").iterdir())
    sign(refused.stdout, private=desk.folder / "director", file=file)
    monkeypatch.setenv("HOME", str(home))
    code, told = desk.ask("onboard", "--host", "kiosk-01", "--approval", file)
    assert (code, told["reasons"][-1]["code"]) == (3, "approval_self")
