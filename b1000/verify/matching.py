"""What is read of one backup, held against what is known of it. Pure."""

from collections.abc import Iterable, Mapping

from b1000.named import NamedTuple


class Wrong(NamedTuple):
    """A file that is not what it was: ``right`` is the sum that it had, "" where none is known."""

    name: bytes
    right: str


class Comparison:
    """Of one backup; ``listed`` is its list of sums, None where it has none yet.

    ``new`` has the sums of files that are in no list, and ``wrong`` those that differ.
    """

    def __init__(self, listed: Mapping[bytes, str] | None) -> None:
        self.listed = listed
        self.new: dict[bytes, str] = {}
        self.wrong: list[Wrong] = []
        self._right = listed or {}
        self._there: list[bytes] = []
        self._expected: list[bytes] = []

    def take(self, name: bytes, digest: str, known: str = "") -> None:
        """A file was read; ``known`` is its sum as an earlier reading of the inode had it."""
        self._there.append(name)
        right = self._right.get(name)
        if right == digest:
            return
        if right is None and known in ("", digest):
            self.new[name] = digest
        else:
            self.wrong.append(Wrong(name, right or known))

    def broken(self, name: bytes) -> None:
        """A file could not be read, because the disk has lost it."""
        self._there.append(name)
        self.wrong.append(Wrong(name, self._right.get(name, "")))

    @property
    def number(self) -> int:
        """How many files were read, or could not be, as the disk has lost them."""
        return len(self.new) + sum(each.name not in self.new for each in self.wrong)

    def hold_against(self, strange: Mapping[bytes, str]) -> bool:
        """Compare what was read with another list than its own; gives whether it says otherwise."""
        broken = {each.name for each in self.wrong}
        for name, right in strange.items():
            digest = self.new.get(name)
            if digest and digest != right:
                self.take(name, digest, right)
            elif not digest and name not in broken:
                self._expected.append(name)
        return bool(self._expected) or len(self.wrong) > len(broken)

    def gone(self, missed: Iterable[bytes]) -> list[bytes]:
        """Names of the list that are not there any more, and not below what could not be read."""
        above = {*missed}
        if b"" in above:
            return []
        left = (self._right.keys() - self._there) | {*self._expected}
        return sorted(name for name in left if not _is_below(name, above))

    def all_sums(self, wrong: Iterable[Wrong]) -> dict[bytes, str]:
        """The sums for the list: of files that are ``wrong`` the right ones, where they are known.

        What is in the list stays in it.
        """
        right = {each.name: each.right for each in wrong}
        found = {**self.new, **self._right, **right}
        return {name: digest for name, digest in found.items() if digest}


def _is_below(name: bytes, above: set[bytes]) -> bool:
    parts = name.split(b"/")
    return any(b"/".join(parts[:count]) in above for count in range(1, len(parts) + 1))
