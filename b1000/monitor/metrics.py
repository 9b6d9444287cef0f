"""A survey as metrics, in Prometheus' text exposition, for node_exporter's textfile collector."""

from collections.abc import Callable
from typing import TYPE_CHECKING

from b1000.logs import printable
from b1000.monitor.causes import Destination
from b1000.monitor.survey import ORDER, NoVerdict, Survey
from b1000.monitor.verdicts import Judgement, Verdict

if TYPE_CHECKING:
    from prometheus_client import CollectorRegistry

_LABELS = ("backup_host", "backup_job", "backup_instance")
_GAUGES: tuple[tuple[str, str, Callable[[Judgement], float | None]], ...] = (
    ("verdict", "0 OK, 1 WARNING, 2 CRITICAL, 3 UNKNOWN", lambda each: each.verdict.exit_code),
    (
        "last_good_timestamp_seconds",
        "Start of the last good backup, seconds since the epoch",
        lambda each: each.last_good,
    ),
    ("max_age_seconds", "How old the last good backup may get", lambda each: each.max_age),
    ("data_age_seconds", "How old its data was when it began", lambda each: each.data_age),
    ("size_bytes", "Size of the last good backup", lambda each: each.bytes),
    ("copies_done", "Copies of the last good backup that are DONE", lambda each: each.copies_done),
    ("copies_wanted", "Copies that it should have", lambda each: each.copies_total),
    (
        "kept",
        "Complete backups at storages that are not known to be bad",
        lambda each: each.stored.kept if each.stored.places else None,
    ),
    (
        "read_timestamp_seconds",
        "When a storage last read one of its backups, seconds since the epoch",
        lambda each: each.stored.read,
    ),
    (
        "restored_timestamp_seconds",
        "When one was last restored by a drill, seconds since the epoch",
        lambda each: each.stored.restored,
    ),
    ("recovery_seconds", "How long that drill took", lambda each: each.stored.recovery),
)


def as_prometheus(found: Survey) -> str:
    """The text exposition. Raises NoVerdict where prometheus-client is not installed."""
    registry = _registry()
    from prometheus_client import Gauge

    words = "Subjects that are bad because a storage, host or job fails as a whole"
    causes = Gauge("b1000_cause_subjects", words, ("kind", "cause", "verdict"), registry=registry)
    for cause in found.causes:
        causes.labels(cause.kind, printable(cause.name), cause.verdict).set(len(cause.subjects))
    for name, words, value in _GAUGES:
        gauge = Gauge(f"b1000_backup_{name}", words, _LABELS, registry=registry)
        for each in found.judgements:
            number = value(each)
            if number is not None:
                gauge.labels(*map(printable, each.subject)).set(number)
    _add_causes(found, registry)
    counts = Gauge("b1000_backups", "Subjects by verdict", ("verdict",), registry=registry)
    for verdict in ORDER:
        counts.labels(verdict).set(found.counts[verdict])
    return _exposed(registry, found.verdict, found.when, True)


_PLACES: tuple[tuple[str, str, Callable[[Destination], float | None]], ...] = (
    ("verdict", "0 OK, 1 WARNING, 2 CRITICAL", lambda each: each.verdict.exit_code),
    (
        "last_good_timestamp_seconds",
        "Start of the last run with a copy there, seconds since the epoch",
        lambda each: each.last_good,
    ),
    ("success_ratio", "Share of the copies that ended well lately", lambda each: each.success),
    ("bytes_per_day", "Size of the copies of a day", lambda each: each.bytes_per_day),
    ("subjects", "Subjects that have it as a destination", lambda each: each.subjects),
    ("subjects_alone", "Those with a copy nowhere else", lambda each: each.alone),
)


def _add_causes(found: Survey, registry: "CollectorRegistry") -> None:
    """What is explained by what fails as a whole, what is known, and the destinations."""
    from prometheus_client import Gauge

    for name, words, value in _PLACES:
        gauge = Gauge(
            f"b1000_destination_{name}", words, ("backup_destination",), registry=registry
        )
        for place in found.destinations:
            number = value(place)
            if number is not None:
                gauge.labels(printable(place.name)).set(number)
    explained = Gauge("b1000_backup_explained", "A cause explains it", _LABELS, registry=registry)
    words = "All that is wrong with it was acknowledged"
    known = Gauge("b1000_backup_acknowledged", words, _LABELS, registry=registry)
    for each in found.judgements:
        if each.acknowledged:
            known.labels(*map(printable, each.subject)).set(1)
    words = "What is wrong with it, by the code that b1000 monitor --json has"
    reasons = Gauge("b1000_backup_reason", words, (*_LABELS, "code"), registry=registry)
    for each in found.judgements:
        for code in sorted(each.codes):
            reasons.labels(*map(printable, each.subject), code).set(1)
    ignored = Gauge("b1000_backups_ignored", "Subjects that are ignored", registry=registry)
    ignored.set(found.ignored)
    for subject in found.explained:
        explained.labels(*map(printable, subject)).set(1)


def unknown(when: float) -> str:
    """What ``as_prometheus`` says where there is no answer."""
    return _exposed(_registry(), Verdict.UNKNOWN, when, False)


def _registry() -> "CollectorRegistry":
    try:
        from prometheus_client import CollectorRegistry
    except ImportError:
        raise NoVerdict(
            "--prometheus needs the package prometheus-client",
            "pip install 'b1000[prometheus]', or Debian's python3-prometheus-client",
        ) from None
    return CollectorRegistry(auto_describe=False)


def _exposed(registry: "CollectorRegistry", verdict: Verdict, when: float, up: bool) -> str:
    from prometheus_client import Gauge, generate_latest

    for name, words, value in (
        ("verdict", "The worst verdict: 0 OK, 1 WARNING, 2 CRITICAL, 3 UNKNOWN", verdict.exit_code),
        ("database_up", "Whether the central database answered", int(up)),
        ("timestamp_seconds", "When this was found out, seconds since the epoch", when),
    ):
        Gauge(f"b1000_monitor_{name}", words, registry=registry).set(value)
    return str(generate_latest(registry).decode())
