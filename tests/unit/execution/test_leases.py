from __future__ import annotations

import subprocess
import sys
import threading
from typing import TYPE_CHECKING

import pytest

from provisioner.errors import UsageError
from provisioner.execution.leases import FileLeases

if TYPE_CHECKING:
    from pathlib import Path

HOLDER = """
import sys, time
from pathlib import Path
from provisioner.execution.leases import FileLeases
with FileLeases(Path(sys.argv[1])).hold("demo", "ws-01"):
    print("held", flush=True)
    time.sleep(60)
"""


def test_one_at_a_time_on_an_asset_of_a_client(tmp_path: Path) -> None:
    leases = FileLeases(tmp_path / "leases")
    with leases.hold("demo", "ws-01"):
        with pytest.raises(UsageError, match="another intervention is working on ws-01 of client demo"):
            leases.hold("demo", "ws-01").__enter__()
        with leases.hold("demo", "ws-02"), leases.hold("acme", "ws-01"):
            pass
    with leases.hold("demo", "ws-01"):
        pass


def test_it_ends_with_an_error(tmp_path: Path) -> None:
    leases = FileLeases(tmp_path)
    with pytest.raises(RuntimeError), leases.hold("demo", "ws-01"):
        raise RuntimeError
    with leases.hold("demo", "ws-01"):
        pass


def test_the_kernel_drops_it_when_its_holder_is_killed(tmp_path: Path) -> None:
    with subprocess.Popen([sys.executable, "-c", HOLDER, str(tmp_path)], stdout=subprocess.PIPE) as holder:
        assert holder.stdout is not None and holder.stdout.readline() == b"held\n"
        with pytest.raises(UsageError):
            FileLeases(tmp_path).hold("demo", "ws-01").__enter__()
        holder.kill()
        holder.wait()
        with FileLeases(tmp_path).hold("demo", "ws-01"):
            pass


def test_admissions_of_a_client_wait_for_one_another(tmp_path: Path) -> None:
    leases, order = FileLeases(tmp_path), []

    def second() -> None:
        with leases.admission("demo"):
            order.append("second")

    other = threading.Thread(target=second)
    with leases.admission("demo"), leases.admission("another"), leases.hold("demo", "ws-01"):
        other.start()
        other.join(timeout=0.2)
        order.append("first")
    other.join(timeout=10)
    assert order == ["first", "second"]


def test_a_folder_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(UsageError, match="no lease can be taken"), FileLeases(tmp_path / "file").hold("demo", "ws-01"):
        pass
