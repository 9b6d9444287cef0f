#!/bin/sh
# mysql_drill.sh [QUERY]...: a drill of dumps. For the option drill of a job or store.
#
# Loads each *.sql and *.sql.gz below B1000_DRILL_DIR into a MariaDB or MySQL of its own, which
# nobody else can reach, starts it once more, counts the rows of all tables, and stops it. It
# fails where a dump is cut off (its last line is not that of mysqldump, "-- Dump completed") or
# cannot be loaded, where there is no table, and where a QUERY gives nothing or 0:
#     drill = /usr/local/lib/b1000/scripts/mysql_drill.sh "SELECT COUNT(*) FROM shop.orders"
#
# All that it writes lies in TMPDIR, which b1000 removes: about the size of the data.
#
# A dump is a program. What the client could do for it outside of the server is turned off where the
# client can do so (--sandbox), and so are plugins, events, replication, and reading and writing
# files by SQL. But a server can be told to write its logs anywhere. So root runs both here as a user
# who owns nothing else, and the server without a network. Where that is not possible (a container
# without CAP_DAC_READ_SEARCH), and for other users, both have the rights of this script.
set -eu
umask 077
PATH=$PATH:/usr/sbin:/usr/local/sbin

fail() {
    echo "$*" >&2
    exit 1
}
fail_with_log() {
    tail -n 5 "$log" >&2
    fail "$@"
}
first_of() { # the first of these programs that is installed
    for name; do
        command -v "$name" && return
    done
    fail "none of these is installed: $*"
}

daemon=$(first_of mariadbd mysqld)
client=$(first_of mariadb mysql)
only=
case $("$client" --no-defaults --help) in
    *--sandbox*) only=--sandbox ;;
    *--system-command*) only=--skip-system-command ;;
esac

client_as= server_as= alone= user=
unprivileged() { # so that what root starts has no rights but those of an id that nobody has
    id=$((61184 + $$ % 4096))
    while getent passwd "$id" || getent group "$id"; do id=$((id + 1)); done >/dev/null
    user=--user=root
    as="setpriv --reuid $id --regid $id --clear-groups --no-new-privs"
    # The directories above are root's: the server may pass them.
    pass=-all,+dac_read_search
    pass="$as --inh-caps $pass --ambient-caps $pass"
    mkdir "$data/may"
    chown "$id:$id" "$data" "$place/tmp"
    $pass rmdir "$data/may" 2>/dev/null || { chown 0:0 "$data" "$place/tmp" && return; }
    user= server_as=$pass client_as="$as --inh-caps -all"
    ! unshare --net true 2>/dev/null || alone='unshare --net'
}
start() { # start [OPTION]...
    # A socket's path is short where it is relative, and both stand in its directory.
    (cd "$data" && exec $alone $server_as "$daemon" --no-defaults "--datadir=$data" --socket=s \
        "--tmpdir=$place/tmp" --pid-file=pid --skip-networking --skip-log-bin \
        "--secure-file-priv=$place/none" "--plugin-dir=$place/none" \
        --event-scheduler=OFF --loose-skip-slave-start \
        --innodb-flush-log-at-trx-commit=0 $user "$@") >>"$log" 2>&1 &
    server=$! last=$!
    tries=0
    until ask 'SELECT 1' >/dev/null 2>&1; do
        kill -0 "$server" 2>/dev/null || { server=; fail_with_log 'the server ended'; }
        tries=$((tries + 1))
        [ "$tries" -lt 600 ] || fail_with_log 'the server does not answer'
        sleep 0.2
    done
}
stop() { # what it could not write as it ended is missing from then on
    kill "$server" 2>/dev/null || true
    wait "$server" || { server=; fail_with_log 'the server did not end well'; }
    server=
}
load() { # SQL from standard input, ended by the first error; no sandbox keeps it from editing
    (cd "$data" && export EDITOR=false VISUAL=false &&
        exec $client_as "$client" --no-defaults --socket=s --user=root --batch \
            --skip-column-names --local-infile=0 $only)
}
ask() {
    printf '%s\n' "$1" >"$place/asked"
    load <"$place/asked"
}
feed() { # feed DUMP COMMAND...: through a FIFO, since a pipe hides that its left side has failed
    case $1 in
        *.gz) gzip -dc "$1" >"$place/fifo" & ;;
        *) cat "$1" >"$place/fifo" & ;;
    esac
    feeder=$! last=$!
    shift
    "$@" <"$place/fifo" || return 1
    ended=$feeder feeder=
    wait "$ended"
}
empty() { # empty COMMAND...: which makes an empty database
    $server_as "$@" "--datadir=$data" $user >>"$log" 2>&1 ||
        fail_with_log 'no empty database could be made'
}

backup=${B1000_DRILL_DIR:?is the directory with the dumps; b1000 verify --drill sets it}
place=$(mktemp -d) server= feeder= last=
exec 9>"$place/lock"
# A shell that a signal ends at once would leave the server running. Here it is killed: what it
# holds is removed, and one that is asked to end while it starts may never end. What was begun just
# as the signal came has no name yet, but is the last of all.
clear() {
    [ "${!:-}" = "$last" ] || feeder="$feeder $!"
    for each in $server $feeder; do
        { kill -KILL "$each" && wait "$each" || true; } 2>/dev/null
    done
    # All that was started here has the lock: an installer's own server may outlive it by a moment.
    exec 9>&-
    flock --wait 30 "$place/lock" true || true
    rm -rf "$place"
}
trap clear EXIT
trap 'exit 129' HUP
trap 'exit 130' INT
trap 'exit 143' TERM
data=$place/data log=$place/log
flock 9

find "$backup" -type f \( -name '*.sql' -o -name '*.sql.gz' \) >"$place/dumps"
[ -s "$place/dumps" ] || fail "there is no dump (*.sql, *.sql.gz) in this backup"
mkfifo "$place/fifo"
while IFS= read -r dump; do
    # A line may be as long as the memory of the host: its end is enough.
    feed "$dump" tail -c 1000 >"$place/last" || fail "${dump##*/} is damaged"
    tail -n 1 "$place/last" >"$place/line"
    grep -q '^-- Dump completed' "$place/line" || fail "${dump##*/} is cut off"
done <"$place/dumps"

export "TMPDIR=$place/tmp"
mkdir "$data" "$TMPDIR" "$place/none"
[ "$(id -u)" != 0 ] || unprivileged
if installer=$(command -v mariadb-install-db); then
    empty "$installer" --no-defaults --auth-root-authentication-method=normal --skip-test-db --force
else
    empty "$daemon" --no-defaults --initialize-insecure
fi
start
while IFS= read -r dump; do
    feed "$dump" load || fail "${dump##*/} cannot be loaded"
done <"$place/dumps"
stop

# Whoever may log in by what was loaded: here all may. And what was loaded is on disk.
start --skip-grant-tables
ask "SELECT CONCAT('SELECT COUNT(*) FROM \`', REPLACE(table_schema, '\`', '\`\`'), '\`.\`',
    REPLACE(table_name, '\`', '\`\`'), '\`;') FROM information_schema.tables
    WHERE table_type = 'BASE TABLE' AND table_schema NOT IN
    ('mysql', 'sys', 'information_schema', 'performance_schema')" >"$place/shown"
# What is shown in a batch has two backslashes for one.
sed 's/\\\\/\\/g' "$place/shown" >"$place/tables"
[ -s "$place/tables" ] || fail 'there is no table in it'
load <"$place/tables" >"$place/rows" || fail 'a table cannot be read'
for query; do
    ask "$query" >"$place/found" || fail "$query cannot be answered"
    found=
    read -r found <"$place/found" || true
    case $found in
        ''|0|NULL) fail "$query: ${found:-nothing}" ;;
    esac
done
stop
awk '{ rows += $1 } END { printf "%d tables, %d rows\n", NR, rows }' "$place/rows"
