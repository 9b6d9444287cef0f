"""What a supervisor with many workers keeps in memory."""

import os
import signal
import subprocess
import time
from pathlib import Path

import psutil

from bench.measure import Result
from bench.site import Site

_WORKERS, _QUEUED = 32, 1000
_MIB = 2**20


def memory(site: Site) -> list[Result]:
    """PSS of supervisor, reporter and 32 waiting workers, without and with 1,000 in the queue."""
    waiting = _held(site, _WORKERS)
    queued = _held(site, _WORKERS + _QUEUED)
    return [
        Result("memory: 32 workers", "160 MiB", waiting / _MIB, 160.0, "MiB", 0.0, 1.0),
        Result(
            "memory: 1,000 in the queue", "5 MiB", (queued - waiting) / _MIB, 5.0, "MiB", 0.0, 1.0
        ),
    ]


def _held(site: Site, instances: int) -> int:
    """Bytes of PSS while 32 instances wait in their pre, and the others for a place."""
    home = site.fresh("home")
    marks = site.fresh("marks")
    argv, environment = site.command(
        {
            "global": {"workers": _WORKERS},
            "dest:store": site.store("held"),
            "job:j": site.push(
                home,
                instances=" ".join(f"i{number:04}" for number in range(instances)),
                pre=f"touch {marks}/$instance; exec sleep 600",
            ),
        },
        home=home,
    )
    program = subprocess.Popen(
        argv,
        env={**os.environ, **environment},
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    try:
        while len(os.listdir(marks)) < _WORKERS:
            if program.poll() is not None:
                raise RuntimeError(f"b1000 ended with {program.returncode}")
            time.sleep(0.1)
        time.sleep(1)
        ours = [psutil.Process(program.pid), *psutil.Process(program.pid).children(recursive=True)]
        return sum(_pss(each.pid) for each in ours if "sleep" not in each.name())
    finally:
        program.send_signal(signal.SIGTERM)
        program.wait()


def _pss(pid: int) -> int:
    """Proportional set size in bytes (proc(5), smaps_rollup)."""
    lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    return next(int(line.split()[1]) * 1024 for line in lines if line.startswith("Pss:"))
