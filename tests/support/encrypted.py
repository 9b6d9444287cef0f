"""What stands before an rsync daemon: a real stunnel and a real sshd, as the shipped files say."""

import contextlib
import os
import pwd
import shutil
import signal
import socket
import subprocess
import threading
import time
from collections.abc import Sequence
from pathlib import Path

from tests.support.ports import free_port
from tests.support.world import ROOT

STUNNEL = ROOT / "etc" / "stunnel-rsyncd.conf"
AUTHORIZED = ROOT / "etc" / "authorized_keys.example"
_PATH = f"{os.environ.get('PATH', os.defpath)}:/usr/sbin:/usr/local/sbin"


def missing(*names: str) -> str:
    """Why tests cannot be made that need these programs; "" where all are there."""
    without = [name for name in names if not shutil.which(name, path=_PATH)]
    return f"no {' and no '.join(without)}: make test-tools" if without else ""


def program(name: str) -> str:
    """The absolute path of a program, which sshd needs of itself."""
    found = shutil.which(name, path=_PATH)
    assert found, f"{name} is not installed: make test-tools"
    return found


class Server:
    """A process that listens at ``port`` on the loopback."""

    def __init__(self, directory: Path) -> None:
        directory.mkdir(parents=True, exist_ok=True)
        self.directory = directory
        self.port = free_port()
        self._process: subprocess.Popen[bytes] | None = None

    def run(self, argv: Sequence[str]) -> None:
        """Start it, and wait until it answers."""
        with open(self.directory / "output", "ab") as output:
            self._process = subprocess.Popen(
                argv,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                start_new_session=True,
            )
        until = time.monotonic() + 30
        while time.monotonic() < until and self._process.poll() is None:
            with socket.socket() as probe:
                if probe.connect_ex(("127.0.0.1", self.port)) == 0:
                    return
            time.sleep(0.02)
        self.stop()
        raise AssertionError((self.directory / "output").read_text())

    def stop(self) -> None:
        """End it and all that it has forked."""
        if self._process:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self._process.pid, signal.SIGKILL)
            self._process.wait()
            self._process = None


class Authority:
    """Issues certificates; ``file`` is what its clients believe."""

    def __init__(self, directory: Path, name: str = "authority") -> None:
        directory.mkdir(parents=True, exist_ok=True)
        self._directory, self._name = directory, name
        self.file = directory / f"{name}.pem"
        self._key = directory / f"{name}.key"
        _openssl(
            *("req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1"),
            *("-nodes", "-days", "30", "-subj", f"/CN={name}"),
            *("-keyout", str(self._key), "-out", str(self.file)),
        )

    def certificate(self, name: str, *, days: int = 30) -> tuple[Path, Path]:
        """A certificate for a host and its key; with ``days`` 0 it has expired."""
        stem = f"{self._name}-{name}{days}"
        certificate, key, request, extensions = (
            self._directory / f"{stem}.{end}" for end in ("pem", "key", "csr", "ext")
        )
        extensions.write_text(f"subjectAltName=DNS:{name}\n")
        _openssl(
            *("req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"),
            *("-subj", f"/CN={name}", "-keyout", str(key), "-out", str(request)),
        )
        _openssl(
            *("x509", "-req", "-in", str(request), "-CA", str(self.file), "-CAkey", str(self._key)),
            *("-CAcreateserial", "-days", str(days), "-extfile", str(extensions)),
            *("-out", str(certificate)),
        )
        return certificate, key


def _openssl(*words: str) -> None:
    subprocess.run(["openssl", *words], check=True, capture_output=True, timeout=60)


def _has_user(name: str) -> bool:
    with contextlib.suppress(KeyError):
        return bool(pwd.getpwnam(name))
    return False


class Stunnel(Server):
    """The shipped example before a daemon, with another port, certificate and user."""

    def __init__(self, directory: Path, behind: int, pair: tuple[Path, Path]) -> None:
        super().__init__(directory)
        text = STUNNEL.read_text()
        for shipped, here in {
            "accept = 874": f"accept = 127.0.0.1:{self.port}",
            "connect = 127.0.0.1:873": f"connect = 127.0.0.1:{behind}",
            "/etc/stunnel/rsyncd.pem": pair[0],
            "/etc/stunnel/rsyncd.key": pair[1],
            "syslog = yes": "syslog = no",
        }.items():
            assert shipped in text, shipped
            text = text.replace(shipped, str(here))
        if os.getuid() or not _has_user("stunnel4"):
            text = text.replace("setuid = stunnel4\nsetgid = stunnel4\n", "")
        self._file = directory / "stunnel.conf"
        self._file.write_text(text)

    def start(self) -> "Stunnel":
        """Start it, and wait until it answers."""
        self.run([program("stunnel4"), str(self._file)])
        return self


class Sshd(Server):
    """An sshd whose only key is let in as the shipped example says; ``known`` is its own."""

    def __init__(self, directory: Path, rsyncd_conf: Path) -> None:
        super().__init__(directory)
        directory.chmod(0o700)
        self.key = self.make_key("client")
        self.host_key = self.make_key("host")
        self.authorized = directory / "authorized_keys"
        self.known = directory / "known_hosts"
        line = _line(AUTHORIZED.read_text())
        for shipped, here in {
            "/etc/rsyncd.conf": str(rsyncd_conf),
            "ssh-ed25519 AAAA... root@client-1": self.key.with_suffix(".pub").read_text().strip(),
            "/usr/bin/rsync": program("rsync"),
        }.items():
            assert shipped in line, shipped
            line = line.replace(shipped, here)
        self.line = line
        self.authorize(line)
        self.know(self.host_key)

    def make_key(self, name: str) -> Path:
        """A new pair of keys."""
        file = self.directory / name
        words = ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(file)]
        subprocess.run(words, check=True, capture_output=True, timeout=60)
        return file

    def authorize(self, *lines: str) -> None:
        """Let in who has the key of one of the lines, and nobody else."""
        self.authorized.write_text("".join(f"{line}\n" for line in lines))
        self.authorized.chmod(0o600)

    def know(self, key: Path, *ports: int, file: str = "known_hosts") -> Path:
        """The client believes that the host has this key, at other ports too."""
        kind, public, *_ = key.with_suffix(".pub").read_text().split()
        known = self.directory / file
        lines = (f"[127.0.0.1]:{port} {kind} {public}\n" for port in (self.port, *ports))
        known.write_text("".join(lines))
        return known

    def options(self, key: Path | None = None, known: Path | None = None) -> str:
        """What stands in ssh_options."""
        options = {"IdentitiesOnly": "yes", "UserKnownHostsFile": known or self.known}
        said = " ".join(f"-o {name}={value}" for name, value in options.items())
        return f"-F none -i {key or self.key} {said}"

    def start(self) -> "Sshd":
        """Start it, and wait until it answers."""
        config = self.directory / "sshd_config"
        config.write_text(
            f"Port {self.port}\nListenAddress 127.0.0.1\nHostKey {self.host_key}\n"
            f"AuthorizedKeysFile {self.authorized}\nPidFile none\nStrictModes no\nUsePAM no\n"
            "PermitRootLogin forced-commands-only\nPasswordAuthentication no\n"
            "KbdInteractiveAuthentication no\nMaxStartups 100\n"
        )
        self._without_penalties(config)
        Path("/run/sshd").mkdir(mode=0o755, exist_ok=True)
        self.run([program("sshd"), "-D", "-e", "-f", str(config)])
        return self

    @staticmethod
    def _without_penalties(config: Path) -> None:
        """Tests make in a second as many mistakes as a newer sshd shuts an address out for."""
        extended = config.read_text() + "PerSourcePenalties no\n"
        tried = config.with_suffix(".tried")
        tried.write_text(extended)
        known = subprocess.run(
            [program("sshd"), "-t", "-f", str(tried)], capture_output=True, check=False, timeout=60
        )
        if known.returncode == 0:
            config.write_text(extended)


def _line(text: str) -> str:
    """The example without its comments."""
    (line,) = (each for each in text.splitlines() if each and not each.startswith("#"))
    return line


class Wire:
    """Listens at ``port``, hands all on to another, and keeps what it saw in both directions.

    A ``mute`` one takes what comes, and answers nothing; while it is frozen, nothing gets on.
    """

    def __init__(self, behind: int, *, mute: bool = False) -> None:
        self.seen = bytearray()
        self._behind, self._mute = behind, mute
        self._open: list[socket.socket] = []
        self._flowing = threading.Event()
        self._flowing.set()
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                here, _ = self._listener.accept()
                self._open.append(here)
                if self._mute:
                    continue
                there = socket.create_connection(("127.0.0.1", self._behind))
                self._open.append(there)
                for pair in ((here, there), (there, here)):
                    threading.Thread(target=self._pass, args=pair, daemon=True).start()

    def _pass(self, source: socket.socket, target: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while data := source.recv(65536):
                self.seen += data
                self._flowing.wait()
                target.sendall(data)
            target.shutdown(socket.SHUT_WR)

    def freeze(self) -> None:
        """Hold all back from now on, and hold all connections."""
        self._flowing.clear()

    def thaw(self) -> None:
        """Go on, with new connections alone."""
        self._cut(*self._open)
        self._open.clear()
        self._flowing.set()

    def close(self) -> None:
        """Listen no more, and cut what is open."""
        self._cut(self._listener, *self._open)
        self._flowing.set()

    def _cut(self, *those: socket.socket) -> None:
        for each in those:
            with contextlib.suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)
            each.close()
