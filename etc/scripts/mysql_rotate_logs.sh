#!/bin/sh
# mysql_rotate_logs.sh [INSTANCE]: begin a new binary log, so that all older ones are complete.
set -eu
"${0%/*}/mysql_client.sh" client "${1-}" --execute='FLUSH BINARY LOGS'
