"""The direction of imports, the homes of libraries, and what pure rooms may not touch."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parents[1] / "b1000"

# Imports go down only; never sideways between the folders of one row.
ROWS: tuple[frozenset[str], ...] = (
    frozenset({"cli"}),
    frozenset({"parsers"}),
    frozenset({"supervise", "status", "monitor", "check"}),
    frozenset({"work", "reports"}),
    frozenset({"state", "meeting"}),
    frozenset({"rsync", "config", "identity", "terminal"}),
    frozenset({"runs"}),
    frozenset({"errors", "figures", "files", "jobs", "locks", "logs", "progress"}) | {"stopping"},
)
ROOT = frozenset({"__init__", "__main__"})

# `work` tells the supervisor; it neither knows the journal nor the reports.
FORBIDDEN = {"work": {"state", "reports"}}

HOMES: dict[str, tuple[str, ...]] = {
    "sqlite3": ("state/", "reports/sqlite.py", "reports/source.py"),
    "pymysql": ("reports/mysql.py", "reports/source.py"),
    "prometheus_client": ("monitor/metrics.py",),
    "psutil": ("supervise/orphans.py", "work/process.py"),
    "tenacity": ("work/copies.py", "reports/reporter.py"),
    "argparse": ("parsers.py",),
    "configparser": ("meeting/offers.py",),
    "fcntl": ("locks.py",),
    "asyncio": ("work/",),
    "multiprocessing": ("supervise/", "work/", "reports/reporter.py"),
    "rich": ("status/", "monitor/", "terminal/"),
    # Of `monitor`, which forks nobody.
    "threading": ("reports/source.py",),
    "subprocess": ("work/process.py", "check/connect.py"),
}

PURE = (
    "rsync/",
    "meeting/",
    "config/allowed.py",
    "config/foreign.py",
    "config/grammar.py",
    "config/ini.py",
    "config/references.py",
    "reports/report.py",
    "reports/tables.py",
    "runs/",
    "supervise/collisions.py",
    "supervise/gate.py",
    "supervise/narrative.py",
    "monitor/drift.py",
    "monitor/page.py",
    "monitor/verdicts.py",
    "jobs.py",
)
IMPURE_MODULES = {"os", "subprocess", "logging", "time", "socket", "random", "tempfile", "sys"}
# narrative.py names levels of the log; it logs nothing.
ALLOWED = {"supervise/narrative.py": {"logging"}}


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
    return name.removesuffix(".py").split("/")[0]


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


@pytest.mark.parametrize(("name", "module"), FILES, ids=[name for name, _ in FILES])
def test_nothing_needs_what_is_not_installed(name: str, module: ast.Module) -> None:
    assert not {each.split(".")[0] for each in imported(module)} & {"bench", "tests", "tools"}


@pytest.mark.parametrize(("name", "module"), [each for each in FILES if each[0].startswith(PURE)])
def test_pure_rooms_touch_nothing(name: str, module: ast.Module) -> None:
    touched = {each.split(".")[0] for each in imported(module)} & IMPURE_MODULES
    assert touched <= ALLOWED.get(name, set())


def test_every_module_says_what_it_is() -> None:
    for name, module in FILES:
        assert ast.get_docstring(module), f"{name} has no docstring"


def calls(module: ast.AST, name: str) -> list[ast.Call]:
    """The calls of ``module.function``."""
    nodes = [node for node in ast.walk(module) if isinstance(node, ast.Call)]
    return [node for node in nodes if ast.unparse(node.func) == name]


def test_tests_close_the_databases_that_they_open() -> None:
    """``with sqlite3.connect(…)`` does not, and Python 3.13 then fails some later test."""
    for path in Path(__file__).parent.rglob("*.py"):
        module = ast.parse(path.read_text())
        closed = {id(word) for call in calls(module, "contextlib.closing") for word in call.args}
        for call in calls(module, "sqlite3.connect"):
            assert id(call) in closed, f"{path}:{call.lineno}: use open_sqlite or World.journal"
