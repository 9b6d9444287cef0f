"""Where the files of a backup are: reached from its root, through no link."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from b1000.files import opened_below
from b1000.named import NamedTuple


class Tree(NamedTuple):
    """A backup: ``place`` below ``root``. Only the root itself may be reached through links."""

    root: str
    place: str

    @property
    def path(self) -> str:
        """Its whole directory."""
        return f"{self.root.rstrip('/')}/{self.place}"

    def shown(self, name: bytes) -> str:
        """The whole path of something in it."""
        return os.path.join(self.path, os.fsdecode(name))

    @contextmanager
    def opened(self, *below: bytes) -> Iterator[int]:
        """It, or a directory below it. Raises OSError."""
        with opened_below(self.root, (*self.place.split("/"), *below)) as descriptor:
            yield descriptor

    @contextmanager
    def beside(self, ending: str) -> Iterator[Path]:
        """A file beside it, in a directory that stays the one it is. Raises OSError."""
        *above, name = self.place.split("/")
        with opened_below(self.root, above) as descriptor:
            yield Path(f"/proc/self/fd/{descriptor}/{name}{ending}")
