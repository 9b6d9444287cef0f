"""B1000: backups of many servers with rsync, cron, SQLite and MySQL."""

__version__ = "0.1.0"
