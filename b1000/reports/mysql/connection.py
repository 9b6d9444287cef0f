"""Connections to a server, with a session of our own kind."""

import ssl
import threading
from collections.abc import Callable
from typing import TypeVar

import pymysql
from pymysql.constants import CLIENT, CR
from pymysql.cursors import Cursor

from b1000.files import read_file
from b1000.jobs import Report
from b1000.reports.mysql.errors import NO_SERVER, error_text
from b1000.reports.target import NotDelivered

_CONNECT = 5  # seconds
_ANSWER = 10  # seconds that one statement may take
_LOCKED = 5  # seconds that one statement waits for a lock of another session
_LONGEST_PASSWORD = 4096  # bytes of a password_file that are read

# Too long is an error and not cut off, whatever the server's own default is.
_SQL_MODE = "STRICT_ALL_TABLES,NO_ZERO_DATE,NO_ZERO_IN_DATE,ERROR_FOR_DIVISION_BY_ZERO"

T = TypeVar("T")


class _Connection(pymysql.Connection):
    """One that uses TLS or fails, where TLS is wanted."""

    server_capabilities: int

    def _request_authentication(self) -> None:
        # The PyMySQL of Debian 12 continues in clear where the server offers no TLS, and gives
        # the password to whatever then asks for it.
        if self.client_flag & CLIENT.SSL and not self.server_capabilities & CLIENT.SSL:
            raise pymysql.OperationalError(
                CR.CR_SSL_CONNECTION_ERROR,
                "the server offers no TLS, which ssl_ca asks for "
                "(set ssl_cert and ssl_key in the server's configuration)",
            )
        super()._request_authentication()  # type: ignore[misc]


def connect(settings: Report, read_only: bool = False) -> "pymysql.Connection[Cursor]":
    """A connection with a session of our own kind; NotDelivered where there is none to be had."""
    socket = settings.server if settings.server.startswith("/") else None
    try:
        return _Connection(
            host=None if socket else settings.server,
            unix_socket=socket,
            port=settings.port,
            user=settings.user,
            password=_password(settings),
            database=settings.db,
            charset="utf8mb4",
            autocommit=read_only,
            sql_mode=_SQL_MODE,
            # A server may be told to ignore the character set of the handshake.
            init_command=(
                f"SET NAMES utf8mb4, SESSION innodb_lock_wait_timeout = {_LOCKED}, "
                f"SESSION lock_wait_timeout = {_LOCKED}"
            ),
            connect_timeout=_CONNECT,
            read_timeout=_ANSWER,
            write_timeout=_ANSWER,
            ssl=None if socket else _trust(settings),
        )
    # RuntimeError: without the package cryptography PyMySQL cannot log in in every way.
    except (pymysql.Error, OSError, RuntimeError, *NO_SERVER) as error:
        raise NotDelivered(error_text(error, settings)) from None


def _trust(settings: Report) -> ssl.SSLContext | None:
    """Who may sign the server's certificate; None where that does not matter."""
    if settings.ssl_ca is None:
        return None
    try:
        return ssl.create_default_context(cafile=settings.ssl_ca)
    except ssl.SSLError:
        raise NotDelivered(
            f"ssl_ca {settings.ssl_ca}: there is no certificate in it (-----BEGIN CERTIFICATE-----)"
        ) from None
    except OSError as error:
        raise NotDelivered(f"ssl_ca {settings.ssl_ca}: {error.strerror}") from None


def _password(settings: Report) -> bytes:
    """The password in the encoding in which the server has it; PyMySQL would take Latin-1."""
    if settings.password_file is None:
        return settings.password.encode()
    try:
        text = read_file(settings.password_file, _LONGEST_PASSWORD, follow=True).decode()
        return next(iter(text.split("\n"))).rstrip("\r").encode()
    except (OSError, ValueError) as error:
        why = error.strerror if isinstance(error, OSError) else "it is not UTF-8"
        raise NotDelivered(f"the password_file {settings.password_file}: {why}") from None


def in_time(task: Callable[[], T], seconds: float) -> T | None:
    """What a task gives; None where it takes longer, and is left to itself.

    A resolver without an answer takes half a minute, a name with many addresses a
    time-out for each, and a server may send one byte of its greeting after the other:
    no limit of a single step holds for all. It cannot be interrupted by a signal.
    """
    given: list[T] = []
    failed: list[BaseException] = []

    def carry_out() -> None:
        try:
            given.append(task())
        except BaseException as error:  # for the thread that waits
            failed.append(error)

    # A daemon: the program ends without it.
    thread = threading.Thread(target=carry_out, daemon=True)
    thread.start()
    thread.join(seconds)
    if failed:
        raise failed[0]
    return given[0] if given else None
