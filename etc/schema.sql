-- The tables of the central database of B1000: MariaDB 10.5 or newer, MySQL 5.7 or newer.
--
-- Made from b1000/reports/tables.py by python -m b1000.reports.mysql.schema; a change by hand
-- is lost.
--
--     mysql b1000 < schema.sql
--
-- Makes what is missing. Tables of older installations keep their columns as they are: others
-- are added behind them, each with a default, and in SELECT * and INSERT without a list of
-- columns they do not count (MariaDB, MySQL 8.0.23), so that older programs go on beside this
-- one; the unique key of jobs gets one of them; then indexes. Tables that the first version of
-- this file made become like new ones. No row is lost. May be loaded again and again.

SET NAMES utf8mb4;
SET SESSION group_concat_max_len = 65535;
-- Not strict: an old table may hold dates such as 0000-00-00, and is copied with them.
SET SESSION sql_mode = 'NO_ENGINE_SUBSTITUTION';
-- Whether this server can hide columns.
SELECT 0 /*M!100303 + 1 */ /*!80023 + 1 */ INTO @hides;

CREATE TABLE IF NOT EXISTS jobs (
    job_id INT UNSIGNED NOT NULL AUTO_INCREMENT PRIMARY KEY,
    host VARCHAR(128) COLLATE utf8mb4_bin NOT NULL DEFAULT '',
    name VARCHAR(128) COLLATE utf8mb4_bin NOT NULL DEFAULT '',
    instance VARCHAR(128) COLLATE utf8mb4_bin NOT NULL DEFAULT '',
    master_host VARCHAR(255) COLLATE utf8mb4_bin NOT NULL DEFAULT '',
    master_instance VARCHAR(255) COLLATE utf8mb4_bin NOT NULL DEFAULT '',
    direction VARCHAR(16) COLLATE utf8mb4_bin NOT NULL DEFAULT '',
    start_time DATETIME NOT NULL,
    last_op_time DATETIME NULL DEFAULT CURRENT_TIMESTAMP ON UPDATE CURRENT_TIMESTAMP,
    step ENUM('INIT', 'PRE', 'COPYING', 'POST', 'DONE') NOT NULL DEFAULT 'INIT',
    status ENUM('OK', 'WARNING', 'FAILED') NOT NULL DEFAULT 'OK',
    data_age DOUBLE NULL DEFAULT 0,
    ack TINYINT NOT NULL DEFAULT 0,
    backup_type VARCHAR(16) COLLATE utf8mb4_bin NOT NULL DEFAULT '' /*M!100303 INVISIBLE */ /*!80023 INVISIBLE */,
    started_utc DATETIME(3) NULL DEFAULT NULL /*M!100303 INVISIBLE */ /*!80023 INVISIBLE */,
    ended_utc DATETIME(3) NULL DEFAULT NULL /*M!100303 INVISIBLE */ /*!80023 INVISIBLE */,
    duration DOUBLE NULL DEFAULT NULL /*M!100303 INVISIBLE */ /*!80023 INVISIBLE */,
    bytes BIGINT NULL DEFAULT NULL /*M!100303 INVISIBLE */ /*!80023 INVISIBLE */,
    files BIGINT NULL DEFAULT NULL /*M!100303 INVISIBLE */ /*!80023 INVISIBLE */,
    attempts INT NOT NULL DEFAULT 0 /*M!100303 INVISIBLE */ /*!80023 INVISIBLE */,
    error TEXT CHARACTER SET utf8mb4 COLLATE utf8mb4_unicode_ci NULL DEFAULT NULL /*M!100303 INVISIBLE */ /*!80023 INVISIBLE */,
    transition BIGINT NOT NULL DEFAULT 0 /*M!100303 INVISIBLE */ /*!80023 INVISIBLE */,
    relayed_by VARCHAR(64) CHARACTER SET ascii COLLATE ascii_bin NOT NULL DEFAULT '' /*M!100303 INVISIBLE */ /*!80023 INVISIBLE */,
    UNIQUE KEY jobs_key (start_time, host, name, instance, relayed_by),
    KEY jobs_subject (host, name, instance, start_time),
    KEY jobs_master (master_host, name, master_instance, start_time)
) ENGINE = InnoDB ROW_FORMAT = DYNAMIC DEFAULT CHARACTER SET utf8mb4;

SET @there = (SELECT CONCAT(',', GROUP_CONCAT(LOWER(CONVERT(column_name USING utf8mb4))), ',') FROM information_schema.columns
    WHERE table_schema = DATABASE() AND table_name = 'jobs');
SET @seen = (SELECT CONCAT(',', GROUP_CONCAT(LOWER(CONVERT(column_name USING utf8mb4))), ',') FROM information_schema.columns
    WHERE table_schema = DATABASE() AND table_name = 'jobs' AND extra NOT LIKE '%INVISIBLE%');
SET @first = (SELECT COUNT(*) FROM information_schema.columns
    WHERE table_schema = DATABASE() AND table_name = 'jobs' AND column_name = 'step' AND column_type = 'varchar(16)' AND collation_name = 'utf8mb4_bin');
SET @keys = (
    SELECT GROUP_CONCAT('DROP KEY `', index_name, '`' SEPARATOR ', ') FROM (
        SELECT index_name FROM information_schema.statistics
        WHERE table_schema = DATABASE() AND table_name = 'jobs' AND non_unique = 0
        GROUP BY index_name
        HAVING GROUP_CONCAT(LOWER(column_name) ORDER BY LOWER(column_name))
            = 'host,instance,name,start_time') AS narrow);
SET @alter = CONCAT_WS(', ',
    IF(LOCATE(',backup_type,', @there), IF(@hides AND LOCATE(',backup_type,', @seen), 'MODIFY COLUMN backup_type VARCHAR(16) COLLATE utf8mb4_bin NOT NULL DEFAULT '''' /*M!100303 INVISIBLE */ /*!80023 INVISIBLE */', NULL),
        IF(LOCATE(',type,', @there), 'CHANGE COLUMN type backup_type VARCHAR(16) COLLATE utf8mb4_bin NOT NULL DEFAULT '''' /*M!100303 INVISIBLE */ /*!80023 INVISIBLE */',
        'ADD COLUMN backup_type VARCHAR(16) COLLATE utf8mb4_bin NOT NULL DEFAULT '''' /*M!100303 INVISIBLE */ /*!80023 INVISIBLE */')),
    IF(LOCATE(',started_utc,', @there), IF(@hides AND LOCATE(',started_utc,', @seen), 'MODIFY COLUMN started_utc DATETIME(3) NULL DEFAULT NULL /*M!100303 INVISIBLE */ /*!80023 INVISIBLE */', NULL),
        'ADD COLUMN started_utc DATETIME(3) NULL DEFAULT NULL /*M!100303 INVISIBLE */ /*!80023 INVISIBLE */'),
    IF(LOCATE(',ended_utc,', @there), IF(@hides AND LOCATE(',ended_utc,', @seen), 'MODIFY COLUMN ended_utc DATETIME(3) NULL DEFAULT NULL /*M!100303 INVISIBLE */ /*!80023 INVISIBLE */', NULL),
        'ADD COLUMN ended_utc DATETIME(3) NULL DEFAULT NULL /*M!100303 INVISIBLE */ /*!80023 INVISIBLE */'),
    IF(LOCATE(',duration,', @there), IF(@hides AND LOCATE(',duration,', @seen), 'MODIFY COLUMN duration DOUBLE NULL DEFAULT NULL /*M!100303 INVISIBLE */ /*!80023 INVISIBLE */', NULL),
        'ADD COLUMN duration DOUBLE NULL DEFAULT NULL /*M!100303 INVISIBLE */ /*!80023 INVISIBLE */'),
    IF(LOCATE(',bytes,', @there), IF(@hides AND LOCATE(',bytes,', @seen), 'MODIFY COLUMN bytes BIGINT NULL DEFAULT NULL /*M!100303 INVISIBLE */ /*!80023 INVISIBLE */', NULL),
        'ADD COLUMN bytes BIGINT NULL DEFAULT NULL /*M!100303 INVISIBLE */ /*!80023 INVISIBLE */'),
    IF(LOCATE(',files,', @there), IF(@hides AND LOCATE(',files,', @seen), 'MODIFY COLUMN files BIGINT NULL DEFAULT NULL /*M!100303 INVISIBLE */ /*!80023 INVISIBLE */', NULL),
        'ADD COLUMN files BIGINT NULL DEFAULT NULL /*M!100303 INVISIBLE */ /*!80023 INVISIBLE */'),
    IF(LOCATE(',attempts,', @there), IF(@hides AND LOCATE(',attempts,', @seen), 'MODIFY COLUMN attempts INT NOT NULL DEFAULT 0 /*M!100303 INVISIBLE */ /*!80023 INVISIBLE */', NULL),
        'ADD COLUMN attempts INT NOT NULL DEFAULT 0 /*M!100303 INVISIBLE */ /*!80023 INVISIBLE */'),
    IF(LOCATE(',error,', @there), IF(@hides AND LOCATE(',error,', @seen), 'MODIFY COLUMN error TEXT CHARACTER SET utf8mb4 COLLATE utf8mb4_unicode_ci NULL DEFAULT NULL /*M!100303 INVISIBLE */ /*!80023 INVISIBLE */', NULL),
        'ADD COLUMN error TEXT CHARACTER SET utf8mb4 COLLATE utf8mb4_unicode_ci NULL DEFAULT NULL /*M!100303 INVISIBLE */ /*!80023 INVISIBLE */'),
    IF(LOCATE(',transition,', @there), IF(@hides AND LOCATE(',transition,', @seen), 'MODIFY COLUMN transition BIGINT NOT NULL DEFAULT 0 /*M!100303 INVISIBLE */ /*!80023 INVISIBLE */', NULL),
        'ADD COLUMN transition BIGINT NOT NULL DEFAULT 0 /*M!100303 INVISIBLE */ /*!80023 INVISIBLE */'),
    IF(LOCATE(',relayed_by,', @there), IF(@hides AND LOCATE(',relayed_by,', @seen), 'MODIFY COLUMN relayed_by VARCHAR(64) CHARACTER SET ascii COLLATE ascii_bin NOT NULL DEFAULT '''' /*M!100303 INVISIBLE */ /*!80023 INVISIBLE */', NULL),
        'ADD COLUMN relayed_by VARCHAR(64) CHARACTER SET ascii COLLATE ascii_bin NOT NULL DEFAULT '''' /*M!100303 INVISIBLE */ /*!80023 INVISIBLE */'),
    IF(@first, 'MODIFY COLUMN last_op_time DATETIME NULL DEFAULT CURRENT_TIMESTAMP ON UPDATE CURRENT_TIMESTAMP', NULL),
    IF(@first, 'MODIFY COLUMN step ENUM(''INIT'', ''PRE'', ''COPYING'', ''POST'', ''DONE'') NOT NULL DEFAULT ''INIT''', NULL),
    IF(@first, 'MODIFY COLUMN status ENUM(''OK'', ''WARNING'', ''FAILED'') NOT NULL DEFAULT ''OK''', NULL),
    CONCAT(@keys, ', ADD UNIQUE KEY jobs_key (start_time, host, name, instance, relayed_by)'));
SET @alter = IF(@alter = '', 'DO 0', CONCAT('ALTER TABLE jobs ', @alter));
PREPARE upgrade FROM @alter;
EXECUTE upgrade;
DEALLOCATE PREPARE upgrade;

CREATE TABLE IF NOT EXISTS copies (
    copy_id INT UNSIGNED NOT NULL AUTO_INCREMENT PRIMARY KEY,
    job_id INT UNSIGNED NOT NULL,
    destination VARCHAR(255) COLLATE utf8mb4_bin NOT NULL DEFAULT '',
    type VARCHAR(16) COLLATE utf8mb4_bin NOT NULL DEFAULT '',
    path VARCHAR(4096) COLLATE utf8mb4_bin NOT NULL DEFAULT '',
    status ENUM('INIT', 'COPYING', 'DONE', 'WARNING', 'FAILED') NOT NULL DEFAULT 'INIT',
    last_op_time DATETIME NULL DEFAULT CURRENT_TIMESTAMP ON UPDATE CURRENT_TIMESTAMP,
    copy_started_utc DATETIME(3) NULL DEFAULT NULL /*M!100303 INVISIBLE */ /*!80023 INVISIBLE */,
    copy_ended_utc DATETIME(3) NULL DEFAULT NULL /*M!100303 INVISIBLE */ /*!80023 INVISIBLE */,
    copy_duration DOUBLE NULL DEFAULT NULL /*M!100303 INVISIBLE */ /*!80023 INVISIBLE */,
    copy_bytes BIGINT NULL DEFAULT NULL /*M!100303 INVISIBLE */ /*!80023 INVISIBLE */,
    copy_files BIGINT NULL DEFAULT NULL /*M!100303 INVISIBLE */ /*!80023 INVISIBLE */,
    sent BIGINT NULL DEFAULT NULL /*M!100303 INVISIBLE */ /*!80023 INVISIBLE */,
    copy_attempts INT NOT NULL DEFAULT 0 /*M!100303 INVISIBLE */ /*!80023 INVISIBLE */,
    exit_code INT NULL DEFAULT NULL /*M!100303 INVISIBLE */ /*!80023 INVISIBLE */,
    copy_error TEXT CHARACTER SET utf8mb4 COLLATE utf8mb4_unicode_ci NULL DEFAULT NULL /*M!100303 INVISIBLE */ /*!80023 INVISIBLE */,
    copy_transition BIGINT NOT NULL DEFAULT 0 /*M!100303 INVISIBLE */ /*!80023 INVISIBLE */,
    UNIQUE KEY copies_key (job_id, destination)
) ENGINE = InnoDB ROW_FORMAT = DYNAMIC DEFAULT CHARACTER SET utf8mb4;

SET @there = (SELECT CONCAT(',', GROUP_CONCAT(LOWER(CONVERT(column_name USING utf8mb4))), ',') FROM information_schema.columns
    WHERE table_schema = DATABASE() AND table_name = 'copies');
SET @seen = (SELECT CONCAT(',', GROUP_CONCAT(LOWER(CONVERT(column_name USING utf8mb4))), ',') FROM information_schema.columns
    WHERE table_schema = DATABASE() AND table_name = 'copies' AND extra NOT LIKE '%INVISIBLE%');
SET @first = (SELECT COUNT(*) FROM information_schema.columns
    WHERE table_schema = DATABASE() AND table_name = 'copies' AND column_name = 'status' AND column_type = 'varchar(16)' AND collation_name = 'utf8mb4_bin');
SET @alter = CONCAT_WS(', ',
    IF(LOCATE(',copy_started_utc,', @there), IF(@hides AND LOCATE(',copy_started_utc,', @seen), 'MODIFY COLUMN copy_started_utc DATETIME(3) NULL DEFAULT NULL /*M!100303 INVISIBLE */ /*!80023 INVISIBLE */', NULL),
        IF(LOCATE(',started_utc,', @there), 'CHANGE COLUMN started_utc copy_started_utc DATETIME(3) NULL DEFAULT NULL /*M!100303 INVISIBLE */ /*!80023 INVISIBLE */',
        'ADD COLUMN copy_started_utc DATETIME(3) NULL DEFAULT NULL /*M!100303 INVISIBLE */ /*!80023 INVISIBLE */')),
    IF(LOCATE(',copy_ended_utc,', @there), IF(@hides AND LOCATE(',copy_ended_utc,', @seen), 'MODIFY COLUMN copy_ended_utc DATETIME(3) NULL DEFAULT NULL /*M!100303 INVISIBLE */ /*!80023 INVISIBLE */', NULL),
        IF(LOCATE(',ended_utc,', @there), 'CHANGE COLUMN ended_utc copy_ended_utc DATETIME(3) NULL DEFAULT NULL /*M!100303 INVISIBLE */ /*!80023 INVISIBLE */',
        'ADD COLUMN copy_ended_utc DATETIME(3) NULL DEFAULT NULL /*M!100303 INVISIBLE */ /*!80023 INVISIBLE */')),
    IF(LOCATE(',copy_duration,', @there), IF(@hides AND LOCATE(',copy_duration,', @seen), 'MODIFY COLUMN copy_duration DOUBLE NULL DEFAULT NULL /*M!100303 INVISIBLE */ /*!80023 INVISIBLE */', NULL),
        IF(LOCATE(',duration,', @there), 'CHANGE COLUMN duration copy_duration DOUBLE NULL DEFAULT NULL /*M!100303 INVISIBLE */ /*!80023 INVISIBLE */',
        'ADD COLUMN copy_duration DOUBLE NULL DEFAULT NULL /*M!100303 INVISIBLE */ /*!80023 INVISIBLE */')),
    IF(LOCATE(',copy_bytes,', @there), IF(@hides AND LOCATE(',copy_bytes,', @seen), 'MODIFY COLUMN copy_bytes BIGINT NULL DEFAULT NULL /*M!100303 INVISIBLE */ /*!80023 INVISIBLE */', NULL),
        IF(LOCATE(',bytes,', @there), 'CHANGE COLUMN bytes copy_bytes BIGINT NULL DEFAULT NULL /*M!100303 INVISIBLE */ /*!80023 INVISIBLE */',
        'ADD COLUMN copy_bytes BIGINT NULL DEFAULT NULL /*M!100303 INVISIBLE */ /*!80023 INVISIBLE */')),
    IF(LOCATE(',copy_files,', @there), IF(@hides AND LOCATE(',copy_files,', @seen), 'MODIFY COLUMN copy_files BIGINT NULL DEFAULT NULL /*M!100303 INVISIBLE */ /*!80023 INVISIBLE */', NULL),
        IF(LOCATE(',files,', @there), 'CHANGE COLUMN files copy_files BIGINT NULL DEFAULT NULL /*M!100303 INVISIBLE */ /*!80023 INVISIBLE */',
        'ADD COLUMN copy_files BIGINT NULL DEFAULT NULL /*M!100303 INVISIBLE */ /*!80023 INVISIBLE */')),
    IF(LOCATE(',sent,', @there), IF(@hides AND LOCATE(',sent,', @seen), 'MODIFY COLUMN sent BIGINT NULL DEFAULT NULL /*M!100303 INVISIBLE */ /*!80023 INVISIBLE */', NULL),
        'ADD COLUMN sent BIGINT NULL DEFAULT NULL /*M!100303 INVISIBLE */ /*!80023 INVISIBLE */'),
    IF(LOCATE(',copy_attempts,', @there), IF(@hides AND LOCATE(',copy_attempts,', @seen), 'MODIFY COLUMN copy_attempts INT NOT NULL DEFAULT 0 /*M!100303 INVISIBLE */ /*!80023 INVISIBLE */', NULL),
        IF(LOCATE(',attempts,', @there), 'CHANGE COLUMN attempts copy_attempts INT NOT NULL DEFAULT 0 /*M!100303 INVISIBLE */ /*!80023 INVISIBLE */',
        'ADD COLUMN copy_attempts INT NOT NULL DEFAULT 0 /*M!100303 INVISIBLE */ /*!80023 INVISIBLE */')),
    IF(LOCATE(',exit_code,', @there), IF(@hides AND LOCATE(',exit_code,', @seen), 'MODIFY COLUMN exit_code INT NULL DEFAULT NULL /*M!100303 INVISIBLE */ /*!80023 INVISIBLE */', NULL),
        'ADD COLUMN exit_code INT NULL DEFAULT NULL /*M!100303 INVISIBLE */ /*!80023 INVISIBLE */'),
    IF(LOCATE(',copy_error,', @there), IF(@hides AND LOCATE(',copy_error,', @seen), 'MODIFY COLUMN copy_error TEXT CHARACTER SET utf8mb4 COLLATE utf8mb4_unicode_ci NULL DEFAULT NULL /*M!100303 INVISIBLE */ /*!80023 INVISIBLE */', NULL),
        IF(LOCATE(',error,', @there), 'CHANGE COLUMN error copy_error TEXT CHARACTER SET utf8mb4 COLLATE utf8mb4_unicode_ci NULL DEFAULT NULL /*M!100303 INVISIBLE */ /*!80023 INVISIBLE */',
        'ADD COLUMN copy_error TEXT CHARACTER SET utf8mb4 COLLATE utf8mb4_unicode_ci NULL DEFAULT NULL /*M!100303 INVISIBLE */ /*!80023 INVISIBLE */')),
    IF(LOCATE(',copy_transition,', @there), IF(@hides AND LOCATE(',copy_transition,', @seen), 'MODIFY COLUMN copy_transition BIGINT NOT NULL DEFAULT 0 /*M!100303 INVISIBLE */ /*!80023 INVISIBLE */', NULL),
        IF(LOCATE(',transition,', @there), 'CHANGE COLUMN transition copy_transition BIGINT NOT NULL DEFAULT 0 /*M!100303 INVISIBLE */ /*!80023 INVISIBLE */',
        'ADD COLUMN copy_transition BIGINT NOT NULL DEFAULT 0 /*M!100303 INVISIBLE */ /*!80023 INVISIBLE */')),
    IF(@first, 'MODIFY COLUMN status ENUM(''INIT'', ''COPYING'', ''DONE'', ''WARNING'', ''FAILED'') NOT NULL DEFAULT ''INIT''', NULL),
    IF(@first, 'MODIFY COLUMN last_op_time DATETIME NULL DEFAULT CURRENT_TIMESTAMP ON UPDATE CURRENT_TIMESTAMP', NULL));
SET @alter = IF(@alter = '', 'DO 0', CONCAT('ALTER TABLE copies ', @alter));
PREPARE upgrade FROM @alter;
EXECUTE upgrade;
DEALLOCATE PREPARE upgrade;

CREATE TABLE IF NOT EXISTS plan (
    master_ip VARCHAR(45) COLLATE utf8mb4_bin NOT NULL DEFAULT '',
    master_host VARCHAR(255) COLLATE utf8mb4_bin NOT NULL DEFAULT '',
    job_name VARCHAR(128) COLLATE utf8mb4_bin NOT NULL DEFAULT '',
    master_instance VARCHAR(255) COLLATE utf8mb4_bin NOT NULL DEFAULT '',
    timestamp TIMESTAMP NOT NULL DEFAULT CURRENT_TIMESTAMP,
    ignored TINYINT NOT NULL DEFAULT 0,
    max_data_age INT NULL DEFAULT 0,
    max_backup_age INT NULL DEFAULT 0,
    max_copy_time INT NULL DEFAULT 0,
    note VARCHAR(1024) COLLATE utf8mb4_bin NOT NULL DEFAULT '',
    PRIMARY KEY (master_host, job_name, master_instance)
) ENGINE = InnoDB ROW_FORMAT = DYNAMIC DEFAULT CHARACTER SET utf8mb4;

SET @there = (SELECT CONCAT(',', GROUP_CONCAT(LOWER(CONVERT(column_name USING utf8mb4))), ',') FROM information_schema.columns
    WHERE table_schema = DATABASE() AND table_name = 'plan');
SET @seen = (SELECT CONCAT(',', GROUP_CONCAT(LOWER(CONVERT(column_name USING utf8mb4))), ',') FROM information_schema.columns
    WHERE table_schema = DATABASE() AND table_name = 'plan' AND extra NOT LIKE '%INVISIBLE%');
SET @first = (SELECT COUNT(*) FROM information_schema.columns
    WHERE table_schema = DATABASE() AND table_name = 'plan' AND column_name = 'plan_id' AND ordinal_position = 1);
SET @alter = CONCAT_WS(', ',
    IF(@first, 'MODIFY COLUMN max_data_age INT NULL DEFAULT 0', NULL),
    IF(@first, 'MODIFY COLUMN max_backup_age INT NULL DEFAULT 0', NULL),
    IF(@first, 'MODIFY COLUMN max_copy_time INT NULL DEFAULT 0', NULL),
    IF(@first, 'DROP COLUMN plan_id', NULL),
    IF(@first, 'DROP KEY plan_key', NULL),
    IF(@first, 'ADD PRIMARY KEY (master_host, job_name, master_instance)', NULL));
SET @alter = IF(@alter = '', 'DO 0', CONCAT('ALTER TABLE plan ', @alter));
PREPARE upgrade FROM @alter;
EXECUTE upgrade;
DEALLOCATE PREPARE upgrade;

CREATE TABLE IF NOT EXISTS stored (
    stored_id INT UNSIGNED NOT NULL AUTO_INCREMENT PRIMARY KEY,
    storage VARCHAR(64) CHARACTER SET ascii COLLATE ascii_bin NOT NULL DEFAULT '',
    path VARCHAR(704) COLLATE utf8mb4_bin NOT NULL DEFAULT '',
    host VARCHAR(128) COLLATE utf8mb4_bin NOT NULL DEFAULT '',
    name VARCHAR(128) COLLATE utf8mb4_bin NOT NULL DEFAULT '',
    instance VARCHAR(128) COLLATE utf8mb4_bin NOT NULL DEFAULT '',
    master_host VARCHAR(255) COLLATE utf8mb4_bin NOT NULL DEFAULT '',
    master_instance VARCHAR(255) COLLATE utf8mb4_bin NOT NULL DEFAULT '',
    start_time DATETIME NULL DEFAULT NULL,
    destination VARCHAR(255) COLLATE utf8mb4_bin NOT NULL DEFAULT '',
    type VARCHAR(16) COLLATE utf8mb4_bin NOT NULL DEFAULT '',
    state VARCHAR(16) COLLATE utf8mb4_bin NOT NULL DEFAULT '',
    bytes BIGINT NULL DEFAULT NULL,
    files BIGINT NULL DEFAULT NULL,
    first_seen_utc DATETIME(3) NULL DEFAULT NULL,
    counted_utc DATETIME(3) NULL DEFAULT NULL,
    read_utc DATETIME(3) NULL DEFAULT NULL,
    read_share DOUBLE NOT NULL DEFAULT 0,
    bad TINYINT NOT NULL DEFAULT 0,
    error TEXT CHARACTER SET utf8mb4 COLLATE utf8mb4_unicode_ci NULL DEFAULT NULL,
    restored_utc DATETIME(3) NULL DEFAULT NULL,
    removed_utc DATETIME(3) NULL DEFAULT NULL,
    reason TEXT CHARACTER SET utf8mb4 COLLATE utf8mb4_unicode_ci NULL DEFAULT NULL,
    transition BIGINT NOT NULL DEFAULT 0,
    started_utc DATETIME(3) NULL DEFAULT NULL,
    run VARCHAR(64) CHARACTER SET ascii COLLATE ascii_bin NOT NULL DEFAULT '',
    tried_utc DATETIME(3) NULL DEFAULT NULL,
    drilled_utc DATETIME(3) NULL DEFAULT NULL,
    drill_error TEXT CHARACTER SET utf8mb4 COLLATE utf8mb4_unicode_ci NULL DEFAULT NULL,
    recovery_time DOUBLE NULL DEFAULT NULL,
    verify_every BIGINT NULL DEFAULT NULL,
    drill_every BIGINT NULL DEFAULT NULL,
    held TEXT CHARACTER SET utf8mb4 COLLATE utf8mb4_unicode_ci NULL DEFAULT NULL,
    whose BIGINT NULL DEFAULT NULL /*M!100303 INVISIBLE */ /*!80023 INVISIBLE */,
    last_read_utc DATETIME(3) NULL DEFAULT NULL /*M!100303 INVISIBLE */ /*!80023 INVISIBLE */,
    sums VARCHAR(160) CHARACTER SET ascii COLLATE ascii_bin NOT NULL DEFAULT '' /*M!100303 INVISIBLE */ /*!80023 INVISIBLE */,
    UNIQUE KEY stored_key (storage, path),
    KEY stored_subject (host, name, instance),
    KEY stored_master (master_host, name, master_instance),
    KEY stored_drilled (drilled_utc),
    KEY stored_whose (whose, state, bad, type, verify_every, drill_every, started_utc, read_utc, first_seen_utc, last_read_utc)
) ENGINE = InnoDB ROW_FORMAT = DYNAMIC DEFAULT CHARACTER SET utf8mb4;

SET @there = (SELECT CONCAT(',', GROUP_CONCAT(LOWER(CONVERT(column_name USING utf8mb4))), ',') FROM information_schema.columns
    WHERE table_schema = DATABASE() AND table_name = 'stored');
SET @seen = (SELECT CONCAT(',', GROUP_CONCAT(LOWER(CONVERT(column_name USING utf8mb4))), ',') FROM information_schema.columns
    WHERE table_schema = DATABASE() AND table_name = 'stored' AND extra NOT LIKE '%INVISIBLE%');
SET @alter = CONCAT_WS(', ',
    IF(LOCATE(',whose,', @there), IF(@hides AND LOCATE(',whose,', @seen), 'MODIFY COLUMN whose BIGINT NULL DEFAULT NULL /*M!100303 INVISIBLE */ /*!80023 INVISIBLE */', NULL),
        'ADD COLUMN whose BIGINT NULL DEFAULT NULL /*M!100303 INVISIBLE */ /*!80023 INVISIBLE */'),
    IF(LOCATE(',last_read_utc,', @there), IF(@hides AND LOCATE(',last_read_utc,', @seen), 'MODIFY COLUMN last_read_utc DATETIME(3) NULL DEFAULT NULL /*M!100303 INVISIBLE */ /*!80023 INVISIBLE */', NULL),
        'ADD COLUMN last_read_utc DATETIME(3) NULL DEFAULT NULL /*M!100303 INVISIBLE */ /*!80023 INVISIBLE */'),
    IF(LOCATE(',sums,', @there), IF(@hides AND LOCATE(',sums,', @seen), 'MODIFY COLUMN sums VARCHAR(160) CHARACTER SET ascii COLLATE ascii_bin NOT NULL DEFAULT '''' /*M!100303 INVISIBLE */ /*!80023 INVISIBLE */', NULL),
        'ADD COLUMN sums VARCHAR(160) CHARACTER SET ascii COLLATE ascii_bin NOT NULL DEFAULT '''' /*M!100303 INVISIBLE */ /*!80023 INVISIBLE */'));
SET @alter = IF(@alter = '', 'DO 0', CONCAT('ALTER TABLE stored ', @alter));
PREPARE upgrade FROM @alter;
EXECUTE upgrade;
DEALLOCATE PREPARE upgrade;

CREATE TABLE IF NOT EXISTS replies (
    master_host VARCHAR(255) COLLATE utf8mb4_bin NOT NULL DEFAULT '',
    job_name VARCHAR(128) COLLATE utf8mb4_bin NOT NULL DEFAULT '',
    master_instance VARCHAR(255) COLLATE utf8mb4_bin NOT NULL DEFAULT '',
    reply VARCHAR(16) COLLATE utf8mb4_bin NOT NULL DEFAULT '',
    replied_by VARCHAR(255) COLLATE utf8mb4_bin NOT NULL DEFAULT '',
    replied_utc DATETIME(3) NULL DEFAULT NULL,
    until_utc DATETIME(3) NULL DEFAULT NULL,
    codes VARCHAR(255) COLLATE utf8mb4_bin NOT NULL DEFAULT '',
    note VARCHAR(1024) COLLATE utf8mb4_bin NOT NULL DEFAULT '',
    PRIMARY KEY (master_host, job_name, master_instance, reply)
) ENGINE = InnoDB ROW_FORMAT = DYNAMIC DEFAULT CHARACTER SET utf8mb4;

SET @alter = IF(
    EXISTS (
        SELECT 1 FROM information_schema.statistics
        WHERE table_schema = DATABASE() AND table_name = 'jobs'
        AND index_name = 'jobs_subject'),
    'DO 0', 'ALTER TABLE jobs ADD KEY jobs_subject (host, name, instance, start_time)');
PREPARE upgrade FROM @alter;
EXECUTE upgrade;
DEALLOCATE PREPARE upgrade;

SET @alter = IF(
    EXISTS (
        SELECT 1 FROM information_schema.statistics
        WHERE table_schema = DATABASE() AND table_name = 'jobs'
        AND index_name = 'jobs_master'),
    'DO 0', 'ALTER TABLE jobs ADD KEY jobs_master (master_host, name, master_instance, start_time)');
PREPARE upgrade FROM @alter;
EXECUTE upgrade;
DEALLOCATE PREPARE upgrade;

SET @alter = IF(
    EXISTS (
        SELECT 1 FROM information_schema.statistics
        WHERE table_schema = DATABASE() AND table_name = 'stored'
        AND index_name = 'stored_subject'),
    'DO 0', 'ALTER TABLE stored ADD KEY stored_subject (host, name, instance)');
PREPARE upgrade FROM @alter;
EXECUTE upgrade;
DEALLOCATE PREPARE upgrade;

SET @alter = IF(
    EXISTS (
        SELECT 1 FROM information_schema.statistics
        WHERE table_schema = DATABASE() AND table_name = 'stored'
        AND index_name = 'stored_master'),
    'DO 0', 'ALTER TABLE stored ADD KEY stored_master (master_host, name, master_instance)');
PREPARE upgrade FROM @alter;
EXECUTE upgrade;
DEALLOCATE PREPARE upgrade;

SET @alter = IF(
    EXISTS (
        SELECT 1 FROM information_schema.statistics
        WHERE table_schema = DATABASE() AND table_name = 'stored'
        AND index_name = 'stored_drilled'),
    'DO 0', 'ALTER TABLE stored ADD KEY stored_drilled (drilled_utc)');
PREPARE upgrade FROM @alter;
EXECUTE upgrade;
DEALLOCATE PREPARE upgrade;

SET @alter = IF(
    EXISTS (
        SELECT 1 FROM information_schema.statistics
        WHERE table_schema = DATABASE() AND table_name = 'stored'
        AND index_name = 'stored_whose'),
    'DO 0', 'ALTER TABLE stored ADD KEY stored_whose (whose, state, bad, type, verify_every, drill_every, started_utc, read_utc, first_seen_utc, last_read_utc)');
PREPARE upgrade FROM @alter;
EXECUTE upgrade;
DEALLOCATE PREPARE upgrade;
