"""How long a restore waits before it tries again."""

from b1000.restore.failover import rest


def test_the_wait_grows_as_that_of_copies() -> None:
    for turn, least, most in ((1, 60, 120), (2, 120, 180), (3, 240, 300), (9, 540, 600)):
        for _ in range(20):
            assert least <= rest(60.0, turn) <= most
    assert rest(0.0, 5) == 0.0
