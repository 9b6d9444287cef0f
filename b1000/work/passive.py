"""What a passive job does in each step."""

from b1000.model import Job, Run
from b1000.work.assignment import Assignment


async def carry_out(assignment: Assignment, job: Job) -> None:
    """Run all steps of a run. RunFailed ends it at the step where it stands."""
    raise NotImplementedError


async def resume(assignment: Assignment, job: Job, run: Run) -> None:
    """Go on with a run that failed or died."""
    raise NotImplementedError
