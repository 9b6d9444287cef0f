"""The tables of the journal that are about storages: migrations of schema.py, in their order."""

STORED = """
-- What this host's own looks at a storage found: of each root, by the directory below it.
-- runs/stored.py says what the columns are.
CREATE TABLE stored (
    root       TEXT NOT NULL,
    path       TEXT NOT NULL,
    first_seen REAL,
    counted    REAL,
    files      INTEGER,
    bytes      INTEGER,
    short      TEXT NOT NULL DEFAULT '',
    read       REAL,
    read_share REAL NOT NULL DEFAULT 0,
    bad        TEXT NOT NULL DEFAULT '',
    restored   REAL,
    sums       TEXT NOT NULL DEFAULT '',
    removed    REAL,
    reason     TEXT NOT NULL DEFAULT '',
    PRIMARY KEY (root, path)
) STRICT, WITHOUT ROWID;
"""

MARKS = """
-- Under which uid a run began: the same whoever has gone on with it.
ALTER TABLE runs ADD COLUMN first_uid TEXT NOT NULL DEFAULT '';
UPDATE runs SET first_uid = coalesce(
    (SELECT processes.uid FROM earlier_uids JOIN processes USING (uid)
     WHERE earlier_uids.run_id = runs.run_id ORDER BY processes.began LIMIT 1), uid);

-- Whether a mark is to lie beside a copy, and what rsync counted for it besides files and bytes.
ALTER TABLE copies ADD COLUMN marked INTEGER NOT NULL DEFAULT 0;
ALTER TABLE copies ADD COLUMN directories INTEGER;
ALTER TABLE copies ADD COLUMN links INTEGER;
ALTER TABLE copies ADD COLUMN others INTEGER;
ALTER TABLE copies ADD COLUMN vanished INTEGER;
"""

RESTORES = """
-- What was brought back: into which directory, from where, and how it ended.
CREATE TABLE restores (
    restore_id  INTEGER PRIMARY KEY,
    device      INTEGER NOT NULL,
    inode       INTEGER NOT NULL,
    target      TEXT NOT NULL,
    words       TEXT NOT NULL,
    job         TEXT NOT NULL,
    instance    TEXT NOT NULL,
    host        TEXT NOT NULL,
    destination TEXT NOT NULL,
    path        TEXT NOT NULL,
    run         TEXT NOT NULL,
    began       REAL NOT NULL,
    ended       REAL,
    error       TEXT NOT NULL DEFAULT ''
) STRICT;
CREATE INDEX restores_into ON restores (device, inode);
"""

BAD = """
-- What is known to be bad is asked for at the beginning of each run, and is little.
CREATE INDEX stored_bad ON stored (path) WHERE bad <> '';
"""

TOLD = """
-- What databases are told of a backup: facts is stored.Facts as JSON, "" where none is told.
ALTER TABLE stored ADD COLUMN facts TEXT NOT NULL DEFAULT '';
-- Grows with each change, in all rows together: microseconds, so that a journal that is begun anew
-- goes on behind the numbers that databases have got.
ALTER TABLE stored ADD COLUMN transition INTEGER NOT NULL DEFAULT 0;
CREATE INDEX stored_by_transition ON stored (transition);

-- What drills found.
ALTER TABLE stored ADD COLUMN drilled REAL;
ALTER TABLE stored ADD COLUMN drill_error TEXT NOT NULL DEFAULT '';
ALTER TABLE stored ADD COLUMN recovery REAL;

-- Backups of which a database has not got the last state.
CREATE TABLE pending_stored (
    report     TEXT NOT NULL,
    root       TEXT NOT NULL,
    path       TEXT NOT NULL,
    transition INTEGER NOT NULL,
    since      REAL NOT NULL,
    PRIMARY KEY (report, root, path)
) STRICT, WITHOUT ROWID;
CREATE INDEX pending_stored_in_order ON pending_stored (report, transition);
"""

RESTORERS = """
-- Which process brings it back: it may have died.
ALTER TABLE restores ADD COLUMN pid INTEGER NOT NULL DEFAULT 0;
ALTER TABLE restores ADD COLUMN boot TEXT NOT NULL DEFAULT '';
ALTER TABLE restores ADD COLUMN ticks INTEGER NOT NULL DEFAULT 0;
"""

LINKED = """
-- Whether files of a copy may be links into its base; 0 where none is.
ALTER TABLE copies ADD COLUMN linked INTEGER;
"""

UNREAD = """
-- What of a backup could not be read when it was counted or read last.
ALTER TABLE stored ADD COLUMN unread TEXT NOT NULL DEFAULT '';
"""

FORGOTTEN = """
-- Whether a restore that came to no good end was given up.
ALTER TABLE restores ADD COLUMN forgotten INTEGER NOT NULL DEFAULT 0;
"""

UNMARKED = """
-- Whether it had no mark when it was decided to remove it.
ALTER TABLE stored ADD COLUMN unmarked INTEGER NOT NULL DEFAULT 0;
"""

CUT_OFF = """
-- When time was over while it was read, and whether no file of it had come to its end by then.
ALTER TABLE stored ADD COLUMN cut_off REAL;
ALTER TABLE stored ADD COLUMN stuck INTEGER NOT NULL DEFAULT 0;
"""
