#!/bin/sh
# Seconds that the instance is behind its master; 0 where it is no replica.
set -eu
delay=$("${0%/*}/mysql_replica_status.sh" "$1" "Seconds_Behind_(Master|Source)")
echo "${delay:-0}"
