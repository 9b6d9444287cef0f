#!/bin/sh
# mysql_dump_instance.sh INSTANCE DIRECTORY: a dump of all its databases.
#
# Not `mysqldump | gzip`: a pipe succeeds where gzip does, also with an empty dump.
set -eu
umask 077
mkdir -p "$2"
mysqldump --socket="/run/mysqld/$1.sock" --single-transaction --quick \
    --all-databases --routines --events --triggers >"$2/all.sql"
gzip "$2/all.sql"
