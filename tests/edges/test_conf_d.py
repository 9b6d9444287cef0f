"""``conf.d`` beside a configuration: all files are read as if they were one."""

from collections.abc import Mapping
from pathlib import Path

import pytest

from b1000.config.loader import ConfigUnreadable, load
from b1000.jobs import BrokenJob, Job
from tests.support.world import World

MAIN = """\
[global]
host = client
[dest:store]
type = active
path = /srv/store
[report:main]
type = file
path = /srv/reports
"""
JOB = "direction = push\ntype = full\ndest = store\nreport = main\ninclude = /etc\n"


def write(directory: Path, main: str, **others: str) -> str:
    """The main file; ``others`` are those of conf.d, without their ending."""
    (directory / "conf.d").mkdir(exist_ok=True)
    for name, text in others.items():
        (directory / "conf.d" / f"{name}.cfg").write_text(text)
    file = directory / "b1000.cfg"
    file.write_text(main)
    return str(file)


def refused(file: str) -> list[str]:
    with pytest.raises(ConfigUnreadable) as error:
        load(file)
    return [*error.value.lines]


def test_sections_of_all_files_know_each_other(tmp_path: Path) -> None:
    file = write(
        tmp_path,
        MAIN + "[job:etc]\n" + JOB.replace("store", "far"),
        b="[job:web]\n" + JOB,
        a="[dest:far]\ntype = active\npath = /srv/far\n[job:db]\n" + JOB,
    )
    for name in (".hidden.cfg", "backup.cfg~", "readme"):
        (tmp_path / "conf.d" / name).write_text("this is no configuration\n")
    config = load(file)
    assert config.problems == ()
    assert list(config.jobs) == ["etc", "db", "web"]
    assert all(isinstance(job, Job) for job in config.jobs.values())
    beside = tmp_path / "conf.d"
    assert config.files == (file, str(beside / "a.cfg"), str(beside / "b.cfg"))


def test_errors_name_the_file_that_holds_the_line(tmp_path: Path) -> None:
    file = write(
        tmp_path,
        MAIN + "[dest:bad]\ntype = active\n",
        a="\n[job:typo]\n" + JOB + "inclde = /x\n",
        b="[job:far]\n" + JOB.replace("store", "bad") + "[dest:worse]\ntype = active\n",
        c="[job:worst]\n" + JOB.replace("store", "worse"),
    )
    config = load(file)
    beside = tmp_path / "conf.d"
    shown = [problem.shown(config.file) for problem in config.problems]
    assert shown[0].startswith(f"{file}:9: [dest:bad] path: ")
    assert shown[1].startswith(f"{beside}/a.cfg:8: [job:typo] inclde: ")
    assert shown[2].startswith(f"{beside}/b.cfg:4: [job:far] dest: ")
    assert shown[2].endswith(f"[dest:bad] is wrong, see {file}:9")
    assert shown[3].startswith(f"{beside}/b.cfg:7: [dest:worse] path: ")
    assert shown[4].endswith(f"[dest:worse] is wrong, see {beside}/b.cfg:7")
    job = config.jobs["typo"]
    assert isinstance(job, BrokenJob)
    assert job.reasons[0].startswith(f"{beside}/a.cfg:8: ")


def test_a_section_in_two_files_is_an_error_that_names_both(tmp_path: Path) -> None:
    job = "[job:etc]\n" + JOB
    file = write(tmp_path, MAIN + job, a=job, b="[job:web]\n" + JOB, c="[job:web]\n" + JOB)
    config = load(file)
    beside = tmp_path / "conf.d"
    assert [problem.shown(config.file) for problem in config.problems] == [
        f"{beside}/a.cfg:1: [job:etc]: stands in {file}:9 and in {beside}/a.cfg:1; "
        "merge them into one section",
        f"{beside}/c.cfg:1: [job:web]: stands in {beside}/b.cfg:1 and in {beside}/c.cfg:1; "
        "merge them into one section",
    ]
    assert all(isinstance(each, BrokenJob) for each in config.jobs.values())


def test_global_stands_in_the_main_file_only(tmp_path: Path) -> None:
    file = write(tmp_path, MAIN, a="\n[global]\nworkers = 3\n")
    assert refused(file) == [
        f"{tmp_path}/conf.d/a.cfg:2: [global]: it stands in {file} alone; move its options there"
    ]


@pytest.mark.parametrize(
    ("text", "line", "why"),
    [
        ("no configuration\n", 1, "a section such as [global] must come first"),
        ("[job:etc]\nno option\n", 2, "this is neither a [section] nor an option = value"),
        ("[job:etc]\npre = \0\n", 2, "the control character U+0000 is not text"),
        ("[job:etc]\ntype: full\n", 2, "a value stands behind =, not behind a colon"),
        ("[globl]\nworkers = 3\n", 1, "no such section; did you mean 'global'"),
    ],
)
def test_a_file_that_cannot_be_parsed_ends_the_program(
    tmp_path: Path, text: str, line: int, why: str
) -> None:
    file = write(tmp_path, MAIN, b=text)
    place = f"{tmp_path}/conf.d/b.cfg:{line}: "
    assert any(each.startswith(place) and why in each for each in refused(file))


def test_a_file_that_cannot_be_read_ends_the_program(tmp_path: Path) -> None:
    file = write(tmp_path, MAIN + "nonsense\n")
    (tmp_path / "conf.d" / "a.cfg").symlink_to(tmp_path / "missing")
    (tmp_path / "conf.d" / "b.cfg").write_bytes(b"[job:\xff]\n")
    assert [line.split(": ")[0] for line in refused(file)] == [
        f"{file}:9",
        f"{tmp_path}/conf.d/a.cfg",
        f"{tmp_path}/conf.d/b.cfg:1",
    ]


def test_what_cannot_be_read_is_told_as_a_part_of_the_configuration(tmp_path: Path) -> None:
    file = write(tmp_path, MAIN)
    (tmp_path / "conf.d" / "a.cfg").mkdir()
    assert refused(file) == [
        f"{tmp_path}/conf.d/a.cfg: cannot be read: is a directory, not a file; "
        "each conf.d/*.cfg is a part of the configuration"
    ]


def test_a_conf_d_that_is_no_directory_is_not_passed_over(tmp_path: Path) -> None:
    (tmp_path / "b1000.cfg").write_text(MAIN)
    file, beside = str(tmp_path / "b1000.cfg"), tmp_path / "conf.d"
    assert load(file).files == (file,)
    beside.write_text("")
    assert refused(file) == [f"{beside}: cannot be read: Not a directory"]
    beside.unlink()
    beside.symlink_to("moved")
    assert refused(file) == [f"{beside}: cannot be read: No such file or directory"]


def add(world: World, files: Mapping[str, str]) -> Path:
    directory = world.root / "conf.d"
    directory.mkdir(mode=0o755)
    for name, text in files.items():
        (directory / name).write_text(text)
    return directory


def test_jobs_of_conf_d_are_run_and_checked(world: World) -> None:
    world.files()
    world.write({"dest:store": world.store()})
    job = "[job:web]\ndirection = push\ntype = full\ndest = store\nreport = main\n" + (
        f"include = {world.source}/\n"
    )
    directory = add(world, {"web.cfg": job, "wrong.cfg": "[job:wrong]\nnonsense = 1\n"})
    done = world.b1000()
    assert done.returncode == 1
    assert world.last("web")["status"] == "OK"
    assert f"{directory}/wrong.cfg:2: [job:wrong] nonsense" in done.stderr
    assert f"{directory}/wrong.cfg:2: " in world.last("wrong")["error"]
    checked = world.b1000("check")
    assert checked.returncode == 2
    assert f"{directory}/wrong.cfg:2: [job:wrong] nonsense" in checked.stderr
    (directory / "wrong.cfg").unlink()
    directory.chmod(0o777)
    if world.root.owner() == "root":
        assert f"others can write in {directory}" in world.b1000("check").stderr
