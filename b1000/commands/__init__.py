"""What each command does with its words: to parse, to load, to hand over, and an exit code."""
