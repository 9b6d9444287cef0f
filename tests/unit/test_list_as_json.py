"""What ``b1000 list --json`` prints of very many backups, part by part."""

import json

from b1000.storage import programs
from b1000.storage.backup import Backup, GroupKey, Root, State
from b1000.storage.contents import Version
from b1000.storage.question import StoredRow


def row(number: int) -> StoredRow:
    backup = Backup(f"etc/web{number}", "sync", State.COMPLETE, started=float(number))
    return StoredRow(Root("tele", "/srv"), GroupKey("/srv", "", "etc", f"web{number}"), backup)


def test_any_number_of_backups_is_one_object_that_is_never_held_as_a_whole() -> None:
    for number in (0, 1, 999, 1000, 1001, 2500):
        parts = list(programs.as_json([row(each) for each in range(number)]))
        text = "\n".join(parts)
        whole = json.loads(text)
        assert whole["format"] == 1
        assert [each["host"] for each in whole["backups"]] == [f"web{n}" for n in range(number)]
        assert text == json.dumps(whole, indent=2)
        assert max(map(len, parts)) < 700 * 1000


def test_no_name_steers_a_terminal() -> None:
    name = 'a"\n\x1b[31m\x7f\u2028\udcff'
    version = Version(name, "file", 3, 1e9, (row(1), row(2)))
    text = "\n".join(programs.files_as_json([version, version]))
    assert text.replace("\n", "").isprintable()
    (first, _) = json.loads(text)["files"]
    assert first["path"] == name
    assert first["backups"] == ["/srv/etc/web1", "/srv/etc/web2"]
