"""Marks beside backups: made of runs, brought to storages, and given to what is older."""
