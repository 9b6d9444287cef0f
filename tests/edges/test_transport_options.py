"""What a configuration may say of the way to a daemon."""

import textwrap
from pathlib import Path

import pytest

from b1000.config.loader import Config, load
from b1000.jobs import Job, Transport


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
