"""Where an include was, and whose word for it is believed."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from b1000.b1k import checks
from b1000.config import references, shellwords
from b1000.jobs import BrokenJob, Job
from b1000.marks import marking
from b1000.restore import believing, places
from b1000.restore.believing import Own
from b1000.runs.run import ProcessIdentity, Run, Snapshot
from b1000.storage.backup import Backup, GroupKey, Root, State
from b1000.storage.question import StoredRow
from b1000.templates import ScriptTemplate, Word

FILE = "/etc/b1000.cfg"
START = "2026-11-22-02-17-01"


def row(include: str, *, instance: str = "", run: str = "uid", kind: str = "full") -> StoredRow:
    name = f"etc/2026-11-22-Sunday/web1-{instance}"
    start = START if kind == "full" else ""
    backup = Backup(name, kind, State.COMPLETE, start, run=run, include=include)
    backup = backup._replace(master_host="db1", master_instance="3306")
    key = GroupKey("/srv/one", "", "etc", "web1", instance)
    return StoredRow(Root("one", "/srv/one"), key, backup)


def job(include: str, instances: "tuple[str, ...] | ScriptTemplate | None" = None) -> Job:
    words = shellwords.split_template(references.parse(include))
    return Job("etc", "push", "full", (), (), {}, instances=instances, include=words)


def run(*words: str, uid: str = "uid", job: str = "etc", instance: str = "") -> Run:
    snapshot = Snapshot(include=tuple(Word(each, each) for each in words))
    who = ProcessIdentity(1, "", 1)
    found = Run(1, "later", job, instance, "web1", "push", "full", 0.0, START, who)
    return found._replace(first_uid=uid, snapshot=snapshot)


SCRIPT = ScriptTemplate(("list",))


@pytest.mark.parametrize(
    ("configured", "word", "is_included"),
    [
        ("/etc", "/etc", True),
        ("/etc /srv/data/", "/srv/data/", True),
        ("/etc", "/root/.ssh/", False),
        # A slash says whether a link is followed, and below an include there may be links.
        ("/etc", "/etc/", False),
        ("/srv", "/srv/data", False),
        ("/srv/data", "/srv", False),
        ("/srv/./data", "/srv/./data", True),
        ("/srv/../etc", "/srv/../etc", True),
        ("/srv/*", "/srv/*", True),
        ("/srv/*", "/srv/a", True),
        ("/srv/*", "/srv/a/", False),
        ("/srv/*", "/srv/a/b", False),
        ("/srv/*/", "/srv/a/", True),
        ("/srv/*", "/srv/.ssh", False),
        ("/srv/.*", "/srv/.ssh", True),
        ("/srv/.*", "/srv/..", False),
        ("/srv/*/", "/srv/../", False),
        ("/srv/*/", "/srv//", False),
        ("/srv/[ab]", "/srv/[ab]", True),
        ("/srv/[ab]", "/srv/c", False),
        ("'/srv/*'", "/srv/a", False),
        ("'/srv/a b'", "/srv/a b", True),
        ("/dumps/$instance/", "/dumps/3306/", True),
        ("/dumps/$instance/", "/dumps/3307/", False),
        ("/dumps/$start_time", f"/dumps/{START}", True),
        ("/dumps/$start_time", "/dumps/2026-11-22-02-17-02", False),
        ("/$master_host/$master_instance", "/db1/3306", True),
        ("/$master_host/$master_instance", "/db2/3306", False),
        ("/srv/age-$data_age", "/srv/age-12", True),
        ("/srv/age-$data_age", "/srv/age-/12", False),
        ("/srv/$$(x)", "/srv/$(x)", True),
        ("/srv/$$(x)", "/srv/x", False),
        ("rsync://web1/b/*", "rsync://web1/b/x", True),
        ("rsync://web1/b/", "/b/", False),
    ],
)
def test_what_a_job_includes_too(configured: str, word: str, is_included: bool) -> None:
    found = believing.is_included(word, row(word, instance="3306"), job(configured, ("3306",)))
    assert found == is_included


@pytest.mark.parametrize(
    ("instances", "instance", "word", "is_included"),
    [
        (("3306",), "3306", "/d/3306/", True),
        (("3306",), "victim", "/d/victim/", False),  # which the job has not
        (SCRIPT, "any", "/d/any/", True),
        (SCRIPT, "", "/d//", False),
        (None, "x", "/d/x/", False),
    ],
)
def test_an_instance_that_the_job_has_not_leads_nowhere(
    instances: "tuple[str, ...] | ScriptTemplate | None",
    instance: str,
    word: str,
    is_included: bool,
) -> None:
    found = believing.is_included(
        word, row(word, instance=instance), job("/d/$instance/", instances)
    )
    assert found == is_included


def test_of_a_sync_no_name_tells_when_it_began() -> None:
    """Its mark could say anything."""
    asked = row("/dumps/victim", kind="sync")
    assert not believing.is_included("/dumps/victim", asked, job("/dumps/$start_time"))


@pytest.mark.parametrize(
    ("own", "include", "doubt", "settled"),
    [
        (Own(run("/etc"), None, FILE), "/etc", "", True),
        # The journal counts, also where the configuration is another one by now.
        (Own(run("/etc"), job("/root/"), FILE), "/etc", "", True),
        (
            Own(run("/srv"), job("/etc"), FILE),
            "/srv",
            "destination one says that /etc was included, and the journal of this host that it was"
            " /srv: the storage is wrong or lies",
            True,
        ),
        (Own(None, job("/etc"), FILE), "/etc", "", True),
        # The journal has a run of that id, and it is another's.
        (Own(run("/etc", job="other"), None, FILE), "/etc", "no job etc", False),
        (Own(run("/etc", instance="x"), None, FILE), "/etc", "no job etc", False),
        (Own(run("/etc", uid="x"), None, FILE), "/etc", "no job etc", False),
        (Own(run(), None, FILE), "/etc", "no job etc", False),  # its row is damaged
        (
            Own(None, job("/srv/$start_time /a"), FILE),
            "/etc",
            "destination one says that /etc was included, and job etc of /etc/b1000.cfg includes"
            f" /srv/{START}, /a",
            False,
        ),
        (Own(None, None, FILE), "/etc", "/etc/b1000.cfg has no job etc", False),
        (
            Own(None, BrokenJob("etc", "push", "full", (), ("x",)), FILE),
            "/etc",
            "job etc of /etc/b1000.cfg has errors",
            False,
        ),
        (Own(None, job(""), FILE), "/etc", "includes nothing", False),
    ],
)
def test_whose_word_counts(own: Own, include: str, doubt: str, settled: bool) -> None:
    found = believing.judged(row("/etc"), own)
    assert (found.row.backup.include, found.settled) == (include, settled)
    assert bool(found.doubt) == bool(doubt)
    assert doubt in found.doubt


def test_each_include_has_to_be_confirmed() -> None:
    found = believing.judged(row("/etc /root/.ssh/"), Own(None, job("/etc /home"), FILE))
    assert not found.settled


def test_who_names_a_place_means_it() -> None:
    agreed = believing.judged(row("/etc"), Own(None, job("/etc"), FILE))
    other = believing.judged(row("/etc"), Own(run("/srv"), None, FILE))
    nobody = believing.judged(row("/etc"), Own(None, None, FILE))
    whole, short = ["/etc/hosts"], ["etc/hosts"]
    assert agreed.is_named([], [])
    assert agreed.is_named(short, whole)
    assert not other.is_named([], [])
    assert other.is_named(short, whole)
    assert not nobody.is_named([], [])
    assert not nobody.is_named(short, whole)
    assert not nobody.is_named([*whole, *short], [*whole, *whole])
    assert nobody.is_named(whole, whole)
    # A path in the backup that merely looks like its place.
    assert not nobody.is_named(whole, ["/root/etc/hosts"])


NAME = st.text(st.sampled_from("ab.*[]?$ '\"\\\n\u202eé-"), min_size=1, max_size=4)
PATHS = st.lists(
    st.lists(NAME, min_size=1, max_size=3).map(lambda names: "/" + "/".join(names)),
    min_size=1,
    max_size=3,
)


def mark_of(words: list[str]) -> str:
    """What the mark of a run says that had included these, as it is read again."""
    known = marking.included(Snapshot(include=tuple(Word(each, each) for each in words)))
    return checks.escaped(known.include).strip()


@given(PATHS, PATHS)
def test_the_journal_is_believed_whatever_a_mark_says(words: list[str], said: list[str]) -> None:
    own = Own(run(*words), job("/etc"), FILE)
    honest = believing.judged(row(mark_of(words)), own)
    lying = believing.judged(row(mark_of(said)), own)
    assert honest.doubt == ""
    assert places.includes(honest.row.backup) == places.includes(lying.row.backup) == words
    assert bool(lying.doubt) == (mark_of(said) != mark_of(words))


@given(PATHS)
def test_a_configuration_confirms_its_own_runs(words: list[str]) -> None:
    """Of what is printable: else no mark says it as it was."""
    words = [each.replace("\n", "n").replace("\u202e", "r") for each in words]
    quoted = " ".join(marking._quoted(each) for each in words).replace("$", "$$")
    found = believing.judged(row(mark_of(words)), Own(None, job(quoted), FILE))
    assert (found.doubt, found.settled) == ("", True)


GLOB = st.text(st.sampled_from("ab.*[]?"), min_size=1, max_size=4)
GLOBS = st.lists(GLOB, min_size=1, max_size=3).map(lambda names: "/" + "/".join(names))


@given(GLOBS, GLOBS)
def test_what_a_glob_confirms_is_as_deep_as_it_is(configured: str, word: str) -> None:
    """So no name leads up, down or past what the job includes."""
    if believing.is_included(word, row(word), job(configured)) and word != configured:
        names, patterns = word.split("/"), configured.split("/")
        assert len(names) == len(patterns)
        for name, pattern in zip(names, patterns, strict=True):
            assert name == pattern or name not in (".", "..")
