"""The weather of a run: which faults there are in it, and how often.

Each seed turns a part of the kinds on (swarm testing: what is rare beside all others is common
where those are off), and all of them end when it becomes calm.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass

from tests.simulation.schedule import US
from tests.simulation.tape import Tape

PORT_FAULTS = ("lost", "unanswered", "throttled", "slow", "died before", "died after")
"""What can become of a call of any port."""
MODEL_FAULTS = ("failed", "throttled", "timed out", "refused", "rejected", "rubbish")
"""What a model can answer instead of an image."""
QUEUE_FAULTS = ("second delivery", "acknowledgement lost")
"""What brings a message that needs not come."""
OTHER_FAULTS = ("late wake", "slow line", "answer lost", "second sweep", "stream repeats")
ACTIVITIES = ("rushes", "cancels", "repeats", "pays", "listens", "forges", "operates", "looks")
"""What people do in some runs and not in others."""
OFTEN = (3, 10, 30, 80)
"""How often a kind that is on happens, in thousandths of the calls of ports and deliveries …"""
OFTEN_ELSEWHERE = (50, 150, 300, 500)
"""… and of whatever else is asked."""
OUTAGES = ("models", "models", "models", "jobs", "queue", "images", "lines", "gateway", "payments")


@dataclass(frozen=True)
class Outage:
    """A service that does not work at all for a while."""

    service: str
    begins_us: int
    ends_us: int


class Weather:
    """What goes wrong, as the tape has it."""

    def __init__(self, tape: Tape, now_us: Callable[[], int], *, storm_us: int) -> None:
        self._tape = tape
        self._now_us = now_us
        self.calm = False
        self.happened: Counter[str] = Counter()
        """How often each fault was put in."""
        self.other = {
            **self._rates(QUEUE_FAULTS, OFTEN),
            **self._rates(OTHER_FAULTS, OFTEN_ELSEWHERE),
        }
        self.on = frozenset(each for each in ACTIVITIES if tape.choose(3))
        self.poisons = max(0, tape.choose(6) - 3)
        """How many submits break the model."""
        self._port_faults = self._cumulated(self._rates(PORT_FAULTS, OFTEN))
        self._model_faults = self._cumulated(self._rates(MODEL_FAULTS, OFTEN_ELSEWHERE))
        self.outages = [self._outage(storm_us) for _number in range(max(0, tape.choose(5) - 1))]

        self.crowded = tape.choose(8) == 7
        """Whether everybody has much to submit, and at once."""
        if self.crowded:
            self._try_the_pace()

    def _try_the_pace(self) -> None:
        """Much that makes starts late, many jobs at once, and little else."""
        self.other |= dict.fromkeys(("late wake", "slow line"), OFTEN_ELSEWHERE[2])
        self.on = frozenset(("rushes", "cancels"))
        self._port_faults = []
        self.outages = []

    def becalm(self) -> None:
        """Nothing goes wrong any more."""
        self.calm = True
        self._port_faults = []
        self._model_faults = []
        self.other = dict.fromkeys(self.other, 0)
        self.outages = []

    def port_fault(self, service: str) -> str | None:
        """What becomes of a call, if it is not fine."""
        if self.calm:
            return None
        if self.is_out(service):
            return self.note("outage")
        kind = self._drawn(self._port_faults)
        return kind and self.note(kind)

    def model_fault(self) -> str | None:
        """What the model answers, if it is no image."""
        if self.is_out("models"):
            return self.note("model outage")
        kind = self._drawn(self._model_faults)
        return kind and self.note(f"model {kind}")

    def happens(self, kind: str) -> bool:
        """Whether one of the other faults happens now."""
        if not self._tape.chance(self.other[kind]):
            return False
        self.note(kind)
        return True

    def note(self, kind: str) -> str:
        """Count a fault."""
        self.happened[kind] += 1
        return kind

    def is_out(self, service: str) -> bool:
        """Whether a service does not work at all now."""
        now_us = self._now_us()
        return any(
            outage.service == service and outage.begins_us <= now_us < outage.ends_us
            for outage in self.outages
        )

    def _rates(self, kinds: tuple[str, ...], often: tuple[int, ...]) -> dict[str, int]:
        """How often each kind happens: about half of them never."""
        return {kind: self._tape.pick(often) if self._tape.choose(2) else 0 for kind in kinds}

    @staticmethod
    def _cumulated(rates: dict[str, int]) -> list[tuple[int, str]]:
        """Each kind with the least of 1000 numbers that means it or one before it."""
        found, left = [], 1000
        for kind, permille in rates.items():
            if permille:
                left -= permille
                found.append((max(1, left), kind))
        return found

    def _drawn(self, cumulated: list[tuple[int, str]]) -> str | None:
        if not cumulated:
            return None
        drawn = self._tape.choose(1000)
        return next((kind for least, kind in cumulated if drawn >= least), None)

    def _outage(self, storm_us: int) -> Outage:
        begins_us = self._tape.between(0, storm_us)
        length_us = self._tape.pick((5, 30, 120, 300, 900)) * US
        return Outage(self._tape.pick(OUTAGES), begins_us, begins_us + length_us)
