#!/bin/sh
# coverage.sh [OPTION OR FILE ...]: runs the tests, all or those that pytest is given, and tells
# which lines of b1000/ they run, in whichever process (tests/support/covering.py).
set -eu
. tests/find-python.sh
for version in 3.15 3.14 3.13 3.12; do
    python=$(find_python "$version")
    [ -z "$python" ] || break
done
[ -n "$python" ] || { echo "make coverage needs Python 3.12 or newer" >&2; exit 1; }

environment=.venv-coverage
if [ ! -e "$environment/installed" ] || [ pyproject.toml -nt "$environment/installed" ]; then
    "$python" -m venv --clear "$environment"
    "$environment/bin/pip" install --quiet --config-settings editable_mode=compat \
        --editable '.[test,coverage]'
    touch "$environment/installed"
fi
# Each Python of this environment executes this line where it starts.
starts=$environment/lib/python$version/site-packages/covering.pth
rm -f "$starts"
"$environment/bin/python" tests/support/covering.py begin
printf 'import sys; sys.path.append("%s"); from tests.support import covering; covering.mark(); sys.path.pop()\n' \
    "$PWD" >"$starts"
code=0
PYTHONDONTWRITEBYTECODE= "$environment/bin/python" -m pytest -n 5 --dist worksteal "$@" || code=$?
rm "$starts"
"$environment/bin/python" tests/support/covering.py report
exit "$code"
