"""The direction of imports, the homes of libraries, and what pure rooms may not touch."""

import ast
import functools
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from b1000.config import COMMANDS

ROOT_OF_ALL = Path(__file__).parents[1]
PACKAGE = ROOT_OF_ALL / "b1000"

# Imports go down only; never sideways between the folders of one row.
ROWS: tuple[frozenset[str], ...] = (
    frozenset({"cli"}),
    frozenset({"commands"}),
    frozenset({"parsers"}),
    frozenset({"supervise", "status", "monitor", "check"}),
    frozenset({"worker", "reports"}),
    frozenset({"exchange"}),
    frozenset({"work"}),
    frozenset({"restore", "prune"}),
    frozenset({"marks", "verify"}),
    frozenset({"storage"}),
    frozenset({"state"}),
    frozenset({"b1k"}),
    frozenset({"rsync", "config", "identity", "terminal"}),
    frozenset({"runs"}),
    frozenset(
        {
            "addresses",
            "drill",
            "errors",
            "figures",
            "files",
            "jobs",
            "keep",
            "locks",
            "logs",
            "named",
        }
    )
    | {"expressions", "logoutputs", "logstyle", "progress_files", "stopping", "templates", "wire"},
)
ROOT = frozenset({"__init__", "__main__"})

# Files with a row of their own: the main of a child chooses among all that a child may do.
OWN_ROW = {f"work/{name}.py": "worker" for name in ("worker", "tasks", "rehearsal")}

# A child tells the supervisor; it neither knows the journal nor the reports.
FORBIDDEN = {
    "worker": {"state", "reports"},
    "exchange": {"state"},
    "work": {"state"},
    "reports": {"work"},
}

HOMES: dict[str, tuple[str, ...]] = {
    "sqlite3": ("state/", "reports/sqlite.py", "reports/source.py"),
    "pymysql": ("reports/mysql/", "reports/source.py"),
    "prometheus_client": ("monitor/metrics.py",),
    "psutil": ("supervise/orphans.py", "work/tree.py"),
    "tenacity": ("work/retries.py", "reports/reporter.py"),
    "argparse": ("parsers/",),
    "configparser": (),
    "fcntl": ("locks.py", "files.py", "supervise/naming.py"),
    # Each takes a tenth of a small run; work/loop.py and plain classes are in their place.
    "asyncio": (),
    "dataclasses": (),
    "inspect": (),
    "logging": (),
    "multiprocessing": (),
    "pickle": ("wire.py",),
    "socket": ("wire.py", "supervise/", "config/", "check/", "monitor/", "reports/"),
    "rich": ("status/", "monitor/", "terminal/"),
    # Of `monitor`, which forks before it asks ahead.
    "threading": ("reports/mysql/connection.py",),
    "subprocess": (
        "storage/session.py",
        "check/",
        "verify/priority.py",
        "prune/removal.py",
        "monitor/notifying.py",
    ),
}

PURE = (
    "b1k/",
    "rsync/",
    "addresses.py",
    "config/allowed.py",
    "config/commandline.py",
    "config/foreign.py",
    "config/grammar.py",
    "config/ini.py",
    "config/references.py",
    "config/selectors.py",
    "config/shellwords.py",
    "config/sourcenames.py",
    "exchange/choice.py",
    "exchange/claims.py",
    "exchange/offers.py",
    "reports/columns.py",
    "reports/expected.py",
    "reports/report.py",
    "reports/stored.py",
    "reports/tables.py",
    "reports/trouble.py",
    "reports/mysql/schema.py",
    "runs/",
    "supervise/collisions.py",
    "supervise/decisions.py",
    "supervise/gate.py",
    "supervise/narrative.py",
    "supervise/plan.py",
    "supervise/schedule.py",
    "supervise/tally.py",
    "status/order.py",
    "monitor/bands.py",
    "monitor/causes.py",
    "monitor/days.py",
    "monitor/changes.py",
    "monitor/drift.py",
    "monitor/facts.py",
    "monitor/finding.py",
    "monitor/freshness.py",
    "monitor/history.py",
    "monitor/page.py",
    "monitor/replies.py",
    "monitor/severity.py",
    "monitor/needed_copies.py",
    "monitor/turns.py",
    "monitor/usual.py",
    "monitor/verdicts.py",
    "monitor/witnesses.py",
    "storage/backup.py",
    "storage/catalogue.py",
    "storage/layout.py",
    "verify/matching.py",
    "storage/moments.py",
    "storage/question.py",
    "storage/stored_facts.py",
    "marks/marking.py",
    "drill.py",
    "jobs.py",
    "keep.py",
    "templates.py",
    "restore/believing.py",
    "restore/choice.py",
    "verify/drill_plan.py",
    "verify/reading_plan.py",
    "verify/sums.py",
    "prune/pruning.py",
    "prune/retention.py",
)
IMPURE_MODULES = {"os", "subprocess", "logging", "time", "socket", "random", "tempfile", "sys"}


def files() -> Iterator[tuple[str, ast.Module]]:
    for path in sorted(PACKAGE.rglob("*.py")):
        yield path.relative_to(PACKAGE).as_posix(), ast.parse(path.read_text())


def imported(module: ast.Module) -> Iterator[str]:
    for node in ast.walk(module):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            assert node.level == 0, "imports are absolute"
            yield node.module
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def room(name: str) -> str:
    return OWN_ROW.get(name) or name.removesuffix(".py").split("/")[0]


def rooms_of(module: ast.Module) -> set[str]:
    return {
        name.split(".")[1]
        for name in imported(module)
        if name.startswith("b1000.") and not name.split(".")[1].startswith("__")
    }


ROW_OF = {name: number for number, row in enumerate(ROWS) for name in row}
FILES = list(files())


@pytest.mark.parametrize(("name", "module"), FILES, ids=[name for name, _ in FILES])
def test_imports_go_down(name: str, module: ast.Module) -> None:
    own = room(name)
    if own in ROOT:
        return
    assert own in ROW_OF, f"{own} has no row"
    bottom = len(ROWS) - 1
    for other in rooms_of(module) - {own}:
        assert other in ROW_OF, f"{name} imports {other}, which has no row"
        below = ROW_OF[other] > ROW_OF[own]
        assert below or ROW_OF[own] == ROW_OF[other] == bottom, f"{name} imports {other}"
        assert other not in FORBIDDEN.get(own, ()), f"{name} imports {other}"


@pytest.mark.parametrize(("name", "module"), FILES, ids=[name for name, _ in FILES])
def test_each_library_has_a_home(name: str, module: ast.Module) -> None:
    for library in {each.split(".")[0] for each in imported(module)} & HOMES.keys():
        assert name.startswith(HOMES[library] or ("nowhere",)), f"{library} in {name}"


# What takes longer to import than what a run without a failure does with it.
_SLOW = frozenset(
    ("asyncio", "ssl", "dataclasses", "inspect", "multiprocessing", "concurrent", "email", "http")
) | {"hashlib", "random", "shutil", "tempfile", "tenacity", "psutil", "rich", "pymysql"}
_SLOW |= {"logging", "traceback", "subprocess", "threading"}
_OF_A_RUN = """
import sys
import b1000.cli
before = set(sys.modules)
from b1000.parsers.jobs import for_jobs
for_jobs().parse_intermixed_args([])
import b1000.commands.jobs, b1000.config.loader, b1000.supervise.supervisor, b1000.work.push
import b1000.reports.reporter
print(*before, "|", *sys.modules)
"""


def test_a_run_imports_nothing_that_it_does_not_need() -> None:
    words = [sys.executable, "-I", "-c", f"import sys; sys.path[:0] = [{str(ROOT_OF_ALL)!r}]"]
    words[-1] += _OF_A_RUN
    said = subprocess.run(words, capture_output=True, text=True, check=True).stdout
    version, run = (set(each.split()) for each in said.split("|"))
    assert not {name.split(".")[0] for name in run} & _SLOW
    assert not version & {"argparse", "logging", "re", "typing", "sqlite3", "pathlib"}


@pytest.mark.parametrize(("name", "module"), FILES, ids=[name for name, _ in FILES])
def test_nothing_needs_what_is_not_installed(name: str, module: ast.Module) -> None:
    roots = {each.split(".")[0] for each in imported(module)}
    assert not roots & {"bench", "tests", "tools"}, name


@pytest.mark.parametrize(("name", "module"), [each for each in FILES if each[0].startswith(PURE)])
def test_pure_rooms_touch_nothing(name: str, module: ast.Module) -> None:
    touched = {each.split(".")[0] for each in imported(module)} & IMPURE_MODULES
    assert not touched, name


def test_every_module_says_what_it_is() -> None:
    for name, module in FILES:
        assert ast.get_docstring(module), f"{name} has no docstring"


# --- the map


def named_in_the_map() -> dict[str, set[str]]:
    """The modules that docs/architecture.md names, by room."""
    text = (ROOT_OF_ALL / "docs" / "architecture.md").read_text()
    rows = re.findall(r"^\| (?:`(\w+)/`|bottom) \| (.*) \|$", text, re.MULTILINE)
    return {name: {*re.findall(r"`([\w/]+\.py)`", row)} for name, row in rows}


def test_the_map_names_each_module_and_no_other() -> None:
    named = named_in_the_map()
    there: dict[str, set[str]] = {}
    for name, _ in FILES:
        above, _, below = name.rpartition("/")
        if below.removesuffix(".py") not in ROOT and name != "cli.py":
            there.setdefault(above.split("/")[0], set()).add(below)
    told = {
        "parsers": "one file a command",
        "config": "`options/` (**the** table of options)",
    }
    text = (ROOT_OF_ALL / "docs" / "architecture.md").read_text()
    assert all(words in text for words in told.values())
    there["parsers"] -= {f"{command or 'jobs'}.py" for command in ("", *COMMANDS)}
    there["config"] -= {name.rpartition("/")[2] for name, _ in FILES if "config/options/" in name}
    for name in there | named:
        mine = {each for each in named.get(name, ()) if "/" not in each}
        room_of_it = f"docs/architecture.md, room {name or 'bottom'}"
        assert not there.get(name, set()) - mine, f"{room_of_it}: name the new module there"
        assert not mine - there.get(name, set()), f"{room_of_it}: the module is there no more"


# --- sizes

FILE, FUNCTION, POSITIONAL = 300, 50, 5
"""A file is below so many lines; at most so many have a function, and positional parameters."""
WIDER = {"b1000/supervise/supervisor.py": 400}

# What is over its budget still: file, or file and function. This list only shrinks.
OVER: dict[str, frozenset[str]] = {
    "lines of a file": frozenset({}),
    "lines of a function": frozenset({}),
    "positional parameters": frozenset({}),
}


def functions(node: ast.AST, within: str = "") -> Iterator[tuple[str, ast.FunctionDef]]:
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.expr):
            continue  # it holds no function with a name
        name = within
        if isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            name = f"{within}.{child.name}".lstrip(".")
        if isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef):
            yield name, child  # type: ignore[misc]  # both have the same parts
        yield from functions(child, name)


def positional(function: ast.FunctionDef) -> int:
    names = [each.arg for each in (*function.args.posonlyargs, *function.args.args)]
    return len(names) - (names[:1] in (["self"], ["cls"]))


@functools.cache
def over_budget() -> dict[str, set[str]]:
    """What is over each budget, and by what."""
    found: dict[str, set[str]] = {each: set() for each in OVER}
    for room in (PACKAGE, PACKAGE.parent / "tools"):
        for path in sorted(room.rglob("*.py")):
            name, text = path.relative_to(PACKAGE.parent).as_posix(), path.read_text()
            if text.count("\n") >= WIDER.get(name, FILE):
                found["lines of a file"].add(name)
            for function, node in functions(ast.parse(text)):
                if (node.end_lineno or 0) - node.lineno + 1 > FUNCTION:
                    found["lines of a function"].add(f"{name}:{function}")
                if positional(node) > POSITIONAL:
                    found["positional parameters"].add(f"{name}:{function}")
    return found


@pytest.mark.parametrize("budget", OVER)
def test_files_and_functions_are_short(budget: str) -> None:
    assert not sorted(over_budget()[budget] - OVER[budget]), f"over: {budget}"


@pytest.mark.parametrize("budget", OVER)
def test_what_is_within_its_budget_is_no_exception(budget: str) -> None:
    assert not sorted(OVER[budget] - over_budget()[budget]), "to be removed from OVER"


# --- tests


def calls(module: ast.AST, owner: str, name: str) -> list[ast.Call]:
    """The calls of ``owner.name``."""
    return [
        node
        for node in ast.walk(module)
        if isinstance(node, ast.Call)
        and isinstance(node.func, ast.Attribute)
        and node.func.attr == name
        and isinstance(node.func.value, ast.Name)
        and node.func.value.id == owner
    ]


def test_tests_close_the_databases_that_they_open() -> None:
    """``with sqlite3.connect(…)`` does not, and Python 3.13 then fails some later test."""
    for path in Path(__file__).parent.rglob("*.py"):
        text = path.read_text()
        if "sqlite3.connect" not in text:
            continue
        module = ast.parse(text)
        closings = calls(module, "contextlib", "closing")
        closed = {id(word) for call in closings for word in call.args}
        for call in calls(module, "sqlite3", "connect"):
            assert id(call) in closed, f"{path}:{call.lineno}: use open_sqlite or World.journal"
