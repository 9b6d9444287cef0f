"""What the user wrote, read and checked: ini file in, frozen jobs out."""

DEFAULT_FILE = "/etc/b1000/b1000.cfg"  # unless -f names another
COMMANDS = frozenset(
    {"status", "check", "forget", "list", "mark", "monitor", "prune", "restore", "verify"}
)
"""The words that are no job's as the first of a command line."""
