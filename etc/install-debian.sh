#!/bin/sh
# Install Debian packages that make needs; says what to do where it cannot.
set -eu
if [ "$(id -u)" -ne 0 ] || ! command -v apt-get >/dev/null; then
    echo "missing: $*. Install it with your package manager, or run make as root on Debian." >&2
    exit 1
fi
echo "installing: $*"
apt-get update -qq
# Only what goes wrong is told: a newcomer is to see the backup, not 30 lines of dpkg.
DEBIAN_FRONTEND=noninteractive \
    apt-get install -y -qq --no-install-recommends -o Dpkg::Use-Pty=0 "$@" >/dev/null
