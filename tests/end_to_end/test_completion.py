"""What the shells offer when the tabulator is pressed, in the shells themselves."""

import argparse
import os
import pty
import select
import shlex
import shutil
import subprocess
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from b1000.parsers.every import PARSERS
from tests.support.world import ROOT, wait_until
from tools.completion.bash import bash
from tools.completion.fish import fish
from tools.completion.program import program
from tools.completion.zsh import zsh
from tools.generated import files as generated

COMPLETION = ROOT / "etc" / "completion"
COMMANDS = sorted(filter(None, PARSERS))

Offer = Callable[..., list[str]]


def run(program: str, script: str, **environment: str) -> "subprocess.CompletedProcess[str]":
    """Run a script in a shell without its start files."""
    words = {"bash": ["--noprofile", "--norc"], "fish": ["--no-config"]}[program]
    with tempfile.TemporaryDirectory() as home:  # fish makes directories in it
        return subprocess.run(
            [program, *words, "-c", script],
            capture_output=True,
            text=True,
            check=True,
            timeout=30,
            env={"PATH": os.environ["PATH"], "HOME": home, "LANG": "C.UTF-8", **environment},
        )


def in_bash(*words: str, files: Path = COMPLETION, **environment: str) -> list[str]:
    """What bash offers for the last word."""
    split = [part for word in ("b1000", *words) for part in _as_bash_splits(word)]
    quoted = " ".join(map(shlex.quote, split))
    done = run(
        "bash",
        f"""
        . {files}/bash/b1000
        COMP_WORDS=({quoted}) COMP_CWORD=$((${{#COMP_WORDS[@]}} - 1))
        _b1000
        (( ${{#COMPREPLY[@]}} )) && printf '%s\\n' "${{COMPREPLY[@]}}"
        true
        """,
        **environment,
    )
    assert done.stderr == ""
    return done.stdout.splitlines()


def _as_bash_splits(word: str) -> list[str]:
    parts = [""]
    for character in word:
        if character in ":=":
            parts += [character, ""]
        else:
            parts[-1] += character
    return [part for part in parts if part] or [""]


def in_fish(*words: str, files: Path = COMPLETION, **environment: str) -> list[str]:
    """What fish offers for the last word."""
    line = " ".join(["b1000", *(shlex.quote(word) if word else "" for word in words)])
    script = f". {files}/fish/b1000.fish; complete -C {shlex.quote(line)}"
    done = run("fish", script, **environment)
    assert done.stderr == ""
    return [found.partition("\t")[0] for found in done.stdout.splitlines()]


def in_zsh(*words: str, files: Path = COMPLETION, **environment: str) -> list[str]:
    """What zsh offers for the last word: all matches are inserted and the line is kept."""
    line = " ".join(["b1000", *(shlex.quote(word) if word else "" for word in words)])
    directory = Path(environment.pop("SCRATCH"))
    kept = directory / "line"
    kept.unlink(missing_ok=True)
    (directory / ".zshrc").write_text(
        f"""
        fpath=({files}/zsh $fpath)
        autoload -Uz compinit; compinit -u -d {directory}/dump
        insert-all() {{ compstate[insert]=all }}
        all-matches() {{ comppostfuncs=(insert-all); _main_complete }}
        zle -C all-matches complete-word all-matches
        keep() {{ print -r -- "$BUFFER" >{kept}.new; mv {kept}.new {kept}; exit }}
        zle -N keep
        bindkey '^I' all-matches
        bindkey '^Y' keep
        PROMPT=ready:
        """
    )
    child, terminal = pty.fork()
    if not child:
        os.execvpe(
            "zsh",
            ["zsh", "-i"],
            {"PATH": os.environ["PATH"], "HOME": str(directory), "TERM": "dumb", "LANG": "C.UTF-8"}
            | {"ZDOTDIR": str(directory), **environment},
        )
    try:
        _read_until(terminal, b"ready:")
        os.write(terminal, f"{line}\t\x19".encode())
        wait_until(lambda: _drained(terminal) and kept.exists(), seconds=30)
    finally:
        os.close(terminal)
        os.waitpid(child, 0)
    before = line.rpartition(" ")[0] + " "
    found = kept.read_text().rstrip("\n")
    assert found.startswith(before)
    return [] if found == line else found.removeprefix(before).split()


def _read_until(terminal: int, what: bytes) -> None:
    seen, until = b"", time.monotonic() + 30
    while what not in seen:
        assert select.select([terminal], [], [], until - time.monotonic())[0], seen
        seen += os.read(terminal, 4096)


def _drained(terminal: int) -> bool:
    """Take what the shell shows, so that it never waits for us."""
    try:
        while select.select([terminal], [], [], 0)[0] and os.read(terminal, 4096):
            pass
    except OSError:
        pass
    return True


SHELLS = {"bash": in_bash, "zsh": in_zsh, "fish": in_fish}


@pytest.fixture(params=SHELLS)
def offer(request: pytest.FixtureRequest, tmp_path: Path) -> Offer:
    """``offer(*words)``: what a shell offers for the last word, sorted."""
    if not shutil.which(request.param):
        pytest.skip(f"there is no {request.param}")

    def offered(*words: str, files: Path = COMPLETION, **environment: str) -> list[str]:
        if request.param == "zsh":
            environment["SCRATCH"] = str(tmp_path)
        return sorted(SHELLS[request.param](*words, files=files, **environment))

    return offered


@pytest.fixture
def config(tmp_path: Path) -> str:
    """A configuration with jobs, and with what is none."""
    file = tmp_path / "b1000.cfg"
    file.write_text(
        "[global]\n"
        "[job:etc]\n"
        "pre = echo\n"
        "    [job:continued]\n"
        "#[job:off]\n"
        "[job:mysqldb]\n"
        "[job:status]\n"
        "[job:$(touch PWNED)]\n"
        "[job:`touch PWNED`]\n"
        "[job:a b]\n"
        "[dest:etcetera]\n"
    )
    return str(file)


def test_the_files_are_made_from_the_parsers() -> None:
    for path, content in generated().items():
        assert (ROOT / path).read_text() == content, "write it anew: make generated"


def test_jobs_and_commands_are_offered(offer: Offer, config: str) -> None:
    jobs = ["etc", "job:status", "mysqldb"]
    assert offer("-f", config, "") == sorted([*COMMANDS, *jobs])
    assert offer("-f", config, "e") == ["etc"]
    assert offer("-qf", config, "my") == ["mysqldb"]
    assert offer(f"--cfg={config}", "my") == ["mysqldb"]
    assert offer(f"-f{config}", "my") == ["mysqldb"]
    assert not list(Path(config).parent.glob("PWNED"))


def test_behind_a_job_stand_jobs_and_no_commands(offer: Offer, config: str) -> None:
    assert offer("-f", config, "etc", "") == ["etc", "mysqldb", "status"]
    assert offer("-f", config, "forget", "m") == ["mysqldb"]
    assert offer("forget", "--post", "-f", config, "s") == ["status"]
    assert offer("-f", config, "check", "") == []


def test_each_command_has_its_options(offer: Offer, config: str) -> None:
    assert offer("status", "--js") == ["--json"]
    assert offer("-f", config, "check", "--con") == ["--connect"]
    assert offer("--cop") == ["--copy"]
    assert offer("status", "--cop") == []
    assert offer("-f", config, "etc", "--qui") == ["--quiet"]


def test_values_are_known_by_their_names(offer: Offer, config: str, tmp_path: Path) -> None:
    """What a command may have some day: choices, jobs, files, and what nobody can guess."""
    parsers = {"": argparse.ArgumentParser(), "watch": argparse.ArgumentParser()}
    parsers[""].add_argument("-f", "--cfg", metavar="FILE", default="/nowhere")
    parsers["watch"].add_argument("-f", "--cfg", metavar="FILE", default="/nowhere")
    parsers["watch"].add_argument("--form", choices=["table", "text"], help="it's [this]: 100%%")
    parsers["watch"].add_argument("--job", metavar="JOB")
    parsers["watch"].add_argument("--last", metavar="N")
    parsers["watch"].add_argument("--hidden", help=argparse.SUPPRESS)
    found = program(parsers)
    for path, text in (
        ("bash/b1000", bash(found)),
        ("zsh/_b1000", zsh(found)),
        ("fish/b1000.fish", fish(found)),
    ):
        (tmp_path / "made" / path).parent.mkdir(parents=True)
        (tmp_path / "made" / path).write_text(text)

    def offered(*words: str) -> list[str]:
        return offer("-f", config, *words, files=tmp_path / "made")

    assert offered("w") == ["watch"]
    assert offered("watch", "--form", "") == ["table", "text"]
    assert offered("watch", "--form", "te") == ["text"]
    assert offered("watch", "--job", "m") == ["mysqldb"]
    assert offered("watch", "--last", "m") == []
    # zsh writes the = as well.
    assert [name.rstrip("=") for name in offered("watch", "--last", "3", "--jo")] == ["--job"]
    assert offered("watch", "--hid") == []
    assert offered("watch", "m") == []


def test_what_cannot_be_read_is_silent(offer: Offer, tmp_path: Path) -> None:
    (tmp_path / "binary").write_bytes(bytes(range(256)))
    os.mkfifo(tmp_path / "fifo")  # opening it would wait for ever
    for name in ("binary", "fifo", "missing", "."):
        assert offer("-f", str(tmp_path / name), "s") == ["status"]


def test_the_tilde_is_the_home(offer: Offer, config: str) -> None:
    assert offer("-f~/b1000.cfg", "e", HOME=str(Path(config).parent)) == ["etc"]


def test_bash_replaces_what_stands_behind_a_colon(config: str) -> None:
    assert in_bash("-f", config, "job:") == ["status"]
    assert in_bash("-f", config, "job:st") == ["status"]
    assert in_bash("-f", config, "job") == ["job:status"]
    assert in_bash(f"--cfg={config}"[:-3]) == []  # files are for readline
    assert in_bash("-f", f'"{config}"', "e") == ["etc"]


def test_a_thousand_jobs_take_no_time(tmp_path: Path) -> None:
    file = tmp_path / "b1000.cfg"
    file.write_text("".join(f"[job:j{number}]\ninclude = /etc\n" for number in range(1000)))
    began = time.monotonic()
    assert len(in_bash("-f", str(file), "j")) == 1000
    assert time.monotonic() - began < 2
