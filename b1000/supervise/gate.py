"""Holds runs at INIT while another instance of their job may turn out to share a directory."""

from collections.abc import Iterable

from b1000.supervise.collisions import may_meet


class Gate:
    """What is known of the instances of one job.

    ``asked`` run in this program; of the ``listed`` others, ``elsewhere`` are
    those that may meet one that was asked.
    """

    def __init__(self, asked: Iterable[str], listed: Iterable[str] = ()) -> None:
        running = frozenset(asked)
        self._related = may_meet({*running, *listed})
        self._subjects: dict[str, str | None] = {}
        self.elsewhere = frozenset().union(*(self._related[each] for each in running)) - running

    def know(self, instance: str, subject: str | None) -> None:
        """The part of the directory that names the instance; None where it will have none."""
        self._subjects.setdefault(instance, subject)

    def alone(self, instance: str) -> bool:
        """Whether no other can have its directory, whatever becomes known."""
        return not self._related[instance]

    def open(self, instance: str) -> bool:
        """Whether enough is known to decide on the instance."""
        return self._related[instance] <= self._subjects.keys()

    def subject(self, instance: str) -> str | None:
        """What :meth:`know` was told of the instance."""
        return self._subjects[instance]

    def rivals(self, instance: str) -> list[str]:
        """The others that would have the same directory."""
        subject = self._subjects[instance]
        return sorted(
            other for other in self._related[instance] if self._subjects[other] == subject
        )

    def refusal(self, instance: str, owner: str | None = None) -> str | None:
        """Why the instance may not go on; None where it may.

        ``owner`` is the one of them that had the directory until now: it keeps it.
        """
        subject, same = self._subjects[instance], self.rivals(instance)
        if not same or instance == owner:
            return None
        if owner in same:
            return (
                f"instance {instance} would be copied into {subject}, "
                f"the directory of instance {owner}; rename instance {instance} or its master"
            )
        return (
            f"instances {', '.join([instance, *same])} would be copied into one directory "
            f"{subject}; rename an instance or a master"
        )
