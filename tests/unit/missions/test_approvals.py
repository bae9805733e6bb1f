"""Work that the contract does not cover: what the client signs with a real ssh-keygen, and all that does not hold."""

from __future__ import annotations

import json
import subprocess
from dataclasses import dataclass, replace
from datetime import timedelta
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from provisioner.bridges.ssh_signature import SshSignatures
from provisioner.cli.wiring.approvals import read_offer, signing
from provisioner.errors import UsageError
from provisioner.ledger.verify import Status
from provisioner.missions.approvals import parse_request, request_bytes
from provisioner.missions.audit import verify_log
from provisioner.missions.uses import KINDS, balances
from provisioner.model.approval import NAMESPACE, ApprovalRequest
from provisioner.model.contract import ApprovalKey, Approvals, Prepaid
from provisioner.model.intervention import Outcome
from provisioner.model.mission_terms import Allowance, Missions, WorkstationSetup
from provisioner.model.values import Duration, Money, Period
from provisioner.model.verdict import Reason
from provisioner.testing import START, UNREACHABLE, FakeProbe, instants, loaded, make_asset, make_contract

if TYPE_CHECKING:
    from collections.abc import Callable

    from provisioner.model.intervention import Intervention

VECTOR = Path(__file__).with_name("request.vector.json")


@dataclass(frozen=True)
class Keys:
    """Key pairs of the test's own, by name."""

    folder: Path

    def make(self, name: str) -> Path:
        path = self.folder / name
        if not path.exists():
            subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(path)], check=True)
        return path

    def public(self, name: str) -> str:
        return self.make(name).with_name(f"{name}.pub").read_text().strip()

    def sign(self, file: Path, name: str, *, namespace: str = NAMESPACE) -> None:
        """Type what the refusal says."""
        Path(f"{file}.sig").unlink(missing_ok=True)
        words = ["ssh-keygen", "-Y", "sign", "-f", str(self.make(name)), "-n", namespace, str(file)]
        subprocess.run(words, check=True, capture_output=True)


@pytest.fixture(scope="module")
def keys(tmp_path_factory: pytest.TempPathFactory) -> Keys:
    return Keys(tmp_path_factory.mktemp("keys"))


@pytest.fixture
def kiosk(desk: Any, keys: Keys) -> Any:
    """A desk whose machine no contract covers; the director may approve."""
    desk.assets = (make_asset("kiosk-01", groups=("kiosks",)),)
    desk.signatures = SshSignatures()
    named = (ApprovalKey(name="director", ssh=f"{keys.public('director')} dg@client"),)
    desk.contract = make_contract(approvals=Approvals(keys=named))
    return desk


def codes(told: Intervention) -> list[str]:
    return [reason.code for reason in told.reasons]


def refused(desk: Any) -> Path:
    """Ask, be refused, and return the request."""
    told = desk.perform()
    assert told.outcome is Outcome.REFUSED and told.request is not None
    return Path(told.request)


def approve(desk: Any, keys: Keys, *, signer: str = "director", namespace: str = NAMESPACE) -> Path:
    """Be refused, have the request signed, and offer it."""
    file = refused(desk)
    keys.sign(file, signer, namespace=namespace)
    desk.approval = read_offer(str(file))
    return file


def test_a_refusal_asks_the_client(kiosk: Any) -> None:
    file = refused(kiosk)
    assert file == kiosk.state / "requests" / f"{kiosk.request().plan.digest}.json"
    assert file.stat().st_mode & 0o777 == 0o600 and file.parent.stat().st_mode & 0o777 == 0o700
    asked = parse_request(file.read_bytes())
    assert (asked.client, asked.contract, asked.assets) == ("demo", "DEMO-2026", ("kiosk-01",))
    assert asked.expires - asked.created == timedelta(days=7)
    assert asked.id == kiosk.bodies("refused")[0]["intervention"]
    assert [reason.code for reason in asked.reasons] == ["uncovered"]
    assert b"Camille" not in file.read_bytes()


def test_what_is_approved_is_done_and_the_log_proves_it(kiosk: Any, keys: Keys, tmp_path: Path) -> None:
    approve(kiosk, keys)
    told = kiosk.perform()
    assert (told.outcome, told.clause) == (Outcome.CHANGED, "approvals")
    assert told.warnings[0].startswith("approved by director: kiosk-01 is in no covered group")
    (opened,) = kiosk.bodies("opened")
    assert (opened["clause"], opened["approval"]["signer"]) == ("approvals", "director")
    assert opened["approval"]["fingerprint"].startswith("SHA256:")
    # Anybody with the entry and the contract's key verifies it, without us.
    request, signature, allowed = (tmp_path / name for name in ("request.json", "request.json.sig", "allowed"))
    request.write_bytes(opened["approval"]["request"].encode())
    signature.write_text(opened["approval"]["signature"])
    allowed.write_text(f"director {keys.public('director')}\n")
    words = ["ssh-keygen", "-Y", "verify", "-f", str(allowed), "-I", "director", "-n", NAMESPACE, "-s", str(signature)]
    assert subprocess.run(words, input=request.read_bytes(), capture_output=True, check=False).returncode == 0
    changed = request.read_bytes().replace(b"kiosk-01", b"kiosk-02")
    assert subprocess.run(words, input=changed, capture_output=True, check=False).returncode != 0
    with kiosk.book() as book:
        assert verify_log(book).status is Status.OK


def test_what_was_signed_is_kept_to_the_byte_even_where_a_secret_is_a_word_of_it(kiosk: Any, keys: Keys) -> None:
    kiosk.assets = (make_asset("kiosk-01", groups=("kiosks",), secrets={"become_password": "uncovered"}),)
    file = approve(kiosk, keys)
    assert kiosk.perform().outcome is Outcome.CHANGED
    approval = kiosk.bodies("opened")[0]["approval"]
    assert (approval["request"], approval["signature"]) == (file.read_text(), Path(f"{file}.sig").read_text())


def another_variable(desk: Any, _keys: Keys, _file: Path) -> None:
    (asset,) = desk.assets
    desk.assets = (replace(asset, variables={"host_identity_hostname": "other"}),)


def another_host(desk: Any, _keys: Keys, _file: Path) -> None:
    desk.assets = (make_asset("kiosk-02", groups=("kiosks",)),)


def another_role(desk: Any, _keys: Keys, _file: Path) -> None:
    desk.roles = ("host_identity", "software_set")


def too_late(desk: Any, _keys: Keys, _file: Path) -> None:
    desk.now = instants(START + timedelta(days=7))


def edited(desk: Any, _keys: Keys, file: Path) -> None:
    text = file.read_bytes()
    file.write_bytes(text.replace(b'"expires":"2026-11-30', b'"expires":"2027-11-30'))
    assert file.read_bytes() != text
    desk.approval = read_offer(str(file))


def garbled(desk: Any, _keys: Keys, file: Path) -> None:
    Path(f"{file}.sig").write_text("-----BEGIN SSH SIGNATURE-----\nAAAA\n-----END SSH SIGNATURE-----\n")
    desk.approval = read_offer(str(file))


def stranger(desk: Any, keys: Keys, file: Path) -> None:
    keys.sign(file, "stranger")
    desk.approval = read_offer(str(file))


def other_purpose(desk: Any, keys: Keys, file: Path) -> None:
    keys.sign(file, "director", namespace="file")
    desk.approval = read_offer(str(file))


def own_name(desk: Any, keys: Keys, _file: Path) -> None:
    desk.operator = "DIRECTOR"
    named = (ApprovalKey(name="Director", ssh=keys.public("director")),)
    desk.contract = replace(desk.contract, approvals=Approvals(keys=named))


def own_key(desk: Any, keys: Keys, _file: Path) -> None:
    listed = subprocess.run(
        ["ssh-keygen", "-lf", str(keys.make("director"))], capture_output=True, text=True, check=True
    )
    desk.own_keys = frozenset({listed.stdout.split()[1]})


def other_text(desk: Any, _keys: Keys, _file: Path) -> None:
    desk.text = b"id: DEMO-2026 # amended\n"


def other_contract(desk: Any, _keys: Keys, _file: Path) -> None:
    desk.contract = replace(desk.contract, id="DEMO-2027")


def key_withdrawn(desk: Any, keys: Keys, _file: Path) -> None:
    named = (ApprovalKey(name="director", ssh=keys.public("successor")),)
    desk.contract = replace(desk.contract, approvals=Approvals(keys=named))


MATRIX: dict[str, tuple[Callable[[Any, Keys, Path], None], str]] = {
    "one variable changed": (another_variable, "approval_other_plan"),
    "another host": (another_host, "approval_other_plan"),
    "another role": (another_role, "approval_other_plan"),
    "expired": (too_late, "approval_expired"),
    "edited after it was signed": (edited, "approval_signature"),
    "no signature": (garbled, "approval_signature"),
    "a key that nobody named": (stranger, "approval_key_unknown"),
    "a key that was withdrawn": (key_withdrawn, "approval_key_unknown"),
    "signed for something else": (other_purpose, "approval_namespace"),
    "the operator's own name": (own_name, "approval_self"),
    "the operator's own key": (own_key, "approval_self"),
    "another text of the contract": (other_text, "approval_other_contract"),
    "another contract": (other_contract, "approval_other_contract"),
}


@pytest.mark.parametrize("case", MATRIX)
def test_an_approval_of_anything_else_is_refused_and_recorded(kiosk: Any, keys: Keys, case: str) -> None:
    change, code = MATRIX[case]
    change(kiosk, keys, approve(kiosk, keys))
    told = kiosk.perform()
    assert (told.outcome, codes(told)) == (Outcome.REFUSED, ["uncovered", code])
    assert kiosk.bodies("refused")[-1]["reasons"][-1]["clause"] == "approvals"
    assert (kiosk.probe.reached, kiosk.executor.orders, kiosk.kinds().count("opened")) == ([], [], 0)


def test_the_same_without_a_change_is_done(kiosk: Any, keys: Keys) -> None:
    """Negative control of the matrix, up to the last instant."""
    approve(kiosk, keys)
    kiosk.now = instants(START + timedelta(days=7, seconds=-1))
    assert kiosk.perform().outcome is Outcome.CHANGED


def test_an_approval_is_good_for_one_accepted_intervention(kiosk: Any, keys: Keys) -> None:
    file = approve(kiosk, keys)
    kiosk.check = True
    assert kiosk.perform().outcome is Outcome.CHANGED, "a check run uses nothing up"
    kiosk.check, kiosk.probe = False, FakeProbe({"kiosk-01": UNREACHABLE})
    assert kiosk.perform().outcome is Outcome.UNREACHABLE, "nor does work that was not done"
    kiosk.probe = FakeProbe()
    assert kiosk.perform().outcome is Outcome.CHANGED
    told = kiosk.perform()
    assert codes(told) == ["uncovered", "approval_used"]
    assert told.request == str(file), "a new request is in the place of the one that was used"
    keys.sign(file, "director")
    kiosk.approval = read_offer(str(file))
    assert kiosk.perform().outcome is Outcome.CHANGED


def test_two_at_once_cannot_share_an_approval(kiosk: Any, keys: Keys) -> None:
    approve(kiosk, keys)
    other = replace(kiosk, count=100)
    meanwhile: list[list[str]] = []

    def look(_asset: object) -> None:
        other.leases.held.add(("demo", "kiosk-01"))
        meanwhile.append(codes(other.perform()))

    kiosk.probe = FakeProbe(on_reach=look)
    assert kiosk.perform().outcome is Outcome.CHANGED
    assert meanwhile == [["uncovered", "approval_used"]]


def test_a_request_that_may_be_at_the_signer_s_is_left_as_it_is(kiosk: Any) -> None:
    file = refused(kiosk)
    text = file.read_bytes()
    assert refused(kiosk) == file and file.read_bytes() == text
    kiosk.now = instants(START + timedelta(days=8))
    refused(kiosk)
    assert file.read_bytes() != text, "an expired one is replaced"


def test_no_approval_replaces_a_contract_in_force(kiosk: Any, keys: Keys) -> None:
    approve(kiosk, keys)
    kiosk.contract = replace(kiosk.contract, ends=START.date() - timedelta(days=1))
    told = kiosk.perform()
    assert (codes(told), told.request) == (["ended", "uncovered"], None)


def test_an_approval_that_is_not_needed_is_not_used_up(kiosk: Any, keys: Keys) -> None:
    approve(kiosk, keys)
    kiosk.contract = replace(kiosk.contract, assets=("kiosks",))
    told = kiosk.perform()
    assert (told.outcome, told.clause) == (Outcome.CHANGED, "missions.workstation_setup")
    assert "not needed" in told.warnings[-1] and kiosk.bodies("opened")[0]["approval"] is None


def test_the_client_knew_every_reason(kiosk: Any, keys: Keys) -> None:
    approve(kiosk, keys)
    kiosk.contract = replace(kiosk.contract, prepaid=Prepaid(hours=Decimal(0), per=Period.MONTH))
    kiosk.spent = "15m"
    assert codes(kiosk.perform()) == ["uncovered", "prepaid_used", "approval_other_reasons"]


def test_a_signed_file_that_is_no_request_is_a_usage_error(kiosk: Any, keys: Keys, tmp_path: Path) -> None:
    file = tmp_path / "letter"
    file.write_text("yes, do it\n")
    keys.sign(file, "director")
    kiosk.approval = read_offer(str(file))
    with pytest.raises(UsageError, match="cannot be approved work"):
        kiosk.perform()
    assert kiosk.kinds() == []


ONE = Missions(workstation_setup=WorkstationSetup(allowance=Allowance(count=1, per=Period.MONTH)))
HOUR = Prepaid(hours=Decimal(1), per=Period.MONTH, round_up_to=Duration(15, "m"))


def test_approved_work_beyond_an_allowance_is_not_in_it(desk: Any, keys: Keys) -> None:
    named = Approvals(keys=(ApprovalKey(name="director", ssh=keys.public("director")),))
    desk.contract, desk.signatures = make_contract(missions=ONE, approvals=named), SshSignatures()
    assert desk.perform().warnings[0].startswith("this run makes 1 of 1 assets")
    assert ("note", f"warning: {desk.bodies('opened')[0]['warnings'][0]}") in desk.progress.told
    desk.assets = (make_asset("ws-02"),)
    approve(desk, keys)
    assert desk.perform().outcome is Outcome.CHANGED
    assert [body["in_allowance"] for body in desk.bodies("opened")] == [True, False]
    assert codes(desk.perform()) == ["allowance_used", "approval_used"], "a repeat needs an approval of its own"
    with desk.book() as book:
        (found,) = balances(tuple(book.entries(kinds=KINDS)), loaded(desk.contract), at=desk.now())
    assert (found.used, found.assets, found.overage) == (1, frozenset({"ws-01"}), 0)


def test_labour_draws_hours_and_none_inside_an_allowance(desk: Any) -> None:
    desk.contract, desk.spent = make_contract(prepaid=HOUR), "50m"
    told = desk.perform()
    assert told.warnings == ("this run makes 1 h of 1 h prepaid for 2026-11-01 to 2026-11-30: 100% of it",)
    assert (desk.bodies("opened")[0]["spent"], desk.bodies("opened")[0]["in_allowance"]) == ("50m", False)
    refusal = desk.perform()
    assert codes(refusal) == ["prepaid_used"]
    assert "0 min left for 1 h of labour" in refusal.reasons[0].text
    desk.spent = ""
    assert desk.perform().outcome is Outcome.CHANGED
    desk.contract, desk.spent = replace(desk.contract, missions=ONE), "50m"
    assert desk.perform().outcome is Outcome.CHANGED, "included work asks for no hours"
    desk.contract = make_contract(prepaid=replace(HOUR, overage_hourly=Money(Decimal("90.00"))))
    assert "goes 1 h at 90.00 EUR an hour beyond" in desk.perform().warnings[0]
    with desk.book() as book:
        (found,) = balances(tuple(book.entries(kinds=KINDS)), loaded(desk.contract), at=desk.now())
    assert (found.used, found.overage, str(found.overage_amount)) == (3600, 3600, "90.00")


def test_work_that_was_not_done_draws_nothing(desk: Any) -> None:
    desk.contract, desk.spent, desk.probe = make_contract(prepaid=HOUR), "1h", FakeProbe({"ws-01": UNREACHABLE})
    desk.perform()
    desk.probe = FakeProbe()
    assert desk.perform().outcome is Outcome.CHANGED


REASON = st.builds(Reason, code=st.text(max_size=9), clause=st.text(max_size=9), text=st.text(max_size=9))
NAMES = st.text(alphabet=st.characters(exclude_categories=["Cs"]), max_size=12)
INSTANTS = st.integers(0, 10**8).map(lambda seconds: START + timedelta(seconds=seconds))


@given(
    st.builds(
        ApprovalRequest,
        **dict.fromkeys(("id", "client", "contract", "contract_digest", "mission", "plan_digest"), NAMES),
        assets=st.lists(NAMES, max_size=3).map(tuple),
        reasons=st.lists(REASON, max_size=3).map(tuple),
        created=INSTANTS,
        expires=INSTANTS,
    )
)
def test_a_request_is_read_as_it_was_written(request: ApprovalRequest) -> None:
    assert parse_request(request_bytes(request)) == request


def test_the_form_of_a_request_is_what_it_was() -> None:
    asked = ApprovalRequest(
        id="iv-06a347370ca28db9",
        client="demo",
        contract="DEMO-2026",
        contract_digest="0" * 64,
        mission="workstation_setup",
        assets=("kiosk-01",),
        plan_digest="1" * 64,
        reasons=(Reason(code="uncovered", clause="assets", text="kiosk-01 is in no covered group"),),
        created=START,
        expires=START + timedelta(days=7),
    )
    assert request_bytes(asked) == VECTOR.read_bytes()
    assert parse_request(VECTOR.read_bytes()) == asked


@pytest.mark.parametrize(
    "change",
    [
        {"format": 2},
        {"format": "1"},
        {"extra": 1},
        {"assets": None},
        {"reasons": [{"code": "a"}]},
        {"created": "yesterday"},
        {"id": None},
    ],
    ids=str,
)
def test_another_form_is_no_request(change: dict[str, object]) -> None:
    value = json.loads(VECTOR.read_bytes()) | change
    text = json.dumps(value, sort_keys=True, separators=(",", ":")).encode() + b"\n"
    with pytest.raises(ValueError, match="it is"):
        parse_request(text)
    with pytest.raises(ValueError, match="it is"):
        parse_request(VECTOR.read_bytes().replace(b'":"', b'": "'))


def test_the_operator_s_own_keys_are_found(tmp_path: Path, keys: Keys, monkeypatch: pytest.MonkeyPatch) -> None:
    home, state = tmp_path / "home", tmp_path / "state"
    (home / ".ssh").mkdir(parents=True)
    (state / "ssh" / "demo").mkdir(parents=True)
    monkeypatch.setenv("HOME", str(home))
    before = signing(state).own_keys
    (home / ".ssh" / "id_ed25519.pub").write_text(keys.public("mine"))
    (home / ".ssh" / "config").write_text("Host *\n")
    (home / ".ssh" / "broken.pub").write_text("ssh-ed25519\n")
    (state / "ssh" / "demo" / "id_ed25519").write_bytes(keys.make("machine").read_bytes())  # no .pub beside it
    found = signing(state).own_keys - before
    listed = {
        subprocess.run(["ssh-keygen", "-lf", str(keys.make(name))], capture_output=True, text=True, check=True).stdout
        for name in ("mine", "machine")
    }
    assert found == {line.split()[1] for line in listed}


@pytest.mark.parametrize("missing", ["file", "signature"])
def test_what_is_not_there_is_a_usage_error(tmp_path: Path, missing: str) -> None:
    file = tmp_path / "request.json"
    if missing == "signature":
        file.write_text("{}")
    with pytest.raises(UsageError, match="cannot be read"):
        read_offer(str(file))
