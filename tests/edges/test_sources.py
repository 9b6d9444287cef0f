"""From ``include`` to the paths that rsync is given, on real directories."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from b1000.config import shellwords
from b1000.work import sources
from b1000.work.sources import Sources


@pytest.fixture
def place(tmp_path: Path) -> Path:
    for name in ("a/one.txt", "a/two.txt", "a/.hidden.txt", "b/three.txt", "b c/four"):
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(name)
    (tmp_path / "empty").mkdir()
    return tmp_path


def find(include: str, relative: bool, delete: bool) -> Sources:
    return sources.find(shellwords.split(include), relative, delete)


def under(place: Path, *names: str) -> tuple[str, ...]:
    return tuple(f"{place}/{name}" for name in names)


def expanded(include: str, relative: bool = False, delete: bool = False) -> tuple[str, ...]:
    found = find(include, relative, delete)
    assert not found.trouble
    assert not found.unusable
    return found.paths


def test_paths_stand_for_themselves_and_keep_their_slash(place: Path) -> None:
    assert expanded(f"{place}/a/ {place}/b\n{place}/a/one.txt") == under(
        place, "a/", "b", "a/one.txt"
    )


@pytest.mark.parametrize(
    ("pattern", "names"),
    [
        ("a/*.txt", ("a/one.txt", "a/two.txt")),
        ("?/*o*", ("a/one.txt", "a/two.txt")),
        ("[ab]", ("a", "b")),
        ("[!b]", ("a",)),
        ("a/.*", ("a/.hidden.txt",)),
        ("*/", ("a/", "b/", "b c/", "empty/")),
        ("a/*", ("a/one.txt", "a/two.txt")),
    ],
)
def test_globs_are_those_of_a_shell(place: Path, pattern: str, names: tuple[str, ...]) -> None:
    assert expanded(f"{place}/{pattern}") == tuple(sorted(under(place, *names)))


def test_blanks_and_quotes(place: Path) -> None:
    for include in (f'"{place}/b c/"', f"{place}/b\\ c/", f"'{place}/b c/'", f"{place}/b' 'c/"):
        assert expanded(include) == under(place, "b c/")
    assert expanded(f"{place}/'b c'/*") == under(place, "b c/four")


def test_what_is_quoted_is_no_glob(place: Path) -> None:
    for name in ("x*", "xy", "[ab]", "-rf", "x?"):
        (place / name).write_text(name)
    assert expanded(f"{place}/'x*'") == under(place, "x*")
    assert expanded(f"{place}/x\\*") == under(place, "x*")
    assert expanded(f'{place}/"[ab]"') == under(place, "[ab]")
    assert expanded(f"{place}/x*") == under(place, "x*", "x?", "xy")
    assert expanded(f"{place}/-*") == under(place, "-rf")
    assert find(f"{place}/'a*'", False, False).unusable


def test_a_name_with_glob_characters_stands_for_itself(place: Path) -> None:
    (place / "[x]").mkdir()
    assert expanded(f"{place}/[x]") == under(place, "[x]")


def test_names_of_any_bytes_are_found(place: Path) -> None:
    names = [b"new\nline", b"\xff\xfe", b"-e", b"blank ", b"$(date)", b"quote'\""]
    (place / "odd").mkdir()
    for name in names:
        (place / "odd" / os.fsdecode(name)).touch()
    found = expanded(f"{place}/odd/*")
    assert {os.fsencode(path).rpartition(b"/")[2] for path in found} == set(names)


def test_nothing_is_expanded_by_a_shell(place: Path) -> None:
    for word in (f"$(touch${{IFS}}{place}/ran)", f"`touch${{IFS}}{place}/ran`", "~", "{a,b}"):
        assert find(f"{place}/{word}", False, False).unusable
    assert not (place / "ran").exists()


def test_what_matches_nothing_is_trouble_and_the_rest_is_copied(place: Path) -> None:
    found = find(f"{place}/a {place}/no/* {place}/b {place}/gone", False, False)
    assert found.paths == under(place, "a", "b")
    assert not found.unusable
    assert found.trouble == f"nothing at the source matches {place}/no/*, {place}/gone"


def test_nothing_at_all_is_unusable(place: Path) -> None:
    found = find(f"{place}/gone", False, False)
    assert (found.paths, found.unusable) == ((), True)
    assert f"{place}/gone" in found.trouble


def test_a_dangling_link_is_a_source_and_a_file_is_no_directory(place: Path) -> None:
    (place / "link").symlink_to("nowhere")
    assert expanded(f"{place}/link") == under(place, "link")
    assert expanded(f"{place}/lin*") == under(place, "link")
    assert find(f"{place}/a/one.txt/", False, False).unusable


def test_one_path_is_copied_once(place: Path) -> None:
    assert expanded(f"{place}/a {place}/[a] {place}/a") == under(place, "a")


@pytest.mark.parametrize(
    ("include", "name", "first", "second"),
    [
        ("{0}/a/*.txt {0}/b/*.txt", "one.txt", "a/one.txt", "b/one.txt"),
        ("{0}/a/ {0}/b/", "one.txt", "a/", "b/"),
        ("{0}/?/", "one.txt", "a/", "b/"),
        ("{0}/b/one.txt {0}/a/", "one.txt", "b/one.txt", "a/"),
        ("{0}/a/. {0}/b/.", "one.txt", "a/.", "b/."),
        ("{0}/a {0}/'b c'/", "a", "a", "b c/"),
    ],
)
def test_what_two_sources_both_bring_is_seen(
    place: Path, include: str, name: str, first: str, second: str
) -> None:
    (place / "b" / "one.txt").write_text("another")
    (place / "b c" / "a").mkdir()
    words = include.format(place)
    assert find(words, False, False).overlaps.clashes == {
        name: (f"{place}/{first}", f"{place}/{second}")
    }
    assert not find(words, True, False).overlaps.clashes


def test_one_thing_under_two_includes_is_no_clash(place: Path) -> None:
    (place / "again").symlink_to("a")
    found = find(f"{place}/a/ {place}/a/one.txt {place}/./a/ {place}/again/", False, False)
    assert not found.overlaps.clashes
    assert found.overlaps.same == {"one.txt", "two.txt", ".hidden.txt"}


# --- with delete = yes


@pytest.mark.parametrize(
    "include",
    [
        "{place}/empty/",
        "{place}/empty",
        "{place}/a {place}/empty/",
        "{place}/a/ {place}/gone/",
        "{place}/gone",
        "{place}/a/ {place}/empty/*",
    ],
)
def test_with_delete_an_empty_or_missing_source_is_unusable(place: Path, include: str) -> None:
    found = find(include.format(place=place), False, True)
    assert (found.paths, found.unusable) == ((), True)
    assert "delete = yes" in found.trouble
    assert f"{place}/{'gone' if 'gone' in include else 'empty'}" in found.trouble


def test_with_delete_both_empty_and_missing_sources_are_named(place: Path) -> None:
    found = find(f"{place}/a/ {place}/empty/ {place}/gone/", False, True)
    assert f"{place}/empty/" in found.trouble
    assert f"{place}/gone/" in found.trouble


def test_without_delete_an_empty_source_is_all_right(place: Path) -> None:
    assert expanded(f"{place}/empty/") == under(place, "empty/")


def test_with_delete_files_and_full_directories_are_all_right(place: Path) -> None:
    (place / "nothing").touch()
    assert len(expanded(f"{place}/a/ {place}/b/three.txt {place}/nothing", delete=True)) == 3


def test_with_delete_a_link_to_an_empty_directory(place: Path) -> None:
    (place / "link").symlink_to("empty")
    # Without a slash rsync copies the link, with one the directory behind it.
    assert expanded(f"{place}/link", delete=True) == under(place, "link")
    assert find(f"{place}/link/", False, True).unusable


def test_names_of_any_bytes_can_be_told(place: Path) -> None:
    odd = place / os.fsdecode(b"odd\xff\n")
    odd.mkdir()
    found = find(f"{place}/odd*", False, True)
    assert found.trouble.startswith(f"the source {place}/odd\\udcff\\n is empty")
    found.trouble.encode()


def test_many_missing_sources_are_told_in_short(place: Path) -> None:
    found = find(" ".join(f"{place}/gone{number}" for number in range(40)), False, False)
    assert found.trouble.endswith(f"{place}/gone4 and 35 more")


def test_a_directory_that_cannot_be_read_is_trouble_and_no_silent_gap(tmp_path: Path) -> None:
    """As another user, since root reads everything: what the glob would match is missing."""
    if os.getuid() != 0:
        pytest.skip("needs to become another user")
    for parent in (tmp_path, *tmp_path.parents[:-1]):
        parent.chmod(parent.stat().st_mode | 0o055)
    for name in ("a", "b"):
        (tmp_path / "g" / name).mkdir(parents=True)
        (tmp_path / "g" / name / "dump").write_text(name)
    (tmp_path / "g" / "b").chmod(0o700)
    program = (
        "import os, sys; from b1000.config.shellwords import split; "
        "from b1000.work.sources import find\n"
        "os.setgid(65534); os.setuid(65534)\n"
        "found = find(split(sys.argv[1]), True, False)\n"
        "print(found.paths, found.trouble)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program, f"{tmp_path}/g/*/dum*"],
        cwd=Path(__file__).parents[2],
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.strip() == (f"('{tmp_path}/g/a/dump',) {tmp_path}/g/b/ cannot be read")


def test_a_link_to_a_directory_is_copied_with_a_warning(tmp_path: Path) -> None:
    (tmp_path / "real").mkdir()
    (tmp_path / "link").symlink_to("real")
    found = find(f"{tmp_path}/link", False, False)
    assert found.paths == (f"{tmp_path}/link",)
    assert "symbolic link" in found.warning
    assert find(f"{tmp_path}/link/", False, False).warning == ""
