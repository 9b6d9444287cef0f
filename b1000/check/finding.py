"""What a check finds."""

from b1000.named import NamedTuple


class Finding(NamedTuple):
    """Something that is not as the configuration needs it.

    ``section`` and ``option`` name what the text is about; both are "" where it
    is about the machine.
    """

    section: str
    option: str
    text: str
    warning: bool = False
