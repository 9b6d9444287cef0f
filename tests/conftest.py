"""Fixtures: a world of directories and a configuration, real rsync daemons and databases."""

import compileall
import os
import signal
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

import b1000
from tests.support.attacker import BEFORE, fill
from tests.support.chance import examples
from tests.support.daemon import Daemon
from tests.support.database import Database, Schema, make_template
from tests.support.storage import Storage
from tests.support.world import World

# How long an example takes says more of the machine's other work than of this program. A change
# is judged by the same examples each time; who works on one tries others as well.
settings.register_profile(
    "b1000",
    max_examples=examples(100),
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow],
    derandomize="CI" in os.environ,
)
settings.load_profile("b1000")


@pytest.fixture(scope="session", autouse=True)
def signals_arrive() -> None:
    """A shell starts what it runs in the background with SIGINT and SIGQUIT ignored, nohup with
    SIGHUP, and programs keep that."""
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)
    for number in (signal.SIGQUIT, signal.SIGHUP):
        signal.signal(number, signal.SIG_DFL)


def pytest_configure(config: pytest.Config) -> None:
    """Compiles what changed, once: the tests start the program some thousand times, also where the
    environment has it write no compiled files."""
    if not hasattr(config, "workerinput"):
        compileall.compile_dir(os.path.dirname(b1000.__file__), quiet=1)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """What needs a MariaDB is marked ``database``, whichever fixture starts it."""
    for item in items:
        # Some ask for their fixture by the parameter that is in their name.
        if "database_template" in getattr(item, "fixturenames", ()) or "[mysql" in item.name:
            item.add_marker("database")


@pytest.fixture
def world(tmp_path: Path) -> World:
    """A host with an empty source and no configuration yet."""
    return World(tmp_path)


@pytest.fixture
def daemon(tmp_path: Path) -> Iterator[Callable[..., Daemon]]:
    """``daemon(modules, extra="")`` starts an rsync daemon that ends with the test."""
    started: list[Daemon] = []

    def start(modules: dict[str, str] | None = None, extra: str = "") -> Daemon:
        directory = tmp_path / f"daemon{len(started)}"
        started.append(Daemon(directory, modules or {"b1000": ""}, extra).start())
        return started[-1]

    yield start
    for each in started:
        each.stop()


@pytest.fixture
def storage(tmp_path: Path) -> Iterator[Storage]:
    """The shipped storage with backups in it, and the module of before beside it."""
    made = Storage(tmp_path / "storage", "b1000-sync", more=BEFORE)
    fill(made)
    made.start()
    yield made
    made.stop()


@pytest.fixture(scope="session")
def database_template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The data directory of an empty MariaDB, of which servers get copies."""
    return make_template(tmp_path_factory.mktemp("mariadb") / "template")


@pytest.fixture(scope="session")
def database_server(
    tmp_path_factory: pytest.TempPathFactory, database_template: Path
) -> Iterator[Database]:
    """The MariaDB that tests share; what is done to it as a whole would meet the others."""
    server = Database(tmp_path_factory.mktemp("mariadb"), database_template)
    try:
        yield server.start()
    finally:
        server.close()


@pytest.fixture
def database(database_server: Database) -> Schema:
    """Fresh tables in the shared server, and the user ``b1000`` with rights to them alone."""
    return Schema(database_server)


@pytest.fixture
def own_server(tmp_path: Path, database_template: Path) -> Iterator[Database]:
    """A MariaDB of the test's own, to be stopped, killed, frozen, and set as it likes."""
    server = Database(tmp_path / "mariadb", database_template)
    try:
        yield server.start()
    finally:
        server.close()


@pytest.fixture
def own_database(own_server: Database) -> Schema:
    """Fresh tables in a server of the test's own."""
    return Schema(own_server)
