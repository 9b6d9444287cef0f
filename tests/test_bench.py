"""The bench: what is not there is left out with a line, and who copies nothing is not quick."""

import json
from pathlib import Path

import pytest

import bench.monitor
import bench.reports
import bench.trees
from bench.__main__ import main
from bench.site import tree_a


def test_what_needs_an_absent_program_is_left_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for question in (bench.reports, bench.monitor):
        monkeypatch.setattr(question, "is_installed", lambda: False)
    results = tmp_path / "results.json"
    assert main(["reports", "monitor", "--json", str(results)]) == 0
    assert capsys.readouterr().out.splitlines() == [
        "reports: MariaDB is not installed; left out",
        "monitor: MariaDB is not installed; left out",
    ]
    told = json.loads(results.read_text())
    assert (told["results"], sorted(told["machine"])) == (
        [],
        ["kernel", "processors", "python", "rsync"],
    )


def test_a_copy_that_is_not_whole_is_no_result(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bench.trees, "_ROUNDS", 1)
    monkeypatch.setattr(bench.trees, "tree_a", lambda directory: tree_a(directory, files=20))
    monkeypatch.setattr(bench.trees, "tree_b", lambda directory: directory)
    with pytest.raises(RuntimeError, match="has 20 files of 50000"):
        main(["first"])
