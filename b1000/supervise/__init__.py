"""The supervisor: forks workers, writes the journal, and never copies or runs a script."""
