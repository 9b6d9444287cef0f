"""The first worker, forked before the rest of the program is imported.

What a worker needs takes about as long to import as what only its supervisor needs: where there
are two processors, both are imported side by side. It waits for its task as any idle worker.
"""

from collections.abc import Iterable

from b1000.config.loader import Config
from b1000.jobs import Job
from b1000.locks import Locks
from b1000.supervise.children import Child, allow_many_files, fork, worker_for
from b1000.wire import Wire


def fork_worker(config: Config, selected: Iterable[str]) -> list[Child]:
    """A worker for the directions of the jobs that are selected; none where no job can run.

    Where the system has too few descriptors or no process for it, that is told when one is needed.
    """
    chosen = (config.jobs[name] for name in selected)
    directions = {job.direction for job in chosen if isinstance(job, Job)}
    if not directions or allow_many_files(config.settings.workers, reports=0):
        return []
    locks = Locks.beside(config.settings.journal)

    def main(wire: Wire) -> int:
        return worker_for(*directions)(config.jobs, locks, wire)

    try:
        return [fork(main, ())]
    except OSError:
        return []
