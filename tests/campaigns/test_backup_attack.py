"""The agent's host in other hands, root, with its key and its password: no snapshot of the vault is lost, and the store
says truthfully what is wrong.

Real restic over real SSH between two machines; the store is made by the role, and its job is the one that a timer runs.
Each case has an agent of its own: two honest backups, a round of the store, the attack, a round of the store; then each
snapshot that was in the vault is restored and compared byte for byte. The control: the same inbox, pruned after the
lying index, has lost them. In full the junk is tried folder by folder, each date by itself, and on Debian 13
(`invoke dev.campaign --name backup_attack`).
"""

from __future__ import annotations

import hashlib
import json
import os
from typing import TYPE_CHECKING, Any

import pytest
from tests.campaigns._attack import MasterKey, lying_index
from tests.campaigns._store import Agent, Host, codes, configure, make_host

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.conftest import LabMachine

FULL = os.environ.get("PROVISIONER_CAMPAIGN") == "full"
RELEASES = ("bookworm", "trixie") if FULL else ("bookworm",)
FOLDERS = ("snapshots", "index", "keys", "data")
DATES = {"future": "2030-01-02 03:04:05", "past": "2020-01-02 23:59:59"}

EACH = {f"junk-{folder}": folder for folder in FOLDERS}
AGENTS = ("index", "dates", "junk", "objects", "locks", "origin", "clock", "disk", *EACH, *DATES)
TIGHT = ("quota",)


class Park:
    """A store with two clients, and the host of all agents. `small` has an inbox of 24 MB."""

    def __init__(self, host: Host, store: LabMachine) -> None:
        self.host, self.store = host, store

    def agent(self, name: str) -> Agent:
        client = "small" if name in TIGHT else "acme"
        return Agent(self.host, self.store, client, name)

    def begun(self, name: str) -> tuple[Agent, dict[str, str]]:
        """Return an agent after two honest backups and a round of the store, and what its vault restores."""
        agent = self.agent(name)
        agent.restic("init")
        for text in ("monday", "tuesday"):
            agent.save(text)
        assert codes(agent.round()) == []
        restored = agent.restored()
        assert len(restored) == 2
        assert "lost" not in restored.values()
        assert restored == agent.restored(inbox=True), "what was saved is what the vault has"
        return agent, restored


@pytest.fixture(scope="module", params=RELEASES)
def park(
    request: pytest.FixtureRequest, lab_machine: Callable[..., LabMachine], tmp_path_factory: pytest.TempPathFactory
) -> Park:
    release, folder = request.param, tmp_path_factory.mktemp("park")
    store = lab_machine(f"store-{release}", state=folder, release=release)
    host = make_host(lab_machine(f"agents-{release}", state=folder, release=release), store)
    configure(host, store, {"acme": ("96M", AGENTS), "small": ("24M", TIGHT)}, folder)
    return Park(host, store)


def test_a_lying_index_and_garbage_packs(park: Park) -> None:
    agent, before = park.begun("index")
    # Everything can be read: the attacker makes one more backup in a copy, and sends only a part of it.
    park.host.copy(park.store, agent.inbox, "/root/copy")
    files = "cd /root/copy && find . -type f -not -path './locks/*' | sort"
    clone = f"restic --no-cache -q -r /root/copy --password-file /root/{agent.name}.password"
    known = park.host.run(files).split()
    park.host.run(f"mkdir -p /data; echo bait > /data/bait; {clone} backup /data/bait")
    new = sorted(set(park.host.run(files).split()) - set(known))

    def read(path: str) -> Any:
        return json.loads(park.host.run(f"{clone} cat index {path.rsplit('/', 1)[1]}"))

    bait, old = ([read(path) for path in some if path.startswith("./index/")] for some in (new, known))
    forged, pack, garbage = lying_index(old, bait[0])
    key = MasterKey.parse(park.host.run(f"{clone} cat masterkey"))
    sealed = key.seal(json.dumps(forged).encode())
    assert json.loads(key.open(sealed)) == forged
    park.host.put(f"/root/forged/data/{pack}", garbage)
    park.host.put(f"/root/forged/index/{hashlib.sha256(sealed).hexdigest()}", sealed)
    park.host.run("cd /root/copy; cp data/*/* -t /root/forged/data -n; mkdir /root/forged/snapshots; cp snapshots/* $_")
    sent = [f"data/{pack}", f"data/{forged['packs'][0]['id']}", f"index/{hashlib.sha256(sealed).hexdigest()}"]
    sent += [path.removeprefix("./") for path in new if path.startswith("./snapshots/")]
    lines = [f"ask {agent.name} {path} --data-binary @/root/forged/{path}" for path in sent]
    answers = park.host.run("\n".join([f"door {agent.name} acme", *lines, f"shut {agent.name}"])).split()
    assert answers == ["200"] * 4, "append-only lets all of it in"

    status = agent.round()
    assert codes(status) == ["inbox_damaged"], status["problems"]
    assert status["inbox"]["checked"]["ok"] is False
    assert {each["original"] for each in status["vault"]["snapshots"]} == set(before)
    assert agent.restored() == before

    # The control: what the store never does. restic says that all is well, and the snapshots are gone.
    restic = f"restic --no-cache -r {agent.inbox} --password-file /etc/provisioner/store/acme/inbox/{agent.name}"
    park.store.shell(f"{restic} check --no-lock; {restic} unlock --remove-all; {restic} prune")
    assert set(agent.restored(inbox=True).values()) == {"lost"}
    assert agent.restored() == before, "the vault does not mind"
    assert codes(agent.round()) == ["inbox_damaged"]
    assert agent.restored() == before


def quarantined(agent: Agent, before: dict[str, str], when: list[str]) -> None:
    """Forge times; nothing more is copied until somebody has looked, then what is honest is."""
    for at in when:
        agent.save("forged", "--time", at)
    agent.save("wednesday")
    status = agent.round()
    assert codes(status) == ["forged_time"]
    forged = [each["id"] for each in status["inbox"]["snapshots"] if each["verdict"] == "forged"]
    assert len(forged) == len(when)
    assert agent.restored() == before
    assert codes(agent.round()) == ["forged_time"], "it does not go away by itself"
    agent.dismiss(*forged)
    status = agent.round()
    assert codes(status) == []
    after = agent.restored()
    assert {key: after[key] for key in before} == before
    assert len(after) == len(before) + 1
    assert not set(forged) & set(after)
    assert [each["verdict"] for each in status["inbox"]["snapshots"]].count("forged") == len(when)


def test_dates_of_the_past_and_the_future(park: Park) -> None:
    agent, before = park.begun("dates")
    quarantined(agent, before, list(DATES.values()))


def test_a_clock_that_is_a_day_ahead(park: Park) -> None:
    """Nobody's attack: the same quarantine, and the reason names the distance."""
    agent, before = park.begun("clock")
    ahead = park.host.run("date -u -d '+1 day' '+%F %T'").strip()
    agent.save("wrong clock", "--time", ahead)
    (problem,) = agent.round()["problems"]
    assert problem["code"] == "forged_time"
    assert "24.0 hours after its arrival" in problem["text"]
    assert agent.restored() == before


def test_junk_in_every_folder(park: Park) -> None:
    agent, before = park.begun("junk")
    for folder in FOLDERS:
        junk(agent, folder)
    assert agent.ask("config", "--data-binary", "junk") == "403"
    assert codes(agent.round()) == ["inbox_damaged"]
    assert agent.restored() == before
    cleaned(agent, before)


def junk(agent: Agent, folder: str) -> None:
    """A name that comes first, and a content that has no meaning."""
    assert agent.ask(f"{folder}/{'0' * 64}", "--data-binary", "no JSON") == "200"


def cleaned(agent: Agent, before: dict[str, str]) -> None:
    """Take the junk out by name, as a person would by arrival: the next backup is copied."""
    agent.store.shell(f"find {agent.inbox} -name {'0' * 64} -delete")
    agent.save("wednesday")
    assert codes(agent.round()) == []
    after = agent.restored()
    assert {key: after[key] for key in before} == before
    assert len(after) == len(before) + 1


@pytest.mark.skipif(not FULL, reason="in full only")
@pytest.mark.parametrize("name", list(EACH))
def test_junk_in_one_folder(park: Park, name: str) -> None:
    agent, before = park.begun(name)
    junk(agent, EACH[name])
    expected = [] if EACH[name] == "data" else ["inbox_damaged"]  # a pack that no index names is a backup under way
    assert codes(agent.round()) == expected
    assert agent.restored() == before
    cleaned(agent, before)


@pytest.mark.skipif(not FULL, reason="in full only")
@pytest.mark.parametrize("date", list(DATES))
def test_one_date(park: Park, date: str) -> None:
    agent, before = park.begun(date)
    quarantined(agent, before, [DATES[date]])


def test_existing_objects_are_neither_overwritten_nor_removed(park: Park) -> None:
    agent, before = park.begun("objects")
    sums = f"cd {agent.inbox} && find . -type f -not -path './locks/*' -exec sha256sum {{}} + | sort"
    files = park.store.shell(sums)
    paths = [line.split()[1].removeprefix("./") for line in files.splitlines()]
    objects = [f"{path.split('/')[0]}/{path.split('/')[-1]}" if "/" in path else path for path in paths]
    ways = ("-X DELETE", "--data-binary junk", "-X PUT --data-binary junk")
    asks = [f"ask objects {path} {way}" for path in objects for way in ways]
    answers = park.host.run("\n".join(["door objects acme", *asks, "shut objects"])).split()
    assert answers == ["403", "403", "405"] * len(objects)
    assert park.store.shell(sums) == files
    assert codes(agent.round()) == []
    assert agent.restored() == before


def test_locks_that_are_left_or_removed(park: Park) -> None:
    """A lock that a killed agent left does not stop the store, nor does an agent that removes locks."""
    agent, before = park.begun("locks")
    park.host.run("""mkdir -p /data/locks; head -c 8000000 /dev/urandom > /data/locks/large
        repo locks acme backup --limit-upload 500 /data/locks & saving=$!
        until repo locks acme list locks --no-lock | grep -q .; do sleep 0.1; done
        pkill -KILL -P $saving; wait; rm /data/locks/large""")
    locks = park.store.shell(f"ls {agent.inbox}/locks").split()
    assert locks
    agent.save("wednesday")
    assert codes(agent.round()) == []
    assert len(agent.restored()) == len(before) + 1
    assert agent.ask(f"locks/{locks[0]}", "-X", "DELETE") == "200"
    assert codes(agent.round()) == []
    after = agent.restored()
    assert {key: after[key] for key in before} == before


def test_a_snapshot_that_passes_for_another(park: Park) -> None:
    """`restic tag` adds a snapshot that says it was made of another: it would take the place of that one."""
    agent, before = park.begun("origin")
    first = next(iter(before))
    park.host.run(f"""repo origin acme tag --set x {first} & tagging=$!
        until [ "$(repo origin acme list snapshots --no-lock | wc -l)" = 3 ]; do sleep 0.1; done
        pkill -KILL -P $tagging; wait""")
    status = agent.round()
    assert codes(status) == ["forged_origin"]
    assert first[:8] in status["problems"][0]["text"]
    assert agent.restored() == before


def test_a_quota_that_is_filled(park: Park) -> None:
    agent, before = park.begun("quota")
    park.host.run("head -c 40000000 /dev/urandom > /root/large")
    answers = [agent.ask(f"data/{digit * 64}", "--data-binary", "@/root/large") for digit in "ab"]
    assert "200" not in answers, answers
    park.host.run("head -c 4000000 /dev/urandom > /root/large")
    answers = [agent.ask(f"data/{digit * 64}", "--data-binary", "@/root/large") for digit in "cdef012345"]
    assert answers[-1] != "200"
    status = agent.round()
    assert codes(status) == ["inbox_full"], status["problems"]
    assert status["inbox"]["free_bytes"] < status["inbox"]["quota_bytes"] / 20 < 2_000_000
    assert agent.restored() == before


def test_a_disk_without_room_for_the_vault(park: Park) -> None:
    agent, before = park.begun("disk")
    script = f"""
        cp -a {agent.vault} /root/kept; truncate -s 8M /root/disk.ext4; mkfs.ext4 -q -m 0 /root/disk.ext4
        mount -o loop /root/disk.ext4 {agent.vault}; cp -a /root/kept/. {agent.vault}/"""
    park.store.shell(script)
    assert codes(agent.round()) == []
    park.host.run(f"mkdir -p /data/{agent.name}; head -c 9000000 /dev/urandom > /data/{agent.name}/large")
    agent.save("large")
    status = agent.round()
    assert codes(status) == ["vault_full"], status["problems"]
    assert "no space left" in status["problems"][0]["text"]
    assert agent.restored() == before
    assert {each["original"] for each in status["vault"]["snapshots"]} == set(before)
    park.store.shell(f"cp -a {agent.vault} /root/full; umount {agent.vault}; cp -a /root/full/. {agent.vault}/")
    assert codes(agent.round()) == []
    after: dict[str, Any] = agent.restored()
    assert len(after) == len(before) + 1
    assert {key: after[key] for key in before} == before
