#!/bin/sh
# The instance there: the master's port, or its own name.
set -eu
port=$("${0%/*}/mysql_replica_status.sh" "$1" "(Master|Source)_Port")
echo "${port:-$1}"
