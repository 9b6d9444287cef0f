"""The options of [report:NAME]."""

from b1000.config.kinds import PATH, TEXT, ValueKind, choice, integer, password_file, server
from b1000.config.options.row import REPORT, Option

_MYSQL = ("mysql",)

OPTIONS: tuple[Option, ...] = (
    Option(
        "type", REPORT, choice("file", "mysql", "sqlite"),
        "file: one ini file for each run. mysql, sqlite: rows in the tables of a database.",
        required=True,
    ),
    Option(
        "path", REPORT, PATH,
        "Directory of the report files, or the database file of sqlite.",
        required=True, of=("file", "sqlite"),
    ),
    Option(
        "keep", REPORT, integer("number", 1, 1000000),
        "How many files of finished runs stay for each job/instance.",
        default="30", of=("file",),
    ),
    Option(
        "server", REPORT, ValueKind("host, address or socket", server),
        "Host of the database server, or the path of its socket.",
        required=True, of=_MYSQL,
    ),
    Option(
        "port", REPORT, integer("1 to 65535", 1, 65535),
        "Its port.",
        default="3306", of=_MYSQL,
    ),
    Option(
        "db", REPORT, TEXT,
        "Name of the database.",
        required=True, of=_MYSQL,
    ),
    Option(
        "user", REPORT, TEXT,
        "Who logs in.",
        required=True, of=_MYSQL,
    ),
    Option(
        "password", REPORT, TEXT,
        "The password; then only root should be able to read the file.",
        required=True, unless="password_file", literal=True, secret=True, of=_MYSQL,
    ),
    Option(
        "password_file", REPORT, ValueKind("absolute path", password_file),
        "File with the password in its first line, instead of password.",
        of=_MYSQL,
    ),
    Option(
        "ssl_ca", REPORT, PATH,
        "File with the certificates that sign the server's: TLS, and no connection without.",
        of=_MYSQL,
    ),
)  # fmt: skip
