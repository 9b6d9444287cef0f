"""THE option table: one row for each option that a configuration may hold.

Validation, defaults and the reference documentation are derived from it. A row
comes with its implementation; an option without a row is not known.
"""

from b1000.config.options import of_destinations, of_global, of_jobs, of_reports
from b1000.config.options.row import VARIANT as VARIANT
from b1000.config.options.row import Option as Option

OPTIONS: tuple[Option, ...] = (
    *of_global.OPTIONS,
    *of_jobs.OPTIONS,
    *of_destinations.OPTIONS,
    *of_reports.OPTIONS,
)
SECTIONS = ("global", "job", "dest", "report")

TABLE: dict[str, dict[str, Option]] = {
    section: {option.name: option for option in OPTIONS if section in option.sections}
    for section in SECTIONS
}
"""Section kind → option name → row."""
