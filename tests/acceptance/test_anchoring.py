"""The operator signs, the client witnesses, a service stamps, an auditor verifies: as people type it."""

from __future__ import annotations

import json
import subprocess
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from tests._authority import Authority, serving

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.acceptance.conftest import Desk


@pytest.fixture(scope="module")
def desk(new_desk: Callable[[], Desk]) -> Desk:
    """The operator's desk, with one refusal on record: a log of three entries, signed."""
    desk = new_desk()
    assert desk.invoke("onboard", "--host", "kiosk-01").returncode == 3
    return desk


@pytest.fixture(scope="module")
def client(new_desk: Callable[[], Desk]) -> Desk:
    """The client's own machine, where the witness is."""
    return new_desk()


@pytest.fixture(scope="module")
def vkey(desk: Desk, client: Desk) -> str:
    """The witness's key; the witness knows the log's."""
    made = client.invoke("audit.witness", "--init", "--name", "w1.example")
    assert made.returncode == 0, made.stderr
    log = (desk.state / "keys" / "demo" / "verifier.key").read_text().strip()
    trusted = client.invoke("audit.witness", "--trust", log)
    assert (trusted.returncode, trusted.stdout) == (0, "provisioner/demo: 1 key\n")
    return made.stdout.strip()


@contextmanager
def listening(client: Desk) -> Iterator[str]:
    words = ["--serve", "--listen", "127.0.0.1:0", "--for", "5m", "--json"]
    command, environment = client.command("audit.witness", *words)
    running = subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    assert running.stdout is not None
    try:
        lines = []
        while not lines or lines[-1] != "}\n":
            lines.append(running.stdout.readline())
            assert lines[-1], "the witness ended"
        yield str(json.loads("".join(lines))["url"])
    finally:
        running.kill()
        running.wait()
        running.stdout.close()


def settings(desk: Desk, **said: Any) -> None:
    (desk.state / "settings.yml").write_text(json.dumps(said))


def test_the_whole_way(desk: Desk, client: Desk, vkey: str, tmp_path: Path) -> None:
    authority = Authority(tmp_path / "authority")
    with listening(client) as url, serving(authority) as stamps:
        (desk.state / "roots.pem").write_bytes(authority.roots.read_bytes())
        settings(
            desk,
            witnesses=[{"url": url, "key": vkey}, {"url": "http://127.0.0.1:1", "key": OTHER}],
            timestamp={"url": stamps, "authorities": "roots.pem"},
        )
        code, found = desk.ask("audit.checkpoint", "--client", "demo", "--out", str(tmp_path / "kept"))
        assert (code, found["size"], [bool(one["at"]) for one in found["anchors"]]) == (0, 3, [True, False, True])
        assert (tmp_path / "kept").read_text() == found["checkpoint"]
        again = desk.invoke("onboard", "--host", "kiosk-01")
        assert again.returncode == 3
        assert "warning: witness w2.example at http://127.0.0.1:1" in again.stderr
        assert "w1.example" not in again.stderr
    assert len(list((desk.state / "checkpoints" / "demo").glob("*.cosigned"))) == 2
    assert len(list((desk.state / "checkpoints" / "demo").glob("*.tsr"))) == 2
    code, logs = client.ask("audit.witness")
    assert (code, logs["witness"], logs["logs"][0]["size"]) == (0, vkey, 4)
    roots = str(authority.roots)
    verify = ["audit.verify", "--client", "demo", "--checkpoint", str(tmp_path / "kept")]
    code, report = desk.ask(*verify, "--witness", vkey, "--time-authority", roots)
    assert (code, report["status"], report["warnings"]) == (0, "OK", [])
    assert "witness w1.example (2" in report["compared_with"]
    assert "time stamp (2" in report["compared_with"]
    own = desk.ask("audit.verify", "--client", "demo")[1]
    assert "witness w1.example named in the operator's own settings (2" in own["compared_with"]
    assert "vouched for by witness w2.example named in the operator's own settings" in own["warnings"][0]
    missing = desk.invoke("audit.verify", "--client", "demo", "--witness", OTHER)
    assert (missing.returncode, "vouched for by witness w2.example" in missing.stderr) == (7, True)


OTHER = "w2.example+5f0ee7a5+BDtqJ7zOtqQtYqOo0CpvDXNlMhV3HeJDpjrASKGLWdop"


def test_nobody_answers_is_code_7_and_the_checkpoint_is_signed_all_the_same(
    new_desk: Callable[[], Desk], tmp_path: Path
) -> None:
    desk = new_desk()
    assert desk.invoke("onboard", "--host", "kiosk-01").returncode == 3
    settings(desk, witnesses=[{"url": "http://127.0.0.1:1", "key": OTHER}])
    (tmp_path / "kept").write_text("another")
    code, found = desk.ask("audit.checkpoint", "--client", "demo")
    assert (code, found["exit_code"], found["anchors"][0]["at"]) == (7, 7, None)
    assert "refused" in found["anchors"][0]["problem"]
    assert Path(found["file"]).read_text() == found["checkpoint"]
    settings(desk, witnesses=[{"url": "http://127.0.0.1:1", "key": OTHER + "A"}])
    wrong = desk.invoke("audit.checkpoint", "--client", "demo")
    assert (wrong.returncode, "state/settings.yml:1:" in wrong.stderr) == (2, True)
    settings(desk)
    kept = desk.invoke("audit.checkpoint", "--client", "demo", "--out", str(tmp_path / "kept"))
    assert (kept.returncode, "a kept copy is not replaced" in kept.stderr) == (2, True)


def test_by_file_where_the_client_has_no_server(desk: Desk, client: Desk, vkey: str, tmp_path: Path) -> None:
    (desk.state / "settings.yml").unlink(missing_ok=True)
    assert desk.invoke("onboard", "--host", "kiosk-01").returncode == 3
    request, answer = str(tmp_path / "request"), str(tmp_path / "answer")
    base = ["audit.checkpoint", "--client", "demo"]
    assert desk.invoke(*base, "--request", request, "--for-witness", vkey, "--old-size", "1").returncode == 0
    late = client.invoke("audit.witness", "--request", request, "--out", answer)
    assert (late.returncode, "begins at another size" in late.stderr) == (7, True)
    told = desk.invoke(*base, "--cosignature", answer, "--for-witness", vkey)
    assert told.returncode == 2
    size = told.stderr.rpartition("--old-size ")[2].strip()
    assert desk.invoke(*base, "--request", request, "--for-witness", vkey, "--old-size", size).returncode == 0
    assert client.invoke("audit.witness", "--request", request, "--out", answer).returncode == 0
    code, found = desk.ask(*base, "--cosignature", answer, "--for-witness", vkey)
    assert (code, found["anchors"][0]["by"]) == (0, "witness w1.example")
    assert desk.ask("audit.verify", "--client", "demo", "--witness", vkey)[1]["status"] == "OK"


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["audit.checkpoint", "--client", "nobody"], "there is no log of 'nobody'"),
        (["audit.checkpoint", "--client", "demo", "--cosignature", "x"], "whose answer is it?"),
        (["audit.witness", "--init", "--serve"], "--init and --serve: one at a time"),
        (["audit.witness", "--request", "/nowhere"], "cannot be read: No such file"),
    ],
)
def test_a_mistake_is_a_sentence_and_code_2(desk: Desk, words: list[str], said: str) -> None:
    done = desk.invoke(*words)
    assert (done.returncode, said in done.stderr) == (2, True), done.stderr
