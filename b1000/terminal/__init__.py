"""What can be done with a terminal."""
