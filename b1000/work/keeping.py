"""When an attempt leaves the files as they are that it finds in the directory of a full. Pure."""


def keeps(linking: bool, continued: bool, in_doubt: bool) -> bool:
    """Whether an attempt at a full at a daemon leaves alone what is there.

    A file that is there may be one of an older backup too where the full is ``linking``. Where it
    is not, an attempt that is ``continued``, or whose files are ``in_doubt``, makes what is there
    that of the source, as long as the storage lets it. The first one finds what its own streams
    have made; a storage lets several in side by side only where none may change it.
    """
    return linking or not (continued or in_doubt)


def is_undivided(linking: bool, keeping: bool, hard_links: bool) -> bool:
    """Whether one rsync copies all, whatever ``streams`` says.

    What links into an older backup must not meet files that are there (linking.py); and where
    they stay as they are, the pass over all could not make hard links between two parts.
    """
    return linking or (keeping and hard_links)
