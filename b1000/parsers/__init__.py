"""The words of the command line: which options each command takes, and its help."""
