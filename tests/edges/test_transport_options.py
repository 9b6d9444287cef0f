"""What a configuration may say of the way to a daemon."""

import re
import socket
import textwrap
from pathlib import Path

import pytest

from b1000.check.transports import findings
from b1000.config.loader import Config, load
from b1000.jobs import Job, Transport
from tests.support.world import ROOT


def _read(tmp_path: Path, destination: str, job: str = "") -> Config:
    text = f"""\
[global]
host = client
[dest:store]
type = active
{textwrap.dedent(destination)}
[dest:disk]
type = active
path = /srv/store
[report:main]
type = file
path = /srv/reports
[job:etc]
direction = push
type = full
dest = disk
report = main
include = /etc
[job:web]
direction = pull
type = full
dest = disk
report = main
report_source = rsync://web/reports
report_poll_wait = 1
report_poll_retries = 1
include = rsync://web/tree
{textwrap.dedent(job)}
"""
    file = tmp_path / "b1000.cfg"
    file.write_text(text)
    return load(str(file))


AT = "path = rsync://storage/b1000\n"


def test_a_destination_is_reached_as_it_says(tmp_path: Path) -> None:
    said = f"{AT}transport = ssh\nssh_options = -i '/root/my key' -p 99\n"
    config = _read(tmp_path, said, "transport = tls\ntls_ca = /etc/ssl/own.pem\n")
    assert not config.problems
    way = config.destinations["store"].transport
    assert way == Transport("ssh", None, ("-i", "/root/my key", "-p", "99"))
    web = config.jobs["web"]
    assert isinstance(web, Job)
    assert web.pull
    assert web.pull.transport == Transport("tls", "/etc/ssl/own.pem")
    assert config.destinations["disk"].transport == Transport()


@pytest.mark.parametrize(
    ("said", "told"),
    [
        ("transport = ftp\ntls_ca = /x", "'ftp' is not known; one of: plain, tls, ssh"),
        ("tls_ca = /x", "it is for transport = tls; here it is plain"),
        ("transport = ssh\ntls_ca = /x", "it is for transport = tls; here it is ssh"),
        ("transport = tls\nssh_options = -4", "it is for transport = ssh; here it is tls"),
        ("transport = tls\ntls_ca = /my ca.pem", "which rsync-ssl does not hand on"),
        ("transport = tls\ntls_ca = /ca/*.pem", "which rsync-ssl does not hand on"),
        ("transport = tls\ntls_ca = ca.pem", "is not absolute"),
        ("transport = tls\ntls_ca =", "it is empty"),
        ("transport = ssh\nssh_options = host", "it does not begin with an option of ssh"),
    ],
)
def test_what_does_not_go_together_is_told(tmp_path: Path, said: str, told: str) -> None:
    for config in (_read(tmp_path, f"{AT}{said}"), _read(tmp_path, AT, said)):
        texts = [problem.text for problem in config.problems]
        assert len(texts) == 1, texts
        assert told in texts[0]


def test_a_path_of_this_host_is_not_reached(tmp_path: Path) -> None:
    config = _read(tmp_path, "path = /srv/other\ntransport = tls")
    assert [problem.text for problem in config.problems] == [
        "it is for rsync:// paths; this one is of this host"
    ]


def _said(config: Config) -> str:
    return "\n".join(f"[{each.section}] {each.option}: {each.text}" for each in findings(config))


def test_data_that_travels_in_plain_is_told_once(tmp_path: Path) -> None:
    said = _said(_read(tmp_path, AT))
    assert said == (
        "[dest:store] path: data travels unencrypted to and from storage (as in [job:web]); "
        "transport = tls or ssh encrypts it"
    )
    assert "from web;" in _said(_read(tmp_path, "path = rsync://127.0.0.1:873/b1000"))
    for host in ("localhost", "127.0.0.2", "me@client", socket.gethostname()):
        config = _read(tmp_path, f"path = rsync://{host}/b1000", "transport = ssh")
        assert not _said(config)


def test_the_authorities_of_a_database(tmp_path: Path) -> None:
    database = "[report:db]\ntype = mysql\nserver = db\ndb = b\nuser = b\npassword = x\n"
    file = tmp_path / "b1000.cfg"
    file.write_text(f"{database}ssl_ca = {tmp_path}/ca.pem\n")
    file.chmod(0o600)
    for text, wrong in (
        (None, "cannot be read: No such file or directory"),
        ("none\n", "holds no certificate; one in PEM begins with -----BEGIN CERTIFICATE-----"),
        ("-----BEGIN CERTIFICATE-----\n", ""),
    ):
        if text:
            (tmp_path / "ca.pem").write_text(text)
        told = [f"[report:db] ssl_ca: {tmp_path}/ca.pem {wrong}"] if wrong else []
        assert [line for line in _said(load(str(file))).splitlines() if "ssl_ca" in line] == told


def test_what_tls_and_ssh_need_here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    programs = tmp_path / "bin"
    programs.mkdir()
    monkeypatch.setenv("PATH", str(programs))
    tls = f"{AT}transport = tls\ntls_ca = {tmp_path}/ca.pem\n"
    said = _said(_read(tmp_path, tls, "transport = ssh"))
    assert "[dest:store] transport: tls needs rsync-ssl, which is not in" in said
    assert "install the package openssl" in said
    assert "[job:web] transport: ssh needs ssh, which is not in" in said
    assert f"[dest:store] tls_ca: {tmp_path}/ca.pem cannot be read: No such file" in said
    for name in ("rsync-ssl", "openssl", "ssh"):
        (programs / name).write_text("#!/bin/sh\nexec openssl s_client -connect $1\n")
        (programs / name).chmod(0o755)
    (tmp_path / "ca.pem").write_text("none\n")
    said = _said(_read(tmp_path, tls, "transport = ssh"))
    assert "rsync-ssl believes the certificate of any host (CVE-2020-14387)" in said
    assert f"[dest:store] tls_ca: {tmp_path}/ca.pem holds no certificate" in said
    (programs / "rsync-ssl").write_text("#!/bin/sh\nexec openssl s_client -verify_hostname $1\n")
    (tmp_path / "ca.pem").write_text("-----BEGIN CERTIFICATE-----\n")
    assert not _said(_read(tmp_path, tls, "transport = ssh"))
    said = _said(_read(tmp_path, tls.replace("//storage", "//192.0.2.1"), "transport = ssh"))
    assert said.endswith("issued for names of hosts, and 192.0.2.1 is an address")


@pytest.mark.parametrize(
    "options", ["-l backup", "-4 -lbackup", "-oUser=backup", "-o 'User backup'"]
)
def test_a_login_that_is_not_roots_is_told(tmp_path: Path, options: str) -> None:
    config = _read(tmp_path, f"{AT}transport = ssh\nssh_options = {options}", "transport = ssh")
    assert "ssh logs in as backup: a daemon that is not root's has no chroot" in _said(config)
    options = options.replace("backup", "root")
    config = _read(tmp_path, f"{AT}transport = ssh\nssh_options = {options}", "transport = ssh")
    assert not _said(config)


def test_the_page_about_it_can_be_written_so(tmp_path: Path) -> None:
    page = (ROOT / "docs" / "transport.md").read_text()
    blocks = re.findall(r"^```ini\n(.*?)^```$", page, re.DOTALL | re.MULTILINE)
    config = _read(tmp_path, AT + "".join(blocks).replace("dest:atm", "dest:ssh"))
    assert config.problems == ()
    assert config.destinations["tele"].transport == Transport("tls", "/etc/b1000/authority.pem")
    assert config.destinations["ssh"].transport.ssh_options == ("-i", "/root/.ssh/b1000")
