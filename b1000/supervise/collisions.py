"""Names that would meet: two runs in one directory, or with one name of a file. Pure.

Names are joined by dashes and may hold dashes themselves: instance ``a`` of
master ``b-c`` and instance ``a-b`` of master ``c`` give the same directory. It
can happen only where one name begins with the other and a dash.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from typing import TypeVar

Key = TypeVar("Key")


def may_meet(names: Iterable[str]) -> dict[str, frozenset[str]]:
    """For each name those others that, with something joined to both, may come out equal."""
    known = set(names)
    found: dict[str, set[str]] = {name: set() for name in known}
    for name in known:
        for position, character in enumerate(name):
            shorter = name[:position]
            if character == "-" and shorter in known:
                found[name].add(shorter)
                found[shorter].add(name)
    return {name: frozenset(others) for name, others in found.items()}


def equal(values: Mapping[Key, str]) -> dict[Key, list[Key]]:
    """For each key those other keys that have the same value, where there are any."""
    by_value: dict[str, list[Key]] = defaultdict(list)
    for key, value in values.items():
        by_value[value].append(key)
    return {
        key: [other for other in by_value[value] if other != key]
        for key, value in values.items()
        if len(by_value[value]) > 1
    }
