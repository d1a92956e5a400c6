from __future__ import annotations

import pytest

from common.errors import ImagifyError, ModelFailed, ModelRejected, ModelThrottled, ModelTimedOut
from common.retries import WriteConflict, conflict_retrying, model_retrying


class Failing:
    """Raises each error once, then answers."""

    def __init__(self, *errors: Exception) -> None:
        self._errors = list(errors)
        self.calls = 0

    def __call__(self) -> str:
        self.calls += 1
        if self._errors:
            raise self._errors.pop(0)
        return "done"


def throttled() -> ModelThrottled:
    return ModelThrottled("Too many.", retry_after_seconds=5)


@pytest.mark.parametrize("error", [ModelFailed("It broke."), throttled()])
def test_a_model_is_started_three_times_at_most(error: ImagifyError) -> None:
    slept: list[float] = []
    twice = Failing(error, error)
    assert model_retrying(slept.append, seconds_max=15)(twice) == "done"
    assert twice.calls == 3
    assert all(0 <= seconds <= 1 for seconds in slept)
    always = Failing(*[error] * 9)
    with pytest.raises(type(error)):
        model_retrying(slept.append, seconds_max=15)(always)
    assert always.calls == 3


@pytest.mark.parametrize("error", [ModelTimedOut("No."), ModelRejected("No."), ValueError()])
def test_what_another_start_does_not_mend_or_would_pay_for_twice_is_not_tried_again(
    error: Exception,
) -> None:
    call = Failing(error)
    with pytest.raises(type(error)):
        model_retrying(lambda _seconds: None, seconds_max=15)(call)
    assert call.calls == 1


def test_no_model_is_started_when_its_time_is_over() -> None:
    call = Failing(*[ModelFailed("It broke.")] * 3)
    with pytest.raises(ModelFailed):
        model_retrying(lambda _seconds: None, seconds_max=0)(call)
    assert call.calls == 1


def test_writes_that_meet_are_tried_ten_times_and_not_for_long() -> None:
    slept: list[float] = []
    assert conflict_retrying(slept.append)(Failing(*[WriteConflict()] * 9)) == "done"
    assert len(slept) == 9
    assert max(slept) <= 0.8
    always = Failing(*[WriteConflict()] * 20)
    with pytest.raises(WriteConflict):
        conflict_retrying(slept.append)(always)
    assert always.calls == 10


def test_nothing_else_is_taken_for_a_conflict() -> None:
    call = Failing(KeyError("a bug"))
    with pytest.raises(KeyError):
        conflict_retrying(lambda _seconds: None)(call)
    assert call.calls == 1
