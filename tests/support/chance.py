"""How much is tried, and words for Hypothesis, which regular expressions make half as quickly."""

import os
import string

from hypothesis import strategies as st

TRIALS = int(os.environ.get("B1000_TRIALS", "15"))
"""How often something is tried whose outcome may hang on the moment."""

LETTERS = string.ascii_letters + string.digits


def examples(number: int) -> int:
    """How many are tried; B1000_EXAMPLES is the share of them, as ``make test-fast`` sets it."""
    return max(5, round(number * float(os.environ.get("B1000_EXAMPLES", "1"))))


def words(others: str, longest: int, first: str = LETTERS) -> st.SearchStrategy[str]:
    """Words of ASCII letters, digits and others, of which the first is one of those."""
    texts = st.text(first + others, min_size=1, max_size=longest)
    return texts.filter(lambda text: text[0] in first)


def hosts(separators: str, longest: int) -> st.SearchStrategy[str]:
    """Letters and digits, each but the first after a separator or none."""
    parts = [f"{before}{letter}" for before in ("", *separators) for letter in LETTERS]
    return st.lists(st.sampled_from(parts), min_size=1, max_size=longest).map(
        lambda found: "".join(found).lstrip(separators)
    )
