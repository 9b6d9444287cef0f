"""A place in a script where it waits until a test lets it go on."""

from pathlib import Path

from tests.support.world import wait_until


class Gate:
    """``script`` says that it has come there, and waits until the gate is open."""

    def __init__(self, directory: Path, name: str = "gate") -> None:
        self._reached = directory / f"{name}.reached"
        self._open = directory / f"{name}.open"
        self.script = f"echo x > {self._reached}; while [ ! -e {self._open} ]; do sleep 0.05; done"

    def wait(self) -> None:
        """Wait until the script has come there."""
        wait_until(self._reached.exists)

    def open(self) -> None:
        """Let it go on, now and ever after."""
        self._open.touch()
