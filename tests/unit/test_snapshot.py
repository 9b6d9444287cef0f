"""What a run decided at INIT, as the journal keeps it."""

import json

import pytest

from b1000.jobs import Transfer
from b1000.runs.run import Snapshot
from b1000.state import values
from b1000.templates import Word

SPLIT = Snapshot(
    master_host="db1",
    include=(Word("/etc", "/etc"), Word("/srv/a *", "/srv/a [*]")),
    exclude=("*.o", "a b"),
    transfer=Transfer(delete=True),
)


def written(snapshot: Snapshot) -> dict[str, object]:
    """As the journal writes it."""
    text = json.dumps({**snapshot._asdict(), "transfer": snapshot.transfer._asdict()})
    found: dict[str, object] = json.loads(text)
    return found


def test_what_is_written_is_read() -> None:
    assert values.snapshot(json.dumps(written(SPLIT))) == SPLIT
    assert values.snapshot("{}") == Snapshot()


def test_what_an_older_program_wrote_is_split() -> None:
    """It kept include and exclude as the user wrote them."""
    older = written(SPLIT) | {"include": "/etc  '/srv/a *'\n", "exclude": '*.o "a b"'}
    assert values.snapshot(json.dumps(older)) == SPLIT
    nothing = older | {"include": "", "exclude": ""}
    assert values.snapshot(json.dumps(nothing)) == SPLIT._replace(include=(), exclude=())


@pytest.mark.parametrize(
    "damage", [{"include": "'/etc"}, {"include": [["/etc"]]}, {"include": 1}, {"exclude": [1]}]
)
def test_what_is_damaged_is_not_read(damage: dict[str, object]) -> None:
    with pytest.raises(values.NOT_READ):
        values.snapshot(json.dumps(written(SPLIT) | damage))
