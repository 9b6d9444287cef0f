"""``b1000 mark --adopt``: marks for backups that were made before there were any."""

import time
from collections.abc import Sequence
from pathlib import Path

from b1000.commands.output import say


def mark(argv: Sequence[str]) -> int:
    """Carry it out; gives the exit code."""
    from b1000.parsers.mark import for_mark

    arguments = for_mark().parse_intermixed_args(argv)

    from b1000.config import loader
    from b1000.config.selectors import unknown_job
    from b1000.errors import counted
    from b1000.logs import to_stderr
    from b1000.state.queries import Reader, may_exist
    from b1000.storage.adopting import adopt

    config = loader.load(arguments.cfg)
    journal = Path(config.settings.journal)
    written = failed = 0
    if may_exist(journal):
        with Reader(journal) as reader:
            known = {*config.jobs, *reader.jobs_known()}
            for job in arguments.jobs:
                if job not in known:
                    raise unknown_job(job, known)
            for each in adopt(config, reader, arguments.jobs, time.time()):
                if each.trouble:
                    failed += 1
                    to_stderr(f"b1000: {each.path}: {each.trouble}")
                else:
                    written += 1
                    say(each.path)
    say(f"{counted(written, 'mark')} written")
    return 1 if failed else 0
