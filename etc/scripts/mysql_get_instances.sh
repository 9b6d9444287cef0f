#!/bin/sh
# The instances of this host: each has a socket /run/mysqld/INSTANCE.sock.
set -eu
for socket in /run/mysqld/*.sock; do
    [ -S "$socket" ] || continue
    case ${socket##*/} in
        mysqlx*) continue ;; # MySQL's second protocol, of which mysqldump knows nothing
    esac
    basename "$socket" .sock
done
