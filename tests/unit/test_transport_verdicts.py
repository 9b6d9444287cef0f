"""What is said where an encrypted transport does not reach its daemon."""

import pytest

from b1000.rsync import outcome
from b1000.rsync.verdicts import Retry


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("verify error:num=62:hostname mismatch", "not believed: hostname mismatch"),
        ("verify error:num=10:certificate has expired", "not believed: certificate has expired"),
        ("verify error:num=20:unable to get local issuer certificate", "local issuer"),
        ("No ED25519 host key is known for [x]:2 and you have requested", "is not known"),
        ("Host key for [x]:2 has changed and you have requested strict", "has changed"),
        ("root@x: Permission denied (publickey).", "accepts no key"),
        ("client_loop: send disconnect: Broken pipe", "the forced command is missing"),
    ],
)
def test_it_is_told_in_one_sentence_and_not_tried_again(line: str, said: str) -> None:
    judged = outcome.judge(5, ["", line, "rsync: did not see server greeting"], "storage")
    assert said in judged.reason
    assert "storage" in judged.reason
    assert judged.retry is Retry.NEVER
