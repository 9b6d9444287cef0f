"""The bench: what is not there is left out with a line, and who copies nothing is not quick."""

import json
import socket
import threading
import time
from pathlib import Path

import pytest

import bench.monitor
import bench.reports
import bench.trees
from bench.__main__ import main
from bench.rate import held
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


def test_a_connection_has_its_rate_and_all_of_it_arrives() -> None:
    sent = bytes(range(256)) * 1000
    with socket.create_server(("127.0.0.1", 0)) as server:

        def echo() -> None:
            connection, _ = server.accept()
            with connection:
                while data := connection.recv(2**16):
                    connection.sendall(data)

        thread = threading.Thread(target=echo)
        thread.start()
        with (
            held(server.getsockname()[1], 1e6) as port,
            socket.create_connection(("127.0.0.1", port)) as client,
        ):
            began = time.monotonic()
            client.sendall(sent)
            client.shutdown(socket.SHUT_WR)
            arrived = b"".join(iter(lambda: client.recv(2**16), b""))
            took = time.monotonic() - began
        thread.join()
    assert arrived == sent
    assert took > 0.2, "256 kB at 1 MB/s"
