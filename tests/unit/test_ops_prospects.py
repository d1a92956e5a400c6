from __future__ import annotations

from ops.customer.client import InLine, Job, Underway
from ops.customer.prospects import Prospects, prospects, share_done, words


def queued(position: int, eta_seconds: int) -> Job:
    line = InLine(position=position, eta_seconds=eta_seconds)
    return Job(job_id="job_1", status="queued", terminal=False, queue=line)


def generating(eta_seconds: int) -> Job:
    progress = Underway(eta_seconds=eta_seconds)
    return Job(job_id="job_1", status="generating", terminal=False, progress=progress)


UNKNOWN = Job(job_id="job_1", status="queued", terminal=False)


def test_a_place_and_an_end_are_what_the_api_tells() -> None:
    first = prospects(None, queued(11, 9), now=100)
    assert first == Prospects(ahead=10, since=100, end=109)
    later = prospects(first, queued(3, 6), now=102)
    assert later == Prospects(ahead=2, since=100, end=108)
    assert prospects(later, generating(4), now=105) == Prospects(ahead=None, since=100, end=109)


def test_a_look_that_tells_nothing_changes_nothing() -> None:
    assert prospects(None, UNKNOWN, now=100) is None
    first = prospects(None, queued(4, 5), now=100)
    assert prospects(first, UNKNOWN, now=101) == first


def test_the_share_grows_all_the_time_and_never_says_done() -> None:
    expected = Prospects(ahead=4, since=100, end=106)
    shares = [share_done(expected, 100 + seconds) for seconds in (0, 1, 5, 6, 7, 60, 1e6)]

    assert shares == sorted(set(shares))
    assert shares[0] == 0
    assert round(100 * shares[-1]) < 100
    assert share_done(None, 100) == 0
    assert share_done(Prospects(ahead=0, since=100, end=100), 100) == 0


def test_the_time_is_counted_down_between_looks() -> None:
    waiting = Prospects(ahead=2, since=100, end=109)
    making = Prospects(ahead=None, since=100, end=109)

    assert words(waiting, 100) == "2 ahead, about 9 s"
    assert words(waiting, 103.5) == "2 ahead, about 6 s"
    assert words(making, 108.9) == "about 1 s"
    assert words(making, 113) == "any moment"
    assert words(making, 114) == "longer than usual"
    assert words(Prospects(0, 100, 109), 100) == "none ahead, about 9 s"
    assert words(None, 100) == ""
