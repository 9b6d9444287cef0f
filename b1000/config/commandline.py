"""Command lines that people are told to type: each acts by the configuration in use. Pure."""

from b1000.config import DEFAULT_FILE


def commandline(place: str, *words: str) -> str:
    """``b1000 WORDS`` as a shell takes it, by the configuration at ``place``, a whole path.

    That is named where it is not what the program reads by itself; it stands last.
    """
    import shlex  # here: only what has gone wrong needs it

    named = () if place == DEFAULT_FILE else ("-f", place)
    return shlex.join(("b1000", *words, *named))
