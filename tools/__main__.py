"""``python -m tools``, as ``make generated`` calls it."""

from pathlib import Path

from tools.generated import write

write(Path(__file__).parents[1])
