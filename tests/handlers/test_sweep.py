"""The scheduled sweep."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from datetime import datetime

import pytest

from common.errors import GatewaySilent, ModelTimedOut, ServiceFailed
from common.jobs import LOOK_SECONDS, Job, JobStatus
from common.payments import PaymentStatus
from functions.sweep.handler import handler
from functions.sweep.heal_payments import QUESTION_SECONDS_MAX
from functions.sweep.mend_jobs import SECONDS_LEFT_MIN
from tests.fakes import MemoryJobStore
from tests.fakes_model import FakeModel
from tests.fakes_money import MERCHANT, MemoryPaymentStore
from tests.handlers.calls import Context, event
from tests.handlers.test_vnpay_calls import counted
from tests.world import CREDITS, SMALL, World

DUE = 15 * 60
SECONDS = 55
NOTHING = {"models_away": 0, "sent_again": 0, "lapsed": 0, "given_up": 0, "payments_asked": 0}
"""What a sweep answers that finds nothing to do."""
JOBS_COUNTED = {"ModelsAway", "StalledJobs"}
"""Counted by every sweep, as zero too: an alarm is to see that it is swept."""


def sweep(seconds_left: float = SECONDS) -> dict[str, int]:
    """What the handler answers to the schedule."""
    answer: dict[str, int] = handler(event("sweep"), Context(seconds_left=seconds_left))
    assert json.loads(json.dumps(answer)) == answer
    return answer


def values(logged: str) -> Mapping[str, float]:
    """The metrics that were counted, and how much."""
    return {name: float(value) for name, value in re.findall(r'"(\w+)":\[(\d+\.\d+)\]', logged)}


def test_the_sweep_credits_what_no_ipn_told_of(world: World, written: Callable[[], str]) -> None:
    payment = world.buy()
    world.clock.advance(DUE)
    assert sweep() == {**NOTHING, "payments_asked": 1}
    assert sweep() == NOTHING
    assert world.payment(payment.txn_ref).status is PaymentStatus.PAID
    assert world.tables.users["usr_ann"].balance.available == CREDITS + SMALL.credits
    world.audit()
    logged = written()
    assert counted(logged) == {*JOBS_COUNTED, "PaymentsPaid", "PaymentsHealed"}
    assert '"payments_asked":1' in logged


def test_a_sweep_with_nothing_to_do_counts_that_there_are_no_such_jobs(
    world: World, written: Callable[[], str]
) -> None:
    world.buy()
    assert sweep() == NOTHING
    assert {*values(written()).items()} >= {(name, 0.0) for name in JOBS_COUNTED}


def test_the_sweep_sends_a_job_again_that_waits_too_long(
    world: World, written: Callable[[], str]
) -> None:
    job = world.submit()
    world.clock.advance(LOOK_SECONDS)
    assert sweep() == {**NOTHING, "sent_again": 1}
    assert world.queue.sent == [job.job_id] * 2
    logged = written()
    assert values(logged)["JobsSentAgain"] == 1
    assert '"sent_again":1' in logged
    assert f'"job_id":"{job.job_id}"' in logged


def test_the_sweep_tells_how_many_jobs_are_stalled(
    world: World, written: Callable[[], str]
) -> None:
    world.model = FakeModel(*[ModelTimedOut("No answer.")] * 3)
    job = world.submit()
    for _attempt in range(3):
        world.work_once()
    assert sweep() == NOTHING
    assert values(written())["StalledJobs"] == 1
    world.clock.advance(world.sweep_settings.stalled_hold_hours * 3600)
    assert sweep() == {**NOTHING, "given_up": 1}
    assert world.job(job.job_id).status is JobStatus.FAILED
    assert values(written())["JobsGivenUp"] == 1


def test_jobs_leave_payments_their_time(world: World) -> None:
    """A call that hangs takes 21 s; what is left then is the payments'."""
    world.submit()
    world.buy()
    world.clock.advance(DUE)
    assert SECONDS_LEFT_MIN - 21 + 1 >= QUESTION_SECONDS_MAX
    assert sweep(seconds_left=SECONDS_LEFT_MIN - 1) == {**NOTHING, "payments_asked": 1}
    assert sweep(seconds_left=SECONDS_LEFT_MIN) == {**NOTHING, "sent_again": 1}


def test_a_sweep_that_has_no_time_left_leaves_the_rest_to_the_next(world: World) -> None:
    world.buy()
    world.clock.advance(DUE)
    assert sweep(seconds_left=QUESTION_SECONDS_MAX - 1) == NOTHING
    assert world.gateway.asked == []
    assert sweep() == {**NOTHING, "payments_asked": 1}


def test_a_silent_gateway_is_counted_and_the_sweep_goes_on(
    world: World, written: Callable[[], str]
) -> None:
    world.buy()
    world.clock.advance(DUE)
    world.gateway.says["query"] = GatewaySilent("VNPAY did not answer: ReadTimeoutError.")
    sweep()
    logged = written()
    assert counted(logged) == {*JOBS_COUNTED, "PaymentsNotHealed"}
    assert "gateway_silent" in logged


def test_a_bug_in_one_payment_is_counted_as_one(world: World, written: Callable[[], str]) -> None:
    world.buy()
    world.clock.advance(DUE)
    world.gateway.says["query"] = KeyError("a detail")
    sweep()
    assert "UnexpectedErrors" in counted(written())


class Broken(MemoryPaymentStore):
    """A store that does not answer."""

    def due(self, *_args: object, **_named: object) -> tuple[str, ...]:
        raise ServiceFailed("Looking for due payments did not work.")


def test_a_sweep_that_cannot_even_look_fails_so_that_the_alarm_sees_it(world: World) -> None:
    world.payments = Broken(world.tables)
    with pytest.raises(ServiceFailed):
        sweep()


class BrokenJobs(MemoryJobStore):
    """A table of jobs that does not answer."""

    def due(self, status: JobStatus, *, before: datetime, limit: int) -> tuple[str, ...]:  # noqa: ARG002 - the port's
        raise ServiceFailed("Looking for jobs did not work.")


class BadJob(MemoryJobStore):
    """A table with a job that cannot be read."""

    reason: Exception

    def get(self, job_id: str) -> Job | None:  # noqa: ARG002 - the port's
        raise self.reason


@pytest.mark.parametrize(
    ("reason", "name"),
    [
        (ServiceFailed("Reading a job did not work."), "JobsNotMended"),
        (KeyError("a detail"), "UnexpectedErrors"),
    ],
)
def test_a_job_that_cannot_be_seen_to_is_counted_and_the_sweep_goes_on(
    world: World, written: Callable[[], str], reason: Exception, name: str
) -> None:
    world.submit()
    world.buy()
    world.clock.advance(DUE)
    jobs = world.jobs = BadJob(world.tables)
    jobs.reason = reason
    assert sweep() == {**NOTHING, "payments_asked": 1}
    assert values(written())[name] == 1


def test_payments_are_asked_after_even_if_jobs_cannot_be_looked_after(world: World) -> None:
    payment = world.buy()
    world.clock.advance(DUE)
    world.jobs = BrokenJobs(world.tables)
    with pytest.raises(ServiceFailed, match="jobs"):
        sweep()
    assert world.payment(payment.txn_ref).status is PaymentStatus.PAID


def test_no_prompt_is_logged(world: World, written: Callable[[], str]) -> None:
    world.submit(prompt="a portrait of my neighbour Gudrun")
    world.clock.advance(LOOK_SECONDS)
    sweep()
    assert "Gudrun" not in written()


def test_no_secret_is_logged(world: World, written: Callable[[], str]) -> None:
    world.buy()
    world.clock.advance(DUE)
    sweep()
    assert MERCHANT.hash_secret.get_secret_value() not in written()
