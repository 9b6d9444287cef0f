"""All files that are made from tables: reference, man pages, completions, a new journal."""

from pathlib import Path

from b1000.parsers.every import PARSERS
from tools.completion.bash import bash
from tools.completion.fish import fish
from tools.completion.program import program
from tools.completion.zsh import zsh
from tools.manual import program_page
from tools.reference import reference
from tools.troff import configuration_page
from tools.whole_schema import whole_schema


def files() -> dict[str, str]:
    """Path below the checkout → content of each file that is made from the tables."""
    found = program({name: make() for name, make in PARSERS.items()})
    return {
        "b1000/state/whole_schema.py": whole_schema(),
        "docs/reference.md": reference(),
        "etc/man/b1000.1": program_page(),
        "etc/man/b1000.cfg.5": configuration_page(),
        "etc/completion/bash/b1000": bash(found),
        "etc/completion/zsh/_b1000": zsh(found),
        "etc/completion/fish/b1000.fish": fish(found),
    }


def write(checkout: Path) -> None:
    """Write all of them anew."""
    for path, content in files().items():
        (checkout / path).parent.mkdir(parents=True, exist_ok=True)
        (checkout / path).write_text(content)
