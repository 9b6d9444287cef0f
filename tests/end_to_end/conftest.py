"""What several modules need; what all need is in tests/conftest.py."""

from datetime import datetime, timedelta
from pathlib import Path

import pytest

from tests.support.stored import identify
from tests.support.world import World


@pytest.fixture
def root(world: World) -> Path:
    """A store of which everything is read each night."""
    root = world.root / "srv"
    world.write({"dest:kept": {"type": "store", "path": root, "verify": "1d"}})
    identify(root, datetime.now() - timedelta(days=100))
    return root
