"""Backups are counted, read, and held against what is known of them."""
