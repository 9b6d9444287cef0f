"""Streams: every name belongs to one part, and the result is that of one rsync."""

import os
import shutil
import stat
import subprocess
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from b1000.jobs import Destination, Limits, Transfer
from b1000.rsync import command, surveys
from b1000.rsync.partition import TreeSurvey
from b1000.rsync.source import Source
from b1000.runs.states import CopyStatus
from b1000.work.assignment import Assignment
from b1000.work.attempt import Attempt
from b1000.work.copying import Standing, Target
from b1000.work.linking import Linking
from b1000.work.progress import ProgressWriter
from tests.support.chance import examples
from tests.support.worker import Supervised

LIMITS = Limits(io_timeout=0)
FORBIDDEN = bytes.maketrans(b"/\0", b"_0")
NAMES = st.one_of(
    st.text(alphabet=st.sampled_from(list("ab-.*?[]\\#!^ \n\t~")), min_size=1, max_size=4).map(
        str.encode
    ),
    st.binary(min_size=1, max_size=5).map(lambda name: name.translate(FORBIDDEN)),
    st.sampled_from([rb"\#012", rb"[\]]", b"**", b"- x", b"x ", b" -> y", b".hidden", b"-rf"]),
).filter(lambda name: name not in (b".", b".."))
CONTENT = st.sampled_from([0, 1, 5000, 70_000, 3_000_000])
KINDS = st.sampled_from(["file", "file", "file", "link", "hard", "fifo", "directory", "sparse"])
ENTRY = st.tuples(st.lists(NAMES, min_size=1, max_size=3), KINDS, CONTENT, st.integers(0, 0o777))
TREES = st.lists(ENTRY, min_size=1, max_size=25)

Entry = tuple[list[bytes], str, int, int]


def make(root: Path, entries: Sequence[Entry], many: int = 70) -> None:
    """A tree of these entries, as far as they fit beside each other, and of many small files."""
    top = os.fsencode(root)
    os.makedirs(top + b"/many")
    for number in range(many):
        Path(root / "many" / f"f{number:02}").write_bytes(b"%d" % number)
    files = [top + b"/many/f00"]
    for names, kind, size, mode in entries:
        path = b"/".join([top, *names])
        try:
            os.makedirs(os.path.dirname(path), exist_ok=True)
            if os.path.lexists(path):
                continue
            match kind:
                case "file":
                    with open(path, "wb") as file:
                        file.write(bytes(index % 251 for index in range(min(size, 300))) * 3)
                        file.truncate(size)
                    files.append(path)
                case "sparse":
                    with open(path, "wb") as file:
                        file.seek(size)
                        file.write(b"end")
                case "link":
                    os.symlink(names[0], path)
                case "hard":
                    os.link(files[size % len(files)], path)
                case "fifo":
                    os.mkfifo(path)
                case "directory":
                    os.makedirs(path)
            if kind not in ("link", "hard"):
                os.chmod(path, mode | 0o700 if kind == "directory" else mode)
        except OSError:
            continue  # It would have to stand below a file, or behind a link to itself.
    for number, (above, _, below) in enumerate(os.walk(top, topdown=False)):
        for name in below:
            at = 1_600_000_000_123_456_789 + number
            os.utime(os.path.join(above, name), ns=(at, at), follow_symlinks=False)
        os.utime(above, ns=(1_500_000_000_000_000_000, 1_500_000_000_000_000_000 + number))


def everything(root: Path) -> dict[bytes, tuple[object, ...]]:
    """Each path with content, mode, owner, time, and the paths that share its inode."""
    found: dict[bytes, tuple[object, ...]] = {}
    inodes: dict[int, list[bytes]] = {}
    top = os.fsencode(root)
    for above, directories, files in os.walk(top):
        for name in [b".", *directories, *files]:
            path = os.path.normpath(os.path.join(above, name))
            state = os.lstat(path)
            content: object = None
            if stat.S_ISREG(state.st_mode):
                with open(path, "rb") as file:
                    content = file.read()
            elif stat.S_ISLNK(state.st_mode):
                content = os.readlink(path)
            inside = os.path.relpath(path, top)
            if not stat.S_ISDIR(state.st_mode) and inside not in inodes.get(state.st_ino, []):
                inodes.setdefault(state.st_ino, []).append(inside)
            found[inside] = (content, state.st_mode, state.st_uid, state.st_gid, state.st_mtime_ns)
    linked = {path: sorted(paths) for paths in inodes.values() for path in paths}
    return {path: (*value, linked.get(path)) for path, value in found.items()}


def copy(
    directory: Path,
    sources: Sequence[str],
    target: Path,
    streams: int,
    transfer: Transfer = Transfer(),  # noqa: B008
    exclude: Sequence[str] = (),
    **options: object,
) -> CopyStatus:
    """One attempt, as a worker makes it."""
    destination = Destination("store", str(target.parent), streams=streams, **options)  # type: ignore[arg-type]
    found: list[CopyStatus] = []

    async def attempt(assignment: Assignment) -> None:
        told = ProgressWriter(directory / "progress" / "1-store.json")
        linking = Linking(assignment, destination, str(target), None)
        source = Source(sources, exclude, transfer)
        into = Target(str(target), destination, linking, told)
        made = Attempt(assignment, source, into, Standing())
        found.append((await made.carry_out()).status)
        told.end()

    assert Supervised(directory, LIMITS).run(attempt) == ""
    return found[0]


@contextmanager
def place() -> Iterator[Path]:
    directory = Path(tempfile.mkdtemp(prefix="b1000-streams-"))
    try:
        yield directory
    finally:
        shutil.rmtree(directory)


def parts_of(
    sources: Sequence[str], count: int, empty: Path, transfer: Transfer, exclude: Sequence[str] = ()
) -> list[list[str]]:
    empty.mkdir(exist_ok=True)
    destination = Destination("store", "/nowhere")
    argv = surveys.whole(Source(sources, exclude, transfer), str(empty), destination, LIMITS)
    survey = TreeSurvey()
    for line in subprocess.run(argv, capture_output=True, check=True).stdout.split(b"\n"):
        survey.take(line)
    return survey.parts(count)


def listed(argv: Sequence[str]) -> set[bytes]:
    """The names but those of directories that such an rsync would copy."""
    told = subprocess.run(argv, capture_output=True, check=True).stdout.splitlines()
    return {line for line in told if not line.endswith(b"/") and line}


# --- parts


@pytest.mark.slow
@settings(max_examples=examples(40))
@given(TREES, st.integers(2, 5), st.booleans(), st.booleans())
@example([([b"*", b"[a]\\", b"\n"], "file", 3_000_000, 0o644)], 3, True, False)
@example([([b"x"], "file", 70_000, 0o644), ([b"xx"], "file", 3_000_000, 0o644)], 2, False, True)
def test_every_name_belongs_to_one_part(
    entries: list[Entry], count: int, relative: bool, whole: bool
) -> None:
    with place() as directory:
        source = directory / "source"
        make(source, entries)
        transfer = Transfer(relative=relative)
        sources = [f"{source}/"] if whole else sorted(f"{path}" for path in source.iterdir())
        parts = parts_of(sources, count, directory / "empty", transfer)
        assert 2 <= len(parts) <= count
        destination = Destination("store", "/nowhere", verbosity=2)

        def names(part: command.Part | None) -> set[bytes]:
            copied = Source(sources, (), transfer)
            argv = command.copy(copied, f"{directory}/target", destination, LIMITS, part=part)
            quiet = [word for word in argv if not word.startswith(("--info", "--stats"))]
            return listed(command.rehearsed(quiet))

        found = [names(command.Part(rules, count)) for rules in parts]
        assert set.union(*found) == names(None)
        assert sum(map(len, found)) == len(names(None))


@pytest.mark.parametrize("shape", ["flat", "deep", "numbered", "large", "few"])
def test_parts_weigh_about_the_same(tmp_path: Path, shape: str) -> None:
    """In bytes and files together; what cannot be divided stays whole."""
    source = tmp_path / "source"
    for number in range(400):
        below = {"flat": "", "deep": "a/b/c/d", "numbered": f"{number // 20:03}"}.get(shape, "x")
        (source / below).mkdir(parents=True, exist_ok=True)
        with (source / below / f"file{number:05}.txt").open("wb") as file:
            size = 2**20 * (number < 4) * 20 if shape == "large" else 5000
            file.truncate(size)
        if shape == "few" and number == 70:
            break
    survey = TreeSurvey()
    argv = ["rsync", "-a", "--list-only", "--no-h", f"{source}/", f"{tmp_path}/empty/"]
    (tmp_path / "empty").mkdir()
    for line in subprocess.run(argv, capture_output=True, check=True).stdout.split(b"\n"):
        survey.take(line)
    weights = []
    for rules in survey.parts(4):
        part = TreeSurvey()
        for line in subprocess.run(
            [*argv[:4], *rules, *argv[4:]], capture_output=True, check=True
        ).stdout.split(b"\n"):
            part.take(line)
        weights.append(part.bytes + part.files * 32768)
    assert len(weights) == 4
    assert max(weights) < 1.6 * sum(weights) / 4


def test_a_small_tree_is_not_divided() -> None:
    survey = TreeSurvey()
    for number in range(50):
        survey.take(b"-rw-r--r--  100 2026/11/23 08:23:33 file%d" % number)
    assert (survey.files, survey.bytes, survey.parts(4)) == (50, 5000, [])


def test_a_large_directory_takes_few_rules() -> None:
    survey = TreeSurvey()
    for number in range(100_000):
        survey.take(b"-rw-r--r--  100 2026/11/23 08:23:33 d%d/msg.%d.eml" % (number % 9, number))
    parts = survey.parts(8)
    assert len(parts) == 8
    assert max(map(len, parts)) < 40


def test_noise_is_no_name() -> None:
    survey = TreeSurvey()
    for line in (b"", b"receiving file list ... done", b"\xff\xfe", b"-rw-r--r-- x", b"x " * 50):
        survey.take(line)
    assert survey.files == 0


# --- the result


@settings(max_examples=examples(25))
@given(TREES, st.integers(2, 4), st.booleans(), st.booleans(), st.booleans())
def test_the_result_is_that_of_one_stream(
    entries: list[Entry], streams: int, relative: bool, hard_links: bool, excluding: bool
) -> None:
    with place() as directory:
        source = directory / "source"
        make(source, entries)
        transfer = Transfer(relative=relative, hard_links=hard_links, sparse=True)
        exclude = ["*a*", "/many/f1?", "many/f2*"] if excluding else []
        results = []
        for count in (1, streams):
            target = directory / f"target{count}" / "made"
            told = copy(directory, [f"{source}/"], target, count, transfer, exclude)
            assert told is CopyStatus.DONE
            kept = f"{target}{source}" if relative else target
            results.append(everything(Path(kept)))
        assert results[0] == results[1]
        if not exclude and not relative and hard_links:
            assert results[1] == everything(source)


def test_filters_of_the_user_come_first(tmp_path: Path) -> None:
    source = tmp_path / "source"
    make(source, [([b"keep", b"x.tmp"], "file", 5, 0o644), ([b"b.tmp"], "file", 5, 0o644)])
    options = ("--include=keep/*.tmp", "--exclude=*.tmp", "--filter=: .rules")
    (source / "many" / ".rules").write_text("- f1*\n")
    targets = [tmp_path / f"target{count}" / "made" for count in (1, 3)]
    for target, count in zip(targets, (1, 3), strict=True):
        copy(tmp_path, [f"{source}/"], target, count, rsync_options=options)
    assert everything(targets[0]) == everything(targets[1])
    assert (targets[1] / "keep" / "x.tmp").exists()
    assert not (targets[1] / "b.tmp").exists()
    assert not (targets[1] / "many" / "f11").exists()


@pytest.mark.parametrize("streams", [1, 3])
def test_sources_that_meet_in_one_directory_with_hard_links(tmp_path: Path, streams: int) -> None:
    source, other = tmp_path / "source", tmp_path / "other"
    make(source, [([b"x"], "file", 3_000_000, 0o644)])
    (other / "below").mkdir(parents=True)
    (other / "x").write_text("hidden by the first source's")
    os.link(other / "x", other / "below" / "x")
    target = tmp_path / "store" / "made"
    told = copy(tmp_path, [f"{source}/", f"{other}/"], target, streams, Transfer(hard_links=True))
    # It copies all, and tells that of two files with one name only the first is there.
    assert told is CopyStatus.FAILED
    assert (target / "x").stat().st_size == 3_000_000
    assert (target / "below" / "x").read_text() == "hidden by the first source's"


def test_several_sources_and_a_sync_that_deletes(tmp_path: Path) -> None:
    source, other = tmp_path / "source", tmp_path / "other"
    make(source, [([b"a", b"b"], "file", 3_000_000, 0o644)])
    make(other, [([b"c"], "file", 5, 0o600)])
    target = tmp_path / "store" / "made"
    target.mkdir(parents=True)
    (target / "gone").write_text("x")
    sources = [str(source), str(other), f"{source}/many/f01"]
    copy(tmp_path, sources, target, 3, Transfer(delete=True))
    assert sorted(path.name for path in target.iterdir()) == ["f01", "gone", "other", "source"]
    assert everything(target / "source") == everything(source)
    copy(tmp_path, [f"{other}/"], target, 3, Transfer(delete=True))
    assert everything(target) == everything(other)
