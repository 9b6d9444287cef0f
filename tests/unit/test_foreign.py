"""Places as other tools write them: each is called what it is, and nothing of it is repeated."""

import pytest

from b1000.config import foreign
from b1000.config.options import TABLE
from b1000.errors import BadValue

SSH, HOST_PATH, MODULE = "an address of ssh", "it is HOST:PATH", "it is rsync's HOST::MODULE"
CAPITALS = "rsync:// is in capitals"
HOME, NO_MODULE, UNKNOWN = "~ is the shell's", "names no module", "a kind that rsync does not know"

PLACES = [
    ("ssh://backup-1/srv", SSH), ("SSH://u@h:22/srv", SSH), ("sftp://h/x", SSH), ("scp://h/x", SSH),
    ("backup-1:/srv/backup", HOST_PATH), ("backup-1:srv", HOST_PATH), ("r@10.0.0.1:/x", HOST_PATH),
    ("[::1]:/x", HOST_PATH), ("u:secret@h:/x", HOST_PATH), ("h:", HOST_PATH),
    ("backup-1::b1000", MODULE), ("u@h::m/path", MODULE), ("u:secret@h::m", MODULE),
    ("~/backup", HOME), ("~root/x", HOME), ("~", HOME),
    ("rsync://backup-1", NO_MODULE), ("rsync://backup-1/", NO_MODULE), ("rsync://h:1//", NO_MODULE),
    ("RSYNC://h/m", CAPITALS), ("Rsync://u:secret@h/m", CAPITALS),
    ("http://h/x", UNKNOWN), ("s3://bucket/x", UNKNOWN), ("file:///srv", UNKNOWN),
    ("nfs://h/x", UNKNOWN), ("https://u:secret@h/x", UNKNOWN),
]  # fmt: skip


@pytest.mark.parametrize(("text", "what"), PLACES)
@pytest.mark.parametrize(
    ("section", "option"), [("dest", "path"), ("job", "include"), ("job", "report_source")]
)
def test_a_place_is_called_what_it_is(text: str, what: str, section: str, option: str) -> None:
    with pytest.raises(BadValue) as error:
        TABLE[section][option].kind.parse(text)
    assert what in error.value.what
    assert "secret" not in str(error.value)
    assert "a path from / on" in error.value.hint or "rsync://HOST" in error.value.hint


@pytest.mark.parametrize("text", [each for each, what in PLACES if what in (SSH, HOST_PATH)])
def test_the_way_by_ssh_is_told(text: str) -> None:
    with pytest.raises(BadValue) as error:
        TABLE["dest"]["path"].kind.parse(text)
    assert "rsync://HOST[:PORT]/MODULE[/PATH] with transport = ssh" in error.value.hint


@pytest.mark.parametrize(
    "text", ["/srv/x", "a, /srv/x", "backup:/srv", "ssh://h/x", "~/x", "u@h:x"]
)
def test_a_place_in_a_list_of_destinations(text: str) -> None:
    with pytest.raises(BadValue, match=r"a section \[dest:NAME\] has that as its path"):
        TABLE["job"]["dest"].kind.parse(text)


@pytest.mark.parametrize("text", ["a/b", "a, b&/c d"])
def test_a_list_of_destinations(text: str) -> None:
    assert TABLE["job"]["dest"].kind.parse(text)


def test_quotes_are_told_to_be_part_of_it() -> None:
    for option in ("status_dir", "log_file"):
        with pytest.raises(BadValue, match="the quotes are part of it; the same without quotes"):
            TABLE["global"][option].kind.parse('"/srv/x"')


@pytest.mark.parametrize("option", ["status_dir", "log_file", "backup_dir", "journal"])
def test_a_home_is_no_directory(option: str) -> None:
    with pytest.raises(BadValue, match="~ is the shell's word") as error:
        TABLE["global"][option].kind.parse("~/x")
    assert error.value.hint == "a path from / on"


@pytest.mark.parametrize(
    "text", ["srv/backup", "./x", "rsync://h/m", "rsync:/h/m", "", "a b:c", "x/y:z", "/srv:x"]
)
def test_what_is_no_place_of_another_tool(text: str) -> None:
    assert foreign.other_tools_path(text) is None


def test_a_password_in_an_address_is_told_before_a_missing_module() -> None:
    with pytest.raises(BadValue, match="use password_file"):
        TABLE["dest"]["path"].kind.parse("rsync://u:secret@h")
