"""A backup is given back: which one, from where, to where, and whether it is whole."""
