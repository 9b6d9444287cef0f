"""A client that is pulled from, made by hand: a daemon, and report files that a test writes."""

import os
import threading
import time
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path

from b1000.errors import B1000Error
from b1000.runs.run import Run
from b1000.state.queries import Reader
from tests.support.daemon import Daemon
from tests.support.world import Sections, World, wait_until

UTC_FORMAT = "%Y-%m-%dT%H:%M:%SZ"


def utc(when: float) -> str:
    """A time as a report's ``alive`` has it."""
    return datetime.fromtimestamp(when, UTC).strftime(UTC_FORMAT)


def now() -> str:
    """The time as a report's ``alive`` has it."""
    return utc(time.time())


class Report:
    """One report file, which the test replaces step by step.

    ``modern``: with the keys that only B1000 itself writes; ``alive`` is then
    renewed until the report is killed, or the test ends.
    """

    def __init__(
        self,
        directory: Path,
        job: str = "ext",
        start: str = "",
        puller: str = "backup-2",
        modern: bool = True,
        instance: str = "",
        **keys: str,
    ) -> None:
        start = start or datetime.now().strftime("%Y-%m-%d %H:%M:%S")
        self.directory = directory
        self.modern = modern
        self.run = {
            "host": "ext",
            "name": job,
            "instance": instance,
            "master_host": "",
            "master_instance": "",
            "direction": "passive",
            "start_time": start,
            "step": "INIT",
            "status": "OK",
            "data_age": "0",
            **keys,
        }
        self.copies = {"atm": {"type": "passive", "path": f"pull://{puller}", "status": "INIT"}}
        stamp = start.replace(" ", "-").replace(":", "-")
        self.name = f"{job}-{instance}-{stamp}.b1k"
        self.path = directory / self.name
        self.puller = puller
        self.lives = True
        self._turn = threading.Lock()
        self._transition = 0

    def write(self, step: str = "", status: str = "", copy: str = "", **keys: str) -> "Report":
        """Replace the file by its next state."""
        self.run |= {"step": step or self.run["step"], "status": status or self.run["status"]}
        self.run |= keys
        if copy:
            self.copies["atm"]["status"] = copy
        self._transition += 1
        self.renew()
        return self

    def renew(self) -> None:
        """Replace the file by one that says that its writer lives."""
        with self._turn:
            keys = dict(self.run)
            if self.modern:
                keys |= {"alive": now(), "transition": str(self._transition)}
            temporary = self.directory / f".{self.name}.{os.getpid()}"
            temporary.write_text(self.text(keys))
            temporary.rename(self.path)

    def text(self, keys: Mapping[str, str]) -> str:
        """The content."""
        sections = {f"jobstatus:{keys['name']}": keys}
        sections |= {f"dest:{name}": copy for name, copy in self.copies.items()}
        return "\n".join(
            f"[{heading}]\n" + "".join(f"{key} = {value}\n" for key, value in values.items())
            for heading, values in sections.items()
        )

    def copying(self) -> "Report":
        """The data is ready."""
        return self.write("COPYING", copy="COPYING")

    def keep_alive(self, every: float = 0.5) -> "Report":
        """Renew it until it is killed."""

        def renew() -> None:
            while self.lives:
                if self.path.exists():
                    self.renew()
                time.sleep(every)

        threading.Thread(target=renew, daemon=True).start()
        return self

    def kill(self) -> None:
        """Its writer dies: nothing is renewed any more."""
        self.lives = False
        with self._turn:
            pass

    def notification(self, ending: str = "done") -> Path:
        """The file by which the puller tells how it ended."""
        return self.directory / f"{self.name}.{self.puller}.{ending}"

    def told(self) -> str:
        """What the puller has told so far: done, error or nothing."""
        return next((end for end in ("done", "error") if self.notification(end).exists()), "")

    def end(self, seconds: float = 30) -> "Report":
        """Be the client that waits for the notification, and ends its run well."""
        wait_until(self.told, seconds)
        status = {"done": "DONE", "error": "FAILED"}[self.told()]
        if status == "DONE":
            self.write("POST", copy=status)
            self.write("DONE")
        else:
            self.write("COPYING", "FAILED", copy=status, error="the copy failed")
        return self


def run_of(world: World, job: str = "system") -> Run | None:
    """The last run of a job, with the clients that it pulled from."""
    try:
        with Reader(world.status_dir / "journal.sqlite3") as reader:
            return reader.last_run(job, "")
    except B1000Error:
        return None


def last(world: World, job: str = "system") -> Run:
    """The last run of a job, which there is."""
    run = run_of(world, job)
    assert run
    return run


def is_at(world: World, step: str, job: str = "system") -> bool:
    """Whether the last run of a job is at a step."""
    run = run_of(world, job)
    return bool(run and run.step == step)


def client_is_at(world: World, step: str, job: str = "system") -> bool:
    """Whether the last state that was relayed of a client is at a step."""
    run = run_of(world, job)
    return bool(run and run.clients and run.clients[-1].step == step)


class Client:
    """A host that shares its reports and its data."""

    def __init__(self, daemon: Daemon) -> None:
        self.daemon = daemon
        self.reports = daemon.module("reports")
        self.backup = daemon.module("backup")
        self.written: list[Report] = []

    def data(self, count: int = 3) -> None:
        """Some files to pull."""
        for number in range(count):
            (self.backup / f"file{number}").write_text(f"content {number}\n")

    def report(self, *words: str, **keys: object) -> Report:
        """A report of this client."""
        found = Report(self.reports, *words, **keys)  # type: ignore[arg-type]
        self.written.append(found)
        return found

    def stop(self) -> None:
        """End what renews the reports."""
        for each in self.written:
            each.kill()


def pull(client: Client, **options: object) -> dict[str, object]:
    """The options of a pull job, with defaults that are quick."""
    return {
        "direction": "pull",
        "type": "full",
        "dest": "local",
        "report": "main",
        "include": client.daemon.url("backup"),
        "report_source": client.daemon.url("reports"),
        # The daemons of tests have addresses.
        "report_host": "ext",
        "report_poll_wait": 1,
        "report_poll_retries": 5,
        **options,
    }


def storage(world: World, client: Client, **options: object) -> World:
    """Configure the host that pulls, with a job ``system``."""
    world.write(sections(world, client, **options))
    return world


def sections(world: World, client: Client, **options: object) -> Sections:
    """The configuration of the host that pulls, with a job ``system``."""
    return {
        "global": {"host": "backup-2"},
        "dest:local": {**world.store("local"), "min_free": 0},
        "job:system": pull(client, **options),
    }
