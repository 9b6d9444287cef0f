"""What a stored value may be: each reader gives its meaning, or raises one of :data:`NOT_READ`."""

import functools
import json
import types
from collections.abc import Callable, Mapping
from enum import StrEnum
from typing import Any, get_args, get_origin

from b1000.config import grammar, shellwords
from b1000.expressions import expression
from b1000.rsync import paths
from b1000.runs.run import Client, Snapshot
from b1000.runs.stored import Facts
from b1000.state.outbox import destination_of
from b1000.templates import Word

_LATEST = 32_503_680_000.0  # the year 3000: later times are damage, and no calendar has all of them
LARGEST = 2**53  # of a number or an id
_START_TIME = expression(r"\d{4}(-\d\d){5}")
NOT_READ = (ValueError, TypeError, LookupError, AttributeError, RecursionError)

Read = Callable[[Any], Any]
"""A stored value → its meaning; raises one of the errors of Python where it has none."""


def moment_of(start_time: str) -> float:
    """The time that a start time names, as the local clock has it; ValueError if there is none."""
    return paths.moment(start_time).timestamp()


def is_moment(value: object) -> bool:
    """Whether it is a time that calendars have."""
    return type(value) in (int, float) and 0 <= value < _LATEST  # type: ignore[operator]


def text(value: Any) -> str:
    """What names, paths and words of programs are: a text without NUL."""
    if type(value) is not str or "\0" in value:
        raise ValueError
    return value


def prose(value: Any) -> str:
    """What only people read."""
    if type(value) is not str:
        raise ValueError
    return value


def number(value: Any) -> int:
    """A whole number that other programs can read."""
    if type(value) is not int or abs(value) > LARGEST:
        raise ValueError
    return value


def count(value: Any) -> int:
    """A number that is not negative."""
    if number(value) < 0:
        raise ValueError
    return int(value)


def identity(value: Any) -> int:
    """A number of a row."""
    if number(value) < 1:
        raise ValueError
    return int(value)


def flag(value: Any) -> bool:
    """Yes or no, as 1 or 0."""
    if type(value) is not int or value not in (0, 1):
        raise ValueError
    return bool(value)


def amount(value: Any) -> float:
    """A number that need not be whole."""
    if type(value) not in (int, float) or not abs(value) <= LARGEST:
        raise ValueError
    return float(value)


def moment(value: Any) -> float:
    """A time, in seconds since the epoch."""
    if not is_moment(value):
        raise ValueError
    return float(value)


def start_time(value: Any) -> str:
    """A time as names have it."""
    if not _START_TIME.fullmatch(text(value)):
        raise ValueError
    moment_of(value)
    return str(value)


def some_text(value: Any) -> str:
    """A text that is not empty."""
    if not text(value):
        raise ValueError
    return str(value)


def name(value: Any) -> str:
    """A name of a job, an instance, a destination, a report."""
    return grammar.name(text(value))


def outbox(value: Any) -> str:
    """The name of a report, or of where the marks of a destination wait."""
    name(destination_of(text(value)) or value)
    return str(value)


def absent_or(read_it: Read) -> Read:
    """Reads what may be an empty text."""
    return lambda value: value if value == "" and type(value) is str else read_it(value)


def word(*kinds: type[StrEnum]) -> Read:
    """Reads a word of these kinds."""
    words = {each.value: each for kind in kinds for each in kind}
    return lambda value: words[text(value)]


def one_of(*words: str) -> Read:
    """Reads one of these words."""
    return lambda value: {each: each for each in words}[text(value)]


def names(value: Any) -> tuple[str, ...]:
    """Names as a JSON list."""
    return tuple(map(name, parsed(tuple[str, ...], value)))


def client(value: Any) -> Client:
    """A run of a client, as JSON."""
    found: Client = parsed(Client, value)
    grammar.own_host(found.host)
    name(found.job)
    start_time(found.start_time)
    if found.started is not None:
        moment(found.started)
    if "/" in found.file:
        raise ValueError
    return found


def facts(value: Any) -> Facts:
    """What is told of a backup, as JSON."""
    found: Facts = parsed(Facts, value)
    for each in (found.started, found.ended):
        if each is not None:
            moment(each)
    absent_or(start_time)(found.start_time)
    return found


def snapshot(value: Any) -> Snapshot:
    """What a run decided at INIT, as JSON; older programs kept include and exclude unsplit."""
    written = json.loads(text(value))
    if isinstance(include := written.get("include"), str):
        written["include"] = [[*each] for each in shellwords.split(include)]
    if isinstance(exclude := written.get("exclude"), str):
        written["exclude"] = [*shellwords.texts(shellwords.split(exclude))]
    # A tuple of values is a list of lists in JSON.
    written["include"] = [_as_fields(each) for each in written.get("include", [])]
    found: Snapshot = _maker(Snapshot)(written)
    return found


def _as_fields(word: Any) -> Any:
    return dict(zip(Word._fields, word, strict=True))


# --- JSON


def parsed(kind: Any, written: Any) -> Any:
    """The JSON of a value of the type ``kind``, checked against its annotations."""
    return _maker(kind)(json.loads(text(written)))


def _encodable(value: Any) -> str:
    """JSON can name half characters, which nothing else takes."""
    text(value).encode()
    return str(value)


@functools.cache
def _maker(kind: Any) -> Read:
    """Makes a value of the type ``kind`` of JSON; of nothing unknown, nor of another type."""
    if kind in _PLAIN:
        return _PLAIN[kind]
    if isinstance(kind, types.UnionType):
        some = _maker(get_args(kind)[0])  # something or None
        return lambda value: None if value is None else some(value)
    if isinstance(kind, type) and issubclass(kind, StrEnum):
        return kind
    if fields := getattr(kind, "_fields", None):
        makers = {name: _maker(kind.__annotations__[name]) for name in fields}
        return lambda value: kind(**{name: makers[name](each) for name, each in value.items()})
    makers_of_parts = [_maker(each) for each in get_args(kind) if each is not Ellipsis]
    if get_origin(kind) is not tuple:
        key_of, value_of = makers_of_parts
        return lambda value: {key_of(key): value_of(each) for key, each in value.items()}
    if get_args(kind)[-1] is Ellipsis:
        (one,) = makers_of_parts
        return lambda value: tuple(one(each) for each in _list(value))
    return lambda value: tuple(
        make(each) for make, each in zip(makers_of_parts, _list(value), strict=True)
    )


def _list(value: Any) -> list[Any]:
    if type(value) is not list:
        raise ValueError
    return value


def _truth(value: Any) -> bool:
    if type(value) is not bool:
        raise ValueError
    return value


_PLAIN: Mapping[Any, Read] = {str: _encodable, int: number, float: amount, bool: _truth}
