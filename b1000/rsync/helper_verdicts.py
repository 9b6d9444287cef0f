"""What openssl or ssh says that keeps an rsync from its daemon. Pure.

Messages were seen with OpenSSH 9.2 and 10.0, and with OpenSSL 3.0 and 3.5. Where the helper ends
at once, rsync may meet that while it writes its own greeting (exit 12) instead of while it waits
for the other (5).
"""

from b1000.named import NamedTuple


class Complaint(NamedTuple):
    """A line of the helper, and what is said of it in the words of ``ExitMeaning``.

    ``passes``: it may be gone with the next attempt. One that is also printed where a
    connection breaks in mid-copy counts only while rsync waits for a ``greeting``.
    """

    message: str
    explanation: str
    passes: bool = False
    greeting: bool = False


OF_A_DAEMON = r"syntax or usage error \(code 1\) at clientserver\.c"
"""How an rsync that ssh has started says that it cannot be a daemon."""
_COMMAND = "see command= in authorized_keys there"

COMPLAINTS = (
    Complaint(
        r"^verify error:num=\d+:(.*)",
        "the certificate of {peer} is not believed: {0}; see tls_ca, and the host in the address",
    ),
    Complaint(
        r"wrong version number",
        "what answers at {peer} does not speak TLS: see the port in the address",
    ),
    Complaint(
        r"BIO_new_file:(.*?):.*calling fopen\((.*), r",
        "the certificates of tls_ca, {1}, cannot be read: {0}",
    ),
    Complaint(
        r"no certificate or crl found|PEM routines.*no start line",
        "the file of tls_ca holds no certificate",
    ),
    Complaint(
        r"^Host key for (\S+) has changed",
        "the ssh host key of {peer} has changed: see known_hosts; it may be intercepted",
    ),
    Complaint(
        r"host key is known for|^Host key verification failed",
        "the ssh host key of {peer} is not known: put it into known_hosts",
    ),
    Complaint(
        r"Permission denied \(",
        "the sshd at {peer} accepts no key of this host: see authorized_keys there, and -i in "
        "ssh_options",
    ),
    # sshd lets root in only with such a command, and finds out late that there is none.
    Complaint(
        r"^client_loop: send disconnect|^Connection to \S+ closed by remote host|"
        r"^Protocol mismatch",
        "ssh reaches no rsync daemon at {peer}: the forced command is missing in authorized_keys",
        greeting=True,
    ),
    Complaint(
        OF_A_DAEMON,
        f"the rsync that ssh starts at {{peer}} is no daemon, or has no configuration: {_COMMAND}",
    ),
    Complaint(r"^ssh: (?:line )?\d+: ssh: (?:command )?not found$", "ssh is not installed here"),
    Complaint(
        r"^\S*sh: (?:line )?(?:\d+: )?\S+: (?:(?:command )?not found|No such file or directory)$",
        f"ssh starts no rsync at {{peer}}, since there is none or not there: {_COMMAND}",
    ),
    Complaint(
        r"^command-line:? line \d+: |^unknown option -- ",
        "ssh does not take ssh_options",
    ),
    Complaint(r"^Failed to find on your path: (\S+)", "TLS needs {0}, which is not installed here"),
    Complaint(r"^env: .?rsync-ssl.?: No such", "TLS needs rsync-ssl, which is not installed here"),
    Complaint(
        r"^ssh: connect to host .*: Connection refused$|^connect:errno=111$",
        "connection refused by {peer}",
        passes=True,
    ),
    Complaint(
        r"^ssh: Could not resolve hostname|BIO_lookup_ex:",
        "the host name {peer} cannot be resolved",
        passes=True,
    ),
    Complaint(r"^ssh: connect to host |^connect:errno=", "{peer} cannot be reached", passes=True),
)

CHATTER = r"verify depth is \d+$|Connecting to \S+$"
"""Lines of a helper that is well; the second since OpenSSL 3.5."""

FOLLOWING = (
    r"rsync: did not see server greeting|rsync: \[\w+\] safe_write failed|depth=\d+ |notAfter="
    r"|notBefore=|[0-9A-F]{8,}:error:|@@@@@|@    WARNING: |See the rsync-ssl manpage"
)
"""Lines that say no more than others beside them."""
