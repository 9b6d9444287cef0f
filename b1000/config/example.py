"""Where the shipped example lies, for those who have no configuration yet."""

import os
import sys
from pathlib import Path

from b1000.config import DEFAULT_FILE


def way_out(file: str) -> str:
    """What to do where a configuration file cannot be read."""
    found = None if file != DEFAULT_FILE or os.path.lexists(file) else shipped()
    if not found:
        return "-f names another file"
    return (
        f"copy the example {found} there and change what is marked CHANGE, "
        "or name another file with -f"
    )


def shipped() -> Path | None:
    """The example ``b1000.cfg`` as this program was installed; None where it came without."""
    below = Path("share", "doc", "b1000", "examples", "b1000.cfg")
    candidates = (
        Path(__file__).parents[2] / "etc" / "b1000.cfg",  # of a checkout
        sys.prefix / below,  # of the Debian package, and of a virtual environment
        "/usr/local" / below,  # of pip without one
    )
    return next((candidate for candidate in candidates if candidate.is_file()), None)
