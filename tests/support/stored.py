"""Backups as they lie at a storage, with marks beside them."""

from datetime import datetime
from pathlib import Path

from b1000.b1k import mark, root_id
from b1000.b1k.mark import Counts, Mark
from b1000.b1k.report_file import DestinationSection, ReportFile
from b1000.b1k.root_id import RootId
from b1000.rsync import paths
from b1000.runs.states import CopyStatus, Status, Step

NIGHT = datetime(2026, 11, 22, 1, 0, 0)


def a_mark(
    job: str = "etc",
    host: str = "web1",
    instance: str = "",
    when: datetime = NIGHT,
    *,
    master: tuple[str, str] = ("", ""),
    kind: str = "full",
    state: str = mark.COMPLETE,
    counts: Counts | None = None,
) -> Mark:
    """A mark as a client writes it."""
    copied = CopyStatus.DONE if state == mark.COMPLETE else CopyStatus.COPYING
    report = ReportFile(
        host,
        job,
        instance,
        "push",
        f"{when:{paths.START_TIME}}",
        Step.COPYING,
        Status.OK,
        (DestinationSection("store", "active", "rsync://s/b", copied),),
        *master,
    )
    began = when.timestamp()
    found = counts or Counts(files=1, bytes=4)
    return Mark(report, f"{when:%Y%m%d%H%M%S}", kind, state, began, began, found)


def put(root: Path, written: Mark, marked: bool = True) -> Path:
    """A backup of one small file, and its mark beside it; gives its directory."""
    directory = root / written.directory
    directory.mkdir(parents=True, exist_ok=True)
    (directory / "file").write_text("text")
    if marked:
        Path(f"{directory}.b1k").write_text(mark.render(written))
    return directory


def identify(root: Path, created: datetime) -> None:
    """The id file of a root."""
    root.mkdir(parents=True, exist_ok=True)
    text = root_id.render(RootId("0f" * 16, created.timestamp()))
    (root / root_id.FILE).write_text(text)


def but_space(told: str) -> str:
    """What a prune has told but that a file system is nearly full: that of this machine may be."""
    lines = told.splitlines(keepends=True)
    return "".join(line for line in lines if "its file system is" not in line)
