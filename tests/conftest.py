"""Fixtures: a world of directories and a configuration, and real rsync daemons."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.support.daemon import Daemon
from tests.support.world import World


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
