"""``b1000 check``: what is wrong with the configuration, and with what it names."""
