"""The options by which a storage on this host is kept and verified."""

from pathlib import Path

import pytest

from b1000.config import loader
from b1000.config.loader import Config
from b1000.jobs import BrokenJob, Job
from b1000.keep import Rule, Span, line_for
from b1000.storage import survey

HEAD = """
[report:files]
type = file
path = /srv/reports

[report:db]
type = sqlite
path = /var/lib/b1000/db.sqlite3
[job:etc]
direction = push
type = full
include = /etc/
report = db
dest = disk
[dest:disk]
type = active
path = /srv/disk
"""


def load(tmp_path: Path, text: str) -> Config:
    file = tmp_path / "b1000.cfg"
    file.write_text(text)
    return loader.load(str(file))


def told(config: Config) -> list[str]:
    return [f"{each.section} {each.option}: {each.text}" for each in config.problems]


def test_a_store_has_a_path_with_one_star_and_rules(tmp_path: Path) -> None:
    config = load(
        tmp_path,
        HEAD
        + """
[dest:store]
type = store
path = /srv/backup/*
keep = all 7d, daily 5w
       mysqldb*: last 2
keep_least = 5
keep_unfinished = 3w
prune_most = 10 %
verify = 30d
verify_rate = 50m
quarantine = no
report = db
""",
    )
    assert not config.problems
    store = config.destinations["store"]
    assert (store.type, store.path) == ("store", "/srv/backup/*")
    line = line_for(store.keep, "etc", "web1", "")
    assert line is not None
    assert line.rules == (Rule("all", Span(7, "d")), Rule("daily", Span(5, "w")))
    assert (store.keep_least, store.keep_unfinished, store.prune_most) == (5, 21 * 86400, 0.1)
    assert (store.verify, store.verify_rate, store.quarantine) == (30 * 86400, "50m", False)
    assert store.report == ("db",)
    disk = config.destinations["disk"]
    assert (disk.keep, disk.keep_least, disk.keep_unfinished) == ((), 3, 14 * 86400)
    assert (disk.prune_most, disk.verify, disk.quarantine) == (0.25, None, True)


@pytest.mark.parametrize(
    ("options", "text"),
    [
        ("path = rsync://host/module", "path: a store is a local tree that others push into"),
        ("path = /srv/*/b/*", "path: one * may stand for the directories of the clients"),
        ("path = /srv/b*", "path: one * may stand for the directories of the clients"),
        ("path = /srv/b\nlink_dest = yes", "link_dest: it is for type = active; this is store"),
        ("path = /srv/b\nreport = dbs", "report: there is no [report:dbs]; did you mean 'db'?"),
        ("path = /srv/b\nreport = db, files", "report: files has type = file; storages tell"),
        ("path = /srv/b\nprune_most = 120%", "prune_most: '120%' is no percentage"),
        ("path = /srv/b\nkeep_unfinished = 14", "keep_unfinished: '14' is no span"),
        ("path = /srv/b\nkeep = dayly 5w", "keep: 'dayly' is no period; did you mean 'daily'?"),
    ],
)
def test_what_is_wrong_with_a_store_is_told(tmp_path: Path, options: str, text: str) -> None:
    config = load(tmp_path, HEAD + f"[dest:store]\ntype = store\n{options}\n")
    assert [each for each in told(config) if each.startswith(f"dest:store {text}")], told(config)


def test_no_job_may_name_a_store(tmp_path: Path) -> None:
    config = load(tmp_path, HEAD.replace("type = active", "type = store"))
    assert isinstance(config.jobs["etc"], BrokenJob)
    assert told(config) == [
        "job:etc dest: [dest:disk] is a store, into which other hosts push; "
        "this job takes type = active"
    ]


def test_a_wrong_keep_is_an_error_of_its_destination_alone(tmp_path: Path) -> None:
    config = load(tmp_path, HEAD + "keep = daily\n[dest:other]\ntype = store\npath = /srv/o\n")
    assert len(config.errors) == 1
    assert isinstance(config.jobs["etc"], Job)
    disk = config.destinations["disk"]
    assert not disk.keep
    assert disk.flaws == (f"keep: {config.errors[0].text}",)
    assert not config.destinations["other"].flaws


def test_nothing_is_kept_by_rules_where_nothing_is_marked(tmp_path: Path) -> None:
    config = load(tmp_path, HEAD + "keep = daily 5w\nmark = no\n")
    text = "with mark = no nothing says which backups are complete; remove one of the two"
    assert told(config) == [f"dest:disk keep: {text}"]
    assert config.errors
    assert isinstance(config.jobs["etc"], Job)  # it copies all the same
    assert config.destinations["disk"].flaws == (f"keep: {text}",)
    assert told(load(tmp_path, HEAD + "keep = daily 5w\nmark = yes\n")) == []
    assert told(load(tmp_path, HEAD + "mark = no\n")) == []


def test_a_daemon_keeps_its_own_storage(tmp_path: Path) -> None:
    text = HEAD.replace("/srv/disk", "rsync://host/module") + "keep = daily 5w\n"
    assert told(load(tmp_path, text)) == [
        "dest:disk keep: it is for local paths; the host that has the storage sees to it"
    ]


def test_a_daemon_is_read_by_a_path_of_its_own(tmp_path: Path) -> None:
    text = HEAD.replace("/srv/disk", "rsync://host/module")
    text += "restore_path = rsync://u@host/restore\nrestore_password_file = /etc/b1000/restore\n"
    disk = load(tmp_path, text).destinations["disk"]
    assert disk.restore_path == "rsync://u@host/restore"
    assert disk.restore_password_file == "/etc/b1000/restore"


def test_where_no_job_copies_the_limits_are_those_of_global(tmp_path: Path) -> None:
    """A restore on a storage whose clients push waits for a retry as long as it is told."""
    text = "[global]\ncopy_retry_min_sleep = 7\nio_timeout = 9\n" + HEAD
    config = load(tmp_path, f"{text}[dest:kept]\ntype = store\npath = /srv/kept\n")
    with survey.Journalled(config) as journal:
        found = journal.limits(config.destinations["kept"])
        assert (found.copy_retry_min_sleep, found.io_timeout) == (7, 9)


@pytest.mark.parametrize("path", ["/srv/*", "/srv/*/b1000", "rsync://s/b1000/*"])
def test_a_star_is_for_stores(tmp_path: Path, path: str) -> None:
    """Copies went into a directory of that name, and list looked beside it."""
    config = load(tmp_path, HEAD.replace("path = /srv/disk", f"path = {path}"))
    assert "dest:disk path: * stands for the directories of clients in type = store alone" in told(
        config
    )
    assert isinstance(config.jobs["etc"], BrokenJob)
    assert told(load(tmp_path, HEAD.replace("/srv/disk", "/srv/5*"))) == []
