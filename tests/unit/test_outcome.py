"""What the end of an rsync means. The messages were all printed by rsync 3.5.0."""

import pytest

from b1000.rsync import outcome
from b1000.rsync.outcome import Outcome
from b1000.rsync.totals import Totals, totals
from b1000.rsync.verdicts import VERDICTS, Retry
from b1000.runs.states import CopyStatus

NEVER, ONCE, YES = Retry.NEVER, Retry.ONCE, Retry.YES

RESET = "rsync: [sender] read error: Connection reset by peer (104)"
BROKEN_PIPE = "rsync: [sender] write error: Broken pipe (32)"
UNGREETED = "rsync: did not see server greeting"
UNWRITTEN = "rsync: [Receiver] safe_write failed to write 41 bytes to fd 4: Broken pipe (32)"
OPENSSL = "805B8364C97F0000:error:"
CLOSED = "rsync: connection unexpectedly closed (65 bytes received so far) [generator]"


def noise(code: int) -> str:
    return f"rsync error: some words of rsync (code {code}) at io.c(949) [sender=3.5.0]"


# exit code, standard error, retry, how the reason begins
SEEN: list[tuple[int, list[str], Retry, str]] = [
    (1, ["ERROR: module is read only", noise(1), RESET], NEVER,
     "the module at backup-3 is read only"),
    (1, ["ERROR: password file must not be other-accessible", noise(1)], NEVER,
     "the password file must not be other-accessible"),
    (1, ["ERROR: password file must be owned by root when running as root", noise(1)], NEVER,
     "the password file must be owned by root"),
    (1, ["rsync: [sender] could not open password file /etc/pw: No such file or directory (2)",
         noise(1)], NEVER,
     "the password file /etc/pw: No such file or directory"),
    (1, ["ERROR: failed to read a password from /etc/pw", noise(1)], NEVER,
     "the password file /etc/pw is empty: the password stands in its first line"),
    (1, ["rsync: --nosuchoption: unknown option", noise(1)], NEVER,
     "rsync does not know the option --nosuchoption"),
    (1, ["The --contimeout option may only be used when connecting to an rsync daemon.", noise(1)],
     NEVER, "rsync does not take its arguments: see rsync_options"),
    (2, ["protocol version mismatch -- is your shell clean?",
         "(see the rsync manpage for an explanation)", noise(2)], NEVER,
     "the rsyncs here and at backup-3 do not understand"),
    (3, ["ERROR: destination must be a directory when copying more than 1 file", noise(3)], NEVER,
     "the sources cannot be read or backup-3 cannot be used"),
    (3, ['rsync: [sender] change_dir "/srv/gone" failed: No such file or directory (2)', noise(3)],
     NEVER, "the sources cannot be read (rsync exit 3"),
    (4, ["rsync: The server is configured to refuse --compress (-z)", noise(4), RESET], NEVER,
     "backup-3 refuses the option --compress (-z)"),
    (4, ["pre-xfer exec returned failure (256)", noise(4), RESET], NEVER,
     "the pre-xfer script at backup-3 failed"),
    (4, ["pre-xfer exec returned failure (256):", "b1000-gate: this backup is complete", noise(4),
         RESET], NEVER, "backup-3 refuses: this backup is complete"),
    (5, ["@ERROR: pre-xfer exec returned failure (256): b1000-gate: marks go to /"], NEVER,
     "backup-3 refuses: marks go to /"),
    (4, ["b1000-gate: another session writes into this backup; try again later", noise(4)], YES,
     "backup-3 refuses: another session writes into this backup; try again later"),
    *((4, [f"b1000-gate: the storage cannot write down this session: {system}", noise(4)], NEVER,
       ours)
      for system, ours in {
          "No space left on device": "no space left at backup-3: free some",
          "Disk quota exceeded": "disk quota exceeded at backup-3: free some",
          "Read-only file system": "the file system is read-only at backup-3",
          "Permission denied": "no permission to write at backup-3",
          "Input/output error": "backup-3 refuses: the storage cannot write down this session",
      }.items()),
    (4, ["b1000-gate: rsync's option --x: Read-only file system is not B1000's", noise(4)], NEVER,
     "backup-3 refuses: rsync's option --x"),
    (4, [noise(4)], NEVER, "backup-3 refuses an option or does not know it"),
    (5, ["@ERROR: max connections (1) reached -- try again later", noise(5)], YES,
     "backup-3 has reached its limit of connections (1)"),
    (5, ["@ERROR: max connections (-1) reached -- try again later", noise(5)], YES,
     "backup-3 has reached its limit of connections (-1)"),
    (5, ["@ERROR: Unknown module 'b1000'", noise(5)], NEVER, "backup-3 has no module 'b1000'"),
    (5, ["@ERROR: auth failed on module b1000", noise(5)], NEVER,
     "backup-3 refuses user or password for module 'b1000'"),
    (5, ["Password: @ERROR: auth failed on module b1000", noise(5)], NEVER,
     "backup-3 refuses user or password for module 'b1000'"),
    (5, ["@ERROR: access denied to b1000 from client (10.0.0.7)", noise(5)], NEVER,
     "backup-3 denies this host access to module 'b1000'"),
    (5, ["@ERROR: chdir failed", noise(5)], NEVER, "the module's directory at backup-3"),
    (5, ["@ERROR: chroot failed", noise(5)], NEVER, "the module's directory at backup-3"),
    (5, ["@ERROR: closed for the night", noise(5)], NEVER, "backup-3 says: closed for the night"),
    (5, ['rsync: server sent "HTTP/1.0 400 Bad Request" rather than greeting', noise(5)], NEVER,
     "what answers at backup-3 is no rsync daemon"),
    (5, [UNGREETED, noise(5)], YES,
     "backup-3 closed the connection at once"),
    (5, ["verify depth is 4", "depth=0 CN = elsewhere", "verify error:num=62:hostname mismatch",
         f"{OPENSSL}0A000086:SSL routines::certificate verify failed:x.c:1:", UNGREETED, noise(5)],
     NEVER, "the certificate of backup-3 is not believed: hostname mismatch; see tls_ca"),
    (5, [f"{OPENSSL}0A00010B:SSL routines:ssl3_get_record:wrong version number:ssl.c:354:",
         UNGREETED, noise(5)], NEVER, "what answers at backup-3 does not speak TLS"),
    (5, [f"{OPENSSL}80000002:system library:BIO_new_file:No such file or directory:b.c:67:"
         "calling fopen(/etc/ca.pem, r)", UNGREETED, noise(5)], NEVER,
     "the certificates of tls_ca, /etc/ca.pem, cannot be read: No such file"),
    (5, [f"{OPENSSL}05800088:x509 certificate routines:X509_load_cert_crl_file_ex:no certificate "
         "or crl found:x.c:252:", UNGREETED, noise(5)], NEVER,
     "the file of tls_ca holds no certificate"),
    (5, ["@@@@@@@@@@@", "Host key for [backup-3]:22 has changed and you have requested strict "
         "checking.", "Host key verification failed.", UNGREETED, noise(5)], NEVER,
     "the ssh host key of backup-3 has changed"),
    (5, ["No ED25519 host key is known for backup-3 and you have requested strict checking.",
         "Host key verification failed.", UNGREETED, noise(5)], NEVER,
     "the ssh host key of backup-3 is not known"),
    (5, ["root@backup-3: Permission denied (publickey).", UNGREETED, noise(5)], NEVER,
     "the sshd at backup-3 accepts no key of this host"),
    (5, ["client_loop: send disconnect: Broken pipe", UNGREETED, noise(5)], NEVER,
     "ssh reaches no rsync daemon at backup-3: the forced command is missing"),
    (5, ["rsync error: syntax or usage error (code 1) at clientserver.c(1435) [Receiver=3.5.0]",
         UNGREETED, noise(5)], NEVER,
     "the rsync that ssh starts at backup-3 is no daemon, or has no configuration"),
    (5, ["bash: line 1: /nix/rsync: No such file or directory", UNGREETED, noise(5)], NEVER,
     "ssh starts no rsync at backup-3"),
    (5, ["sh: 1: rsync: not found", UNGREETED, noise(5)], NEVER, "ssh starts no rsync at backup-3"),
    (5, ["command-line: line 0: Bad configuration option: nosuch", UNGREETED, noise(5)], NEVER,
     "ssh does not take ssh_options"),
    (5, ["Failed to find on your path: openssl", UNGREETED, noise(5)], NEVER,
     "TLS needs openssl, which is not installed here"),
    (12, ["env: 'rsync-ssl': No such file or directory", UNWRITTEN, noise(12)], NEVER,
     "TLS needs rsync-ssl, which is not installed here"),
    (12, ["ssh: 1: ssh: not found", UNWRITTEN, noise(12)], NEVER,
     "ssh is not installed here"),
    (12, ["ssh: connect to host backup-3 port 22: Connection refused", UNWRITTEN, noise(12)], YES,
     "connection refused by backup-3"),
    (5, [f"{OPENSSL}8000006F:system library:BIO_connect:Connection refused:b.c:117:calling "
         "connect()", "connect:errno=111", UNGREETED, noise(5)], YES,
     "connection refused by backup-3"),
    (5, ["ssh: Could not resolve hostname backup-3: Name or service not known", UNGREETED,
         noise(5)], YES, "the host name backup-3 cannot be resolved"),
    (5, [f"{OPENSSL}10080002:BIO routines:BIO_lookup_ex:system lib:b.c:746:Name or service not "
         "known", "connect:errno=2", UNGREETED, noise(5)], YES,
     "the host name backup-3 cannot be resolved"),
    (5, ["ssh: connect to host backup-3 port 22: No route to host", UNGREETED, noise(5)], YES,
     "backup-3 cannot be reached"),
    (12, ["client_loop: send disconnect: Broken pipe", CLOSED, noise(12)], YES,
     "the connection to backup-3 broke in mid-copy"),
    (5, [noise(5)], NEVER, "backup-3 refused to begin"),
    (6, [noise(6)], NEVER, "the daemon at backup-3 cannot write its log"),
    (10, ["rsync: [sender] failed to connect to backup-3 (10.0.0.3): Connection refused (111)",
          noise(10)], YES, "connection refused by backup-3"),
    (10, ["rsync: The server is configured to refuse --checksum (-c)",
          "rsync: [Receiver] read error: Connection reset by peer (104)", noise(10)], NEVER,
     "backup-3 refuses the option --checksum (-c)"),
    (10, ["rsync: getaddrinfo: backup-3 873: Name or service not known", noise(10)], YES,
     "the host name backup-3 cannot be resolved"),
    (10, ["rsync: [sender] failed to connect to backup-3 (10.0.0.3): No route to host (113)",
          noise(10)], YES, "backup-3 cannot be reached"),
    (10, ["rsync: [sender] failed to connect to backup-3 (10.0.0.3): Network is unreachable (101)",
          noise(10)], YES, "backup-3 cannot be reached"),
    (10, [BROKEN_PIPE, noise(10)], YES, "the connection to backup-3 broke in mid-copy"),
    (12, [CLOSED, noise(12)], YES, "the connection to backup-3 broke in mid-copy"),
    (11, ['rsync: [receiver] write failed on "/x" (in m): No space left on device (28)', noise(11),
          noise(11), RESET], NEVER, "no space left at backup-3"),
    (23, ['rsync: [receiver] mkstemp "/.x.1dZ4UH" (in m) failed: No space left on device (28)',
          noise(23)], NEVER, "no space left at backup-3"),
    (11, ['rsync: [receiver] write failed on "/x" (in m): Disk quota exceeded (122)', noise(11)],
     NEVER, "disk quota exceeded at backup-3"),
    (11, ['rsync: [Receiver] mkdir "/x/y/" failed: Read-only file system (30)', noise(11)], NEVER,
     "the file system is read-only at backup-3"),
    (23, ['rsync: [receiver] mkstemp "/x/.f.V0tn5k" failed: Read-only file system (30)', noise(23)],
     NEVER, "the file system is read-only at backup-3"),
    (11, ['rsync: [Receiver] mkdir "/x/y/" failed: No such file or directory (2)', noise(11)],
     NEVER, "a directory is missing at backup-3"),
    (11, ['rsync: [Receiver] mkdir "/root/xx/y/" failed: Permission denied (13)', noise(11)], NEVER,
     "no permission to write at backup-3"),
    (11, ['rsync: [Receiver] mkdir "afile/" (in m) failed: File exists (17)', noise(11)], NEVER,
     "a file is in the way of a directory at backup-3"),
    (11, ['rsync: [receiver] write failed on "/x": File too large (27)', noise(11), BROKEN_PIPE],
     NEVER, "a file is larger than backup-3 takes"),
    (11, ['rsync: [receiver] write failed on "/x": Input/output error (5)', noise(11)], YES,
     "reading or writing a file failed"),
    (13, [noise(13)], YES, "rsync's processes lost each other"),
    (19, [noise(19)], YES, "rsync was ended by a signal"),
    (20, [noise(20), noise(19)], YES, "rsync was ended by a signal"),
    (22, [noise(22)], YES, "rsync could not get memory"),
    (23, ['rsync: [sender] send_files failed to open "/etc/shadow": Permission denied (13)',
          noise(23)], ONCE, "not everything was copied: no permission to read /etc/shadow"),
    (23, ['rsync: [sender] opendir "/root" failed: Permission denied (13)', noise(23)], ONCE,
     "not everything was copied: no permission to read /root"),
    (23, ['rsync: [receiver] mkstemp "/d/.f.Hn9wP0" failed: Permission denied (13)', noise(23)],
     ONCE, "not everything was copied: no permission to write at backup-3"),
    (23, ['rsync: [sender] link_stat "/nosuch" failed: No such file or directory (2)', noise(23)],
     ONCE, "not everything was copied: /nosuch is missing at the source"),
    (23, ['rsync: [receiver] rsync_xal_set: lsetxattr("/d/f","user.k") failed: '
          "Operation not supported (95)", noise(23)], NEVER,
     "not everything was copied: the file system at backup-3 keeps no such attributes or ACLs"),
    (23, ["rsync: [receiver] set_acl: sys_acl_set_file(f, ACL_TYPE_ACCESS): "
          "Operation not supported (95)", noise(23)], NEVER,
     "not everything was copied: the file system at backup-3 keeps no such attributes or ACLs"),
    (23, ["cannot delete non-empty directory: x",
          "could not make way for new regular file: x", noise(23)], ONCE,
     "not everything was copied"),
    (25, ["Deletions stopped due to --max-delete limit (2 skipped)", noise(25)], NEVER,
     "--max-delete stopped the deletions"),
    (30, ["[sender] io timeout after 2 seconds -- exiting", noise(30)], YES,
     "no data from backup-3 for too long (io_timeout)"),
    (35, [noise(35)], YES, "backup-3 did not answer in time (connect_timeout)"),
    (127, ["sh: rsync: not found"], NEVER, "rsync failed"),
]  # fmt: skip


@pytest.mark.parametrize(("code", "errors", "retry", "explanation"), SEEN)
def test_each_row(code: int, errors: list[str], retry: Retry, explanation: str) -> None:
    judged = outcome.judge(code, errors, "backup-3")
    assert judged.reason.startswith(explanation)
    assert (judged.status, judged.retry, judged.exit_code) == (CopyStatus.FAILED, retry, code)
    assert f"(rsync exit {code}" in judged.reason
    assert "at io.c" not in judged.reason


def test_every_row_of_the_table_was_seen() -> None:
    reasons = [outcome.judge(code, errors, "X").reason for code, errors, _, _ in SEEN]
    reasons.append(outcome.judge(24, []).reason)
    for row in VERDICTS:
        fixed = max(row.explanation.replace("{place}", "\0").split("\0"), key=len).partition("{")[0]
        assert any(fixed in reason for reason in reasons), row.explanation


def test_vanished_files_are_a_warning() -> None:
    judged = outcome.judge(
        24,
        [
            'file has vanished: "/var/lib/x"',
            "rsync warning: some files vanished before they could be transferred (code 24) at ...",
        ],
        "backup-3",
    )
    assert (judged.status, judged.retry) == (CopyStatus.WARNING, NEVER)
    assert judged.reason == (
        "files vanished at the source while they were copied "
        '(rsync exit 24: file has vanished: "/var/lib/x")'
    )


def test_success_needs_no_words() -> None:
    assert outcome.judge(0, ["a warning"], "x") == Outcome(CopyStatus.DONE, NEVER, "", 0)


@pytest.mark.parametrize(("code", "name"), [(-9, "SIGKILL"), (-15, "SIGTERM"), (-40, "signal 40")])
def test_a_killed_rsync_is_retried(code: int, name: str) -> None:
    judged = outcome.judge(code, [], "x")
    assert (judged.status, judged.retry, judged.leftovers) == (CopyStatus.FAILED, YES, True)
    assert name in judged.reason


def test_every_exit_code_fails_in_words() -> None:
    for code in set(range(1, 256)) - {24}:
        judged = outcome.judge(code, [], "x")
        assert judged.status is CopyStatus.FAILED
        assert judged.reason
        if code in (1, 2, 3, 4):
            assert judged.retry is NEVER
        if code in (10, 12, 30, 35):
            assert judged.retry is YES


@pytest.mark.parametrize(
    "name", ["No space left on device (28)", ": Disk quota exceeded (122)", "Connection refused"]
)
def test_a_name_of_a_file_does_not_decide(name: str) -> None:
    for line in (
        f'rsync: [sender] send_files failed to open "/srv/{name}": Permission denied (13)',
        f'rsync: [sender] opendir "/srv/{name}/x" failed: Permission denied (13)',
    ):
        judged = outcome.judge(23, [line, noise(23)], "x")
        assert judged.retry is ONCE
        assert judged.reason.startswith("not everything was copied: no permission to read /srv/")


def test_of_a_helper_only_what_says_why_is_quoted() -> None:
    """The line behind the code is of openssl or ssh, without what it says when all is well."""
    seen = {errors[0]: outcome.judge(code, errors, "x").reason for code, errors, *_ in SEEN}
    told = seen["verify depth is 4"]
    assert told.endswith("(rsync exit 5: verify error:num=62:hostname mismatch)")
    assert seen["@@@@@@@@@@@"].endswith("strict checking. | Host key verification failed.)")
    assert outcome.is_repeated("verify depth is 4")
    assert outcome.is_repeated("Connecting to 2001:db8::7")
    assert not outcome.is_repeated("Connecting to a host that is down")


def test_what_tls_or_ssh_do_not_believe_stays_so() -> None:
    shut = [
        explanation
        for code, errors, _, explanation in SEEN
        if outcome.is_shut(outcome.judge(code, errors, "backup-3"))
    ]
    assert shut[0].startswith("the certificate of backup-3 is not believed")
    assert "the ssh host key of backup-3 is not known" in shut
    assert "ssh is not installed here" in shut
    assert not {
        "connection refused by backup-3",
        "the connection to backup-3 broke in mid-copy",
        "what answers at backup-3 is no rsync daemon",
    } & {*shut}


def test_braces_in_a_message_are_only_text() -> None:
    judged = outcome.judge(5, ["@ERROR: {place} {0.__class__} {9}", noise(5)], "{0}")
    assert judged.reason.startswith("{0} says: {place} {0.__class__} {9}")


def test_the_lines_of_rsync_are_shortened() -> None:
    refused = next(errors for code, errors, *_ in SEEN if code == 10)
    reason = outcome.judge(10, refused, "backup-3").reason
    assert reason == (
        "connection refused by backup-3 "
        "(rsync exit 10: failed to connect to backup-3 (10.0.0.3): Connection refused)"
    )
    same = ['rsync: [sender] opendir "/x" failed: Permission denied (13)'] * 9
    assert outcome.judge(23, same, "x").reason.count("opendir") == 1
    many = [f'file has vanished: "/x/{"y" * 300}{number}"' for number in range(9)]
    assert len(outcome.judge(24, many, "x").reason) < 500


def test_what_only_follows_from_the_cause_is_left_out() -> None:
    reason = outcome.judge(1, ["ERROR: module is read only", noise(1), RESET], "x").reason
    assert "reset" not in reason
    assert "Broken pipe" in outcome.judge(10, [BROKEN_PIPE, noise(10)], "x").reason


@pytest.mark.parametrize(
    ("line", "repeated"),
    [
        ("rsync error: error in socket IO (code 10) at clientserver.c(165) [sender=3.5.0]", True),
        ('rsync: [Receiver] mkdir "/j" (in b1000) failed: File exists (17)', True),
        ('rsync: [sender] send_files failed to open "/a": Permission denied (13)', False),
        ('file has vanished: "/a/b"', False),
    ],
)
def test_what_only_repeats_the_verdict(line: str, repeated: bool) -> None:
    assert outcome.is_repeated(line) is repeated


def test_what_may_have_left_files_behind() -> None:
    left = {
        explanation
        for code, errors, _, explanation in SEEN
        if outcome.judge(code, errors, "x").leftovers
    }
    assert "the connection to backup-3 broke in mid-copy" in left
    assert "no space left at backup-3" in left
    assert "connection refused by backup-3" not in left
    assert "backup-3 has reached its limit of connections (1)" not in left
    assert not outcome.judge(0, []).leftovers


PRINTED = """
Number of files: 11 (reg: 10, dir: 1)
Number of created files: 11 (reg: 10, dir: 1)
Number of deleted files: 0
Number of regular files transferred: 10
Total file size: 12345 bytes
Total transferred file size: 10 bytes
Literal data: 10 bytes
Matched data: 0 bytes
File list size: 0
File list generation time: 0.001 seconds
File list transfer time: 0.000 seconds
Total bytes sent: 668
Total bytes received: 234

sent 668 bytes  received 234 bytes  1804.00 bytes/sec
total size is 12345  speedup is 0.01"""
STATS = PRINTED.splitlines()


def test_totals() -> None:
    assert totals(["created directory x", *STATS]) == Totals(12345, 10, 668, 1, 0, 0)
    assert totals(STATS, pulled=True) == Totals(12345, 10, 234, 1, 0, 0)


def test_totals_of_directories_only() -> None:
    lines = [line.replace("11 (reg: 10, dir: 1)", "1 (dir: 1)") for line in STATS]
    assert totals(lines).files == 0


def test_no_totals() -> None:
    assert totals([]) == Totals()
    assert totals(["rsync: something"]) == Totals()


def test_a_file_named_like_a_total_is_not_one() -> None:
    names = [
        "Number of files: 7 (reg: 7)",
        "Total bytes sent: 5",
        "Total file size: 1 bytes",
        "total size is 1  speedup is 1.00",
    ]
    assert totals([*names, *STATS]) == Totals(12345, 10, 668, 1, 0, 0)
    # rsync was killed before it printed any.
    assert totals(names) == Totals()
    assert totals([names[0]]) == Totals()


def test_of_a_pull_the_client_is_named_and_the_place_only_where_it_is_to_blame() -> None:
    def told(code: int, line: str) -> str:
        return outcome.judge(code, [line], "/srv/b1000", "ext").reason

    refused = "rsync: [Receiver] failed to connect to ext (10.0.0.1): Connection refused (111)"
    assert told(10, refused).startswith("connection refused by ext")
    assert told(5, "@ERROR: Unknown module 'x'").startswith("ext has no module 'x'")
    assert told(30, "").startswith("no data from ext for too long")
    full = 'rsync: [receiver] write failed on "/srv/b1000/f": No space left on device (28)'
    assert told(11, full).startswith("no space left at /srv/b1000")
    missing = 'rsync: [sender] link_stat "/x" (in backup) failed: No such file or directory (2)'
    assert told(23, missing).startswith("not everything was copied: /x is missing at the source")
    closed = 'rsync: [sender] send_files failed to open "/x" (in backup): Permission denied (13)'
    assert told(23, closed).startswith("not everything was copied: no permission to read /x")
