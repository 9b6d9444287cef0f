"""What a verify or its drills have come to, for programs and as an exit code. Pure."""

import json
from collections.abc import Iterable, Sequence
from typing import Any

from b1000.logstyle import inert
from b1000.named import NamedTuple
from b1000.verify.findings import Finding

_BAD, _OUT_OF_TIME = 1, 3


class Answer(NamedTuple):
    """``bad``: whether anything is; ``drills`` is None where nothing was to be drilled."""

    bad: bool
    away: Sequence[str]
    out_of_time: bool
    counted: int = 0
    read: int = 0
    bytes: int = 0
    findings: Iterable[Finding] = ()
    drills: Sequence[dict[str, Any]] | None = None

    def as_json(self) -> str:
        """One object; docs/list.md says what its keys are."""
        answer = {
            "format": 1,
            "counted": self.counted,
            "read": self.read,
            "bytes": self.bytes,
            "findings": [{**each._asdict(), "bad": each.bad} for each in self.findings],
            **({} if self.drills is None else {"drills": self.drills}),
            "away": self.away,
            "out_of_time": self.out_of_time,
        }
        return inert(json.dumps(answer, indent=2, ensure_ascii=False))

    @property
    def exit_code(self) -> int:
        """1 where something is bad, 3 where something was not looked at."""
        if self.bad:
            return _BAD
        return _OUT_OF_TIME if self.out_of_time or self.away else 0
