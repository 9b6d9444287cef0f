"""``python -m b1000``: the same program as the command ``b1000``."""

from b1000.cli import main

main()
