"""What is packed: wheel, sdist, Debian package and the units of systemd."""

import configparser
import fcntl
import os
import re
import shutil
import subprocess
import sys
import tarfile
import zipfile
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from b1000 import __version__
from b1000.config import DEFAULT_FILE
from b1000.config.loader import load
from b1000.jobs import Job
from tests.support.world import ROOT
from tools.generated import files

LEFT_OUT = shutil.ignore_patterns(
    ".git",
    ".venv",
    "__pycache__",
    "*.egg-info",
    "build",
    "dist",
    "demo",
    ".*_cache",
    ".hypothesis",
    "bench-results.json",
)
EXAMPLES = {".cfg", ".conf", ".example", ".sql"}  # how those end that lie in etc itself
UNITS = sorted((ROOT / "etc" / "systemd").iterdir())
MODULES = sorted(
    path.relative_to(ROOT).as_posix()
    for path in (ROOT / "b1000").rglob("*")
    if path.is_file() and "__pycache__" not in path.parts
)


def run(*words: str | Path) -> str:
    """Run a command that has to succeed; gives its standard output."""
    environment = {key: value for key, value in os.environ.items() if key != "PYTHONPATH"}
    done = subprocess.run(words, capture_output=True, text=True, check=False, env=environment)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def checkout(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of this checkout in which it may be built."""
    place = tmp_path_factory.mktemp("packaging") / "b1000"
    shutil.copytree(ROOT, place, ignore=LEFT_OUT, symlinks=True)
    return place


# --- wheel and sdist


@pytest.fixture(scope="module")
def packed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A directory with wheel and sdist, which is made once for all workers of pytest-xdist."""
    base = tmp_path_factory.getbasetemp()
    place = (base.parent if "PYTEST_XDIST_WORKER" in os.environ else base) / "packed"
    with open(f"{place}.lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not place.exists():
            _pack(place)
    if not (place / "b1000" / "dist").exists():
        pytest.skip("setuptools cannot be fetched")
    return place / "b1000" / "dist"


def _pack(place: Path) -> None:
    """The build needs setuptools from the network."""
    shutil.copytree(ROOT, place / "b1000", ignore=LEFT_OUT, symlinks=True)
    install = without_pip(place / "venv")
    if subprocess.run([*install, "--quiet", "setuptools>=77"], capture_output=True).returncode == 0:
        hook = "from setuptools.build_meta import *; build_sdist('dist'); build_wheel('dist')"
        python = place / "venv" / "bin" / "python"
        subprocess.run([python, "-c", hook], cwd=place / "b1000", check=True, capture_output=True)


def without_pip(place: Path) -> tuple[str | Path, ...]:
    """Make a place for packages; gives what installs there: the pip of these tests."""
    run(sys.executable, "-m", "venv", "--without-pip", place)
    return sys.executable, "-m", "pip", "--python", place / "bin" / "python", "install"


def test_the_wheel_has_program_manual_and_completions(packed: Path) -> None:
    (wheel,) = packed.glob("*.whl")
    names = zipfile.ZipFile(wheel).namelist()
    assert sorted(name for name in names if name.startswith("b1000/")) == MODULES
    assert {name.partition("/")[0].partition("-")[0] for name in names} == {"b1000"}
    shared = {name.partition(".data/data/share/")[2] for name in names}
    for page in ("man/man1/b1000.1", "man/man5/b1000.cfg.5", "zsh/site-functions/_b1000"):
        assert page in shared
    assert "bash-completion/completions/b1000" in shared
    for path in (ROOT / "etc").iterdir():
        if path.suffix in EXAMPLES:
            assert f"doc/b1000/examples/{path.name}" in shared
    for unit in UNITS:
        assert f"doc/b1000/examples/systemd/{unit.name}" in shared
    (metadata,) = (name for name in names if name.endswith("/METADATA"))
    text = zipfile.ZipFile(wheel).read(metadata).decode()
    assert f"Version: {__version__}" in text
    assert "License-Expression: MIT" in text
    assert "\n# B1000\n" in text  # the README
    assert any(name.endswith("/licenses/LICENSE") for name in names)


def test_the_sdist_has_all_that_git_has(packed: Path) -> None:
    checkout = packed.parent
    (sdist,) = packed.glob("*.tar.gz")
    with tarfile.open(sdist) as archive:
        found = {name.partition("/")[2] for name in archive.getnames()}
    for path in checkout.rglob("*"):
        name = path.relative_to(checkout).as_posix()
        if path.is_file() and not re.match(r"\.|dist/|build/|.*\.egg-info/|.*__pycache__", name):
            assert name in found


def test_the_wheel_works_in_a_fresh_place(packed: Path, tmp_path: Path) -> None:
    (wheel,) = packed.glob("*.whl")
    run(*without_pip(tmp_path / "venv"), "--no-deps", "--no-index", wheel)
    # What it depends on is that of these tests, so that nothing is fetched.
    (site,) = (tmp_path / "venv" / "lib").glob("python*/site-packages")
    (site / "dependencies.pth").write_text(str(Path(psutil.__file__).parents[1]))
    program = tmp_path / "venv" / "bin" / "b1000"
    where = run(tmp_path / "venv" / "bin" / "python", "-I", "-c", "import b1000; print(b1000)")
    assert str(site) in where
    assert run(program, "--version") == f"b1000 {__version__}\n"
    shipped = tmp_path / "venv" / "share" / "doc" / "b1000" / "examples" / "b1000.cfg"
    checked = subprocess.run(
        [program, "check", "-f", shipped], capture_output=True, text=True, check=False
    )
    assert checked.returncode == 2
    assert "backup-1.example is a name of the example" in checked.stderr
    if not os.path.lexists(DEFAULT_FILE):
        done = subprocess.run([program], capture_output=True, text=True, check=False)
        assert (done.returncode, done.stdout) == (2, "")
        assert f"copy the example {shipped} there" in done.stderr


# --- the Debian package


@pytest.fixture(scope="module")
def deb(checkout: Path) -> Iterator[Path]:
    """The package, unpacked: its files, and what controls it in DEBIAN/."""
    if not shutil.which("dpkg-deb"):
        pytest.skip("there is no dpkg-deb")
    run("sh", checkout / "packaging" / "deb.sh")
    place = checkout.parent / "deb"
    run("dpkg-deb", "-R", checkout / "dist" / f"b1000_{__version__}_all.deb", place)
    yield place
    shutil.rmtree(place)


def test_the_package_says_what_it_is(deb: Path) -> None:
    control = (deb / "DEBIAN" / "control").read_text()
    for line in (f"Version: {__version__}", "Package: b1000", "Architecture: all"):
        assert re.search(rf"^{re.escape(line)}$", control, re.MULTILINE)
    for need in ("python3 (>= 3.11)", "python3-psutil", "python3-tenacity", "rsync (>= 3.2.3)"):
        assert need in control
    changelog = (ROOT / "packaging" / "debian" / "changelog").read_text()
    assert changelog.startswith(f"b1000 ({__version__})")


def test_the_package_has_all_parts(deb: Path) -> None:
    program = deb / "usr" / "share" / "b1000"
    assert (
        sorted(
            path.relative_to(program).as_posix() for path in program.rglob("*") if path.is_file()
        )
        == MODULES
    )
    assert os.access(deb / "usr" / "bin" / "b1000", os.X_OK)
    generated = {Path(path).name for path in files() if path.startswith("etc/")}
    packed = {path.name.removesuffix(".gz") for path in (deb / "usr" / "share").rglob("*")}
    assert generated <= packed
    assert {path.name for path in (ROOT / "etc").iterdir() if path.suffix in EXAMPLES} <= packed
    for kind in ("scripts", "cron.d", "monitoring", "rsync.service.d"):
        examples = deb / "usr" / "share" / "doc" / "b1000" / "examples" / kind
        assert {path.name for path in examples.iterdir()} == {
            path.name for path in (ROOT / "etc" / kind).iterdir()
        }
    assert {path.name for path in (deb / "usr" / "lib" / "systemd" / "system").iterdir()} == {
        unit.name for unit in UNITS
    }


def test_the_package_configures_and_schedules_nothing(deb: Path) -> None:
    assert list((deb / "etc" / "b1000").iterdir()) == []
    conffiles = (deb / "DEBIAN" / "conffiles").read_text().split()
    assert conffiles == ["/etc/logrotate.d/b1000"]
    assert (deb / "usr" / "share" / "doc" / "b1000" / "examples" / "b1000.cfg").is_file()
    assert not (deb / "etc" / "cron.d").exists()
    assert not list(deb.rglob("*.wants"))
    assert "enable" not in (deb / "DEBIAN" / "postinst").read_text()


def test_the_package_brings_no_mail_server(deb: Path) -> None:
    """cron recommends one, and apt installs what is recommended; timers need no cron."""
    control = (deb / "DEBIAN" / "control").read_text()
    wanted = re.findall(r"^(?:Pre-)?(?:Depends|Recommends): (.*)$", control, re.MULTILINE)
    assert "cron" not in ", ".join(wanted)
    assert "Suggests: cron" in control


def test_no_file_of_the_package_lies_behind_a_link(deb: Path) -> None:
    """/lib and /bin are links into /usr: dpkg loses files that it knows by two names."""
    assert {path.name for path in deb.iterdir()} == {"DEBIAN", "etc", "usr"}


@pytest.mark.usefixtures("deb")
def test_lintian_has_no_word_about_the_package(checkout: Path) -> None:
    if not shutil.which("lintian"):
        pytest.skip("there is no lintian")
    package = checkout / "dist" / f"b1000_{__version__}_all.deb"
    assert run("lintian", "--allow-root", package) == ""


def without_scripts(deb: Path, place: Path, version: str) -> Path:
    """The package with another version; its scripts would need a whole Debian in the root."""
    shutil.copytree(deb, place)
    for script in ("postinst", "prerm", "postrm"):
        (place / "DEBIAN" / script).unlink()
    control = place / "DEBIAN" / "control"
    control.write_text(re.sub("(?m)^Version: .*", f"Version: {version}", control.read_text()))
    return place


def test_an_upgrade_keeps_the_configuration_and_asks_nothing(deb: Path, tmp_path: Path) -> None:
    """The package brought /etc/b1000/b1000.cfg once, as a file that dpkg watches over."""
    if os.getuid():
        pytest.skip("only root can install packages")
    root = tmp_path / "root"
    for directory in ("updates", "info"):
        (root / "var" / "lib" / "dpkg" / directory).mkdir(parents=True)
    (root / "var" / "lib" / "dpkg" / "status").touch()

    def dpkg(*words: str | Path) -> None:
        done = subprocess.run(
            ["dpkg", f"--root={root}", "--force-depends", "--log=/dev/null", *words],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stdout + done.stderr
        assert "onffile" not in done.stdout + done.stderr

    old = without_scripts(deb, tmp_path / "old", "0.0.9")
    (old / "etc" / "b1000" / "b1000.cfg").write_text("# the example\n")
    with open(old / "DEBIAN" / "conffiles", "a") as conffiles:
        conffiles.write("/etc/b1000/b1000.cfg\n")
    new = without_scripts(deb, tmp_path / "new", "0.1.0")
    for package in (old, new):
        run("dpkg-deb", "--build", package, f"{package}.deb")
    configuration = root / "etc" / "b1000" / "b1000.cfg"
    for text in ("# the example\n", "# of this host\n"):
        dpkg("--install", f"{old}.deb")
        configuration.write_text(text)
        dpkg("--install", f"{new}.deb")
        assert configuration.read_text() == text
        assert [path.name for path in configuration.parent.iterdir()] == ["b1000.cfg"]
        dpkg("--remove", "b1000")
        assert configuration.read_text() == text
        dpkg("--purge", "b1000")


def test_monitoring_starts_the_program_of_the_package(deb: Path) -> None:
    for name in ("nagios.conf", "icinga2.conf"):
        text = (ROOT / "etc" / "monitoring" / name).read_text()
        programs = set(re.findall(r"[\s\"](/\S*/b1000)[\s\"].*monitor\b", text))
        assert programs == {"/usr/bin/b1000"}
        assert os.access(f"{deb}/usr/bin/b1000", os.X_OK)


@pytest.mark.parametrize("script", ["postinst", "prerm", "postrm", "../deb.sh"])
def test_scripts_of_the_package_are_right(script: str) -> None:
    run("sh", "-n", ROOT / "packaging" / "debian" / script)


def test_purge_takes_what_b1000_made_and_no_backup(tmp_path: Path) -> None:
    text = (ROOT / "packaging" / "debian" / "postrm").read_text()
    for path in ("/var/", "/etc/b1000", "/run/systemd/system"):
        assert path in text
        text = text.replace(path, f"{tmp_path}{path}")
    own = (
        "var/log/b1000.log",
        "var/log/b1000.log.2.gz",
        "var/lib/b1000/journal.sqlite3",
        "var/lib/b1000/journal.sqlite3-wal",
        "var/lib/b1000/journal.sqlite3.corrupt-2026-11-22-02-17-01-9",
        "var/lib/b1000/client-etc--2026-11-22-02-17-01.json",
        "var/lib/b1000/locks/etc@",
    )
    kept = ("var/lib/b1000/disk/etc/hosts", "etc/b1000/rsync.password", "var/log/b1000.logic")
    for name in (*own, *kept):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    run("sh", "-c", text, "postrm", "remove")
    assert all((tmp_path / name).exists() for name in (*own, *kept))
    (tmp_path / "var" / "lib" / "b1000" / "progress").mkdir()
    run("sh", "-c", text, "postrm", "purge")
    assert not (tmp_path / "var" / "lib" / "b1000" / "progress").exists()
    left = {path.relative_to(tmp_path).as_posix() for path in tmp_path.rglob("*") if path.is_file()}
    assert left == set(kept)


# --- systemd


def unit(name: str) -> configparser.RawConfigParser:
    """A unit, as far as no setting stands twice."""
    parser = configparser.RawConfigParser(strict=False)
    parser.read(ROOT / "etc" / "systemd" / name)
    return parser


@pytest.fixture
def units(tmp_path: Path) -> Path:
    """The units, with the program of this checkout: b1000 may not be installed."""
    if not shutil.which("systemd-analyze"):
        pytest.skip("there is no systemd-analyze")
    for each in UNITS:
        text = each.read_text().replace("ExecStart=b1000", f"ExecStart={sys.executable} -m b1000")
        (tmp_path / each.name).write_text(text)
    return tmp_path


def test_systemd_understands_the_units(units: Path) -> None:
    done = subprocess.run(
        ["systemd-analyze", "verify", "--man=no", *sorted(units.iterdir())],
        capture_output=True,
        text=True,
        check=False,
    )
    about_ours = [line for line in done.stderr.splitlines() if "b1000" in line]
    assert (done.returncode, about_ours) == (0, [])


@pytest.mark.parametrize("name", ["b1000.service", "b1000-copy.service"])
def test_the_services_are_hardened(units: Path, name: str) -> None:
    out = run(
        "systemd-analyze", "security", "--offline=yes", "--no-pager", "--threshold=50", units / name
    )
    assert "exposure level" in out


def test_nothing_is_hidden_from_a_backup() -> None:
    for name in ("b1000.service", "b1000-copy.service"):
        service = unit(name)["Service"]
        assert service["ProtectSystem"] == "full"
        for hiding in (
            "ProtectHome", "PrivateTmp", "PrivateDevices", "PrivateUsers", "ProtectKernelModules",
            "InaccessiblePaths", "TemporaryFileSystem", "DynamicUser", "User", "ProtectProc",
            "ProtectClock", "PrivateNetwork",
        ):  # fmt: skip
            assert hiding not in service
        assert service["KillMode"] == "mixed"  # An rsync gets SIGKILL or nothing.
        assert service["SuccessExitStatus"] == "3"


def test_both_services_have_the_same_settings() -> None:
    def settings(name: str) -> list[str]:
        lines = (ROOT / "etc" / "systemd" / name).read_text().splitlines()
        return [line for line in lines if re.match(r"(?!Description|ExecStart)[A-Z]", line)]

    assert settings("b1000.service") == settings("b1000-copy.service")
    for name in ("b1000-verify.service", "b1000-drill.service"):
        assert settings(name) == settings("b1000-prune.service")
    assert unit("b1000.service")["Service"]["ExecStart"] == "b1000 -q"
    assert unit("b1000-copy.service")["Service"]["ExecStart"] == "b1000 -q --copy"


def test_each_timer_is_ended_before_its_program_is_removed() -> None:
    units = {path.name for path in (ROOT / "etc" / "systemd").iterdir()}
    words = set((ROOT / "packaging" / "debian" / "prerm").read_text().split())
    assert units <= words


def test_the_timers_are_those_of_cron() -> None:
    cron = (ROOT / "etc" / "cron.d" / "b1000").read_text()
    assert "\n17 2 * * *  root  b1000 -q\n" in cron
    assert unit("b1000.timer")["Timer"]["OnCalendar"] == "*-*-* 02:17:00"
    assert "\n*/10 * * * *  root  b1000 -q --copy\n" in cron
    storage = (ROOT / "etc" / "cron.d" / "b1000-storage").read_text()
    prune = unit("b1000-prune.service")["Service"]["ExecStart"]
    assert f"\n40 9 * * *  root  {prune}\n" in storage
    assert unit("b1000-prune.timer")["Timer"]["OnCalendar"] == "*-*-* 09:40"
    read = unit("b1000-verify.service")["Service"]["ExecStart"]
    assert f"\n20 4 * * *  root  {read}\n" in storage
    assert unit("b1000-verify.timer")["Timer"]["OnCalendar"] == "*-*-* 04:20"
    drill = unit("b1000-drill.service")["Service"]["ExecStart"]
    drills = (ROOT / "etc" / "cron.d" / "b1000-drill").read_text()
    assert f"\n50 10 * * *  root  {drill}\n" in drills
    assert unit("b1000-drill.timer")["Timer"]["OnCalendar"] == "*-*-* 10:50"
    assert unit("b1000-copy.timer")["Timer"]["OnCalendar"] == "*:0/10"


def test_pulls_survive_the_delay_of_timers() -> None:
    """Client and storage may be started half an hour apart, in either order."""
    delay = re.fullmatch(r"(\d+)min", unit("b1000.timer")["Timer"]["RandomizedDelaySec"])
    assert delay
    apart = 60 * int(delay[1])
    storage = load(str(ROOT / "etc" / "examples" / "pull-storage.cfg")).jobs["system"]
    assert isinstance(storage, Job)
    assert storage.pull
    assert storage.pull.poll_wait * storage.pull.poll_retries > apart
    client = load(str(ROOT / "etc" / "examples" / "passive-client.cfg"))
    assert client.destinations["atm"].timeout > apart + 6 * 3600


def test_the_storage_may_make_devices() -> None:
    """Debian 13's rsync.service has PrivateDevices=on."""
    parser = configparser.RawConfigParser()
    parser.read(ROOT / "etc" / "rsync.service.d" / "b1000.conf")
    assert dict(parser["Service"]) == {"privatedevices": "off"}
    assert (
        "cp etc/rsync.service.d/b1000.conf /etc/systemd/system/rsync.service.d/"
        in (ROOT / "README.md").read_text()
    )


def test_make_looks_for_rsync_before_it_fetches_anything(checkout: Path) -> None:
    steps = run("make", "--dry-run", "--directory", checkout, "demo")
    assert 0 < steps.index("command -v rsync") < steps.index("pip install")
