"""Addresses of rsync daemons. Pure."""

import functools
import re


def host_of(address: str) -> str:
    """The host in an rsync:// address, without user, port and brackets."""
    found = re.match(r"rsync://(?:[^/]*@)?(?:\[([^]]*)\]|([^/:]*))", address)
    return (found[1] or found[2]) if found else ""


def names_no_host(host: str) -> bool:
    """Whether it is an address, or a name that each host has for itself."""
    import ipaddress  # only those who pull ask

    try:
        ipaddress.ip_address(host.partition("%")[0])
    except ValueError:
        return host.lower() in ("localhost", "localhost.localdomain")
    return True


def one_spelling(address: str) -> str:
    """An rsync address without what makes no difference: the user, rsync's own port, slashes."""
    host, _, path = address.removeprefix("rsync://").partition("/")
    host = host.rpartition("@")[2].lower().removesuffix(":873")
    return "/".join(("rsync:/", host, *filter(None, path.split("/"))))


@functools.lru_cache(maxsize=256)
def one_place(path: str) -> str:
    """The directory of a destination without what makes no difference in how it is written."""
    if path.startswith("rsync://"):
        return one_spelling(path)
    return "/" + "/".join(filter(None, path.split("/")))
