-- The tables of the central database of B1000: MariaDB 10.5 or newer, MySQL 5.7 or newer.
--
-- Made from b1000/reports/tables.py (python -m b1000.reports.tables); a change by hand is lost.
--
--     mysql b1000 < schema.sql
--
-- Makes what is missing. Of tables that are there already nothing is changed: columns that
-- older installations do not have are added, each with a default, so that older programs go
-- on writing beside this one; then indexes. May be loaded again and again.

SET NAMES utf8mb4;
SET SESSION group_concat_max_len = 65535;
-- Not strict: an old table may hold dates such as 0000-00-00, and is copied with them.
SET SESSION sql_mode = 'NO_ENGINE_SUBSTITUTION';

CREATE TABLE IF NOT EXISTS jobs (
    job_id INT UNSIGNED NOT NULL AUTO_INCREMENT PRIMARY KEY,
    host VARCHAR(128) COLLATE utf8mb4_bin NOT NULL DEFAULT '',
    name VARCHAR(128) COLLATE utf8mb4_bin NOT NULL DEFAULT '',
    instance VARCHAR(128) COLLATE utf8mb4_bin NOT NULL DEFAULT '',
    master_host VARCHAR(255) COLLATE utf8mb4_bin NOT NULL DEFAULT '',
    master_instance VARCHAR(255) COLLATE utf8mb4_bin NOT NULL DEFAULT '',
    direction VARCHAR(16) COLLATE utf8mb4_bin NOT NULL DEFAULT '',
    start_time DATETIME NOT NULL,
    last_op_time DATETIME NULL DEFAULT NULL,
    step VARCHAR(16) COLLATE utf8mb4_bin NOT NULL DEFAULT '',
    status VARCHAR(16) COLLATE utf8mb4_bin NOT NULL DEFAULT '',
    data_age DOUBLE NULL DEFAULT 0,
    ack TINYINT NOT NULL DEFAULT 0,
    type VARCHAR(16) COLLATE utf8mb4_bin NOT NULL DEFAULT '',
    started_utc DATETIME(3) NULL DEFAULT NULL,
    ended_utc DATETIME(3) NULL DEFAULT NULL,
    duration DOUBLE NULL DEFAULT NULL,
    bytes BIGINT NULL DEFAULT NULL,
    files BIGINT NULL DEFAULT NULL,
    attempts INT NOT NULL DEFAULT 0,
    error TEXT CHARACTER SET utf8mb4 COLLATE utf8mb4_unicode_ci NULL DEFAULT NULL,
    transition BIGINT NOT NULL DEFAULT 0,
    UNIQUE KEY jobs_key (start_time, host, name, instance),
    KEY jobs_subject (host, name, instance, start_time),
    KEY jobs_master (master_host, name, master_instance, start_time)
) ENGINE = InnoDB ROW_FORMAT = DYNAMIC DEFAULT CHARACTER SET utf8mb4;

SET @alter = (
    SELECT CONCAT('ALTER TABLE jobs ', GROUP_CONCAT(
        'ADD COLUMN ', wanted.name, ' ', wanted.definition ORDER BY wanted.position SEPARATOR ', '))
    FROM (
    SELECT 0 AS position, 'type' AS name, 'VARCHAR(16) COLLATE utf8mb4_bin NOT NULL DEFAULT ''''' AS definition
    UNION ALL SELECT 1 AS position, 'started_utc' AS name, 'DATETIME(3) NULL DEFAULT NULL' AS definition
    UNION ALL SELECT 2 AS position, 'ended_utc' AS name, 'DATETIME(3) NULL DEFAULT NULL' AS definition
    UNION ALL SELECT 3 AS position, 'duration' AS name, 'DOUBLE NULL DEFAULT NULL' AS definition
    UNION ALL SELECT 4 AS position, 'bytes' AS name, 'BIGINT NULL DEFAULT NULL' AS definition
    UNION ALL SELECT 5 AS position, 'files' AS name, 'BIGINT NULL DEFAULT NULL' AS definition
    UNION ALL SELECT 6 AS position, 'attempts' AS name, 'INT NOT NULL DEFAULT 0' AS definition
    UNION ALL SELECT 7 AS position, 'error' AS name, 'TEXT CHARACTER SET utf8mb4 COLLATE utf8mb4_unicode_ci NULL DEFAULT NULL' AS definition
    UNION ALL SELECT 8 AS position, 'transition' AS name, 'BIGINT NOT NULL DEFAULT 0' AS definition) AS wanted
    WHERE NOT EXISTS (
        SELECT 1 FROM information_schema.columns AS present
        WHERE present.table_schema = DATABASE() AND present.table_name = 'jobs'
        AND CONVERT(present.column_name USING utf8mb4) COLLATE utf8mb4_general_ci = wanted.name));
SET @alter = COALESCE(@alter, 'DO 0');
PREPARE upgrade FROM @alter;
EXECUTE upgrade;
DEALLOCATE PREPARE upgrade;

CREATE TABLE IF NOT EXISTS copies (
    copy_id INT UNSIGNED NOT NULL AUTO_INCREMENT PRIMARY KEY,
    job_id INT UNSIGNED NOT NULL,
    destination VARCHAR(255) COLLATE utf8mb4_bin NOT NULL DEFAULT '',
    type VARCHAR(16) COLLATE utf8mb4_bin NOT NULL DEFAULT '',
    path VARCHAR(4096) COLLATE utf8mb4_bin NOT NULL DEFAULT '',
    status VARCHAR(16) COLLATE utf8mb4_bin NOT NULL DEFAULT '',
    last_op_time DATETIME NULL DEFAULT NULL,
    started_utc DATETIME(3) NULL DEFAULT NULL,
    ended_utc DATETIME(3) NULL DEFAULT NULL,
    duration DOUBLE NULL DEFAULT NULL,
    bytes BIGINT NULL DEFAULT NULL,
    files BIGINT NULL DEFAULT NULL,
    sent BIGINT NULL DEFAULT NULL,
    attempts INT NOT NULL DEFAULT 0,
    exit_code INT NULL DEFAULT NULL,
    error TEXT CHARACTER SET utf8mb4 COLLATE utf8mb4_unicode_ci NULL DEFAULT NULL,
    transition BIGINT NOT NULL DEFAULT 0,
    UNIQUE KEY copies_key (job_id, destination)
) ENGINE = InnoDB ROW_FORMAT = DYNAMIC DEFAULT CHARACTER SET utf8mb4;

SET @alter = (
    SELECT CONCAT('ALTER TABLE copies ', GROUP_CONCAT(
        'ADD COLUMN ', wanted.name, ' ', wanted.definition ORDER BY wanted.position SEPARATOR ', '))
    FROM (
    SELECT 0 AS position, 'started_utc' AS name, 'DATETIME(3) NULL DEFAULT NULL' AS definition
    UNION ALL SELECT 1 AS position, 'ended_utc' AS name, 'DATETIME(3) NULL DEFAULT NULL' AS definition
    UNION ALL SELECT 2 AS position, 'duration' AS name, 'DOUBLE NULL DEFAULT NULL' AS definition
    UNION ALL SELECT 3 AS position, 'bytes' AS name, 'BIGINT NULL DEFAULT NULL' AS definition
    UNION ALL SELECT 4 AS position, 'files' AS name, 'BIGINT NULL DEFAULT NULL' AS definition
    UNION ALL SELECT 5 AS position, 'sent' AS name, 'BIGINT NULL DEFAULT NULL' AS definition
    UNION ALL SELECT 6 AS position, 'attempts' AS name, 'INT NOT NULL DEFAULT 0' AS definition
    UNION ALL SELECT 7 AS position, 'exit_code' AS name, 'INT NULL DEFAULT NULL' AS definition
    UNION ALL SELECT 8 AS position, 'error' AS name, 'TEXT CHARACTER SET utf8mb4 COLLATE utf8mb4_unicode_ci NULL DEFAULT NULL' AS definition
    UNION ALL SELECT 9 AS position, 'transition' AS name, 'BIGINT NOT NULL DEFAULT 0' AS definition) AS wanted
    WHERE NOT EXISTS (
        SELECT 1 FROM information_schema.columns AS present
        WHERE present.table_schema = DATABASE() AND present.table_name = 'copies'
        AND CONVERT(present.column_name USING utf8mb4) COLLATE utf8mb4_general_ci = wanted.name));
SET @alter = COALESCE(@alter, 'DO 0');
PREPARE upgrade FROM @alter;
EXECUTE upgrade;
DEALLOCATE PREPARE upgrade;

CREATE TABLE IF NOT EXISTS plan (
    plan_id INT UNSIGNED NOT NULL AUTO_INCREMENT PRIMARY KEY,
    master_ip VARCHAR(45) COLLATE utf8mb4_bin NOT NULL DEFAULT '',
    master_host VARCHAR(255) COLLATE utf8mb4_bin NOT NULL DEFAULT '',
    job_name VARCHAR(128) COLLATE utf8mb4_bin NOT NULL DEFAULT '',
    master_instance VARCHAR(255) COLLATE utf8mb4_bin NOT NULL DEFAULT '',
    timestamp TIMESTAMP NOT NULL DEFAULT CURRENT_TIMESTAMP,
    ignored TINYINT NOT NULL DEFAULT 0,
    max_data_age INT NULL DEFAULT NULL,
    max_backup_age INT NULL DEFAULT NULL,
    max_copy_time INT NULL DEFAULT NULL,
    note VARCHAR(1024) COLLATE utf8mb4_bin NOT NULL DEFAULT '',
    UNIQUE KEY plan_key (master_host, job_name, master_instance)
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
