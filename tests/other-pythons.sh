#!/bin/sh
# other-pythons.sh PYTHON: units and edges with the oldest and the newest Python of this machine
# (3.11 or newer) beside PYTHON, which has run them already, with all examples that Hypothesis
# draws, and here with a tenth of them. Says which it did not find.
set -eu
. tests/find-python.sh
done_with=$("$1" -c 'import sys; print("3.%d" % sys.version_info.minor)')

run() {
    environment=.venv-$1
    if [ ! -e "$environment/installed" ] || [ pyproject.toml -nt "$environment/installed" ]; then
        "$2" -m venv "$environment"
        "$environment/bin/pip" install --quiet --config-settings editable_mode=compat \
            --editable '.[test]'
        touch "$environment/installed"
    fi
    echo "with Python $1:"
    PYTHONDONTWRITEBYTECODE= B1000_EXAMPLES=0.1 "$environment/bin/python" -m pytest -n 5 --dist worksteal \
        -m 'not (slow or fuzz or database or exhaustive)' tests/unit tests/edges
}

oldest='' newest='' missing=''
for version in 3.11 3.12 3.13 3.14 3.15; do
    python=$(find_python "$version")
    if [ -z "$python" ]; then
        missing="$missing $version"
    else
        [ -n "$oldest" ] || oldest="$version $python"
        newest="$version $python"
    fi
done
[ -z "$missing" ] || echo "no Python of these versions here, not tested:$missing"
[ "$oldest" != "$newest" ] || newest=''
for each in "$oldest" "$newest"; do
    [ -z "$each" ] || [ "${each%% *}" = "$done_with" ] || run "${each%% *}" "${each#* }"
done
