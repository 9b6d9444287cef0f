"""Named tuples that are made quickly.

Most of what this program imports are classes of values, and cron starts it again and again. Those
of :mod:`typing` check each field and compile a function for each class; these share the code of
one function for each number of fields, and are the same otherwise.
"""

import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING or sys.version_info >= (3, 14):  # which keeps annotations elsewhere
    from typing import NamedTuple as NamedTuple
else:
    import functools
    from _collections import _tuplegetter
    from keyword import iskeyword
    from types import FunctionType

    class _Values(tuple):
        """What all of them can do."""

        __slots__ = ()

        @classmethod
        def _make(cls, values):
            """One of an iterable of all values."""
            return cls(*values)

        def _replace(self, **changed):
            """The same with some other values."""
            values = tuple.__new__(type(self), map(changed.pop, self._fields, self))
            if changed:
                raise ValueError(f"Got unexpected field names: {list(changed)!r}")
            return values

        def _asdict(self):
            """The values by their names."""
            return dict(zip(self._fields, self, strict=True))

        def __repr__(self):
            fields = zip(self._fields, self, strict=True)
            return f"{type(self).__name__}({', '.join(f'{n}={v!r}' for n, v in fields)})"

        def __reduce_ex__(self, _):
            return type(self), tuple(self)

    @functools.cache
    def _maker(count):
        """The code that makes a tuple of so many values."""
        names = "".join(f"_{number}, " for number in range(count))
        made = eval(f"lambda _cls, {names}: _new(_cls, ({names}))", {"_new": tuple.__new__})
        return made.__code__

    class _Meta(type):
        """Makes a class of a declaration; classes that inherit from that one are plain ones."""

        def __new__(mcs, name, bases, declared):
            if not bases:
                return super().__new__(mcs, name, bases, declared)
            fields = tuple(declared.get("__annotations__", ()))
            defaults = {each: declared.pop(each) for each in fields if each in declared}
            if tuple(defaults) != fields[len(fields) - len(defaults) :]:
                raise TypeError(f"a field of {name} without a default follows one with it")
            if any(each.startswith("_") or iskeyword(each) for each in fields):
                raise TypeError(f"a field of {name} has a name that is kept for others")
            code = _maker(len(fields)).replace(
                co_varnames=("_cls", *fields), co_name="__new__", co_qualname=f"{name}.__new__"
            )
            new = FunctionType(code, {"_new": tuple.__new__}, "__new__", tuple(defaults.values()))
            places = {each: _tuplegetter(place, "") for place, each in enumerate(fields)}
            made = {"_fields": fields, "_field_defaults": defaults, "__match_args__": fields}
            made |= {"__slots__": (), "__new__": new, **places, **declared}
            return type(name, (_Values,), made)

    class NamedTuple(metaclass=_Meta):
        """As :class:`typing.NamedTuple`."""
