"""Two hosts that share only a directory over rsync: a client with a passive job, and a storage."""

from pathlib import Path

from tests.support.daemon import Daemon
from tests.support.world import Sections, World, tree

WHOLE = {"dump": b"dumped\n"}


class Host(World):
    """A host with a directory and a configuration of its own."""

    def __init__(self, root: Path, name: str) -> None:
        root.mkdir()
        super().__init__(root)
        self.name = name


class ClientHost(Host):
    """A host with a passive job ``ext`` that a daemon shares the data and the reports of."""

    def __init__(self, root: Path, name: str, daemon: Daemon) -> None:
        super().__init__(root, name)
        self.daemon = daemon

    def passive(
        self,
        *pullers: str,
        pre: str = "",
        timeout: int = 60,
        job: str = "ext",
        dest: str = "",
        **options: object,
    ) -> "ClientHost":
        """Configure it; ``pre`` comes before the dump is written."""
        backup = self.daemon.module("backup")
        pullers = pullers or ("backup-2",)
        self.write(
            {
                "global": {"host": self.name},
                "report:main": {"path": self.daemon.module("reports")},
                **{
                    f"dest:{name}": {"type": "passive", "host": name, "timeout": timeout}
                    for name in pullers
                },
                f"job:{job}": {
                    "direction": "passive",
                    "dest": dest or " ".join(pullers),
                    "report": "main",
                    "pre": f"{pre or 'true'}; echo dumped > {backup}/dump",
                    "post": f"rm {backup}/dump",
                    **options,
                },
            }
        )
        return self

    def left(self) -> list[str]:
        """The names of the notifications."""
        return sorted(
            path.name.split(".b1k.")[1] for path in self.daemon.module("reports").glob("*.b1k.*")
        )


class StorageHost(Host):
    """A host with pull jobs."""

    def pulls(
        self, *clients: ClientHost, more: Sections | None = None, **options: object
    ) -> "StorageHost":
        """Configure it: a job for each client, called as the client is; and ``more`` sections."""
        jobs = {
            f"job:{client.name.partition('.')[0]}": {
                "direction": "pull",
                "type": "full",
                "dest": "local",
                "report": "main",
                "include": client.daemon.url("backup"),
                "report_source": client.daemon.url("reports"),
                "report_host": client.name,
                "report_poll_wait": 1,
                "report_poll_retries": 15,
                **options,
            }
            for client in clients
        }
        local = {**self.store("local"), "min_free": 0}
        self.write({"global": {"host": self.name}, "dest:local": local, **jobs, **(more or {})})
        return self

    def copied(self, job: str = "ext") -> list[dict[str, object]]:
        """What all copies of a job hold."""
        return [dict(tree(path)) for path in sorted((self.root / "local" / job).glob("*/*/"))]
