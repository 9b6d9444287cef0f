"""A full again after 1 % has changed: links into the last one, against what others do."""

import subprocess
from collections.abc import Callable
from functools import partial
from pathlib import Path

from bench import measure
from bench.measure import Result, Side, Taken
from bench.site import Site, change_a, tree_a

_ROUNDS = 5


def link_dest(site: Site) -> list[Result]:
    """Tree A again to a daemon with ``link_dest``; the rivals go to directories of this host."""
    source = tree_a(site.fresh("a"))
    home = site.fresh("home")
    sections = {"dest:store": site.store("ours", link_dest="yes"), "job:j": site.push(source)}
    changed: set[int] = set()
    turn = 0

    def again(run: Callable[[int], Taken]) -> Side:
        """The same side, where the first of a round finds 1 % changed, and the second the same."""

        def side(number: int) -> Taken:
            if turn + number not in changed:
                changed.add(turn + number)
                change_a(source, 1, turn + number)
                measure.settle()
            return run(number)

        return side

    site.b1000(sections, home=home)
    found = []
    rivals: tuple[
        tuple[str, str, Callable[[Site, Path], Callable[[int], Taken]], float | None], ...
    ] = (
        ("rsync", "rsync --link-dest, same depth", partial(_rsync, "j/day"), 1.1),
        ("rsync", "rsync --link-dest, one level", partial(_rsync, "."), None),
        ("rsnapshot", "rsnapshot", _rsnapshot, 0.55),
        ("restic", "restic", _restic, 0.5),
        ("borg", "borg, no encryption", _borg, 0.3),
    )
    for program, name, prepare, target in rivals:
        if not measure.installed(program):
            print(f"link_dest: {program} is not installed; left out", flush=True)
            continue
        turn += 1000
        theirs = prepare(site, source)
        # Both have the tree as it is; each round then finds the same change.
        site.b1000(sections, home=home)
        theirs(-1)
        mine, other = measure.pairs(
            again(lambda _: site.b1000(sections, home=home)), again(theirs), _ROUNDS
        )
        found.append(
            measure.compare(
                "A again, 1 % changed", name, measure.walls(mine), measure.walls(other), "s", target
            )
        )
    _check(site)
    return found


def _rsync(below: str, site: Site, source: Path) -> Callable[[int], Taken]:
    """The deeper its directories are, the longer rsync 3.5 takes for each file."""
    made: list[str] = []

    def run(_: int) -> Taken:
        made.append(f"bare{len(made)}")
        base = [f"--link-dest=../{made[-2]}"] if len(made) > 1 else []
        target = f"{site.daemon.url('b1000')}/bare/{below}/{made[-1]}/"
        return measure.run(
            ["rsync", "-a", "--mkpath", "--sockopts=TCP_NODELAY", *base, f"{source}/", target]
        )

    return run


def _rsnapshot(site: Site, source: Path) -> Callable[[int], Taken]:
    home = site.fresh("rsnapshot")
    config = home / "rsnapshot.conf"
    lines = (
        ("config_version", "1.2"),
        ("snapshot_root", f"{home}/root/"),
        ("cmd_cp", "/bin/cp"),
        ("cmd_rm", "/bin/rm"),
        ("cmd_rsync", "/usr/bin/env rsync"),
        ("retain", "daily", "50"),
        ("link_dest", "1"),
        ("lockfile", f"{home}/pid"),
        ("backup", f"{source}/", "client/"),
    )
    found = subprocess.run(["which", "rsync"], capture_output=True, text=True, check=True)
    text = "\n".join("\t".join(line) for line in lines) + "\n"
    config.write_text(text.replace("/usr/bin/env rsync", found.stdout.strip()))
    return lambda _: measure.run(["rsnapshot", "-c", str(config), "daily"])


def _restic(site: Site, source: Path) -> Callable[[int], Taken]:
    home = site.fresh("restic")
    (home / "password").write_text("secret\n")
    words = ["restic", "-q", "-r", f"{home}/repository", "-p", f"{home}/password"]
    environment = {"RESTIC_CACHE_DIR": f"{home}/cache", "HOME": str(home)}
    measure.run([*words, "init"], environment)
    return lambda _: measure.run([*words, "backup", str(source)], environment)


def _borg(site: Site, source: Path) -> Callable[[int], Taken]:
    home = site.fresh("borg")
    environment = {"BORG_BASE_DIR": str(home), "BORG_UNKNOWN_UNENCRYPTED_REPO_ACCESS_IS_OK": "yes"}
    measure.run(["borg", "init", "-e", "none", f"{home}/repository"], environment)
    archives = iter(range(10_000))

    def run(_: int) -> Taken:
        words = ["borg", "create", f"{home}/repository::n{next(archives)}", str(source)]
        return measure.run(words, environment)

    return run


def _check(site: Site) -> None:
    """Nobody is quick by doing nothing: the last full is whole, and shares what had not changed."""
    made = sorted(site.stored.glob("ours/j/*/*/"), key=lambda path: path.stat().st_ctime)[-2:]
    inodes = [
        {path.relative_to(full): path.stat().st_ino for path in full.rglob("*") if path.is_file()}
        for full in made
    ]
    same = sum(inodes[0][name] == inode for name, inode in inodes[1].items())
    if (len(inodes[1]), same) != (50_000, 49_500):
        raise RuntimeError(f"{len(inodes[1])} files, {same} of them shared")
