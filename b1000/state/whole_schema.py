"""The tables of a new journal, as one script. Made by ``make generated``."""
# ruff: noqa: E501 (SQLite puts what was added later into one line)

VERSION = 19
"""The number of migrations that come to the same."""

SCRIPT = """
CREATE TABLE runs (
    run_id          INTEGER PRIMARY KEY AUTOINCREMENT,
    uid             TEXT NOT NULL UNIQUE,
    job             TEXT NOT NULL,
    instance        TEXT NOT NULL,
    file_stem       TEXT NOT NULL,
    host            TEXT NOT NULL,
    direction       TEXT NOT NULL,
    type            TEXT NOT NULL,
    started         REAL NOT NULL,
    start_time      TEXT NOT NULL,
    supervisor_pid  INTEGER NOT NULL,
    supervisor_boot TEXT NOT NULL,
    supervisor_ticks INTEGER NOT NULL,
    step            TEXT NOT NULL CHECK (step IN ('COPYING', 'DONE', 'INIT', 'POST', 'PRE')),
    status          TEXT NOT NULL CHECK (status IN ('FAILED', 'OK', 'WARNING')),
    error           TEXT NOT NULL DEFAULT '',
    ending          TEXT CHECK (ending IN ('CLOSED', 'FINISHED', 'INTERRUPTED')),
    ended           REAL,
    begun           INTEGER NOT NULL DEFAULT 0,
    own_dump        INTEGER NOT NULL DEFAULT 0,
    master_host     TEXT NOT NULL DEFAULT '',
    master_instance TEXT NOT NULL DEFAULT '',
    data_age        REAL,
    frozen          TEXT NOT NULL DEFAULT '{}',
    reports         TEXT NOT NULL,
    last_transition INTEGER NOT NULL DEFAULT 0, waiting TEXT NOT NULL DEFAULT '', began REAL NOT NULL DEFAULT 0, first_uid TEXT NOT NULL DEFAULT '',
    UNIQUE (file_stem, start_time)
) STRICT;

CREATE INDEX runs_of_subject ON runs (job, instance, run_id, begun);

CREATE INDEX runs_unfinished ON runs (run_id) WHERE ending IS NULL;

CREATE INDEX runs_failed ON runs (job, instance, run_id)
    WHERE status = 'FAILED' AND ending <> 'CLOSED';

CREATE INDEX runs_by_age ON runs (started);

CREATE TABLE copies (
    copy_id     INTEGER PRIMARY KEY,
    run_id      INTEGER NOT NULL REFERENCES runs ON DELETE CASCADE,
    destination TEXT NOT NULL,
    position    INTEGER NOT NULL,
    background  INTEGER NOT NULL,
    type        TEXT NOT NULL,
    path        TEXT NOT NULL,
    status      TEXT NOT NULL CHECK (status IN ('COPYING', 'DONE', 'FAILED', 'INIT', 'WARNING')),
    attempts    INTEGER NOT NULL DEFAULT 0,
    bytes       INTEGER,
    files       INTEGER,
    sent        INTEGER,
    exit_code   INTEGER,
    error       TEXT NOT NULL DEFAULT '',
    started     REAL,
    ended       REAL, claimed INTEGER NOT NULL DEFAULT 0, marked INTEGER NOT NULL DEFAULT 0, directories INTEGER, links INTEGER, others INTEGER, vanished INTEGER, linked INTEGER,
    UNIQUE (run_id, destination)
) STRICT;

CREATE TABLE attempts (
    run_id      INTEGER NOT NULL REFERENCES runs ON DELETE CASCADE,
    destination TEXT NOT NULL,
    number      INTEGER NOT NULL,
    began       REAL NOT NULL,
    ended       REAL,
    exit_code   INTEGER,
    reason      TEXT NOT NULL DEFAULT '',
    retry_at    REAL, doubt TEXT NOT NULL DEFAULT '',
    PRIMARY KEY (run_id, destination, number)
) STRICT, WITHOUT ROWID;

CREATE TABLE transitions (
    transition_id INTEGER PRIMARY KEY AUTOINCREMENT,
    run_id        INTEGER NOT NULL REFERENCES runs ON DELETE CASCADE,
    time          REAL NOT NULL,
    destination   TEXT NOT NULL,
    step          TEXT NOT NULL,
    status        TEXT NOT NULL,
    error         TEXT NOT NULL
) STRICT;

CREATE INDEX transitions_of_run ON transitions (run_id);

CREATE TABLE processes (
    uid     TEXT NOT NULL,
    command TEXT NOT NULL,
    purpose TEXT NOT NULL,
    pid     INTEGER NOT NULL,
    boot    TEXT NOT NULL,
    ticks   INTEGER NOT NULL,
    began   REAL NOT NULL,
    ended   REAL,
    PRIMARY KEY (uid, command)
) STRICT, WITHOUT ROWID;

CREATE TABLE listings (
    listing_id       INTEGER PRIMARY KEY,
    uid              TEXT NOT NULL UNIQUE,
    job              TEXT NOT NULL,
    supervisor_pid   INTEGER NOT NULL,
    supervisor_boot  TEXT NOT NULL,
    supervisor_ticks INTEGER NOT NULL,
    began            REAL NOT NULL,
    ended            REAL,
    instances        TEXT,
    error            TEXT NOT NULL DEFAULT ''
) STRICT;

CREATE INDEX processes_by_age ON processes (began);

CREATE INDEX listings_of_job ON listings (job, listing_id);

CREATE TABLE latest (
    job      TEXT NOT NULL,
    instance TEXT NOT NULL,
    run_id   INTEGER NOT NULL,
    PRIMARY KEY (job, instance)
) STRICT, WITHOUT ROWID;

CREATE TABLE "pending" (
    report        TEXT NOT NULL,
    run_id        INTEGER NOT NULL REFERENCES runs ON DELETE CASCADE,
    transition_id INTEGER NOT NULL,
    since         REAL NOT NULL,
    PRIMARY KEY (report, run_id)
) STRICT, WITHOUT ROWID;

CREATE TABLE report_troubles (
    report  TEXT PRIMARY KEY,
    trouble TEXT NOT NULL,
    since   REAL NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE earlier_uids (
    uid    TEXT PRIMARY KEY,
    run_id INTEGER NOT NULL REFERENCES runs ON DELETE CASCADE
) STRICT, WITHOUT ROWID;

CREATE INDEX earlier_uids_of_run ON earlier_uids (run_id);

CREATE TABLE "skipped" (
    job      TEXT NOT NULL,
    instance TEXT NOT NULL,
    time     REAL NOT NULL,
    behind   TEXT NOT NULL,
    PRIMARY KEY (job, instance)
) STRICT, WITHOUT ROWID;

CREATE TABLE clients (
    run_id INTEGER NOT NULL REFERENCES runs ON DELETE CASCADE,
    file   TEXT NOT NULL,
    client TEXT NOT NULL,
    PRIMARY KEY (run_id, file)
) STRICT;

CREATE INDEX processes_running ON processes (uid) WHERE ended IS NULL;

CREATE TABLE unsettled (
    path   TEXT PRIMARY KEY,
    since  REAL NOT NULL,
    doubt  TEXT NOT NULL,
    spoilt INTEGER NOT NULL DEFAULT 0
) STRICT, WITHOUT ROWID;

CREATE INDEX pending_of_run ON pending (run_id);

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
    reason     TEXT NOT NULL DEFAULT '', facts TEXT NOT NULL DEFAULT '', transition INTEGER NOT NULL DEFAULT 0, drilled REAL, drill_error TEXT NOT NULL DEFAULT '', recovery REAL, unread TEXT NOT NULL DEFAULT '', unmarked INTEGER NOT NULL DEFAULT 0, cut_off REAL, stuck INTEGER NOT NULL DEFAULT 0,
    PRIMARY KEY (root, path)
) STRICT, WITHOUT ROWID;

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
, pid INTEGER NOT NULL DEFAULT 0, boot TEXT NOT NULL DEFAULT '', ticks INTEGER NOT NULL DEFAULT 0, forgotten INTEGER NOT NULL DEFAULT 0) STRICT;

CREATE INDEX restores_into ON restores (device, inode);

CREATE INDEX stored_bad ON stored (path) WHERE bad <> '';

CREATE INDEX stored_by_transition ON stored (transition);

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
