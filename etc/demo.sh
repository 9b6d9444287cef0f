#!/bin/sh
# make demo: a real backup of /etc into ./demo, with the job of simple-etc.cfg.
#
# Two local directories stand for the storages. May be repeated: each run makes
# new directories beside the older ones.
set -eu
cd "$(dirname "$0")/.."
mkdir -p demo
chmod 700 demo # it holds copies of what only root may read
# git and ruff are not to look into copies of other people's files.
echo '*' >demo/.gitignore

# A $ in a path would be a reference.
here=$(pwd | sed 's/\$/$$/g')
cat >demo/b1000.cfg <<END
[global]
status_dir = $here/demo/status

[report:main]
type = file
path = $here/demo/reports

[report:central]
type = sqlite
path = $here/demo/central.sqlite3

[dest:tele]
type = active
path = $here/demo/tele

[dest:atm]
type = active
path = $here/demo/atm

[job:etc]
direction = push
type = full
dest = tele/atm
report = main central
include = /etc
END

# What this user cannot read would make the copies fail, rightly.
find /etc -type f ! -readable -print -o \
    -type d ! \( -readable -executable \) -print -prune 2>/dev/null \
    >demo/unreadable || true
if [ -s demo/unreadable ]; then
    # As patterns of rsync, and as words that stay what they are.
    {
        echo 'exclude ='
        sed -e 's/[][*?\\]/\\&/g' -e 's/\$/$$/g' -e "s/'/'\\\\''/g" -e "s/.*/    '&'/" \
            demo/unreadable
    } >>demo/b1000.cfg
    echo "demo: $(id -un) cannot read $(wc -l <demo/unreadable) of the paths in /etc;" \
        "they are left out (list: demo/unreadable)"
fi

echo '$ b1000 -f demo/b1000.cfg'
code=0
b1000 -f demo/b1000.cfg || code=$?
echo
echo '$ b1000 status -f demo/b1000.cfg'
b1000 status -f demo/b1000.cfg || true

report=$(ls -t demo/reports/*.b1k | head -n 1)
echo
echo "exit code:     $code"
echo "configuration: $(pwd)/demo/b1000.cfg"
echo "report:        $(pwd)/$report"
echo "database:      $(pwd)/demo/central.sqlite3"
sed -n 's/^path = /copy:          /p' "$report"
exit "$code"
