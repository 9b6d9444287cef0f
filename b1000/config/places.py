"""Sections [dest:] and [report:] as checked values."""

from collections.abc import Mapping, Sequence

from b1000.config import allowed, transports
from b1000.config.options.of_destinations import OF_LOCAL_STORAGES
from b1000.config.sections import Section
from b1000.config.values import Values, only
from b1000.errors import near
from b1000.jobs import Destination, Report


def destination(
    reader: Values, section: Section, reports: Mapping[str, str | None]
) -> Destination | None:
    """The destination; one whose only mistakes are about keeping and verifying takes copies.

    ``reports`` are those of the configuration with their types.
    """
    values = reader.values(section)
    path = values.get("path", "")
    remote = path.startswith("rsync://")
    if path == "/":
        section.add_problem("path", "it is / itself; a directory of its own, such as /srv/backup")
    if path and remote and "min_free" in values:
        section.add_problem(
            "min_free", "it is for local paths; free space at a daemon cannot be seen"
        )
    if remote and values.get("must_be_mounted"):
        section.add_problem(
            "must_be_mounted", "it is for local paths; a daemon sees to its own disks"
        )
    if path and not remote and "--copy-as" in allowed.spellings(values.get("rsync_options", ())):
        text = "'--copy-as' is for daemons; locally B1000 makes the directories as its own user"
        section.add_problem("rsync_options", text)
    if values.get("link_dest"):
        _check_link_dest(section, values.get("rsync_options", ()))
    way = transports.settled(section, values)
    if path and not remote:
        transports.local(section, way)
    _check_storage(section, path, values.get("report", ()), reports)
    if "keep" in section.values and values.get("mark") is False:
        text = "with mark = no nothing says which backups are complete; remove one of the two"
        section.add_problem("keep", text)
    flaws = [each for each in section.errors if each.option in OF_LOCAL_STORAGES]
    if len(flaws) < len(section.errors):
        return None
    texts = tuple(f"{each.option}: {each.text}" for each in flaws)
    options = only(values, Destination._fields) | {"transport": way}
    return Destination(section.name, flaws=texts, **options)


def _check_storage(
    section: Section, path: str, told: Sequence[str], reports: Mapping[str, str | None]
) -> None:
    """What is for local storages stands at one, and a store is one."""
    if section.variant == "store" and path:
        if not path.startswith("/"):
            section.add_problem("path", "a store is a local tree that others push into")
        elif path.count("*") > 1 or ("*" in path and "*" not in path.split("/")):
            section.add_problem(
                "path", "one * may stand for the directories of the clients, as in /srv/backup/*"
            )
    elif section.variant == "active" and "*" in path.split("/"):
        section.add_problem("path", "* stands for the directories of clients in type = store alone")
    for option in OF_LOCAL_STORAGES & section.values.keys():
        if path.startswith("rsync://"):
            section.add_problem(
                option, "it is for local paths; the host that has the storage sees to it"
            )
    for name in told:
        if name not in reports:
            there = ", ".join(reports) or "none"
            hint = near(name, reports) or f"; there are: {there}"
            section.add_problem("report", f"there is no [report:{name}]{hint}")
        elif reports[name] == "file":
            text = f"{name} has type = file; storages tell databases, of type mysql or sqlite"
            section.add_problem("report", text)


def _check_link_dest(section: Section, options: Sequence[str]) -> None:
    """Options with which links into an older backup would change it, or never come to be."""
    for option in dict.fromkeys(allowed.spellings(options)):
        if option in ("--atimes", "-U"):
            section.add_problem(
                "rsync_options",
                f"{option!r} with link_dest would change the times of files in older backups",
            )
        elif option in ("--ignore-times", "-I", "--no-times", "--no-t"):
            section.add_problem(
                "rsync_options",
                f"with {option!r} no file counts as unchanged, so that link_dest links none",
                warning=True,
            )


def report(reader: Values, section: Section, journal: str | None) -> Report | None:
    values = reader.values(section)
    if section.variant == "sqlite" and values.get("path") == journal:
        section.add_problem("path", f"{journal} is the journal; a report takes a file of its own")
    if "password" in values and "password_file" in values:
        section.add_problem("password", "password_file gives it too; remove one of the two")
    return None if section.broken else Report(section.name, **only(values, Report._fields))
