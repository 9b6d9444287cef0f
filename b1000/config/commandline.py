"""Command lines that people are told to type: each acts by the configuration in use. Pure."""

from b1000.config import DEFAULT_FILE
from b1000.config.selectors import selecting
from b1000.runs.run import Run


def commandline(config_path: str, *words: str) -> str:
    """``b1000 WORDS`` as a shell takes it, by the configuration at ``config_path``, a whole path.

    That is named where it is not what the program reads by itself; it stands last.
    """
    import shlex  # here: only what has gone wrong needs it

    named = () if config_path == DEFAULT_FILE else ("-f", config_path)
    return shlex.join(("b1000", *words, *named))


def ways_out(config_path: str, run: Run) -> str:
    """What can be done about a run that waits for it."""
    word = selecting(run.job, run.instance)
    retry, give_up = (commandline(config_path, act, word) for act in ("--copy", "forget"))
    if run.hopeless:
        return f"give it up with {give_up}"
    return f"retry with {retry}, or give it up with {give_up}"
