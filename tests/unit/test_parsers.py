"""What the parsers of all commands have in common."""

import pytest

from b1000.parsers.every import PARSERS


@pytest.mark.parametrize(
    ("command", "word", "said"),
    [
        ("status", "-q", "(-q is for running jobs, b1000 prune, b1000 verify)"),
        ("list", "--connect", "(--connect is for b1000 check)"),
        ("status", "--nowhere", "unrecognized arguments: --nowhere\n"),
    ],
)
def test_an_option_of_another_command_is_named_with_those_that_have_it(
    capsys: pytest.CaptureFixture[str], command: str, word: str, said: str
) -> None:
    with pytest.raises(SystemExit) as ended:
        PARSERS[command]().parse_intermixed_args([word])
    assert ended.value.code == 2
    assert said in capsys.readouterr().err
