#!/bin/sh
# mysql_client.sh client|dump|admin INSTANCE WORD...: that program of MariaDB or MySQL, on the
# instance with the socket /run/mysqld/INSTANCE.sock; on the default one where INSTANCE is "".
#
# Root logs in by the socket, as Debian sets it up. Where that is not so, user and password
# stand in /etc/b1000/mysql.cnf (owner root, chmod 600), never on a command line:
#     [client]
#     user = backup
#     password = PASSWORD
set -eu
login=/etc/b1000/mysql.cnf
program=$1 instance=$2
shift 2
case $program in
    client) names='mariadb mysql' ;;
    dump) names='mariadb-dump mysqldump' ;;
    admin) names='mariadb-admin mysqladmin' ;;
    *) echo "$0: there is no program $program" >&2 && exit 2 ;;
esac
[ -z "$instance" ] || set -- "--socket=/run/mysqld/$instance.sock" "$@"
# It has to be the first; cron and systemd set no HOME in which the program would look.
[ ! -e "$login" ] || set -- "--defaults-extra-file=$login" "$@"
for name in $names; do
    ! command -v "$name" >/dev/null || exec "$name" "$@"
done
echo "$0: none of these is installed: $names" >&2
exit 127
