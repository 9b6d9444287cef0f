"""What ``b1000 check`` sees of how daemons are reached, without reaching one."""

import ipaddress
import shutil
import socket
from collections.abc import Iterator

from b1000 import addresses
from b1000.check.finding import Finding
from b1000.config.loader import Config
from b1000.files import read_file
from b1000.jobs import Job, Transport
from b1000.named import NamedTuple
from b1000.rsync import transport
from b1000.work import process

_PROGRAMS = {"tls": ("rsync-ssl", "openssl"), "ssh": ("ssh",)}
_PACKAGES = {"rsync-ssl": "rsync", "openssl": "openssl", "ssh": "openssh-client"}
_LARGEST = 2**24  # bytes of a file with authorities
# Without it any certificate of a known authority is believed: rsync before 3.2.4, CVE-2020-14387.
_VERIFIES = b"-verify_hostname"


class _Way(NamedTuple):
    """A daemon that is named somewhere, and how it is reached."""

    section: str
    option: str
    address: str
    transport: Transport


def findings(config: Config) -> Iterator[Finding]:
    """What would fail, and what others can read on the way."""
    ways = [*_ways(config)]
    yield from _unencrypted(ways, config.settings.host)
    search = process.search_path()
    for way in ways:
        yield from _programs(way, search)
        if way.transport.kind == "tls":
            yield from _of_tls(way)
        if way.transport.kind == "ssh":
            yield from _of_ssh(way)
    for name, report in config.reports.items():
        if report.ssl_ca:
            yield from _authorities(f"report:{name}", "ssl_ca", report.ssl_ca)


def _ways(config: Config) -> Iterator[_Way]:
    for name, each in config.destinations.items():
        if each.type == "active" and each.remote:
            yield _Way(f"dest:{name}", "path", each.path, each.transport)
    for name, job in config.jobs.items():
        if isinstance(job, Job) and job.pull:
            source = job.pull.source
            yield _Way(f"job:{name}", "report_source", source, job.pull.transport)


def _unencrypted(ways: list[_Way], host: str) -> Iterator[Finding]:
    """Told once, however many there are."""
    own = {host.lower(), socket.gethostname().lower()}
    plain = [
        way
        for way in ways
        if way.transport.kind == "plain" and not _is_here(addresses.host_of(way.address), own)
    ]
    if plain:
        others = dict.fromkeys(f"[{way.section}]" for way in plain[1:])
        also = f" (as in {' '.join(others)})" if others else ""
        text = (
            f"data travels unencrypted to and from {addresses.host_of(plain[0].address)}{also}; "
            "transport = tls or ssh encrypts it"
        )
        yield Finding(plain[0].section, plain[0].option, text, warning=True)


def _is_here(host: str, own: set[str]) -> bool:
    try:
        return ipaddress.ip_address(host.partition("%")[0]).is_loopback
    except ValueError:
        return host.lower() in own or addresses.names_no_host(host)


def _programs(way: _Way, search: str) -> Iterator[Finding]:
    for name in _PROGRAMS.get(way.transport.kind, ()):
        found = shutil.which(name, path=search)
        if not found:
            text = (
                f"{way.transport.kind} needs {name}, which is not in {search}; "
                f"install the package {_PACKAGES[name]}"
            )
            yield Finding(way.section, "transport", text)
        elif name == "rsync-ssl" and not _verifies(found):
            text = (
                f"{found} believes the certificate of any host (CVE-2020-14387); take a newer rsync"
            )
            yield Finding(way.section, "transport", text)


def _verifies(program: str) -> bool:
    """Whether an rsync-ssl looks at the name in the certificate; one that nobody may read may."""
    try:
        return _VERIFIES in read_file(program, _LARGEST, follow=True)
    except OSError:
        return True


def _of_tls(way: _Way) -> Iterator[Finding]:
    host = addresses.host_of(way.address)
    if addresses.names_no_host(host) and host.lower() != "localhost":
        text = f"certificates are issued for names of hosts, and {host} is an address"
        yield Finding(way.section, way.option, text, warning=True)
    if file := way.transport.tls_ca:
        yield from _authorities(way.section, "tls_ca", file)


def _authorities(section: str, option: str, file: str) -> Iterator[Finding]:
    """Why nobody would be believed for what stands in a file."""
    try:
        held = read_file(file, _LARGEST, follow=True)
    except OSError as error:
        yield Finding(section, option, f"{file} cannot be read: {error.strerror}")
        return
    if b"-----BEGIN " not in held:
        text = f"{file} holds no certificate; one in PEM begins with -----BEGIN CERTIFICATE-----"
        yield Finding(section, option, text)


def _of_ssh(way: _Way) -> Iterator[Finding]:
    user = transport.ssh_user(way.transport.ssh_options)
    if user != "root":
        text = (
            f"ssh logs in as {user}: a daemon that is not root's has no chroot, munges links and "
            "keeps no owners; etc/authorized_keys.example has a forced command for root"
        )
        yield Finding(way.section, "ssh_options", text, warning=True)
