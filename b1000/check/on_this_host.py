"""What ``b1000 check`` sees without trying anything: the files of this host that are named.

An error is what a run would fail for, or what lets others act as root; the rest are warnings.
"""

import os
import re
import shlex
import stat
from collections.abc import Iterator, Sequence

from b1000 import addresses
from b1000.check.finding import Finding
from b1000.config import COMMANDS, reading, references, shellwords
from b1000.config.loader import Config
from b1000.config.selectors import selecting
from b1000.expressions import expression
from b1000.files import read_file
from b1000.jobs import ON_END, Destination, Job
from b1000.storage import mounts
from b1000.templates import ScriptTemplate, Template
from b1000.work import scripts, sources

_OTHERS = 0o006  # whoever rsync must not let read or write a password file
_CREDENTIALS = "/run/credentials/"  # where systemd shows them to a service, while that runs
_UNKNOWN = "\ue000"  # stands for what only a run can settle; private use, no letter of a path
_ENOUGH = 512  # bytes; as many as rsync reads of a password file
_NO_HOST = expression(r"(?:.*\.)?example\.?", re.IGNORECASE)  # reserved by RFC 2606
_NO_FILES = ("dev", "proc", "run", "sys")  # directories of / whose content the kernel makes up
_ONE_FILE_SYSTEM = expression(r"--one-file-system|-[A-Za-z]*x")


def findings(config: Config, connecting: bool = False) -> Iterator[Finding]:
    """All that can be seen; nothing is run, opened for longer than a look, or changed.

    Only where all is to be tried now (``connecting``) a script has to be here already.
    """
    if not config.jobs and not any(each.type == "store" for each in config.destinations.values()):
        text = "there is no section [job:NAME]: b1000 has nothing to run"
        yield Finding("", "", text, warning=True)
    yield from _of_commands(config)
    yield from _of_the_example(config)
    yield from _password_files(config)
    for job in config.jobs.values():
        if isinstance(job, Job):
            yield from _scripts(job, connecting)
            if job.direction == "push":
                yield from _missing_sources(job)
                yield from _whole_system(job)
                yield from _not_on_one_file_system(job)
    if os.geteuid() == 0:
        yield from _writers(config.files)


def _of_commands(config: Config) -> Iterator[Finding]:
    """Jobs that an upgrade may have hidden behind a command."""
    for name in config.jobs:
        if name in COMMANDS:
            runs = config.command(selecting(name, ""))
            text = f"`b1000 {name}` is a command; `{runs}` runs this job"
            yield Finding(f"job:{name}", "", text, warning=True)


# --- the example


def _of_the_example(config: Config) -> Iterator[Finding]:
    """The shipped b1000.cfg has hosts below ``.example``: names that no host can ever have."""
    named = [
        *((f"dest:{name}", "path", each.path) for name, each in config.destinations.items()),
        *((f"report:{name}", "server", each.server) for name, each in config.reports.items()),
        *(
            (f"job:{name}", "report_source", job.pull.source)
            for name, job in config.jobs.items()
            if isinstance(job, Job) and job.pull
        ),
    ]
    for section, option, address in named:
        host = address if option == "server" else addresses.host_of(address)
        if _NO_HOST.fullmatch(host):
            text = f"{host} is a name of the example, and no host can have it; put your own"
            yield Finding(section, option, text)


# --- password files


def _password_files(config: Config) -> Iterator[Finding]:
    for report in config.reports.values():
        if report.password_file:
            yield from _password_file(f"report:{report.name}", report.password_file, rsync=False)
    of_rsync = {
        **{f"dest:{name}": each.password_file for name, each in config.destinations.items()},
        **{
            f"job:{name}": job.pull.password_file
            for name, job in config.jobs.items()
            if isinstance(job, Job) and job.pull
        },
    }
    for section, file in of_rsync.items():
        if file:
            yield from _password_file(section, file, rsync=True)
    for name, each in config.destinations.items():
        if file := each.restore_password_file:
            # Without it nothing is listed or restored, and each run is as good as ever.
            for found in _password_file(f"dest:{name}", file, rsync=True):
                yield found._replace(option="restore_password_file", warning=True)


def _password_file(section: str, file: str, rsync: bool) -> Iterator[Finding]:
    def finding(text: str, warning: bool = False) -> Finding:
        return Finding(section, "password_file", text, warning)

    try:
        status = os.stat(file)
        password = read_file(file, _ENOUGH, follow=True)
    except FileNotFoundError:
        if not file.startswith(_CREDENTIALS):
            yield finding(f"{file} is not there; (umask 077 && cat > {file}) makes it")
        return
    except OSError as error:
        yield finding(f"{file} cannot be read: {error.strerror}")
        return
    if not password.strip():
        yield finding(f"{file} is empty; the password alone stands in its first line")
    if status.st_mode & _OTHERS:
        refused = ", and rsync does not take it" if rsync else ""
        text = f"others can read or write {file}{refused}; chmod 600 {file}"
        yield finding(text, warning=not rsync)
    if rsync and os.geteuid() == 0 != status.st_uid:
        yield finding(f"{file} is not root's, and rsync does not take it; chown root {file}")


# --- scripts


def commands(job: Job) -> dict[str, Template]:
    """Option → the command that stands there."""
    found: dict[str, Template] = {
        name: value.template if isinstance(value, ScriptTemplate) else value
        for name, value in job.deferred.items()
        if isinstance(value, ScriptTemplate) or name in ("pre", "post", *ON_END)
    }
    if job.drill:
        found["drill"] = (job.drill.command,)
    if isinstance(job.instances, ScriptTemplate):
        found["instances"] = job.instances.template
    return found


def script_of(template: Template) -> str:
    """The file that a command begins with, where it is given as an absolute path; else "".

    One whose name only a run can settle is none.
    """
    text = references.fill(template, dict.fromkeys(references.names(template), _UNKNOWN))
    try:
        first = next(iter(shlex.split(text)), "")
    except ValueError:
        return ""  # The shell will say what is wrong with it.
    return first if first.startswith("/") and _UNKNOWN not in first else ""


def _scripts(job: Job, connecting: bool) -> Iterator[Finding]:
    """The files that commands begin with, where they are given as absolute paths."""
    for option, template in commands(job).items():
        script = script_of(template)
        if not script:
            continue
        flaw, missing = "", not os.access(script, os.X_OK)
        if not os.path.exists(script):
            flaw = f"the script {script} is not there; copy it there or correct the path"
        elif missing:
            flaw = f"the script {script} is not executable; chmod +x"
        elif os.path.isfile(script):
            flaw = scripts.flaw(script, os.environ.get("PATH", os.defpath))
        if flaw:
            yield Finding(f"job:{job.name}", option, flaw, warning=missing and not connecting)


# --- what is copied


def _missing_sources(job: Job) -> Iterator[Finding]:
    """A pre may make what is to be copied; without one it has to be there."""
    if "pre" in job.deferred:
        return
    missing = [word.text for word in shellwords.known(job.include) if sources.is_missing(word)]
    for text in missing:
        yield Finding(
            f"job:{job.name}", "include", f"nothing matches {text}, and the job has no pre"
        )


def _whole_system(job: Job) -> Iterator[Finding]:
    """The kernel's directories: endless files, and none that could be restored."""
    roots = {word.text.strip("/.") for word in shellwords.known(job.include)} & {"", "*"}
    patterns = shellwords.texts(shellwords.known(job.exclude))
    copied: set[str] = set()
    for destination in job.destinations.values():
        # What a glob finds is a source of its own, on a file system of its own.
        if roots and not (roots == {""} and _stays_on_one_file_system(destination)):
            copied |= _not_excluded([*patterns, *destination.exclude])
    if copied:
        shown = " ".join(f"/{name}/*" for name in sorted(copied))
        text = (
            f"/ holds directories that are no files of a disk; exclude = {shown}, or "
            "rsync_options = --one-file-system in the destination"
        )
        yield Finding(f"job:{job.name}", "include", text, warning=True)


def _not_on_one_file_system(job: Job) -> Iterator[Finding]:
    """What is mounted below a source is left out by -x, without a word of the copy's."""
    includes = shellwords.texts(shellwords.known(job.include))
    separate: set[str] = set()
    for destination in filter(_stays_on_one_file_system, job.destinations.values()):
        patterns = [*shellwords.texts(shellwords.known(job.exclude)), *destination.exclude]
        for include in includes:
            separate |= {
                mount_point
                for mount_point in mounts.with_files(include)
                if not f"{destination.path}/".startswith(f"{mount_point}/")
                and mount_point not in [each.rstrip("/") for each in includes]
                and not _is_excluded(mount_point, include, patterns)
            }
    if separate:
        shown = " ".join(sorted(separate))
        text = f"--one-file-system leaves out what is mounted at {shown}: include it, or exclude it"
        yield Finding(f"job:{job.name}", "include", text, warning=True)


def _is_excluded(mount_point: str, include: str, patterns: Sequence[str]) -> bool:
    """Whether a pattern names a directory below a source, or all in it."""
    below = os.path.relpath(mount_point, os.path.dirname(include) or "/")
    names = {f"/{below}", below, os.path.basename(mount_point)}
    return any(re.sub(r"(?:/|/\*{1,3})$", "", each) in names for each in patterns)


def _stays_on_one_file_system(destination: Destination) -> bool:
    return any(_ONE_FILE_SYSTEM.fullmatch(option) for option in destination.rsync_options)


def _not_excluded(patterns: Sequence[str]) -> set[str]:
    """Those of the kernel's directories whose content no pattern of rsync excludes."""
    return {
        name
        for name in _NO_FILES
        if not any(re.fullmatch(rf"/?{name}(?:/|/\*{{1,3}})?", each) for each in patterns)
    }


# --- who can change the configuration


def _writers(files: Sequence[str]) -> Iterator[Finding]:
    """Whoever can write the configuration is root; a directory lets its writers replace it."""
    directories = [
        os.path.dirname(path(file))
        for file in files
        for path in (os.path.abspath, os.path.realpath)
    ]
    for path in dict.fromkeys((*files, *directories, reading.beside(files[0]))):
        try:
            status = os.stat(path)
        except OSError:
            continue  # there is none, or it was removed meanwhile
        yield from (Finding("", "", *found) for found in _writers_of(path, status))


def _writers_of(path: str, status: os.stat_result) -> Iterator[tuple[str, bool]]:
    acts = "anyone who can write it decides what root runs"
    mode = status.st_mode
    if stat.S_ISDIR(mode) and mode & stat.S_ISVTX:
        mode &= ~0o022  # others can make files there, and replace none of root's
    if status.st_uid:
        yield f"{path} is not root's, and {acts}; chown root {path}", True
    if mode & 0o002:
        yield f"others can write in {path}, and {acts}; chmod go-w {path}", False
    elif mode & 0o020 and status.st_gid:
        yield f"a group can write in {path}, and {acts}; chmod g-w {path}", True
