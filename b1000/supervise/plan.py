"""What is to be run: jobs become job/instances once their instances are known."""

from collections.abc import Callable, Mapping, Sequence

from b1000.config.selectors import Selection, check_instances
from b1000.jobs import BrokenJob, Job
from b1000.rsync.paths import file_stem
from b1000.runs.run import label
from b1000.runs.task import Task, TaskKind
from b1000.supervise.collisions import equal, may_meet
from b1000.supervise.gate import Gate
from b1000.templates import ScriptTemplate


class Plan:
    """Jobs that were selected, and what is known of their instances so far.

    A job whose names could meet those of another selected job waits until the
    instances of both are known.
    """

    def __init__(self, jobs: Mapping[str, Job | BrokenJob], selection: Selection) -> None:
        self._jobs = jobs
        self._selection = selection
        self._may_meet = may_meet(jobs)
        self._unplanned = list(selection)
        self._instances: dict[str, tuple[str, ...]] = {}
        self._failed: set[str] = set()  # nobody can say what instances these have
        self._gates: dict[str, Gate] = {}

    def to_list(self) -> list[Job]:
        """The jobs whose instances a command must be asked for.

        All others are known from here on.
        """
        asked = []
        for name in self._selection:
            job = self._jobs[name]
            if isinstance(job, Job) and isinstance(job.instances, ScriptTemplate):
                if name not in self._instances:
                    asked.append(job)
            elif isinstance(job, BrokenJob):
                self._instances[name] = ("",)
                self._failed.add(name)
            elif job.instances is None:
                self._instances[name] = ("",)
            else:
                assert job.fixed_instances is not None
                self._instances[name] = job.fixed_instances
        return asked

    def to_list_first(self) -> list[Job]:
        """Those of them of which single instances were named: the names may be wrong."""
        return [job for job in self.to_list() if self._selection[job.name].named]

    def know_unselected(self, listed: Mapping[str, tuple[str, ...]]) -> None:
        """Of jobs that were not selected: their instances, as they were ``listed`` last."""
        for name, job in self._jobs.items():
            if name not in self._selection:
                fixed = job.fixed_instances if isinstance(job, Job) else None
                self._instances[name] = listed.get(name, ("",)) if fixed is None else fixed

    def know(self, job: str, instances: tuple[str, ...]) -> None:
        """The instances that the job's command gave."""
        self._instances[job] = instances

    def know_failed(self, job: str) -> None:
        """The job's command failed: nothing of it can be run."""
        self._instances[job] = ()
        self._failed.add(job)

    def check_named(self) -> None:
        """UsageError where an instance was named that its job does not list now."""
        for name, asked in self._selection.items():
            if name in self._instances and name not in self._failed:
                check_instances(name, asked.named, self._instances[name])

    def ready(self) -> list[str]:
        """The jobs that can be planned: all that matters for their names is known."""
        return [name for name in self._unplanned if self._family(name) <= self._instances.keys()]

    def strike_off(self, name: str) -> None:
        """Nothing more is to be planned for the job."""
        self._unplanned.remove(name)

    def _family(self, name: str) -> set[str]:
        return {name, *self._may_meet[name]}

    def plan(
        self, name: str, owners: Callable[[str], Sequence[tuple[str, str]]] = lambda _: ()
    ) -> list[Task]:
        """What is to be run of a job that is ready.

        ``owners`` gives the job/instances whose files had a name, the last one first: of
        several that would have one name, the first of these keeps it.
        """
        job = self._jobs[name]
        asked = self._selection[name]
        instances = [each for each in self._instances[name] if asked.includes(each)]
        if isinstance(job, BrokenJob):
            # Its instances are not known; the job itself has failed, whatever was asked for.
            return [Task(TaskKind.RUN, job, refusal="; ".join(job.reasons))]
        self._gates[name] = Gate(instances, self._instances[name])
        same = equal(
            {
                (other, instance): file_stem(other, instance)
                for other in self._family(name)
                for instance in self._instances[other]
            }
        )
        return [
            Task(
                TaskKind.RUN,
                job,
                instance,
                refusal=_refusal((name, instance), same.get((name, instance)), owners),
            )
            for instance in instances
        ]

    def gate(self, job: str) -> Gate | None:
        """The gate at which the job's runs are held at INIT."""
        return self._gates.get(job)


def _refusal(
    subject: tuple[str, str],
    others: Sequence[tuple[str, str]] | None,
    owners: Callable[[str], Sequence[tuple[str, str]]],
) -> str:
    if not others:
        return ""
    sharing = (subject, *others)
    owner = next((each for each in owners(file_stem(*subject)) if each in sharing), None)
    if owner == subject:
        return ""
    if owner:
        return (
            f"{label(*subject)} would have the names of files of {label(*owner)}; "
            f"rename {label(*subject)}"
        )
    names = ", ".join(label(*each) for each in sharing)
    return f"{names} would have the same names of files; rename one"
