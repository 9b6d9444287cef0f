"""The tables of the journal: one script for each version, from the first to today's.

A new table, column or index is a new entry at the end of :data:`MIGRATIONS`; an
entry that has been released never changes.
"""

from collections.abc import Iterable

from b1000.runs.states import CopyStatus, Ending, Status, Step
from b1000.state import schema_of_storages
from b1000.state.conditions import quoted


def _one_of(column: str, values: Iterable[str]) -> str:
    return f"CHECK ({column} IN ({quoted(values)}))"


# Columns of process identities: id, boot, creation time in ticks since that boot.
_FIRST = f"""
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
    step            TEXT NOT NULL {_one_of("step", Step)},
    status          TEXT NOT NULL {_one_of("status", Status)},
    error           TEXT NOT NULL DEFAULT '',
    ending          TEXT {_one_of("ending", Ending)},
    ended           REAL,
    begun           INTEGER NOT NULL DEFAULT 0,
    own_dump        INTEGER NOT NULL DEFAULT 0,
    master_host     TEXT NOT NULL DEFAULT '',
    master_instance TEXT NOT NULL DEFAULT '',
    data_age        REAL,
    frozen          TEXT NOT NULL DEFAULT '{{}}',
    reports         TEXT NOT NULL,
    last_transition INTEGER NOT NULL DEFAULT 0,
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
    status      TEXT NOT NULL {_one_of("status", CopyStatus)},
    attempts    INTEGER NOT NULL DEFAULT 0,
    bytes       INTEGER,
    files       INTEGER,
    sent        INTEGER,
    exit_code   INTEGER,
    error       TEXT NOT NULL DEFAULT '',
    started     REAL,
    ended       REAL,
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
    retry_at    REAL,
    PRIMARY KEY (run_id, destination, number)
) STRICT, WITHOUT ROWID;

-- One row for each change of a step or status; destination is '' for the run itself.
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

-- Scripts and rsyncs that were started under a uid, a run's or a listing's.
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

-- Each time an instances command of a job was asked for the list.
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

-- The last run of each job/instance, kept up to date: status asks for nothing else.
CREATE TABLE latest (
    job      TEXT NOT NULL,
    instance TEXT NOT NULL,
    run_id   INTEGER NOT NULL,
    PRIMARY KEY (job, instance)
) STRICT, WITHOUT ROWID;

-- What a report has not got yet: the last transition of a run, and since when it is owed.
CREATE TABLE owed (
    report        TEXT NOT NULL,
    run_id        INTEGER NOT NULL REFERENCES runs ON DELETE CASCADE,
    transition_id INTEGER NOT NULL,
    since         REAL NOT NULL,
    PRIMARY KEY (report, run_id)
) STRICT, WITHOUT ROWID;
CREATE INDEX owed_of_run ON owed (run_id);
"""

_DERIVED_FROM_STATUS = """
-- Why a report is behind: what its reporter said last. No row where all has arrived.
CREATE TABLE report_troubles (
    report  TEXT PRIMARY KEY,
    trouble TEXT NOT NULL,
    since   REAL NOT NULL
) STRICT, WITHOUT ROWID;

-- The uids that a run had before it was resumed, under which its first processes are known.
CREATE TABLE earlier_uids (
    uid    TEXT PRIMARY KEY,
    run_id INTEGER NOT NULL REFERENCES runs ON DELETE CASCADE
) STRICT, WITHOUT ROWID;
CREATE INDEX earlier_uids_of_run ON earlier_uids (run_id);

-- What was left out, and behind what; until the job/instance runs again.
CREATE TABLE left_out (
    job      TEXT NOT NULL,
    instance TEXT NOT NULL,
    time     REAL NOT NULL,
    behind   TEXT NOT NULL,
    PRIMARY KEY (job, instance)
) STRICT, WITHOUT ROWID;
"""

_PULLING = """
ALTER TABLE runs ADD COLUMN waiting TEXT NOT NULL DEFAULT '';

-- The runs of clients that a pull run took, as it saw them last; client is run.Client as JSON.
CREATE TABLE clients (
    run_id INTEGER NOT NULL REFERENCES runs ON DELETE CASCADE,
    file   TEXT NOT NULL,
    client TEXT NOT NULL,
    PRIMARY KEY (run_id, file)
) STRICT;
"""

_STILL_RUNNING = """
-- Few: what was started and has no end yet.
CREATE INDEX processes_running ON processes (uid) WHERE ended IS NULL;
"""

_TRUE_BEGINNING = """
-- When a run really began: started is the second that it is named by.
ALTER TABLE runs ADD COLUMN began REAL NOT NULL DEFAULT 0;
UPDATE runs SET began = coalesce(
    (SELECT min(time) FROM transitions WHERE transitions.run_id = runs.run_id), started);
"""

_UNSETTLED = """
-- Directories at destinations that no attempt has finished since one began there, whichever run's
-- it was. doubt says why what is there is not believed by size and time; '' where it is.
CREATE TABLE unsettled (
    path   TEXT PRIMARY KEY,
    since  REAL NOT NULL,
    doubt  TEXT NOT NULL,
    spoilt INTEGER NOT NULL DEFAULT 0
) STRICT, WITHOUT ROWID;

-- Why an attempt compares by content.
ALTER TABLE attempts ADD COLUMN doubt TEXT NOT NULL DEFAULT '';

-- Earlier programs ended rsync by SIGTERM, and believed what it had left.
INSERT INTO unsettled (path, since, doubt)
SELECT copies.path, min(attempts.began), 'was ended in an unknown way'
FROM attempts JOIN copies USING (run_id, destination) JOIN runs USING (run_id)
WHERE runs.direction <> 'passive' AND (
    attempts.ended IS NULL OR attempts.exit_code < 0 OR attempts.exit_code IN (19, 20)
    OR attempts.exit_code IS NULL AND (
        attempts.reason LIKE '% ended%' OR attempts.reason LIKE '%interrupted%'
        OR attempts.reason LIKE '%min_free%' OR attempts.reason LIKE '%its worker%'))
GROUP BY copies.path;
"""

_CLAIMED = """
-- Whether the directory is one that this run has made.
ALTER TABLE copies ADD COLUMN claimed INTEGER NOT NULL DEFAULT 0;
UPDATE copies SET claimed = 1 WHERE attempts > 0;
"""

_PLAIN_WORDS = """
ALTER TABLE owed RENAME TO pending;
DROP INDEX owed_of_run;
CREATE INDEX pending_of_run ON pending (run_id);

ALTER TABLE left_out RENAME TO skipped;
"""

MIGRATIONS: tuple[str, ...] = (
    _FIRST,
    _DERIVED_FROM_STATUS,
    _PULLING,
    _STILL_RUNNING,
    _TRUE_BEGINNING,
    _UNSETTLED,
    _CLAIMED,
    _PLAIN_WORDS,
    schema_of_storages.STORED,
    schema_of_storages.MARKS,
    schema_of_storages.RESTORES,
    schema_of_storages.BAD,
    schema_of_storages.TOLD,
    schema_of_storages.RESTORERS,
    schema_of_storages.UNREAD,
    schema_of_storages.LINKED,
    schema_of_storages.FORGOTTEN,
    schema_of_storages.UNMARKED,
    schema_of_storages.CUT_OFF,
)

FINGERPRINT = 115379262
"""Of all tables as these make them (``columns.fingerprint``); a test says what it has to be."""
