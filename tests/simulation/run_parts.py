"""What a run is made of, for those who act in it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from tests.fakes import START
from tests.simulation.audited_answers import Answers
from tests.simulation.auditor import Auditor
from tests.simulation.calls import read, request
from tests.simulation.schedule import US, Schedule
from tests.simulation.service import SimulatedWorld
from tests.simulation.tape import Tape
from tests.simulation.weather import Weather


@dataclass
class Parts:
    """The tape, the time, the weather, the product, and who watches it."""

    tape: Tape
    schedule: Schedule
    weather: Weather
    world: SimulatedWorld
    auditor: Auditor
    answers: Answers
    trace: list[str] | None
    """What has happened, where it is wanted."""
    models: tuple[str, ...]
    owners: dict[str, str] = field(default_factory=dict)
    """Whose client is at each socket."""
    errands: int = 0
    """What has been begun for a while and must come to its end before the run does."""

    def note(self, text: str) -> None:
        """Add a line to the trace."""
        if self.trace is not None:
            now = self.schedule.now_us / US
            self.trace.append(f"{now:12.6f}  {self.schedule.current.name}: {text}")

    def status_of(self, job_id: str) -> str | None:
        """A job's state as it is stored."""
        job = self.auditor.books.jobs.get(job_id)
        return None if job is None else str(job.status)

    patient: bool = False
    """Whether stalled jobs are left until the sweep gives them up."""

    def errand(self, name: str, work: Callable[[], None], *, after_us: int = 0) -> None:
        """Begin something that the run does not end without."""
        self.errands += 1

        def do() -> None:
            work()
            self.errands -= 1

        self.schedule.start(name, do, after_us=after_us)

    def due_us(self) -> int | None:
        """When the sweep has something to do next."""
        moments = [each.due_at for each in self.auditor.money.payments.values()]
        moments += [self._look_at(job) for job in self.auditor.books.jobs.values()]
        due = [moment for moment in moments if moment is not None]
        return round((min(due) - START).total_seconds() * US) if due else None

    def _look_at(self, job: Any) -> datetime | None:
        """When the sweep has something to do with a job; a stalled one is an operator's first."""
        if str(job.status) != "stalled":
            look_at: datetime | None = job.look_at
            return look_at
        hours = self.world.sweep_settings.stalled_hold_hours
        return job.stalled_at + timedelta(hours=hours) if self.patient else None

    def at_rest(self) -> bool:
        """Whether nothing is left to happen."""
        return self.errands == 0 and self.world.sqs.empty and self.due_us() is None

    def unrest(self) -> str:
        """What is left to happen."""
        queue = "empty" if self.world.sqs.empty else "not empty"
        return f"{self.errands} errands, the queue is {queue}, due at {self.due_us()}"

    def new_socket(self, user_id: str) -> str:
        """A connection of this user's client."""
        connection_id = f"socket-{len(self.owners)}"
        self.owners[connection_id] = user_id
        return connection_id

    def heard(self, connection_id: str, text: str) -> None:
        """Something that was said on a socket."""
        self.answers.shown(self.owners[connection_id], text)

    def notify(self, query: str) -> str | None:
        """VNPAY's call of our IPN address, and our RspCode."""
        seen = read(self.world.invoke("payments", request("get_ipn", query=query)))
        if seen.status != 200:
            return None
        code = str(seen.json["RspCode"])
        self.note(f"an IPN is answered {code}")
        return code

    def come_back(self, query: str) -> None:
        """A customer's browser on our return page."""
        seen = read(self.world.invoke("payments", request("get_return", query=query)))
        if seen.status == 500:
            self.auditor.violate("bug", "the return page was answered 500")
