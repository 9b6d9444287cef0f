# To be read by the scripts here: find_python 3.12 prints the path of that Python, if it is complete.
find_python() {
    for found in "$(command -v "python$1" || true)" "$HOME/.pyenv/versions/$1".*/bin/python; do
        if [ -x "$found" ] && "$found" -c 'import venv, ensurepip, sqlite3, ssl' 2>/dev/null; then
            echo "$found"
            return
        fi
    done
}
