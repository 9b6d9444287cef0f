"""What lies at a root becomes groups of backups; a mark counts for its own backup alone."""

import os
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from b1000.b1k import claim, form, mark
from b1000.rsync import paths
from b1000.runs.stored import KnownCopy, Memory
from b1000.storage import catalogue, layout, local
from b1000.storage.backup import Backup, Catalogue, Entry, Group, GroupKey, Root, State
from b1000.storage.catalogue import Known
from b1000.storage.local import StorageAway
from tests.support.stored import NIGHT, a_mark, identify, put
from tests.unit.test_mark import marks
from tests.unit.test_report_file import HOSTS, TIMES


def read(path: Path, known: Known = catalogue.NOTHING_KNOWN) -> Catalogue:
    (root,) = local.roots("store", str(path))
    return catalogue.build(root, local.entries(root), known)


def only(found: Catalogue) -> Backup:
    ((backup,),) = [group.backups for group in found.groups]
    return backup


def copy_of(root: Path, written: mark.Mark, complete: bool = True) -> dict[str, KnownCopy]:
    report = written.report
    copy = KnownCopy(
        f"{root}/{written.directory}", "store", written.type, report.job, report.host,
        report.instance, report.master_host, report.master_instance, written.run,
        written.started, written.ended, complete, 4, 1,
    )  # fmt: skip
    return catalogue.by_place(str(root), [copy])


# --- places


OURS = marks().filter(lambda each: not each.directory.endswith((".b1k", ".keep", ".gz")))
"""Instances, hosts and masters end in none of these."""


@given(OURS)
def test_the_place_of_a_backup_is_read_as_it_was_made(written: mark.Mark) -> None:
    place = layout.place(written.directory)
    assert place is not None
    assert (place.path, place.type) == (written.directory, written.type)
    if written.type == "full":
        assert place.start_time == written.report.start_time


@given(HOSTS, TIMES, TIMES)
def test_a_name_is_read_from_its_end(host: str, first: datetime, second: datetime) -> None:
    whose = f"{host}-{first:%Y-%m-%d}-Sun-{first:%H:%M:%S}"
    day = f"{second:%Y-%m-%d}-{paths.WEEKDAYS[second.weekday()]}"
    place = layout.full("etc", day, f"{whose}-{second:%Y-%m-%d}-{day[11:14]}-{second:%H:%M:%S}")
    assert place is not None
    assert (place.whose, place.start_time) == (whose, f"{second:%Y-%m-%d-%H-%M-%S}")


@pytest.mark.parametrize(
    "path",
    [
        "etc",
        "etc/2026-11-22-Sunday",
        "etc/2026-11-22-Sunday/web1",
        "etc/2026-11-22-Sunday/web1-2026-11-22-Sun-24:00:00",
        "etc/2026-11-22-Sunday/web1-2026-11-21-Sat-10:00:00",
        "etc/2026-11-22-Sunday/web1-2026-11-22-Mon-10:00:00",
        "etc/2026-11-22-Sunday/-2026-11-22-Sun-10:00:00",
        "etc/2026-11-22-Sunday/we\nb1-2026-11-22-Sun-10:00:00",
        "etc/2026-11-22-Sunday/.b1000-2026-11-22-Sun-10:00:00",
        "etc/2026-11-22-Monday/web1-2026-11-22-Mon-10:00:00",
        "etc/2026-02-30-Sunday/web1-2026-02-30-Sun-10:00:00",
        "etc/web1.b1k",
        "etc/web1.keep",
        "etc/web1.gz",
        "etc/.b1000-removed",
        ".b1000/web1",
        "e tc/web1",
        "etc/2026-11-22-Sunday/web1-2026-11-22-Sun-10:00:00/below",
    ],
)
def test_other_names_are_none_of_ours(path: str) -> None:
    assert layout.place(path) is None


# --- states


def test_a_marked_backup_is_complete(tmp_path: Path) -> None:
    put(tmp_path, a_mark())
    found = read(tmp_path)
    backup = only(found)
    assert found.groups[0].key == GroupKey(str(tmp_path), "", "etc", "web1", "")
    assert (backup.state, backup.started) == (State.COMPLETE, NIGHT.timestamp())
    assert (backup.counts.files, backup.counts.bytes) == (1, 4)
    assert (found.marks, found.notes) == (1, ())


def test_a_mark_says_that_a_sync_is_being_written(tmp_path: Path) -> None:
    written = a_mark(kind="sync", state=mark.WRITING)
    put(tmp_path, written)
    assert only(read(tmp_path)).state is State.WRITING
    # What the journal calls done is complete although its mark is on its way.
    known = Known(copies=copy_of(tmp_path, written))
    assert only(read(tmp_path, known)).state is State.COMPLETE
    earlier = written._replace(started=written.started - 86400, run="earlier")
    known = Known(copies=copy_of(tmp_path, earlier))
    assert only(read(tmp_path, known)).state is State.WRITING


def test_without_a_mark_a_full_of_a_known_job_is_unfinished(tmp_path: Path) -> None:
    put(tmp_path, a_mark(), marked=False)
    assert only(read(tmp_path)).state is State.UNKNOWN
    assert only(read(tmp_path, Known(["etc"]))).state is State.UNFINISHED
    (group,) = read(tmp_path, Known(["etc"])).groups
    assert group.key == GroupKey(str(tmp_path), "", "etc", unmarked="web1")


def test_what_the_journal_calls_done_is_complete_without_a_mark(tmp_path: Path) -> None:
    written = a_mark(instance="3306")
    put(tmp_path, written, marked=False)
    found = read(tmp_path, Known(copies=copy_of(tmp_path, written)))
    assert (only(found).state, only(found).mark) == (State.COMPLETE, "")
    assert found.groups[0].key.instance == "3306"
    found = read(tmp_path, Known(["etc"], copies=copy_of(tmp_path, written, complete=False)))
    assert only(found).state is State.UNFINISHED


def test_done_and_not_there_is_missing(tmp_path: Path) -> None:
    known = copy_of(tmp_path, a_mark())
    assert only(read(tmp_path, Known(copies=known))).state is State.MISSING
    removed = {a_mark().directory: Memory(removed=1.0)}
    assert not read(tmp_path, Known(copies=known, memories=removed)).groups
    assert not read(tmp_path, Known(copies=copy_of(tmp_path, a_mark(), complete=False))).groups


def test_older_than_the_id_of_the_root_is_legacy(tmp_path: Path) -> None:
    put(tmp_path, a_mark(), marked=False)
    put(tmp_path, a_mark(when=NIGHT + timedelta(days=2)), marked=False)
    put(tmp_path, a_mark(when=NIGHT + timedelta(days=3)))
    identify(tmp_path, NIGHT + timedelta(days=1))
    (group,) = read(tmp_path).groups
    assert [each.state for each in group.backups] == ["legacy", "unfinished", "complete"]


def test_an_unmarked_directory_belongs_to_the_mark_of_the_same_name(tmp_path: Path) -> None:
    put(tmp_path, a_mark(host="a", instance="b", when=NIGHT + timedelta(days=1)))
    put(tmp_path, a_mark(host="a", instance="b"), marked=False)
    (group,) = read(tmp_path).groups
    assert [each.state for each in group.backups] == [State.UNFINISHED, State.COMPLETE]
    # Two marks that share a name say nothing of a third.
    put(tmp_path, a_mark(host="a-b", when=NIGHT + timedelta(days=2)))
    unmarked = [group for group in read(tmp_path).groups if group.key.unmarked]
    assert [group.key.unmarked for group in unmarked] == ["a-b"]


def test_the_master_does_not_part_a_group(tmp_path: Path) -> None:
    put(tmp_path, a_mark(master=("m1", "3306")))
    put(tmp_path, a_mark(master=("m2", ""), when=NIGHT + timedelta(days=1)))
    (group,) = read(tmp_path).groups
    assert [each.master_host for each in group.backups] == ["m1", "m2"]


def test_a_backup_may_be_protected_and_remembered(tmp_path: Path) -> None:
    directory = put(tmp_path, a_mark())
    Path(f"{directory}.keep").mkdir()
    assert only(read(tmp_path)).protected, "whatever has that name"
    Path(f"{directory}.keep").rmdir()
    assert not only(read(tmp_path)).protected
    Path(f"{directory}.keep").touch()
    memory = Memory(first_seen=1.0, bad="file: other content")
    found = read(tmp_path, Known(memories={a_mark().directory: memory}))
    assert only(found).protected
    assert only(found).memory is memory


# --- a local tree


def test_a_star_stands_for_the_directories_of_clients(tmp_path: Path) -> None:
    for client in ("one", "two"):
        put(tmp_path / client, a_mark(host=client))
    (tmp_path / "three").symlink_to("one")
    (tmp_path / ".four").mkdir()
    found = local.roots("store", f"{tmp_path}/*")
    assert [(root.client, root.path) for root in found] == [
        ("one", f"{tmp_path}/one"),
        ("two", f"{tmp_path}/two"),
    ]


def test_a_root_that_is_not_there_is_away(tmp_path: Path) -> None:
    with pytest.raises(StorageAway, match="No such file"):
        list(local.entries(Root("store", str(tmp_path / "none"))))
    with pytest.raises(StorageAway, match="No such file"):
        local.roots("store", f"{tmp_path}/none/*")


def link(path: Path) -> None:
    path.symlink_to("/etc/hostname")


def link_to_a_mark(path: Path) -> None:
    other = path.with_name("elsewhere")
    other.write_text(mark.render(a_mark()))
    path.symlink_to(other)


def too_long(path: Path) -> None:
    path.write_bytes(mark.render(a_mark()).encode().ljust(form.LARGEST + 1, b"\n"))


def of_another(path: Path) -> None:
    path.write_text(mark.render(a_mark(host="web2")))


def ten_years_off(path: Path) -> None:
    path.write_text(mark.render(a_mark(when=NIGHT.replace(year=2036))))


def a_directory(path: Path) -> None:
    path.mkdir()


@pytest.mark.parametrize(
    "make",
    [link, link_to_a_mark, os.mkfifo, too_long, of_another, ten_years_off, a_directory, Path.touch],
    ids=lambda make: make.__name__,
)
def test_a_mark_that_cannot_be_used_changes_nothing_but_its_own(tmp_path: Path, make) -> None:  # type: ignore[no-untyped-def]
    before = a_mark(when=NIGHT - timedelta(days=1))
    put(tmp_path, before)
    directory = put(tmp_path, a_mark(), marked=False)
    expected = read(tmp_path).groups
    make(Path(f"{directory}.b1k"))
    found = read(tmp_path)
    (group,) = found.groups
    assert [each.state for each in group.backups] == [State.COMPLETE, State.UNFINISHED]
    assert group.backups[0] == expected[0].backups[0]
    assert group.backups[1]._replace(flaw="") == expected[0].backups[1]


def test_links_are_no_backups(tmp_path: Path) -> None:
    directory = put(tmp_path / "real", a_mark())
    root = tmp_path / "root"
    (root / "etc").mkdir(parents=True)
    (root / "etc" / "2026-11-22-Sunday").symlink_to(directory.parent)
    (root / "job").symlink_to(tmp_path / "real" / "etc")
    (root / "etc" / "web1").symlink_to(directory)
    assert not read(root, Known(["etc", "job"])).groups


# --- whatever clients write

ENTRIES = st.lists(
    st.builds(
        lambda written, marked, protected: Entry(
            layout.place(written.directory),  # type: ignore[arg-type]
            claim.of(written) if marked else None,
            "" if marked else "a flaw",
            protected,
        ),
        OURS,
        st.booleans(),
        st.booleans(),
    ),
    max_size=8,
    unique_by=lambda entry: entry.place.path,
)


@given(ENTRIES, ENTRIES)
def test_marks_say_nothing_of_other_marked_backups(ours: list[Entry], theirs: list[Entry]) -> None:
    def said(groups: tuple[Group, ...]) -> dict[str, tuple[GroupKey, Backup]]:
        return {each.place: (group.key, each) for group in groups for each in group.backups}

    root = Root("store", "/srv/backup")
    own = {entry.place.path for entry in ours}
    others = [entry for entry in theirs if entry.place.path not in own]
    alone = said(catalogue.build(root, ours).groups)
    together = said(catalogue.build(root, [*others, *ours]).groups)
    for entry in ours:
        if entry.mark:
            assert together[entry.place.path] == alone[entry.place.path]
        else:
            assert together.get(entry.place.path, (None, None))[1] is None or not (
                together[entry.place.path][1].complete
            )
