#!/bin/sh
# The instances of this host: each has a socket /run/mysqld/INSTANCE.sock.
set -eu
for socket in /run/mysqld/*.sock; do
    [ -S "$socket" ] || continue
    basename "$socket" .sock
done
