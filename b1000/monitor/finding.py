"""What a rule of the monitor finds, and words that several rules use. Pure."""

from b1000.monitor.history import PastRun
from b1000.monitor.severity import Verdict
from b1000.named import NamedTuple
from b1000.runs.states import Status, Step


class RuleResult(NamedTuple):
    """One thing that is wrong, in words; ``code`` is one for programs."""

    verdict: Verdict
    text: str
    code: str


def ending(run: PastRun) -> str:
    """How a run ended, as a verb and why."""
    why = f": {run.error}" if run.error else ""
    if run.empty:
        return f"came to {'0 bytes' if run.bytes == 0 else 'no file'}{why}"
    if run.status == Status.FAILED:
        return f"FAILED at {run.step}{why}"
    if run.step == Step.DONE:
        return f"ended with {run.status}{why}"
    return f"never came to its end, {run.step} is the last that is known of it"
