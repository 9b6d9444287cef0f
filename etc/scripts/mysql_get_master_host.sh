#!/bin/sh
# The host whose data the instance holds: its master's, or this one, as B1000 calls it.
set -eu
host=$("${0%/*}/mysql_replica_status.sh" "$1" "(Master|Source)_Host")
echo "${host:-${B1000_HOST:-$(uname -n)}}"
