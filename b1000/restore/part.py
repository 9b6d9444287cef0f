"""One of the directories to which a restore brings a part of a backup."""

import os

from b1000.named import NamedTuple
from b1000.rsync.restoring import RECEIVING


class Part(NamedTuple):
    """One rsync of a restore: ``source`` below the backup, both as rsync takes them.

    ``above`` is a directory that stays as it is, "" for none. ``names`` is a file of paths below
    the source, ended by NUL, which alone are meant; "" for all. ``spared`` are paths below the
    target that stay as they are, whatever the backup has there.
    """

    source: str
    target: str
    above: str = ""
    names: str = ""
    spared: tuple[str, ...] = ()

    @property
    def whole(self) -> bool:
        """Whether the content of ``source`` goes into ``target``, and no name of its own."""
        return not self.source or self.source.endswith("/")

    @property
    def root(self) -> str:
        """Below which directory of the backup the names are that rsync tells."""
        return self.source if self.whole else self.source[: self.source.rfind("/") + 1]

    def target_of(self, name: str) -> str:
        """Where a name of the backup goes to; "" where it is none of this part."""
        source = self.source.rstrip("/")
        if source and name != source and not name.startswith(f"{source}/"):
            return ""
        below = name[len(self.root) :]
        if any(below == each or below.startswith(f"{each}/") for each in self.spared):
            return ""
        return self.target + below

    @property
    def receiving(self) -> str:
        """In which directory files arrive: on the file system to which they go."""
        own = self.target + os.path.basename(self.source)
        is_tree = not self.whole and os.path.isdir(own) and not os.path.islink(own)
        return own if is_tree else self.target

    @property
    def temporary(self) -> str:
        """The directory in it for files that are not whole yet, from the target."""
        return os.path.join(os.path.relpath(self.receiving, self.target), RECEIVING)
