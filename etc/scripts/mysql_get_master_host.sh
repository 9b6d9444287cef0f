#!/bin/sh
# The host whose data the instance holds: its master's, or its own.
set -eu
host=$("${0%/*}/mysql_replica_status.sh" "$1" "(Master|Source)_Host")
echo "${host:-$(uname -n)}"
