"""The file of a list of sums, beside its backup."""

from b1000.files import read_file, sync_directory, write_atomically
from b1000.storage import layout
from b1000.verify import sums
from b1000.verify.sums import Seal
from b1000.verify.tree import Tree

_LARGEST = 2**31


class Lists:
    """Reads lists; those of backups that share all files are the same, which is unpacked once."""

    def __init__(self) -> None:
        self._hash, self._last = "", dict[bytes, str]()

    def read(self, tree: Tree, seal: Seal) -> dict[bytes, str]:
        """The list that a reading wrote. Raises ValueError where it is not there any more."""
        data = _data(tree, seal)
        if self._hash != seal.file:
            self._hash, self._last = "", {}  # two need not be in memory at once
            self._hash, self._last = seal.file, sums.unpacked(data)
        return self._last


def read(tree: Tree, seal: Seal) -> dict[bytes, str]:
    """One list, as :class:`Lists` reads it. Raises ValueError."""
    return Lists().read(tree, seal)


def _data(tree: Tree, seal: Seal) -> bytes:
    return _sealed(_read(tree), seal)


def _read(tree: Tree) -> bytes:
    try:
        with tree.beside(layout.SUMS) as path:
            return read_file(path, _LARGEST, follow=False)
    except OSError as error:
        raise ValueError(f"is gone ({error.strerror})") from None


def unsealed(tree: Tree, most: int) -> dict[bytes, str]:
    """One of which nothing is known; its text has ``most`` bytes at most. Raises ValueError."""
    return sums.unpacked(_read(tree), most)


def checked(data: bytes, seal: Seal) -> dict[bytes, str]:
    """The sums in the file of a list that was fetched. Raises ValueError where it is another."""
    return sums.unpacked(_sealed(data, seal))


def _sealed(data: bytes, seal: Seal) -> bytes:
    if sums.hash_of(data) != seal.file:
        raise ValueError("was changed by somebody")
    return data


def strange(tree: Tree, longest: int) -> dict[bytes, str]:
    """The sums of a list that lies there and of which nothing is known, of so much text."""
    try:
        with tree.beside(layout.SUMS) as path:
            return sums.strange(read_file(path, longest, follow=False), longest)
    except OSError:
        return {}


def write(tree: Tree, data: bytes) -> None:
    """Write it, to stay also after a power cut. Raises OSError."""
    with tree.beside(layout.SUMS) as path:
        write_atomically(path, data, 0o600)
        sync_directory(path.parent)
