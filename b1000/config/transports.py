"""How the daemon of a section is reached, as a checked value."""

from collections.abc import Mapping
from typing import Any

from b1000.config.sections import Section
from b1000.jobs import Transport

_FOR = {"tls_ca": "tls", "ssh_options": "ssh"}


def settled(section: Section, values: Mapping[str, Any]) -> Transport:
    """What the options say; those that do not go together are told to the section."""
    kind = values.get("transport")  # None: a wrong one, which is told
    for option, wanted in _FOR.items():
        if option in values and kind and kind != wanted:
            section.add_problem(option, f"it is for transport = {wanted}; here it is {kind}")
    return Transport(kind or "plain", values.get("tls_ca"), values.get("ssh_options", ()))


def local(section: Section, transport: Transport) -> None:
    """The path of the section is one of this host, to which nothing has to be reached."""
    if transport.kind != "plain":
        section.add_problem("transport", "it is for rsync:// paths; this one is of this host")
