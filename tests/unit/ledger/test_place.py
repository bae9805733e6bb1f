from __future__ import annotations

import stat
from pathlib import Path

import pytest

from provisioner.errors import LedgerError
from provisioner.ledger import place

MOUNTS = """\
30 22 0:40 / /srv rw - nfs4 files:/srv rw
31 30 8:2 / /srv/local rw - xfs /dev/vdb rw
32 22 0:41 / /mnt/my\\040share rw - cifs //files/share rw
33 22 0:42 / /home/op/remote rw - fuse.sshfs op@host:/ rw
22 1 8:1 / / rw,relatime shared:1 - ext4 /dev/vda1 rw
"""


@pytest.mark.parametrize(
    ("folder", "kind"),
    [
        ("/var/lib", "ext4"),
        ("/srv", "nfs4"),
        ("/srv/state", "nfs4"),
        ("/srv/local/state", "xfs"),
        ("/srvother", "ext4"),
        ("/mnt/my share/state", "cifs"),
        ("/home/op/remote", "fuse.sshfs"),
    ],
)
def test_the_file_system_is_that_of_the_nearest_mount(folder: str, kind: str) -> None:
    assert place.filesystem(Path(folder), mounts=MOUNTS) == kind


@pytest.mark.parametrize("folder", ["/srv/state", "/mnt/my share", "/home/op/remote/x"])
def test_a_network_file_system_is_refused(folder: str) -> None:
    with pytest.raises(LedgerError, match="network file system"):
        place.refuse_network(Path(folder), mounts=MOUNTS)


def test_a_local_file_system_is_accepted(tmp_path: Path) -> None:
    place.refuse_network(Path("/srv/local"), mounts=MOUNTS)
    place.refuse_network(tmp_path, mounts=place.MOUNTS.read_text())


def test_the_database_file_and_its_folder_are_private(tmp_path: Path) -> None:
    path = tmp_path / "state" / "ledger.db"
    place.prepare_file(path)
    place.prepare_file(path)
    assert (stat.S_IMODE(path.stat().st_mode), stat.S_IMODE(path.parent.stat().st_mode)) == (0o600, 0o700)
    with pytest.raises(LedgerError, match="cannot be opened"):
        place.prepare_file(path / "below" / "a file")
