"""Backups that share files: what one's list says of another, and who else has a wrong file."""

import os
from collections.abc import Iterator, Mapping, Sequence

from b1000.rsync.restoring import CORRUPT
from b1000.storage.backup import Group, Root
from b1000.verify import listing, reading, sums
from b1000.verify.findings import Look
from b1000.verify.reading import Found, Pace
from b1000.verify.sweep import Key


def known_sums(look: Look, wanted: set[Key], pace: Pace) -> dict[Key, str]:
    """The sums of inodes by the lists of other backups of the group.

    Those next to it are asked first, and no more than it takes. Raises OutOfTime.
    """
    found: dict[Key, str] = {}
    wanted = {*wanted}
    for other in _nearest(look):
        if not wanted:
            break
        seal = sums.known_seal(other.backup.memory.sums)
        if not seal:
            continue
        try:
            listed = listing.read(other.tree, seal)
        except ValueError:
            continue
        for each in reading.files(other.tree, pace, []):
            if each.key in wanted and (right := listed.get(each.name)):
                found[each.key] = right
                wanted.discard(each.key)
    return found


def _nearest(look: Look) -> Iterator[Look]:
    """The other fulls of the group that have a list, the nearest first."""
    fulls = [each for each in look.group.backups if each.type == "full" and each.is_there]
    at = fulls.index(look.backup) if look.backup in fulls else 0
    for _, other in sorted((abs(at - number), number) for number in range(len(fulls))):
        backup = fulls[other]
        if backup != look.backup and backup.memory.sums:
            yield look._replace(backup=backup)


def sharers(
    look: Look, wrong: Mapping[Key, Found], around: Sequence[tuple[Root, Group]]
) -> Iterator[tuple[Look, list[Found]]]:
    """The other backups with names of the same inodes: of the group, and where that does not have
    all names, of all groups that lie at the root.
    """
    left = {key: found.links for key, found in wrong.items()}
    groups = [(look.root, look.group)]
    groups += [each for each in around if each[0] == look.root and each[1].key != look.group.key]
    for root, group in groups:
        for backup in group.backups:
            if not any(count > 0 for count in left.values()):
                return
            if not backup.is_there:
                continue
            other = Look(root, group, backup)
            shared = [each for each in reading.files(other.tree, Pace(), []) if each.key in wrong]
            for each in shared:
                left[each.key] -= 1
            if shared and backup != look.backup:
                yield other, shared


def is_set_aside(look: Look, now: float) -> bool:
    """Whether a wrong file of this backup is renamed: in the newest complete one, of which the
    next full takes its links, and in a sync tree. No name of the future is the newest.
    """
    fulls = (each for each in look.group.backups if each.complete and each.type == "full")
    newest = [each for each in fulls if not each.is_ahead(now)][-1:]
    return look.backup.complete and (look.is_sync or [look.backup] == newest)


def set_aside(look: Look, name: bytes) -> str:
    """Rename a wrong file, so that the next run sends it again; gives the trouble, "" for none."""
    *above, last = name.split(b"/")
    try:
        with look.tree.opened(*above) as directory:
            os.rename(last, last + CORRUPT.encode(), src_dir_fd=directory, dst_dir_fd=directory)
    except OSError as error:
        return error.strerror or str(error)
    return ""
