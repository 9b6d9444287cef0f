#!/bin/sh
# make deb: dist/b1000_VERSION_all.deb, from the files of this checkout.
#
# Needs dpkg-deb, gzip and python3, and no root. The program lies in
# /usr/share/b1000, as what nobody else imports. Nothing is configured and nothing is
# scheduled: whoever has written /etc/b1000/b1000.cfg enables the timers or copies the
# example of a cron.d file. Where an older package brought that file, dpkg keeps it as
# it is.
set -eu
cd "$(dirname "$0")/.."
umask 022

version=$(python3 -c 'import b1000; print(b1000.__version__)')
# The same commit gives the same package.
SOURCE_DATE_EPOCH=${SOURCE_DATE_EPOCH:-$(git log -1 --format=%ct 2>/dev/null || date +%s)}
export SOURCE_DATE_EPOCH
root=build/deb
rm -rf "$root"
mkdir -p "$root/DEBIAN" dist

# put MODE FILE... DIRECTORY: copies, with the directory made where it is missing.
put() {
    mode=$1
    shift
    for last; do :; done
    mkdir -p "$root$last"
    while [ $# -gt 1 ]; do
        install -m "$mode" "$1" "$root$last/"
        shift
    done
}

# put_as MODE FILE PATH
put_as() {
    install -D -m "$1" "$2" "$root$3"
}

find b1000 -type f ! -path '*/__pycache__/*' | while read -r module; do
    put_as 644 "$module" "/usr/share/b1000/$module"
done
put_as 755 packaging/debian/b1000 /usr/bin/b1000

put 644 etc/man/b1000.1 /usr/share/man/man1
put 644 etc/man/b1000.cfg.5 /usr/share/man/man5
put 644 etc/completion/bash/b1000 /usr/share/bash-completion/completions
put 644 etc/completion/zsh/_b1000 /usr/share/zsh/vendor-completions
put 644 etc/completion/fish/b1000.fish /usr/share/fish/vendor_completions.d
put 644 etc/systemd/*.service etc/systemd/*.timer /usr/lib/systemd/system
put 644 etc/logrotate.d/b1000 /etc/logrotate.d
# No configuration: what nobody has written is not to run, and an upgrade never asks.
mkdir -p "$root/etc/b1000"

doc=/usr/share/doc/b1000
put 644 README.md CHANGELOG.md CONTRIBUTING.md docs/*.md $doc
put 644 docs/decisions/*.md $doc/decisions
put 644 etc/cron.d/* $doc/examples/cron.d
put 644 etc/monitoring/* $doc/examples/monitoring
put 644 etc/rsync.service.d/* $doc/examples/rsync.service.d
for example in etc/*.cfg etc/*.conf etc/*.example etc/*.sql etc/examples/*.cfg; do
    [ ! -e "$example" ] || put 644 "$example" $doc/examples
done
put 755 etc/scripts/* $doc/examples/scripts
put_as 644 packaging/debian/copyright $doc/copyright
put_as 644 packaging/debian/changelog $doc/changelog
put_as 644 packaging/debian/lintian-overrides /usr/share/lintian/overrides/b1000
find "$root/usr/share/man" -type f -exec gzip -9n {} +
gzip -9n "$root$doc/changelog"

for script in postinst prerm postrm; do
    install -m 755 "packaging/debian/$script" "$root/DEBIAN/"
done
(cd "$root" && find etc -type f | sed 's,^,/,' | sort) >"$root/DEBIAN/conffiles"
(cd "$root" && find usr etc -type f -exec md5sum {} + | sort -k 2) >"$root/DEBIAN/md5sums"
size=$(du -sk --exclude=DEBIAN "$root" | cut -f 1)
sed "s/^Architecture:/Version: $version\nInstalled-Size: $size\n&/" packaging/debian/control \
    >"$root/DEBIAN/control"
dpkg-deb --root-owner-group --build "$root" "dist/b1000_${version}_all.deb"
