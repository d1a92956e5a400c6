"""What an answer about a job says beside its body: its tag, when to look again, and for how long
it was waited."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from http import HTTPStatus

import pytest
from hypothesis import given
from hypothesis import strategies as st

from common.api import JobView, job_view
from common.http import RETRY_AFTER_SECONDS_MAX, job_answer, wait_preferred
from common.jobs import JobStatus
from common.long_polling import WAIT_SECONDS_MAX
from common.outlook import InLine, Outlook, Underway
from common.resolver import Event
from tests.unit.test_jobs import JOBS, NOW

PREFERENCES = {
    "wait=5": 5,
    "wait=1": 1,
    "wait=20": 20,
    "wait=21": WAIT_SECONDS_MAX,
    "wait=9999": WAIT_SECONDS_MAX,
    "Wait=7": 7,
    "WAIT=7": 7,
    "wait = 7": 7,
    'wait="7"': 7,
    "wait=07": 7,
    "respond-async, wait=10": 10,
    "respond-async,wait=10": 10,
    "wait=10, respond-async": 10,
    "wait=10; foo=bar": 10,
    "handling=lenient, wait=3, return=minimal": 3,
    "": 0,
    "respond-async": 0,
    "wait": 0,
    "wait=": 0,
    "wait=0": 0,
    "wait=-5": 0,
    "wait=soon": 0,
    "wait=5s": 0,
    "wait=0x10": 0,
    "wait=99999999999999999999": 0,
    "await=5": 0,
    "x-wait=5": 0,
    "wait-for=5": 0,
    "wait=٣": 0,
}


def sent(prefer: str | None) -> Event:
    return Event({"headers": {} if prefer is None else {"prefer": prefer}})


@pytest.mark.parametrize(("prefer", "seconds"), PREFERENCES.items())
def test_a_wait_is_preferred_as_rfc_7240_has_it(prefer: str, seconds: int) -> None:
    assert wait_preferred(sent(prefer)) == seconds


def test_who_prefers_nothing_does_not_wait() -> None:
    assert wait_preferred(sent(None)) == 0


@given(st.text(max_size=100))
def test_whatever_is_preferred_nobody_waits_too_long(prefer: str) -> None:
    assert 0 <= wait_preferred(sent(prefer)) <= WAIT_SECONDS_MAX


def view(
    status: JobStatus = JobStatus.QUEUED,
    outlook: Outlook = None,
    *,
    version: int = 1,
    later: float = 0,
) -> JobView:
    return job_view(
        replace(JOBS[status], version=version),
        sign=lambda key, **_: key,
        outlook=outlook,
        now=NOW + timedelta(seconds=later),
        image_url_seconds=900,
    )


def tag(shown: JobView, *, later: float = 0) -> str:
    answer = job_answer(HTTPStatus.OK, shown, now=NOW + timedelta(seconds=later))
    return str(answer.headers["ETag"])


def waiting(position: int, eta_seconds: float, **more: float) -> JobView:
    return view(outlook=InLine(position, eta_seconds), later=more.get("later", 0))


@pytest.mark.parametrize("eta", [3, 12, 102, 1003])
def test_that_the_clock_goes_on_is_no_other_view(eta: float) -> None:
    """But for the second in which the grain of such waits is another one."""
    before = tag(waiting(3, eta))
    after = tag(waiting(3, eta - 1, later=1), later=1)
    assert after == before
    assert before.startswith('W/"'), "the bodies differ by the seconds that have gone"


def test_another_place_in_line_is_another_view() -> None:
    assert len({tag(waiting(position, 30)) for position in (1, 2, 3, 13)}) == 4


def test_another_due_time_is_another_view() -> None:
    assert tag(waiting(3, 30)) != tag(waiting(3, 60))
    assert tag(waiting(3, 3)) != tag(waiting(3, 4))
    assert tag(waiting(3, 30)) != tag(waiting(3, 30, later=20), later=20), "it has not come nearer"


def test_a_due_time_counts_as_another_by_its_share_of_the_wait() -> None:
    """A second more makes no other hour."""
    tags = {tag(waiting(3, eta)) for eta in (3600, 3601, 3602)}
    assert len(tags) < 3


def test_another_version_is_another_view() -> None:
    for outlook in (None, InLine(1, 5)):
        views = (view(outlook=outlook, version=version) for version in (1, 2, 11))
        assert len({tag(shown) for shown in views}) == 3


def test_no_outlook_is_another_view_than_one() -> None:
    assert tag(view()) == '"1"'
    assert tag(view()) != tag(waiting(1, 5))


def test_generating_counts_down_like_waiting() -> None:
    def working(eta: float, later: float) -> str:
        shown = view(JobStatus.GENERATING, Underway(int(99 - eta), 0, eta), later=later)
        return tag(shown, later=later)

    assert working(8, 0) == working(7, 1)
    assert working(8, 0) != working(8, 4), "it is late"
    assert working(8, 0) != tag(waiting(1, 8))


@pytest.mark.parametrize(
    ("eta", "seconds"),
    [(1, 1), (4, 1), (7, 1), (8, 2), (12, 3), (80, 20), (120, 30), (121, 30), (9_999, 30)],
)
def test_who_asks_again_is_told_to_when_the_image_is_nearer(eta: float, seconds: int) -> None:
    for shown in (waiting(3, eta), view(JobStatus.GENERATING, Underway(50, 0, eta))):
        answer = job_answer(HTTPStatus.OK, shown, now=NOW)
        assert answer.headers["Retry-After"] == str(seconds)


def test_while_nobody_knows_one_asks_soon_but_not_for_a_place_in_a_long_line() -> None:
    def after(status: JobStatus) -> object:
        return job_answer(HTTPStatus.OK, view(status), now=NOW).headers["Retry-After"]

    assert after(JobStatus.GENERATING) == "2"
    assert after(JobStatus.QUEUED) == "15"


def test_a_stalled_job_is_asked_for_seldom() -> None:
    answer = job_answer(HTTPStatus.OK, view(JobStatus.STALLED), now=NOW)
    assert answer.headers["Retry-After"] == str(RETRY_AFTER_SECONDS_MAX)


@pytest.mark.parametrize("status", [JobStatus.SUCCEEDED, JobStatus.FAILED, JobStatus.CANCELED])
def test_a_job_that_is_over_is_not_asked_for_again(status: JobStatus) -> None:
    assert "Retry-After" not in job_answer(HTTPStatus.OK, view(status), now=NOW).headers


@given(st.floats(0, 1e6))
def test_whenever_the_image_is_due_one_is_told_to_ask_in_1_to_30_seconds(eta: float) -> None:
    answer = job_answer(HTTPStatus.OK, waiting(1, eta), now=NOW)
    assert 1 <= int(str(answer.headers["Retry-After"])) <= RETRY_AFTER_SECONDS_MAX


@pytest.mark.parametrize("sent_tag", ["{}", "W/{}", '"x", {}', "{},*"])
def test_who_has_seen_a_view_is_told_that_it_is_as_it_was(sent_tag: str) -> None:
    shown = waiting(3, 12)
    strong = tag(shown).removeprefix("W/")
    answer = job_answer(HTTPStatus.OK, shown, now=NOW, seen=sent_tag.format(strong))
    assert answer.status_code == HTTPStatus.NOT_MODIFIED
    assert answer.body == ""
    assert answer.headers["Retry-After"] == "3"
    assert answer.headers["ETag"] == tag(shown)


def test_an_answer_says_what_wait_it_granted() -> None:
    shown = waiting(3, 12)
    answer = job_answer(HTTPStatus.OK, shown, now=NOW, waited=7)
    assert answer.headers["Preference-Applied"] == "wait=7"
    seen = job_answer(HTTPStatus.OK, shown, now=NOW, waited=7, seen=tag(shown))
    assert (seen.status_code, seen.headers["Preference-Applied"]) == (304, "wait=7")
    assert "Preference-Applied" not in job_answer(HTTPStatus.OK, shown, now=NOW).headers


@pytest.mark.parametrize(("eta", "whole"), [(0, 1), (0.4, 1), (1.4, 1), (1.6, 2), (59.5, 60)])
def test_a_wait_is_told_in_whole_seconds_and_never_as_none(eta: float, whole: int) -> None:
    queue = waiting(3, eta).queue
    assert queue is not None
    assert (queue.position, queue.eta_seconds) == (3, whole)
    progress = view(JobStatus.GENERATING, Underway(7, 3.6, eta)).progress
    assert progress is not None
    told = (progress.percent, progress.starts_in_seconds, progress.eta_seconds)
    assert told == (7, 4, whole)


@pytest.mark.parametrize("moment", range(8))
def test_a_tenth_of_the_wait_later_is_another_due_time(moment: float) -> None:
    sooner, later = waiting(3, 57, later=moment), waiting(3, 63, later=moment)
    assert tag(sooner, later=moment) != tag(later, later=moment)


def test_a_view_shows_the_one_outlook_that_the_job_has() -> None:
    queued, working = waiting(1, 5), view(JobStatus.GENERATING, Underway(1, 0, 5))
    assert queued.queue
    assert queued.progress is None
    assert working.progress
    assert working.queue is None
    for status in JobStatus:
        assert (view(status).queue, view(status).progress) == (None, None)
