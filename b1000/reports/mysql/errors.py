"""What goes wrong with a server, in words: the cause, the place, and what to do."""

import ssl
import struct
from collections.abc import Mapping

import pymysql
from pymysql.constants import ER

from b1000.jobs import Report
from b1000.reports.mysql import loading

NO_SERVER = (LookupError, ValueError, struct.error)
"""What PyMySQL raises where something answers in words that it cannot read."""

_HINTS: Mapping[int, str] = {
    ER.ACCESS_DENIED_ERROR: "check user and password, and from which hosts the user may come",
    ER.DBACCESS_DENIED_ERROR: "GRANT SELECT, INSERT, UPDATE ON {db}.* TO {user}",
    ER.TABLEACCESS_DENIED_ERROR: "GRANT SELECT, INSERT, UPDATE ON {db}.* TO {user}",
    ER.COLUMNACCESS_DENIED_ERROR: "GRANT SELECT, INSERT, UPDATE ON {db}.* TO {user}",
    ER.BAD_DB_ERROR: "CREATE DATABASE {db}, then load etc/schema.sql into it: {load}",
    ER.NO_SUCH_TABLE: "load etc/schema.sql into {db}: {load}",
    ER.BAD_FIELD_ERROR: "load etc/schema.sql into {db}, for the columns that are missing: {load}",
    ER.NO_DEFAULT_FOR_FIELD: "it is none of B1000's columns: ALTER TABLE gives it a default",
    ER.LOCK_WAIT_TIMEOUT: "another connection holds a lock on the tables",
    ER.LOCK_DEADLOCK: "another connection writes the same rows",
    ER.CHECKREAD: "another connection writes the same rows",
    ER.OPTION_PREVENTS_STATEMENT: "the server is read-only",
    1792: "the server is read-only",
    1836: "the server is read-only",
    ER.RECORD_FILE_FULL: "there is no space left on the server",
    ER.DISK_FULL: "there is no space left on the server",
    ER.CON_COUNT_ERROR: "the server has too many connections",
}


def code(error: Exception) -> int:
    """The number of an error of the server or of PyMySQL; 0 where it has none."""
    return error.args[0] if error.args and isinstance(error.args[0], int) else 0


def server_of(settings: Report) -> str:
    """Whose database on which server; never a password."""
    return f"{settings.user}@{settings.server}, database {settings.db}"


def error_text(error: Exception, settings: Report) -> str:
    """What went wrong, for the operator; never a password."""
    address = server_of(settings)
    if isinstance(error, NO_SERVER):
        return f"{address}: what answers there is no MySQL server"
    if isinstance(error, RuntimeError) and "cryptography" in str(error):
        # Users of MySQL 8 log in so, unless they were told otherwise.
        return f"{address}: {error} (install python3-cryptography, or set ssl_ca)"
    if not isinstance(error, pymysql.Error):
        return f"{address}: {error}"
    cause = getattr(error, "original_exception", None)
    if isinstance(cause, ssl.SSLCertVerificationError):
        return f"{address}: {_distrust(cause, settings)}"
    said = str(error.args[1] if len(error.args) > 1 else error).strip()
    message = said or "the connection was lost"
    hint = _HINTS.get(code(error), "")
    if hint:
        user = f"'{settings.user}'@'%'"
        load = loading.command(settings)
        hint = f" ({hint.format(db=f'`{settings.db}`', user=user, load=load)})"
    return f"{address}: {message}{hint}"


_SELF_SIGNED, _OTHER_NAME, _OTHER_ADDRESS = 18, 62, 64  # X509_V_ERR_... of OpenSSL


def _distrust(error: ssl.SSLCertVerificationError, settings: Report) -> str:
    """Why the server's certificate is not taken, and what to do."""
    why = f"the server's certificate is not trusted: {error.verify_message.rstrip('.')}"
    if error.verify_code in (_OTHER_NAME, _OTHER_ADDRESS):
        return f"{why} (set `server` to a name that the certificate has)"
    if error.verify_code == _SELF_SIGNED:
        # MariaDB makes itself one since 11.4, another at each start.
        why += ", perhaps by a server without ssl_cert, which makes itself one at each start"
    return (
        f"{why} (set ssl_cert and ssl_key in the server's configuration, and ssl_ca, "
        f"now {settings.ssl_ca}, to the certificate of who signed ssl_cert)"
    )
