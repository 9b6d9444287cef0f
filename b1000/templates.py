"""Values with references in them that only a run can fill in."""

from b1000.named import NamedTuple


class Reference(NamedTuple):
    """``$name`` in a value: what only a run knows."""

    name: str


Template = tuple[str | Reference, ...]
"""A value in parts: text as it is, and references that are filled in for each run."""


class ScriptTemplate(NamedTuple):
    """A command for /bin/sh whose output is the value of a dynamic option."""

    template: Template


class Word(NamedTuple):
    """One word of a line that is split as a shell splits it.

    ``text`` is the word without its quotes; ``pattern`` the same as a glob in
    which what was quoted stands for itself.
    """

    text: str
    pattern: str


class WordTemplate(NamedTuple):
    """A :class:`Word` as it was configured, with references that each run fills in.

    One that is not ``quoted`` anywhere is no word where nothing is left of it.
    """

    text: Template
    pattern: Template
    quoted: bool
