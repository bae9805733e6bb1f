"""Practice machines and a PostgreSQL server for the tests: their own, removed when the session ends."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, settings
from hypothesis.internal.conjecture import providers
from tests import ports
from tests.postgresql import NoServer, Server, running

from provisioner.errors import ProvisionerError
from provisioner.lab.access import Access
from provisioner.lab.engine import Engine, cache_folder, find_engine
from provisioner.lab.machines import Lab, Machine, Running

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

WITHOUT = "PROVISIONER_TESTS_WITHOUT_LAB"
WITHOUT_POSTGRESQL = "PROVISIONER_TESTS_WITHOUT_POSTGRESQL"
USER = PASSWORD = "technician"


@dataclass(frozen=True)
class LabMachine:
    """A machine that answers, and how to reach it: log in as USER with `access.key`, sudo with PASSWORD."""

    running: Running
    access: Access
    engine: Engine

    @property
    def port(self) -> int:
        return self.running.machine.port

    def shell(self, script: str) -> str:
        """Run a shell script on the machine as root, behind the back of SSH and Ansible; return what it printed."""
        return self.engine.call("exec", self.running.container, "sh", "-euc", script)

    def ssh(self, *command: str) -> list[str]:
        """Return the command line of an ssh that takes no unknown key and asks nothing."""
        options = ["StrictHostKeyChecking=yes", "BatchMode=yes", f"UserKnownHostsFile={self.access.known_hosts}"]
        options += ["GlobalKnownHostsFile=/dev/null", "IdentitiesOnly=yes"]
        flags = [word for option in options for word in ("-o", option)]
        login = ["-i", str(self.access.key), "-p", str(self.port), f"{USER}@127.0.0.1"]
        return ["ssh", "-F", "none", *flags, *login, *command]


def pytest_configure(config: pytest.Config) -> None:
    # What a derandomized test draws is to be the same in every process. Hypothesis adds constants out of those of our
    # modules that were imported so far, which depends on the tests before; there is no setting for it.
    nothing = hypothesis_constants()
    providers._get_local_constants = lambda: nothing
    # A slow machine fails no test: no deadline of an example, no complaint about slow draws.
    slow = [HealthCheck.too_slow]
    settings.register_profile("same", derandomize=True, database=None, deadline=None, suppress_health_check=slow)
    settings.load_profile("same")
    config.addinivalue_line(
        "markers", "sqlite(why): about the SQLite file; other tests at a desk run on PostgreSQL too"
    )


def hypothesis_constants() -> providers.Constants:
    """No constants at all; fails where a later Hypothesis keeps them elsewhere."""
    assert callable(providers._get_local_constants), "Hypothesis moved what makes draws depend on imported modules"
    return type(providers.GLOBAL_CONSTANTS)()


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """What asks for `database_server` is tried on both; what is about the SQLite file is marked, and says why."""
    if "database_server" in metafunc.fixturenames:
        names = ["sqlite"] if metafunc.definition.get_closest_marker("sqlite") else ["sqlite", "postgresql"]
        metafunc.parametrize("database_server", names, indirect=True, scope="session")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if "lab_engine" in getattr(item, "fixturenames", ()):
            item.add_marker("lab")


@pytest.fixture(scope="session")
def lab_engine() -> Engine:
    """A podman that starts systemd containers; the session fails without one, or skips loudly when told to."""
    if os.environ.get(WITHOUT):
        pytest.skip(f"{WITHOUT} is set: nothing was tried on a practice machine")
    try:
        return find_engine(cache_folder(os.environ))
    except ProvisionerError as error:
        pytest.fail(f"{error}; next: {error.hint}, or set {WITHOUT}=1", pytrace=False)


@pytest.fixture(scope="session")
def lab_machine(lab_engine: Engine) -> Iterator[Callable[..., LabMachine]]:
    """Return `machine(name, state=..., client="demo", release="bookworm")`: it runs, and `state` knows its key.

    A name asked for again is the same machine, whatever the test (give a name of its own to a machine you change); each
    state folder gets its own key pair and known hosts.
    """
    lab = Lab(lab_engine, cache_folder(os.environ), f"test-{os.getpid()}")
    machines: dict[str, Machine] = {}

    def machine(name: str, *, state: Path, client: str = "demo", release: str = "bookworm") -> LabMachine:
        wanted = machines.setdefault(name, Machine(name, ports.free_port(), release))
        access = Access(state, client)
        (running,) = lab.up((wanted,), access, say=print)
        return LabMachine(running, access, lab_engine)

    try:
        yield machine
    finally:
        lab.down()


@pytest.fixture(scope="session")
def postgresql() -> Iterator[Server]:
    """A PostgreSQL server; the session fails without one, or skips loudly when told to."""
    if os.environ.get(WITHOUT_POSTGRESQL):
        pytest.skip(f"{WITHOUT_POSTGRESQL} is set: nothing was tried on PostgreSQL")
    try:
        with running() as server:
            yield server
    except NoServer as error:
        pytest.fail(f"{error}; next: apt-get install postgresql, or set {WITHOUT_POSTGRESQL}=1", pytrace=False)


@pytest.fixture(scope="session")
def database_server(request: pytest.FixtureRequest) -> Server | None:
    """The PostgreSQL server, and None for the same test on SQLite."""
    return request.getfixturevalue("postgresql") if request.param == "postgresql" else None


@pytest.fixture
def database_url(database_server: Server | None, tmp_path: Path) -> Iterator[str]:
    """The URL of a fresh database: a file in the folder `state` of the test's, or a database on the server."""
    if database_server is None:
        yield f"sqlite:///{tmp_path}/state/ledger.db"
        return
    name = database_server.create()
    yield database_server.url(name)
    database_server.drop(name)


@pytest.fixture(scope="session")
def free_port() -> Callable[[], int]:
    """Return a function that finds a loopback port that nothing listens on."""
    return ports.free_port
