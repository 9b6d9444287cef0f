#!/bin/sh
# mysql_dump_instance.sh INSTANCE DIRECTORY: a dump of all its databases, DIRECTORY/all.sql.gz.
#
# Not `mysqldump | gzip`: a pipe succeeds where gzip does, also with an empty dump. After a pre
# that failed there is no post, so what is half done is removed here.
set -eu
umask 077
directory=$2 part=$2/all.sql.part
clean_up() {
    rm -f "$part" "$part.gz"
    rmdir "$directory" 2>/dev/null || true # it stays where something else is in it
}
trap clean_up EXIT
# A shell that a signal ends at once would clean up nothing.
trap 'exit 129' HUP
trap 'exit 130' INT
trap 'exit 143' TERM

mkdir -p "$directory"
"${0%/*}/mysql_client.sh" dump "$1" --single-transaction --quick \
    --all-databases --routines --events --triggers >"$part"
gzip -f "$part"
mv "$part.gz" "$directory/all.sql.gz"
trap - EXIT
