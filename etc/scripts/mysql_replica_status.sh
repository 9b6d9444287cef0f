#!/bin/sh
# mysql_replica_status.sh INSTANCE FIELD: one field of its replication, such as Host or Port
# of its master, or nothing where it is no replica.
set -eu
ask() { "${0%/*}/mysql_client.sh" client "$1" --execute="SHOW $2 STATUS\\G"; }
# Newer servers know REPLICA and speak of a Source, older ones know SLAVE and a Master.
status=$(ask "$1" REPLICA 2>/dev/null || ask "$1" SLAVE)
printf '%s\n' "$status" | sed -n -E "s/^ *$2: //p"
