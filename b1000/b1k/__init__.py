"""The form of `.b1k` files: reports of runs, and the marks beside backups."""
