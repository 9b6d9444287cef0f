"""What has to lie at the storages by what databases know: nothing that cannot be seen there."""

from typing import Any

import pytest

from b1000.marks.adopting import Told
from b1000.reports.expected import Stored, Terms, expected
from b1000.runs.states import CopyStatus
from b1000.runs.stored import REMOVED
from b1000.storage import catalogue
from b1000.storage.backup import Root, State, Unread
from b1000.storage.catalogue import Known
from tests.support.stored import NIGHT, a_mark

AT = "rsync://client@storage/b1000"
TERMS = Terms("client", (AT, "/disk/"), (), NIGHT.timestamp())
WRITTEN, TREE = a_mark(host="client"), a_mark(host="client", kind="sync")
FULL = WRITTEN.directory


def told(path: str = f"{AT}/{FULL}", started: float = WRITTEN.started, **changes: Any) -> Told:
    copy = Told(
        "client", "", "", "", "push", f"{NIGHT:%Y-%m-%d-%H-%M-%S}", started, None, "store", path,
        CopyStatus.DONE, started, 4, 1,
    )  # fmt: skip
    return copy._replace(**changes)


def stored(storage: str, state: str = REMOVED, started: float | None = WRITTEN.started) -> Stored:
    return Stored(storage, f"/srv/client/{FULL}", started, state == REMOVED)


@pytest.mark.parametrize(
    ("copy", "known", "found"),
    [
        (told(), [], True),
        (told(f"/disk/{FULL}"), [], True),
        (told(status=CopyStatus.WARNING), [], True),
        (told(status=CopyStatus.FAILED), [], False),
        (told(started=NIGHT.timestamp() - 1), [], False),
        (told(f"rsync://client@other/b1000/{FULL}"), [], False),
        (told(f"{AT}/deeper/{FULL}"), [], False),
        (told(), [stored("storage")], False),
        (told(), [stored("storage.example.com")], False),
        (told(), [stored("storage", started=None)], False),
        (told(), [stored("storage", "complete"), stored("other")], True),
        (told(), [stored("storage", "complete")], True),
        (told(), [Stored("storage", "strange", None, True), Stored("", "", None, True)], True),
        # By another name, as an address: of all that tell of it each has removed it.
        (told(), [stored("other")], False),
        (told(), [stored("other"), stored("third", "complete")], True),
        # Another run in a directory of the same name.
        (told(), [stored("storage", started=WRITTEN.started - 60)], True),
        (told(f"/disk/{FULL}"), [stored("client")], False),
        (told(f"/disk/{FULL}"), [stored("client", "missing"), stored("storage")], True),
    ],
)
def test_what_was_complete_and_nobody_removed_is_expected(
    copy: Told, known: list[Stored], found: bool
) -> None:
    assert [each.path for each in expected([copy], known, TERMS)] == [copy.path] * found


def test_what_another_storage_has_removed_is_still_expected_here() -> None:
    terms = TERMS._replace(tops=(AT, "rsync://other:8730/b1000"))
    assert expected([told()], [stored("other")], terms)
    assert not expected([told()], [stored("third")], terms)


def test_a_database_says_what_is_missing_and_nothing_of_what_is_there() -> None:
    root = Root("store", AT)
    later = WRITTEN.started + 60
    trees = [told(f"{AT}/{TREE.directory}", when) for when in (later, WRITTEN.started)]
    copies = expected([*trees, told()], [], TERMS)
    known = Known(["etc"], told=catalogue.by_place(AT, copies))
    (group,) = catalogue.build(root, [], known).groups
    assert [each.state for each in group.backups] == [State.MISSING] * 2
    assert [each.started for each in group.backups if each.type == "sync"] == [later]
    assert (group.key.job, group.key.host) == ("etc", "client")
    assert catalogue.build(root, [], known._replace(copies=known.told)).groups == (group,)
    # What could not be looked at is not missing.
    assert not catalogue.build(root, [Unread("etc", "no")], known).groups
