"""Values from outside: each fits, or is refused as a whole where it enters; nothing of it runs."""

import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.support.chance import examples
from tests.support.world import ROOT, World, tree

WITNESS = "WITNESS"
"""Its place in a value is taken by a path that exists only if something of the value has run."""

HOSTILE: list[tuple[bytes, str]] = [
    (b"$(touch WITNESS)", "'$' at position 1"),
    (b"`touch WITNESS`", "'`' at position 1"),
    (b"; touch WITNESS; rm -rf ~", "';' at position 1"),
    (b"db1; touch WITNESS", "';' at position 4"),
    (b"db1\ntouch WITNESS", "U+000A at position 4"),
    (b"db1\n; touch WITNESS\n\n", "U+000A at position 4"),
    (b"db1|touch WITNESS", "'|' at position 4"),
    (b"db1&touch WITNESS", "'&' at position 4"),
    (b"db1>WITNESS", "'>' at position 4"),
    (b"../..", "'.' at position 1"),
    (b"../../WITNESS", "'.' at position 1"),
    (b"/WITNESS", "'/' at position 1"),
    (b"db1/../../WITNESS", "'/' at position 4"),
    (b"-e", "'-' at position 1"),
    (b"--rsh=touch WITNESS", "'-' at position 1"),
    (b"--delete", "'-' at position 1"),
    (b"db1 db2", "' ' at position 4"),
    (b" db1", "' ' at position 1"),
    (b"db1 ", "' ' at position 4"),
    (b"db1\t", "U+0009 at position 4"),
    (b"db1\r\n", "U+000D at position 4"),
    (b"'db1'", '"\'" at position 1'),
    (b'"db1"', "'\"' at position 1"),
    (b"db\\1", "'\\\\' at position 3"),
    (b"db*", "'*' at position 3"),
    (b"~root", "'~' at position 1"),
    (b"db1\0", "U+0000 at position 4"),
    (b"\0", "U+0000 at position 1"),
    (b"db1\xff", "the byte 0xff at position 4"),
    (b"\xc3(", "the byte 0xc3 at position 1"),
    (b"d\xc3\xa4", "'\u00e4' at position 2"),
    (b"\xe2\x80\xa8db1", "U+2028 at position 1"),
    (b"\x1b[2J", "U+001B at position 1"),
    (b"", "is empty"),
    (b"\n", "is empty"),
]
HOSTILE_HOSTS = [*HOSTILE, (b"db1..", "'..' at position 4"), (b"a:..:b", "'..' at position 3")]


def printing(world: World, name: str, output: bytes) -> Path:
    """A script that prints these bytes; the witness is a path of this world."""
    data = world.root / f"{name}.out"
    data.write_bytes(output.replace(WITNESS.encode(), bytes(witness(world))))
    script = world.root / f"{name}.sh"
    script.write_text(f"#!/bin/sh\nexec cat {data}\n")
    script.chmod(0o755)
    return script


def witness(world: World) -> Path:
    return world.root / WITNESS


def nothing_ran(world: World) -> None:
    """Neither the witness nor anything new beside what B1000 writes."""
    assert not list(world.root.rglob(f"*{WITNESS}*"))
    assert not list(world.root.parent.glob(f"*{WITNESS}*"))
    assert tree(world.source) == {
        f"file{number}": f"content {number}\n".encode() for number in range(3)
    }


@pytest.fixture
def ready(world: World) -> World:
    """A world with files at the source."""
    world.files()
    return world


# --- scripts


@pytest.mark.parametrize("option", ["master_host", "master_instance"])
def test_hostile_masters_are_refused_at_init(ready: World, option: str) -> None:
    jobs = {f"job:j{number}": value for number, (value, _) in enumerate(HOSTILE_HOSTS)}
    ready.write(
        {
            "global": {"workers": 16},
            "dest:store": ready.store(),
            **{
                heading: ready.push(
                    **{option: f"!{printing(ready, heading[4:], value)}"},
                    pre=f"echo ${option} > {ready.root}/pre",
                    post=f"touch {ready.root}/post-${option}",
                )
                for heading, value in jobs.items()
            },
        }
    )
    done = ready.b1000()
    assert done.returncode == 1
    runs = {run["job"]: run for run in ready.status()}
    for number, (_, said) in enumerate(HOSTILE_HOSTS):
        run = runs[f"j{number}"]
        assert (run["step"], run["status"], run["copies"]) == ("INIT", "FAILED", [])
        assert run["error"].startswith(f"the output of the {option} script ")
        assert said in run["error"]
        assert run[option] == ""
    assert not (ready.root / "store").exists()
    assert not (ready.root / "pre").exists()
    assert "Traceback" not in done.stderr
    assert "\x1b" not in done.stdout + done.stderr
    nothing_ran(ready)


# What separates elements is no bad character of a list, but then another one is.
NO_LIST = [
    pair for pair in HOSTILE
    if pair[0] not in (b"db1 db2", b" db1", b"db1 ", b"", b"\n")
]  # fmt: skip
IN_A_LIST = {
    b"; touch WITNESS; rm -rf ~": "';' at position 1",
    b"db1\ntouch WITNESS": "'/' at position 11",
    b"db1\n; touch WITNESS\n\n": "';' at position 5",
}


def test_a_hostile_list_of_instances_is_refused_as_a_whole(ready: World) -> None:
    ready.write(
        {
            "global": {"workers": 16},
            "dest:store": ready.store(),
            **{
                f"job:j{number}": ready.push(
                    instances=f"!{printing(ready, f'j{number}', b'3306 3307 ' + value)}",
                    pre="echo $instance",
                )
                for number, (value, _) in enumerate(NO_LIST)
            },
        }
    )
    done = ready.b1000()
    assert done.returncode == 1
    runs = ready.status()
    assert len(runs) == len(NO_LIST)
    by_job = {run["job"]: run for run in runs}
    for number, (value, said) in enumerate(NO_LIST):
        run = by_job[f"j{number}"]
        assert (run["instance"], run["step"], run["status"]) == ("", "INIT", "FAILED")
        assert run["error"].startswith("the output of the instances script has ")
        place = re.sub(
            r"\d+$",
            lambda found: str(int(found[0]) + len("3306 3307 ")),
            IN_A_LIST.get(value, said),
        )
        assert place in run["error"]
    assert not (ready.root / "store").exists()
    nothing_ran(ready)


def test_a_hostile_age_is_a_warning_and_nothing_of_it_is_used(ready: World) -> None:
    ready.write(
        {
            "global": {"workers": 16},
            "dest:store": ready.store(),
            **{
                f"job:j{number}": ready.push(
                    type="sync",
                    data_age=f"!{printing(ready, f'j{number}', value)}",
                    pre=f"printf '<%s>' \"$data_age\" > {ready.root}/pre$host-j{number}",
                )
                for number, (value, _) in enumerate(HOSTILE)
            },
        }
    )
    done = ready.b1000()
    assert done.returncode == 0, done.stderr
    runs = {run["job"]: run for run in ready.status()}
    for number, (value, _) in enumerate(HOSTILE):
        run = runs[f"j{number}"]
        assert (run["step"], run["status"], run["data_age"]) == ("DONE", "WARNING", None)
        # Letters are bad in a number, so that the position may be another one than in a name.
        assert run["error"].startswith(
            "the age of the data is unknown: the output of the data_age "
        )
        bad = re.search(rb"\xff|\xc3\(", value) or re.search(rb"[^0-9]", value.rstrip(b"\n"))
        assert (f"at position {bad.start() + 1}" if bad else "is empty") in run["error"]
        assert (ready.root / f"preclient-j{number}").read_text() == "<>"
        assert tree(ready.root / "store" / f"j{number}" / "client") == tree(ready.source)
    nothing_ran(ready)


@pytest.mark.parametrize(
    ("script", "said"),
    [
        ("echo db1; exit 3", "exit code 3"),
        ("echo 'no such slave' >&2; exit 1", "no such slave"),
        ("echo 'no such slave'; exit 1", "no such slave"),
        ("echo 'no such slave' >&2", "script is empty: no such slave; "),
        ("true", "script is empty; "),
        ("echo 'no such slave' >&2; echo 'a;b'", "has ';' at position 2: no such slave; "),
        ("sleep 30", "1 s"),
        ("head -c 2000000 /dev/zero", "printed more than"),
        ("kill -9 $$$$", "SIGKILL"),
        ("/nonexistent/script", "not found"),
    ],
)
def test_a_script_that_fails_fails_the_run_with_its_words(
    ready: World, script: str, said: str
) -> None:
    ready.write(
        {
            "global": {"dynamic_timeout": 1},
            "dest:store": ready.store(),
            "job:j": ready.push(master_host=f"!{script}"),
            "job:list": ready.push(instances=f"!{script}"),
        }
    )
    assert ready.b1000().returncode == 1
    for job in ("j", "list"):
        run = ready.last(job)
        assert (run["step"], run["status"]) == ("INIT", "FAILED")
        assert said in run["error"]
    assert not (ready.root / "store").exists()
    assert not ready.processes()


# --- the command line


def words_of(world: World, value: bytes) -> bytes:
    return value.replace(WITNESS.encode(), bytes(witness(world)))


ARGUMENTS = [pair for pair in HOSTILE if b"\0" not in pair[0]]


@pytest.mark.parametrize(
    ("value", "said"), ARGUMENTS[::3], ids=[repr(value)[1:] for value, _ in ARGUMENTS[::3]]
)
def test_a_hostile_instance_on_the_command_line(ready: World, value: bytes, said: str) -> None:
    ready.write(
        {
            "dest:store": ready.store(),
            "job:j": ready.push(instances="db1 db2", pre=f"touch {ready.root}/pre"),
        }
    )
    done = ready.b1000(f"j/{os.fsdecode(words_of(ready, value))}")
    assert done.returncode == 2
    assert said in done.stderr or value == b"\n"
    assert "the instance in 'j/" in done.stderr or 'the instance in "j/' in done.stderr
    assert "Traceback" not in done.stderr
    assert not ready.status_dir.exists()
    assert not (ready.root / "store").exists()
    assert not (ready.root / "pre").exists()
    nothing_ran(ready)


@pytest.mark.parametrize("value", ["", "../etc", "$(reboot)", "a b", "etc\n", "\udcff"])
def test_a_hostile_job_on_the_command_line(ready: World, value: str) -> None:
    ready.write({"dest:store": ready.store(), "job:etc": ready.push()})
    done = ready.b1000(value)
    assert done.returncode == 2
    assert "the job in " in done.stderr
    assert "Traceback" not in done.stderr
    assert not (ready.root / "store").exists()


def test_a_word_that_begins_with_a_dash_is_no_job(ready: World) -> None:
    ready.write({"dest:store": ready.store(), "job:etc": ready.push()})
    for words in (["-e"], ["--", "-e"], ["etc", "--rsh=x"]):
        done = ready.b1000(*words)
        assert done.returncode == 2
        assert "Traceback" not in done.stderr
    assert not (ready.root / "store").exists()


# --- the host's own name


# Blanks at its ends are no part of a value in an ini file, and a line after ; is a comment.
IN_CONFIGURATION = [
    pair for pair in HOSTILE
    if b"\n;" not in pair[0] and pair[0].decode("utf-8", "ignore").strip() != "db1"
] + [(b"db1\0", "U+0000"), (b"db1\xff", "0xff")]  # fmt: skip


@pytest.mark.parametrize(
    ("value", "said"), IN_CONFIGURATION, ids=[repr(value)[1:] for value, _ in IN_CONFIGURATION]
)
def test_a_hostile_host_is_an_error_of_the_configuration(
    ready: World, value: bytes, said: str
) -> None:
    ready.write(
        {
            "global": {"host": "HOSTILE"},
            "dest:store": ready.store(),
            "job:j": ready.push(pre=f"touch {ready.root}/pre"),
        }
    )
    text = words_of(ready, value).replace(b"\n", b"\n  ")
    ready.config.write_bytes(ready.config.read_bytes().replace(b"HOSTILE", text))
    done = ready.b1000()
    assert done.returncode == 2
    assert re.match(rf"{re.escape(str(ready.config))}:2: ", done.stderr)
    if re.search(rb"[\0\x1b]", value):
        assert "the control character U+00" in done.stderr
    elif re.search(rb"\xff|\xc3\(", value):
        assert "is not UTF-8" in done.stderr
    else:
        assert "[global] host: " in done.stderr
        # In a file it is no bad character, but a comment where none can stand.
        assert ("';' begins no comment" if value.startswith(b";") else said) in done.stderr
    assert "Traceback" not in done.stderr
    assert not ready.status_dir.exists()
    assert not (ready.root / "store").exists()
    assert not (ready.root / "pre").exists()
    nothing_ran(ready)


@pytest.mark.skipif(os.getuid() != 0, reason="only root can rename a host")
@pytest.mark.parametrize(
    ("node", "said"),
    [
        (b"$(touch x)", "the host has '$' at position 1"),
        (b"$log_level", "the host has '$' at position 1"),
        (b"../..", "the host has '.' at position 1"),
        (b"a b", "the host has ' ' at position 2"),
        (b"db\xff", "the host has the byte 0xff at position 3"),
        (b"a\nb", "the host has U+000A at position 2"),
    ],
)
def test_a_machine_with_a_hostile_name(ready: World, node: bytes, said: str) -> None:
    ready.write({"global": {"host": None}, "dest:store": ready.store(), "job:j": ready.push()})
    code = (
        "import os, socket, sys\n"
        f"socket.sethostname({node!r})\n"
        f"os.execv(sys.executable, [sys.executable, '-m', 'b1000', '-f', {str(ready.config)!r}])\n"
    )
    done = subprocess.run(
        ["unshare", "--uts", sys.executable, "-c", code],
        capture_output=True,
        check=False,
        cwd="/",
        env={"PYTHONPATH": str(ROOT)},
    )
    if b"unshare" in done.stderr or b"PermissionError" in done.stderr:
        pytest.skip("a host name of its own is not allowed here")
    assert done.returncode == 2, done.stderr
    assert said in done.stderr.decode()
    assert not (ready.root / "store").exists()


# --- any text at all


FITTING = st.from_regex(r"[A-Za-z0-9][A-Za-z0-9._:-]{0,40}", fullmatch=True).map(str.encode)
PIECES = st.sampled_from(
    [
        "db1", "3306", "a", ":", ".", "-", "_", "..", "/", "//", "~", "$", "$(", ")", "`", ";", "&",
        "|", ">", "<", "'", '"', "\\", "*", "?", "[", "]", "{", "}", "#", "!", "=", "%", "@", ",",
        "+", " ", "\n", "\t", "-e", "--delete", "$(touch WITNESS)", ";touch WITNESS;", "$HOME",
        "${IFS}", "rsync://h/m",
    ]
)  # fmt: skip
OUTPUTS = st.one_of(
    FITTING,
    st.lists(PIECES, min_size=1, max_size=4).map(lambda parts: "".join(parts).encode()),
    st.text(max_size=20).map(lambda text: text.encode("utf-8", "replace")),
    st.binary(max_size=20),
    st.tuples(FITTING, st.binary(min_size=1, max_size=1), FITTING).map(b"".join),
).flatmap(lambda value: st.sampled_from([value, value + b"\n", value + b"\n\n"]))


def fits(output: bytes) -> bool:
    """What SPEC says of it, in other words than the program's."""
    value = output.rstrip(b"\n")
    letters = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"
    return (
        value[:1] in [bytes([letter]) for letter in letters]
        and all(byte in letters + b"._:-" for byte in value)
        and b".." not in value
    )


@settings(max_examples=examples(15))
@given(st.lists(OUTPUTS, min_size=1, max_size=12))
def test_any_output_is_a_directory_or_nothing(outputs: Sequence[bytes]) -> None:
    root = Path(tempfile.mkdtemp(prefix="b1000-test-"))
    try:
        world = World(root)
        world.files()
        world.write(
            {
                "global": {"workers": 12},
                "dest:store": world.store(),
                **{
                    f"job:j{number}": world.push(
                        type="sync",
                        master_host=f"!{printing(world, f'j{number}', output)}",
                        pre=f"printf %s $master_host > {root}/pre{number}",
                    )
                    for number, output in enumerate(outputs)
                },
            }
        )
        done = world.b1000()
        assert "Traceback" not in done.stderr
        runs = {run["job"]: run for run in world.status()}
        for number, output in enumerate(outputs):
            run = runs[f"j{number}"]
            place = root / "store" / f"j{number}"
            if fits(output):
                value = output.rstrip(b"\n").decode()
                assert (run["step"], run["status"], run["master_host"]) == ("DONE", "OK", value)
                assert sorted(os.listdir(place)) == [f"client-{value}", f"client-{value}.b1k"]
                assert tree(place / f"client-{value}") == tree(world.source)
                assert (root / f"pre{number}").read_text() == value
            else:
                assert (run["step"], run["status"], run["copies"]) == ("INIT", "FAILED", [])
                assert "the output of the master_host script" in run["error"]
                assert not place.exists()
                assert not (root / f"pre{number}").exists()
        assert done.returncode == (0 if all(map(fits, outputs)) else 1)
        nothing_ran(world)
    finally:
        shutil.rmtree(root)
