"""A storage as etc/rsyncd-storage.conf makes it, with another port, directory and secrets."""

import os
import re
import subprocess
from collections.abc import Sequence
from pathlib import Path

from tests.support.daemon import Daemon
from tests.support.world import ROOT

SHIPPED = ROOT / "etc" / "rsyncd-storage.conf"
CLIENTS = ("client-1", "client-2")
SCRIPTS = "/usr/local/lib/b1000/scripts"


class Storage(Daemon):
    """The shipped configuration, with a directory for each client.

    ``sections`` names modules that are commented there, and are not here; ``more`` are modules
    of the test's own; ``without`` are options that are left out.
    """

    def __init__(
        self, directory: Path, *sections: str, more: str = "", without: Sequence[str] = ()
    ) -> None:
        super().__init__(directory, {"backup": ""})
        text = with_sections(SHIPPED.read_text(), sections) + more
        for shipped, here in {
            "/srv/backup": directory / "backup",
            "/etc/rsyncd.secrets": directory / "secrets",
            "/etc/rsyncd-restore.secrets": directory / "restore-secrets",
            "/run/rsyncd-connections.lock": directory / "connections.lock",
            "/run/rsyncd.pid": directory / "pid",
            "/var/log/rsyncd.log": directory / "log",
            SCRIPTS: ROOT / "etc" / "scripts",
        }.items():
            assert shipped in text
            text = text.replace(shipped, str(here))
        for option in without:
            text = re.sub(rf"^ *{option} = .*\n", "", text, flags=re.MULTILINE)
        text = f"port = {self.port}\naddress = 127.0.0.1\n{text}"
        if os.getuid():
            text = text.replace("uid = root\ngid = root\nuse chroot = yes", "use chroot = no")
        self.config.write_text(text)
        self.password("secrets", "".join(f"{each}:backing-up\n" for each in CLIENTS))
        restores = "".join(f"{each}:reading\n" for each in (*CLIENTS, "restore"))
        self.password("restore-secrets", restores)
        for each in CLIENTS:
            self.tree(each).mkdir(mode=0o700)

    def tree(self, client: str = CLIENTS[0]) -> Path:
        """The directory of a client."""
        return self.module("backup") / client

    def password(self, name: str, text: str) -> Path:
        """A file that only its owner may read."""
        file = self.directory / name
        file.write_text(text)
        file.chmod(0o600)
        return file

    def rsync(self, *words: str) -> "subprocess.CompletedProcess[str]":
        """Run rsync to its end."""
        return subprocess.run(["rsync", *words], capture_output=True, text=True, check=False)

    def at(self, path: str, client: str = CLIENTS[0], module: str = "b1000") -> str:
        """The address of a path in a module for a client."""
        return f"{self.url(module).replace('rsync://', f'rsync://{client}@')}/{path}"

    def push(
        self, *words: str, client: str = CLIENTS[0], password: str = "backing-up"
    ) -> "subprocess.CompletedProcess[str]":
        """Run rsync with a client's password."""
        file = self.password(f"password-{client}-{password}", password)
        return self.rsync(f"--password-file={file}", *words)


def with_sections(text: str, names: Sequence[str]) -> str:
    """The text, with the comment taken from some of its modules."""
    for name in names:
        section = re.search(rf"^#\[{name}\]\n(?:#.*\n)*", text, re.MULTILINE)
        assert section, name
        text = text.replace(section[0], re.sub("^#", "", section[0], flags=re.MULTILINE))
    return text
