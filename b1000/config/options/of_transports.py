"""The options that say how a daemon is reached, for whoever has one."""

from b1000.config.kinds import ValueKind, choice, ssh_options, tls_ca
from b1000.config.options.row import Option


def reached(section: tuple[str, ...], of: tuple[str, ...], what: str) -> tuple[Option, ...]:
    """Their rows in the sections of a kind."""
    return (
        Option(
            "transport", section, choice("plain", "tls", "ssh"),
            f"How {what} is reached. tls: by rsync-ssl, port 874 "
            "unless the address names one. ssh: the daemon that a forced command starts; a port of "
            "the address is that of sshd.",
            default="plain", of=of,
        ),
        Option(
            "tls_ca", section, ValueKind("absolute path", tls_ca),
            "For tls: file with the authorities that are believed. Default: those of the system.",
            of=of,
        ),
        Option(
            "ssh_options", section,
            ValueKind("options, split as a shell would", ssh_options, quotes=True),
            "For ssh: options of ssh. They come before B1000's own, which are -l root, "
            "BatchMode=yes and StrictHostKeyChecking=yes.",
            of=of,
        ),
    )  # fmt: skip
