"""The worker: a forked process that does one run and tells its supervisor of every step."""
