"""What is asked of the past of one run, and of what was skipped: ``b1000 status`` shows it."""

from b1000.named import NamedTuple
from b1000.state.view import View


class Skipped(NamedTuple):
    """A job/instance that was not run when it was due, and what was still at work."""

    job: str
    instance: str
    time: float
    behind: str


class PastTransition(NamedTuple):
    """One change of a run, or of the copy at ``destination``."""

    time: float
    destination: str
    step: str
    status: str
    error: str


class PastAttempt(NamedTuple):
    """One rsync of a copy; ``retry_at`` is when the next was to follow, if there was one.

    ``doubt`` is why it compared by content, or "".
    """

    destination: str
    number: int
    began: float
    ended: float | None
    exit_code: int | None
    reason: str
    retry_at: float | None
    doubt: str = ""


class Started(NamedTuple):
    """A process that a run started."""

    purpose: str
    pid: int
    began: float
    ended: float | None


class DetailQueries(View):
    """Questions about the past of single runs."""

    def transitions(self, run_id: int) -> list[PastTransition]:
        """All changes of one run, in their order."""
        sql = """SELECT time, destination, step, status, error FROM transitions
                 WHERE run_id = ? ORDER BY transition_id"""
        return [PastTransition(*row) for row in self._ask(sql, (run_id,))]

    def attempts(self, run_id: int) -> list[PastAttempt]:
        """All attempts of the copies of one run, by the time of their beginning."""
        sql = """SELECT destination, number, began, ended, exit_code, reason, retry_at, doubt
                 FROM attempts WHERE run_id = ? ORDER BY began"""
        return [PastAttempt(*row) for row in self._ask(sql, (run_id,))]

    def started(self, run_id: int) -> list[Started]:
        """The processes that a run started, by the time of their beginning."""
        sql = """SELECT purpose, pid, began, ended FROM processes WHERE uid IN (
                     SELECT uid FROM runs WHERE run_id = ?1
                     UNION ALL SELECT uid FROM earlier_uids WHERE run_id = ?1)
                 ORDER BY began"""
        return [Started(*row) for row in self._ask(sql, (run_id,))]

    def skipped(self) -> list[Skipped]:
        """What was skipped and has not run since, by name."""
        sql = "SELECT job, instance, time, behind FROM skipped ORDER BY job, instance"
        return [Skipped(*row) for row in self._ask(sql)]
