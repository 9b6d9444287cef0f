"""What the questions are asked of: trees of files, a daemon as etc/ configures it, B1000."""

import compileall
import os
import random
import shutil
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

from bench import measure
from bench.measure import Taken
from tests.support.daemon import Daemon

ROOT = Path(__file__).parents[1]


def tree_a(directory: Path, files: int = 50_000) -> Path:
    """Many small files: 1 to 16 KiB, 100 in each directory."""
    draw = random.Random(1)
    block = draw.randbytes(16 * 1024)
    for number in range(files):
        below = directory / f"{number // 10_000:02}" / f"{number // 100:04}"
        if number % 100 == 0:
            below.mkdir(parents=True)
        size = draw.randrange(1024, len(block))
        # Each begins differently, so that nobody can store one for all.
        (below / f"{number:06}").write_bytes(number.to_bytes(8, "big") + block[: size - 8])
    return directory


def check_a(made: Path) -> None:
    """Nobody is quick by doing nothing: raises where a copy of tree A is not whole."""
    check(made, 50_000)


def check(made: Path, files: int) -> None:
    """Raises where there are not as many files."""
    count = sum(path.is_file() for path in made.rglob("*"))
    if count != files:
        raise RuntimeError(f"{made} has {count} files of {files}")


def change_a(directory: Path, percent: int, seed: int) -> None:
    """Change some of the files of tree A."""
    draw = random.Random(seed)
    files = sorted(path for path in directory.rglob("*") if path.is_file())
    for path in draw.sample(files, len(files) * percent // 100):
        path.write_bytes(draw.randbytes(draw.randrange(1024, 16 * 1024)))


def tree_b(directory: Path, files: int = 4, size: int = 512) -> Path:
    """Few large files; ``size`` in MiB."""
    directory.mkdir(parents=True)
    block = random.Random(2).randbytes(2**20)
    for number in range(files):
        with (directory / f"large{number}").open("wb") as file:
            for part in range(size):
                file.write(part.to_bytes(8, "big") + number.to_bytes(8, "big") + block[16:])
    return directory


def tree_c(directory: Path, instances: int = 1000) -> list[str]:
    """Many instances of 5 files of 20 KiB; gives their names."""
    block = random.Random(3).randbytes(20 * 1024)
    names = [f"i{number:04}" for number in range(instances)]
    for name in names:
        (directory / name).mkdir(parents=True)
        for number in range(5):
            (directory / name / f"file{number}").write_bytes(block)
    return names


class Site:
    """A directory that is removed at the end, a daemon, and configurations of B1000."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.daemon = Daemon(directory / "daemon", {"b1000": "", "b1000-marks": ""}).start()

    def fresh(self, name: str) -> Path:
        """A new directory that nobody used before."""
        return Path(tempfile.mkdtemp(prefix=f"{name}-", dir=self.directory))

    @property
    def stored(self) -> Path:
        """Where the daemon's module lies."""
        return self.daemon.module("b1000")

    @property
    def marks(self) -> Path:
        """Where the module for marks lies."""
        return self.daemon.module("b1000-marks")

    def b1000(
        self,
        sections: Mapping[str, Mapping[str, object]],
        words: tuple[str, ...] = ("-q",),
        home: Path | None = None,
        accepted: Sequence[int] = (0,),
    ) -> Taken:
        """Run B1000 with a configuration; a new journal unless a ``home`` is given."""
        return measure.run(*self.command(sections, words, home), accepted)

    def command(
        self,
        sections: Mapping[str, Mapping[str, object]],
        words: tuple[str, ...] = ("-q",),
        home: Path | None = None,
    ) -> tuple[list[str], dict[str, str]]:
        """The command line and the environment of such a run."""
        home = home or self.fresh("home")
        common: dict[str, dict[str, object]] = {
            "global": {"status_dir": home / "status", "log_file": home / "log"},
            "report:main": {"type": "file", "path": home / "reports"},
        }
        for heading, options in sections.items():
            common[heading] = {**common.get(heading, {}), **options}
        config = home / "b1000.cfg"
        config.write_text(
            "\n".join(
                f"[{heading}]\n" + "".join(f"{key} = {value}\n" for key, value in options.items())
                for heading, options in common.items()
            )
        )
        argv = [sys.executable, "-m", "b1000", *words, "-f", str(config)]
        return argv, {"PYTHONPATH": str(ROOT)}

    def push(self, source: Path, **options: object) -> dict[str, object]:
        """A push job of a source to the daemon."""
        return {
            "direction": "push",
            "type": "full",
            "dest": "store",
            "report": "main",
            "include": f"{source}/",
            **options,
        }

    def store(self, below: str, **options: object) -> dict[str, object]:
        """The daemon's module, or a directory below it, as a destination."""
        return {"type": "active", "path": f"{self.daemon.url('b1000')}/{below}", **options}


@contextmanager
def site() -> Iterator[Site]:
    """A site for one question; TMPDIR says where. Compiled files are there, as where it is used."""
    compileall.compile_dir(ROOT / "b1000", quiet=2)
    directory = Path(tempfile.mkdtemp(prefix="b1000-bench-"))
    found = Site(directory)
    try:
        yield found
    finally:
        found.daemon.stop()
        shutil.rmtree(directory, ignore_errors=True)


def machine() -> dict[str, str]:
    """What the numbers were measured on."""
    import platform
    import subprocess

    rsync = subprocess.run(["rsync", "--version"], capture_output=True, text=True, check=True)
    model = next(
        (
            line.partition(":")[2].strip()
            for line in Path("/proc/cpuinfo").read_text().splitlines()
            if line.startswith("model name")
        ),
        "unknown",
    )
    return {
        "processors": f"{os.cpu_count()} x {model}",
        "kernel": platform.release(),
        "python": platform.python_version(),
        "rsync": rsync.stdout.split()[2],
    }
