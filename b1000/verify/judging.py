"""What a reading of a backup says of it, and of those that share files with it."""

import os
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import filterfalse

from b1000.errors import counted, message_of
from b1000.logstyle import printable
from b1000.named import NamedTuple
from b1000.rsync.restoring import CORRUPT
from b1000.storage.backup import Group, Root
from b1000.verify import condemning, listing, reading, sharing, sums
from b1000.verify.findings import (
    Finding,
    Kind,
    Look,
    first_of,
    held_against_mark,
    is_aside,
    known_to_be_wrong,
    shown,
    wrong_files,
)
from b1000.verify.matching import Comparison, Wrong
from b1000.verify.reading import Missed, Pace
from b1000.verify.sweep import Key, Sweep

_LEAST_TEXT, _TEXT_OF_FILE = 1 << 20, 512


class Terms(NamedTuple):
    """How a storage is read. ``period`` is how old a reading may be that is gone on with, in
    seconds; ``around`` are all groups there; ``elsewhere`` gives the commands that restore the
    same run from other storages.
    """

    pace: Pace
    quarantine: bool = True
    period: float = 30 * 86400.0
    around: Sequence[tuple[Root, Group]] = ()
    elsewhere: Callable[[Look, Sequence[bytes]], Iterable[str]] = lambda *_: ()

    def ending(self, until: float | None) -> "Terms":
        """The same until then."""
        return self._replace(pace=self.pace._replace(until=until))

    def commands(self, look: Look, names: Sequence[bytes]) -> Iterator[Finding]:
        """What restores files of a backup from other storages."""
        for command in self.elsewhere(look, names):
            yield Finding(look.path, f"lies elsewhere too: {printable(command)}")


class Case(NamedTuple):
    """A reading that came to its end; ``lost`` says what is wrong with the list of sums."""

    look: Look
    terms: Terms
    sweep: Sweep
    comparison: Comparison
    lost: str = ""


class Judge:
    """Of one verify. ``remember`` notes what is known of a backup."""

    def __init__(self, remember: Callable[..., None]) -> None:
        self._remember = remember
        self._wrong: set[Key] = set()
        """Inodes that are known to be wrong, and whose other names were told."""

    def judge(self, case: Case) -> Iterator[Finding]:
        """What it says, and what follows of that. Raises OutOfTime."""
        look, _, sweep, comparison, _ = case
        if comparison.listed is None and not look.is_sync:
            _ask_others(case)
            yield from _ask_strange_list(case)
        wrong, unstable = self._read_again(case)
        for name in unstable:
            text = f"{shown(name)} was read differently twice: unstable reads (memory?)"
            yield Finding(look.path, text, Kind.UNSTABLE)
        gone = [] if look.is_sync else comparison.gone(each.name for each in sweep.missed)
        names = [*(each.name for each in wrong), *gone]
        bad = wrong_files(names, gone, sweep.set_aside) if names else ""
        if bad:
            yield Finding(look.path, bad, Kind.BAD)
        for each in _list_findings(case, wrong, self._remember):
            bad = bad or (each.text if each.kind is Kind.BAD else "")
            yield each
        yield from self._counted_once_more(case)
        yield from self._note(case, wrong, bad)
        if bad:
            yield from case.terms.commands(look, names)
            yield from self._spread(case, wrong)

    def _read_again(self, case: Case) -> tuple[list[Wrong], list[bytes]]:
        """Which of the files that differ are wrong, and which were read wrongly once only."""
        wrong, unstable = [], []
        comparison = case.comparison
        linked = case.sweep.linked_names(each.name for each in comparison.wrong)
        for each in comparison.wrong:
            found = linked.get(each.name)
            if found and found.key in self._wrong:
                wrong.append(each)
                continue
            digest = reading.again(case.look.tree, each.name, case.terms.pace).digest
            if digest and each.right in ("", digest):
                unstable.append(each.name)
                if comparison.listed is None or each.name not in comparison.listed:
                    comparison.new[each.name] = digest
            else:
                wrong.append(each)
        return wrong, unstable

    def _counted_once_more(self, case: Case) -> Iterator[Finding]:
        """A first reading knows of no file that has gone since files were counted."""
        look, _, sweep, comparison, lost = case
        if look.is_sync or sweep.missed or lost or comparison.listed is not None:
            return
        short, found = held_against_mark(look, comparison.number + len(sweep.set_aside))
        if short:
            self._remember(look, short=short)
            yield from found

    def _note(self, case: Case, wrong: Sequence[Wrong], bad: str) -> Iterator[Finding]:
        """What is known of the backup from now on."""
        look, _, sweep, _, _ = case
        changes: dict[str, object] = {"cut_off": None, "stuck": 0}
        if sweep.missed:
            why = unread(look, sweep.missed)
            changes |= {"unread": why, "read_share": sweep.share}
            yield Finding(look.path, f"cannot be read: {why}", Kind.UNREAD)
        else:
            changes |= {"unread": "", "read_share": 1.0, "read": sweep.began}
        if sweep.meanwhile:
            text = f"{counted(sweep.meanwhile, 'file')} could not be judged: written meanwhile"
            yield Finding(look.path, text)
        before = look.backup.memory.wrong
        if bad:
            changes["bad"] = bad
        elif before and look.is_sync and not sweep.missed and not _is_without(look, sweep):
            changes["bad"] = ""  # the wrong files were sent again
        elif before:
            yield known_to_be_wrong(look)
        self._remember(look, **changes)
        sweep.end(each for each in wrong if each.right)

    def _spread(self, case: Case, wrong: Sequence[Wrong]) -> Iterator[Finding]:
        """Set wrong files aside, and tell of all backups that share them."""
        look, terms, sweep, _, _ = case
        linked = sweep.linked_names(each.name for each in wrong)
        keys = {each.key: each for each in linked.values() if each.key not in self._wrong}
        if keys:
            for other, shared in sharing.sharers(look, keys, terms.around):
                names = [*filterfalse(is_aside, (each.name for each in shared))]
                if not names:
                    continue  # it was told when they were set aside
                are = "is" if len(names) == 1 else "are"
                text = f"shares {counted(len(names), 'file')} that {are} wrong"
                if not other.backup.memory.bad:
                    self._remember(other, bad=f"{text}, with {look.backup.place}")
                yield Finding(other.path, text, Kind.BAD)
                yield from _quarantined(other, terms, names)
        self._wrong |= keys.keys()
        yield from _quarantined(look, terms, [each.name for each in wrong])


def _ask_others(case: Case) -> None:
    """Hold what is read first against the lists of backups that share its inodes."""
    sweep, comparison = case.sweep, case.comparison
    known = sharing.known_sums(case.look, sweep.shared(), case.terms.pace)
    linked = sweep.linked() if known else {}
    for key, right in known.items():
        for each in linked[key]:
            if digest := comparison.new.get(each.name):
                comparison.take(each.name, digest, right)


def _ask_strange_list(case: Case) -> Iterator[Finding]:
    """Hold what is read first against a list that lies there, as where the journal was lost.

    Who may write there can make what is stored there look bad, as by a change of its files.
    """
    look, _, _, comparison, lost = case
    if lost or look.backup.memory.sums:
        return
    # More text than so many files may need is not unpacked.
    longest = _LEAST_TEXT + _TEXT_OF_FILE * comparison.number
    if comparison.hold_against(listing.strange(look.tree, longest)):
        text = "has a list of sums of which nothing is known here, and which says otherwise"
        yield Finding(look.path, text)


def _list_findings(
    case: Case, wrong: Sequence[Wrong], remember: Callable[..., None]
) -> Iterator[Finding]:
    """Write the list of sums where that has to be, and tell of one that is gone or changed."""
    look, _, sweep, comparison, lost = case
    if look.is_sync or sweep.missed:
        return  # what lies in a sync tree changes, and what was not read has no sum
    if comparison.listed is not None and not comparison.new:
        return
    data, seal = sums.sealed(comparison.all_sums(wrong))
    if comparison.listed is None:
        first = sums.text_of(look.backup.memory.sums)
        if first != seal.text and (first or lost):
            why = lost or "could not be written"
            text = f"its list of sums {why}, and the files are not those that were read first"
            yield Finding(look.path, text, Kind.BAD)
            return
    else:
        more = counted(len(comparison.new), "file")
        yield Finding(look.path, f"has {more} that it had not when it was read first")
    trouble = ""
    try:
        listing.write(look.tree, data)
        remember(look, sums=str(seal))
    except OSError as error:
        trouble = f"could not be written: {error.strerror or error}"
        if comparison.listed is None and not lost:
            # What its text would be says still whether the files are those that were read first.
            remember(look, sums=str(seal._replace(file="")))
    if lost:
        as_it_was = "the files have the sums that were in it"
        lost = f"{lost}; {as_it_was}, and it {trouble or 'was written anew'}"
    if lost or trouble:
        yield Finding(look.path, f"its list of sums {lost or trouble}", Kind.LIST)


def _quarantined(look: Look, terms: Terms, names: Iterable[bytes]) -> Iterator[Finding]:
    names = [*names]
    if not terms.quarantine or not sharing.is_set_aside(look, time.time()):
        if names:
            yield from _condemned(look)
        return
    for name in names:
        trouble = sharing.set_aside(look, name)
        if trouble:
            yield from _condemned(look)
        done = f"was renamed {shown(name)}{CORRUPT}"
        failed = f"could not be renamed: {trouble}"
        yield Finding(look.path, f"{shown(name)} {failed if trouble else done}")


def _condemned(look: Look) -> Iterator[Finding]:
    """A wrong file stays where it is: clients are not to link to it."""
    try:
        condemning.condemn(look.tree)
    except OSError as error:
        text = f"its gate cannot be told that it is bad: {message_of(error)}"
        yield Finding(look.path, text)


def _is_without(look: Look, sweep: Sweep) -> bool:
    """Whether a file that was set aside was not sent again yet."""
    for name in sweep.set_aside:
        *above, last = name.removesuffix(CORRUPT.encode()).split(b"/")
        try:
            with look.tree.opened(*above) as directory:
                os.stat(last, dir_fd=directory, follow_symlinks=False)
        except OSError:
            return True
    return False


def unread(look: Look, missed: Sequence[Missed]) -> str:
    """What could not be read, in words."""
    return first_of([f"{look.tree.shown(each.name)}: {each.why}" for each in missed])
