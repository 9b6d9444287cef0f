"""Addresses of daemons, and what makes no difference in how they are written."""

import pytest

from b1000 import addresses


@pytest.mark.parametrize(
    ("path", "place"),
    [
        ("rsync://backup-1/b1000/etc/h", "rsync://backup-1/b1000/etc/h"),
        ("rsync://u@Backup-1:873/b1000//etc/h/", "rsync://backup-1/b1000/etc/h"),
        ("rsync://backup-1:8730/b1000/Etc", "rsync://backup-1:8730/b1000/Etc"),
        ("/srv//b1000/etc/h/", "/srv/b1000/etc/h"),
        ("/", "/"),
        ("", "/"),
    ],
)
def test_one_place_has_one_spelling(path: str, place: str) -> None:
    assert addresses.one_place(path) == place == addresses.one_place(place)
