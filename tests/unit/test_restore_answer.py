"""The answer of b1000 restore for programs, and the page that tells of it."""

from b1000.restore.answer import Answer
from tests.support.world import ROOT


def test_each_key_is_on_the_page() -> None:
    page = (ROOT / "docs" / "restore.md").read_text().partition("## JSON")[2]
    assert [key for key in Answer().keys if f"`{key}`" not in page] == []
