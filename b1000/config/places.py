"""Sections [dest:] and [report:] as checked values."""

from collections.abc import Sequence

from b1000.config import allowed
from b1000.config.sections import Section
from b1000.config.values import Values, only
from b1000.jobs import Destination, Report


def destination(reader: Values, section: Section) -> Destination | None:
    values = reader.values(section)
    path = values.get("path", "")
    remote = path.startswith("rsync://")
    if path and remote and "min_free" in values:
        section.add_problem(
            "min_free", "it is for local paths; free space at a daemon cannot be seen"
        )
    if remote and values.get("must_be_mounted"):
        section.add_problem(
            "must_be_mounted", "it is for local paths; a daemon sees to its own disks"
        )
    if path and not remote and "--copy-as" in allowed.spellings(values.get("rsync_options", ())):
        text = "'--copy-as' is for daemons; here B1000 makes the directories as who runs it"
        section.add_problem("rsync_options", text)
    if values.get("link_dest"):
        _check_link_dest(section, values.get("rsync_options", ()))
    return (
        None if section.broken else Destination(section.name, **only(values, Destination._fields))
    )


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
        section.add_problem("password", "password_file gives it too; remove one of both")
    return None if section.broken else Report(section.name, **only(values, Report._fields))
