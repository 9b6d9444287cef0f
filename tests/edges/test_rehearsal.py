"""A rehearsal beside a journal whose answers are known."""

from datetime import datetime
from pathlib import Path

from b1000.addresses import one_place
from b1000.config import shellwords
from b1000.config.selectors import JobSelection
from b1000.jobs import Destination, DestinationChoice, Job
from b1000.runs.run import Bases, Unsettled
from b1000.work.rehearsal import JournalLookups, rehearse

WHEN = 1795000000.0


def rehearsed(job: Job, past: JournalLookups) -> tuple[str, bool]:
    said: list[str] = []
    well = rehearse(
        {job.name: job},
        {job.name: JobSelection()},
        "client",
        lambda text, _: said.append(text),
        past,
    )
    return "\n".join(said), well


def pushed(tmp_path: Path, kind: str, **options: object) -> Job:
    (tmp_path / "source").mkdir()
    (tmp_path / "source" / "file").write_text("x\n")
    options = {"path": f"{tmp_path}/store", **options}
    destination = Destination("store", **options)  # type: ignore[arg-type]
    return Job(
        "etc",
        "push",
        kind,
        ((DestinationChoice("store"),),),
        (),
        {"store": destination},
        deferred={"post": ("true",)},
        include=shellwords.split_template((f"{tmp_path}/source/",)),
    )


def past(unsettled: dict[str, Unsettled]) -> JournalLookups:
    return JournalLookups(lambda *_: Bases(), lambda *_: None, lambda: unsettled, lambda *_: WHEN)


def test_a_run_that_has_the_name_of_this_second_is_not_taken_for_it(tmp_path: Path) -> None:
    told, well = rehearsed(pushed(tmp_path, "full"), past({}))
    name = datetime.fromtimestamp(WHEN).strftime("%Y-%m-%d-%a-%H:%M:%S")
    assert f"copy to store: {tmp_path}/store/etc/" in told
    assert f"/client-{name}\n" in told
    assert told.endswith("  post: true")
    assert well
    assert [each.name for each in tmp_path.iterdir()] == ["source"]


def test_what_an_attempt_left_in_doubt_is_seen_as_a_run_sees_it(tmp_path: Path) -> None:
    job = pushed(tmp_path, "sync")
    place = one_place(f"{tmp_path}/store/etc/client")
    told, _ = rehearsed(job, past({place: Unsettled(WHEN, "was killed by SIGKILL")}))
    assert "compares by content, since the attempt before was killed by SIGKILL" in told
    assert "--checksum" in told


def test_where_a_copy_would_fail_post_would_not_be_run(tmp_path: Path) -> None:
    # The directory of the tests may lie on a mount: /tmp often does.
    job = pushed(tmp_path, "sync", path="/b1000-not-there", must_be_mounted=True)
    told, well = rehearsed(job, past({}))
    assert not well
    assert "    would FAIL: nothing is mounted at" in told
    assert "post" not in told
