"""Every error of ours has an answer, a code of its own, and a place in the drawing."""

from __future__ import annotations

import json
import re
from http import HTTPStatus

import pytest

from common import errors
from common.errors import ImagifyError, Permanent, Rejected, Transient, Unavailable
from common.http import BadBody, problem_for
from common.retries import WriteConflict


def lower(kind: type[ImagifyError]) -> list[type[ImagifyError]]:
    """The errors below one, and itself."""
    return [kind, *(each for child in kind.__subclasses__() for each in lower(child))]


ALL = lower(ImagifyError)


def made(kind: type[ImagifyError]) -> ImagifyError:
    """One of the kind."""
    if issubclass(kind, BadBody):
        return kind([])
    if issubclass(kind, errors.TooManyActiveJobs | errors.TooManyOpenPayments):
        return kind("Later.", retry_after_seconds=15)
    if issubclass(kind, Unavailable):
        return kind("Later.", retry_after_seconds=7.5)
    return kind("Something.")


@pytest.mark.parametrize("kind", ALL)
def test_every_error_has_an_http_answer(kind: type[ImagifyError]) -> None:
    error = made(kind)
    answer = problem_for(error)
    assert answer.body is not None
    body = json.loads(answer.body)
    assert answer.content_type == "application/problem+json"
    assert body["status"] == answer.status_code
    assert body["title"] == HTTPStatus(answer.status_code).phrase
    if isinstance(error, Rejected):
        assert 400 <= answer.status_code < 500
        assert (body["code"], body["detail"]) == (error.code, error.message)
        expected = error.retry_after_seconds
        assert answer.headers.get("Retry-After") == (expected and str(expected))
    elif not isinstance(error, Permanent):
        assert (answer.status_code, body["code"]) == (503, "try_again")
        assert int(str(answer.headers["Retry-After"])) > 0
        assert error.message not in answer.body
    else:
        assert (answer.status_code, body["code"]) == (500, "internal_error")
        assert error.message not in answer.body


@pytest.mark.parametrize("bug", [KeyError("secret"), ValueError(), WriteConflict(), OSError()])
def test_a_bug_is_500_and_tells_nothing(bug: Exception) -> None:
    answer = problem_for(bug)
    assert answer.status_code == 500
    assert answer.body is not None
    assert "secret" not in answer.body


@pytest.mark.parametrize("kind", ALL)
def test_every_error_says_what_to_do_next(kind: type[ImagifyError]) -> None:
    kinds = [
        upper for upper in (Rejected, Permanent, Transient, Unavailable) if upper in kind.__mro__
    ]
    assert len(kinds) == (0 if kind is ImagifyError else 1)
    assert re.fullmatch(r"[a-z]+(_[a-z]+)*", kind.code)
    assert kind.__doc__


def test_no_two_errors_share_a_code() -> None:
    own = [kind for kind in ALL if kind.__module__ == errors.__name__]
    assert len({kind.code for kind in own}) == len(own)


def test_the_drawing_is_the_tree() -> None:
    drawn = re.findall(r"^ *[│├└─ ]*(?:── )?(\w+)(?: {2,}|$)", errors.__doc__ or "", re.MULTILINE)
    own = {kind.__name__ for kind in ALL if kind.__module__ == errors.__name__}
    assert own <= set(drawn)


def test_a_code_of_its_own_stays_with_its_error() -> None:
    error = errors.Conflict("No.", code="not_cancelable")
    assert (error.code, errors.Conflict.code, str(error)) == ("not_cancelable", "conflict", "No.")
