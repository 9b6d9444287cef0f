"""``b1000 status``: what is known of the runs, for eyes and for programs."""
