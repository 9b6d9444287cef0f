"""What paths that people name are called in a backup, and where they were at the source."""

import pytest

from b1000.errors import UsageError
from b1000.restore import places
from b1000.restore.places import Named
from b1000.storage.backup import Backup, State


def backup(include: str, relative: bool = False) -> Backup:
    return Backup("etc/there", "full", State.COMPLETE, include=include, relative=relative)


@pytest.mark.parametrize(
    ("include", "path", "expected"),
    [
        ("/etc", "/etc/hosts", Named("etc/hosts", "/etc/hosts", "/")),
        ("/etc", "etc/hosts", Named("etc/hosts", "/etc/hosts", "/")),
        ("/etc", "/etc", Named("etc", "/etc", "/")),
        ("/etc", "other", Named("other")),
        ("/etc", "/other/x", Named("other/x")),
        ("/etc", "/etcetera", Named("etcetera")),
        ("/srv/data/", "/srv/data/a/b", Named("a/b", "/srv/data/a/b", "/srv/data")),
        ("/srv/data/", "a/b", Named("a/b", "/srv/data/a/b", "/srv/data")),
        ("/", "/srv/a", Named("srv/a", "/srv/a", "/")),
        ("/srv/www /etc", "/srv/www/x", Named("www/x", "/srv/www/x", "/srv")),
        ("/srv/www /etc", "www/x", Named("www/x", "/srv/www/x", "/srv")),
        ("/srv /srv/www", "/srv/www/x", Named("www/x", "/srv/www/x", "/srv")),
        # What lies beside the content of another: from its top nothing tells which of them it is.
        ("/srv/data/ /etc", "/srv/data/x", Named("x", "/srv/data/x", "/srv/data")),
        ("/srv/data/ /etc", "etc/hosts", Named("etc/hosts")),
        ("/var/lib/mysql/mysql-bin.*", "/var/lib/mysql/mysql-bin.1", "mysql-bin.1"),
        ("/var/lib/mysql/mysql-bin.*", "mysql-bin.1", "mysql-bin.1"),
        ("/srv/*/data", "/srv/a/data/x", Named("data/x", "/srv/a/data/x", "/srv/a")),
        ("/srv/*/data", "data/x", Named("data/x")),
        ("'/srv/a b'", "/srv/a b/c", Named("a b/c", "/srv/a b/c", "/srv")),
        ("rsync://web1/backup", "/dump", Named("dump")),
        ("'", "/dump", Named("dump")),
    ],
)
def test_each_path(include: str, path: str, expected: Named | str) -> None:
    found = places.named(path, backup(include))
    if isinstance(expected, str):
        expected = Named(expected, f"/var/lib/mysql/{expected}", "/var/lib/mysql")
    assert found == expected


def test_whole_paths_are_kept_where_the_run_kept_them() -> None:
    expected = Named("srv/www/x", "/srv/www/x", "/")
    for path in ("/srv/www/x", "srv/www/x"):
        assert places.named(path, backup("/srv/www", relative=True)) == expected


@pytest.mark.parametrize(
    ("include", "path", "expected"),
    [
        ("/srv/./www/a", "/srv/www/a/x", Named("www/a/x", "/srv/www/a/x", "/srv")),
        ("/srv/./www/a", "www/a/x", Named("www/a/x", "/srv/www/a/x", "/srv")),
        # It has no such place at the source: then it is a path in the backup.
        ("/srv/./www/a", "/www/a/x", Named("www/a/x", "/srv/www/a/x", "/srv")),
        ("/srv/./www/a", "www", Named("www", "/srv/www", "/srv")),
        ("/srv/./www/a", "www/b", Named("www/b")),
        ("/srv/./", "/srv/www", Named("www", "/srv/www", "/srv")),
        ("/srv/*/./data", "/srv/a/data/x", Named("data/x", "/srv/a/data/x", "/srv/a")),
        ("/srv/*/./data", "data/x", Named("data/x")),
        ("/srv/./www /etc", "etc/hosts", Named("etc/hosts", "/etc/hosts", "/")),
        ("/srv/./www /old/./www/b", "www/b/x", Named("www/b/x")),
        ("rsync://web1/backup/./www", "www/x", Named("www/x")),
    ],
)
def test_of_some_the_run_kept_what_stands_behind_a_dot(
    include: str, path: str, expected: Named
) -> None:
    assert places.named(path, backup(include, relative=True)) == expected


def test_a_dot_says_nothing_where_no_paths_are_kept() -> None:
    expected = Named("www/x", "/srv/www/x", "/srv")
    for path in ("/srv/www/x", "www/x"):
        assert places.named(path, backup("/srv/./www")) == expected


@pytest.mark.parametrize(
    ("include", "relative", "expected"),
    [
        ("/etc /srv/www", False, ""),
        ("/etc /srv/www/", False, "/srv/www/"),
        ("/srv/www/", False, ""),
        ("/etc /srv/www/", True, ""),
        ("/srv /srv/www", True, ""),
        ("/srv/./www /old/./www/b", True, "/srv/./www"),
        ("/srv/./www /old/./www2", True, ""),
        ("/etc /srv/./", True, "/srv/./"),
    ],
)
def test_what_lies_beside_others(include: str, relative: bool, expected: str) -> None:
    assert places.mixed(backup(include, relative=relative)) == expected


def test_all_of_it_is_no_path_of_it() -> None:
    with pytest.raises(UsageError, match="is all of the backup; leave it out"):
        places.named_below("/srv/data", backup("/srv/data/"))


def test_what_is_at_the_top() -> None:
    assert places.tops(backup("/etc /srv/www")) == ["etc", "www"]
    assert places.tops(backup("/srv/a /srv/b/", relative=True)) == ["srv"]
    assert places.tops(backup("/srv/./a/b /etc", relative=True)) == ["a", "etc"]
    assert places.tops(backup("/srv/./", relative=True)) == []
    assert places.tops(backup("/etc /srv/www/")) == []
    assert places.tops(backup("/srv/*.gz")) == []
    assert places.tops(backup("/", relative=True)) == []


def test_a_directory_of_one_run_is_no_place() -> None:
    assert not places.has_place("/srv/dumps/3306-2026-11-22-02-17-01")
    assert not places.has_place("/srv/*")
    assert places.has_place("/srv/3306")
