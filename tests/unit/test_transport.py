"""The arguments and the environment by which rsync reaches a daemon."""

import subprocess
from pathlib import Path

import pytest

from b1000.jobs import PLAIN, Destination, Limits, Pull, Transfer, Transport
from b1000.rsync import command, fetching, surveys, transport
from b1000.rsync.source import Source
from b1000.storage import session
from b1000.storage.session import Session

TLS = Transport("tls", "/etc/ssl/own.pem")
SSH = Transport("ssh", ssh_options=("-i", "/root/my key", "-o", "User=back'up"))
AT = "rsync://me@storage/b1000"


def _calls(way: Transport) -> list[list[str]]:
    """One of each rsync that reaches a daemon."""
    there, limits = Destination("ext", AT, transport=way), Limits()
    pull = Pull(AT, "web", 1, 1, transport=way)
    pulled = Source((f"{AT}/tree",), (), Transfer(), pull)
    here = Destination("near", "/srv/backup")
    return [
        command.copy(Source(("/etc",), ()), f"{AT}/x", there, limits),
        command.copy(pulled, "/srv/backup/x", here, limits),
        command.probe("/empty", AT, there, limits),
        command.claim("/empty", AT, there, limits),
        command.marks("/tree", AT, there, limits),
        fetching.fetch(AT, "/n", "/d", largest=1, password_file=None, limits=limits, way=way),
        command.deliver("/file", pull, limits),
        surveys.whole(pulled, "/empty", here, limits),
        surveys.address(AT, None, limits, way),
        surveys.backups(AT, None, limits, (), way),
    ]


@pytest.mark.parametrize("way", [TLS, SSH], ids=lambda way: way.kind)
def test_each_call_takes_the_chosen_way_and_none_has_contimeout(way: Transport) -> None:
    for argv in _calls(way):
        assert len([word for word in argv if word.startswith("--rsh=")]) == 1, argv
        assert not any(word.startswith("--contimeout") for word in argv), argv
        assert transport.has_helper(argv)


def test_plain_has_rsyncs_own_clock() -> None:
    for argv in _calls(PLAIN):
        assert "--contimeout=20" in argv
        assert not transport.has_helper(argv)


def test_a_local_copy_has_neither() -> None:
    argv = command.copy(Source(("/etc",), ()), "/x", Destination("near", "/x"), Limits())
    assert not any(word.startswith(("--rsh", "--contimeout")) for word in argv)


def _heard(way: Transport, tmp_path: Path, address: str = AT) -> list[str]:
    """The environment and the words that the helper gets from a real rsync."""
    told = tmp_path / "told"
    for name in ("ssh", "rsync-ssl"):
        helper = tmp_path / name
        helper.write_text(f'#!/bin/sh\n(env | grep ^RSYNC_; printf "%s\\n" "$@") >{told}\nexit 1\n')
        helper.chmod(0o755)
    environment = transport.environment(
        {
            "PATH": f"{tmp_path}:/usr/bin:/bin",
            "RSYNC_SSL_SKIP_HOSTNAME_CHECK": "1",
            "RSYNC_SSL_CA_CERT": "",
            "RSYNC_PASSWORD": "secret",
            "RSYNC_RSH": "false",
        }
    )
    argv = surveys.address(address, None, Limits(), way)
    subprocess.run(argv, env=environment, capture_output=True, check=False, timeout=60)
    return told.read_text().splitlines()


def test_tls_gets_its_authority_and_nothing_that_was_inherited(tmp_path: Path) -> None:
    heard = _heard(TLS, tmp_path)
    words = heard.index("--HELPER")
    assert set(heard[:words]) == {
        "RSYNC_PORT=0",
        "RSYNC_SSL_CA_CERT=/etc/ssl/own.pem",
        "RSYNC_SSL_TYPE=openssl",
    }


def test_without_tls_ca_the_systems_are_believed_and_the_variable_is_not_there(
    tmp_path: Path,
) -> None:
    heard = _heard(Transport("tls"), tmp_path)
    assert not any(each.startswith("RSYNC_SSL_CA_CERT") for each in heard)


def test_the_words_of_ssh_options_arrive_as_they_are_and_come_first(tmp_path: Path) -> None:
    heard = _heard(SSH, tmp_path)
    options = heard[heard.index("-i") :]
    assert options[:4] == ["-i", "/root/my key", "-o", "User=back'up"]
    assert "-oBatchMode=yes" in options
    assert "-oStrictHostKeyChecking=yes" in options
    assert "root" not in options


def test_ssh_logs_in_as_root_not_as_the_user_of_the_module(tmp_path: Path) -> None:
    heard = _heard(Transport("ssh"), tmp_path)
    assert heard[heard.index("-l") + 1] == "root"
    assert heard.count("-l") == 1


def test_a_port_of_the_address_is_that_of_sshd(tmp_path: Path) -> None:
    heard = _heard(Transport("ssh"), tmp_path, "rsync://me@storage:2222/b1000")
    assert heard[heard.index("-p") + 1] == "2222"
    chosen = Transport("ssh", ssh_options=("-p", "99"))
    heard = _heard(chosen, tmp_path, "rsync://me@storage:2222/b1000")
    assert [heard[at + 1] for at, word in enumerate(heard) if word == "-p"] == ["99"]
    assert "-p" not in _heard(Transport("ssh"), tmp_path)


def test_a_helper_that_lives_on_is_not_waited_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """rsync has ended; ssh holds its output as if more were to come."""
    helper = tmp_path / "ssh"
    helper.write_text(
        "#!/bin/sh\ntrap '' USR1 TERM HUP PIPE\n"
        "printf '@RSYNCD: 31.0 md5\\n@ERROR: closed for the night\\n'\n"
        "exec </dev/null >/dev/null\nwhile sleep 1; do :; done\n"
    )
    helper.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    argv = surveys.address(AT, None, Limits(), Transport("ssh"))
    ended = session.run(Session(argv, "storage", 60, 0), lambda _: None)
    assert "storage says: closed for the night" in ended.trouble("storage")
