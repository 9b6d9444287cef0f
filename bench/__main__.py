"""``python -m bench`` asks all questions, ``python -m bench NAME ...`` some of them."""

import argparse
import json
import sys
from collections.abc import Callable, Sequence
from dataclasses import asdict
from pathlib import Path

from bench import history, start
from bench.catalogue import catalogue
from bench.instances import instances
from bench.judgement import judgement
from bench.linked import link_dest
from bench.marks import marks
from bench.measure import Result
from bench.memory import memory
from bench.monitor import monitor
from bench.prune import prune
from bench.reports import reports
from bench.restore import restore
from bench.site import Site, machine, site
from bench.streams import rate, streams
from bench.trees import first_full
from bench.verify import verify

QUESTIONS: dict[str, Callable[[Site], list[Result]]] = {
    "instances": instances,
    "marks": marks,
    "first": first_full,
    "link_dest": link_dest,
    "streams": streams,
    "rate": rate,
    "start": start.fixed_cost,
    "claim": start.claim,
    "version": start.version,
    "memory": memory,
    "status": history.status,
    "transition": history.transition,
    "reports": reports,
    "monitor": monitor,
    "judgement": judgement,
    "catalogue": catalogue,
    "prune": prune,
    "verify": verify,
    "restore": restore,
}


def main(words: Sequence[str]) -> int:
    """Ask, print a table, write JSON; 1 where a target is missed."""
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    parser.add_argument("questions", nargs="*", metavar="NAME", help=", ".join(QUESTIONS))
    parser.add_argument("--json", type=Path, default=Path("bench-results.json"), metavar="FILE")
    arguments = parser.parse_args(words)
    unknown = set(arguments.questions) - QUESTIONS.keys()
    if unknown:
        parser.error(f"no question {sorted(unknown)[0]!r}; there are: {', '.join(QUESTIONS)}")
    found: list[Result] = []
    for name in arguments.questions or QUESTIONS:
        with site() as place:
            results = QUESTIONS[name](place)
        for result in results:
            print(line(result), flush=True)
        found += results
        told = {
            "machine": machine(),
            "results": [{**asdict(each), "ratio": each.ratio} for each in found],
        }
        arguments.json.write_text(json.dumps(told, indent=2) + "\n")
    return int(any(each.reached is False for each in found))


def line(result: Result) -> str:
    """One line of the table."""
    verdict = {None: "", True: "  reached", False: "  MISSED"}[result.reached]
    sign = "<=" if result.better == "less" else ">="
    target = f"  ({sign} {result.target:g}){verdict}" if result.target is not None else ""
    note = f"  {result.note}" if result.note else ""
    return (
        f"{result.question:<28} {result.ours:9.3f} {result.unit:<5} "
        f"{result.rival:<34} {result.theirs:9.3f}  "
        f"ratio {result.ratio:6.3f} +-{result.spread:4.0%}{target}{note}"
    )


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
