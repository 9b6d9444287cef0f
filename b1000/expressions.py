"""Regular expressions that are compiled when they are first used."""

import re
from typing import TYPE_CHECKING, Any, AnyStr

_METHODS = ("match", "fullmatch", "search", "finditer", "findall", "sub", "split")

if TYPE_CHECKING:

    def expression(text: AnyStr, flags: int = 0) -> re.Pattern[AnyStr]:
        """The expression. Of all that the program names, a run uses a few."""

else:

    class expression:  # noqa: N801  # it is used as a function
        """Stands for an expression until one of its methods is asked for."""

        def __init__(self, text: str | bytes, flags: int = 0) -> None:
            self._written = (text, flags)

        def __getattr__(self, name: str) -> Any:
            compiled = re.compile(*self._written)
            for each in _METHODS:
                setattr(self, each, getattr(compiled, each))
            return getattr(compiled, name)
