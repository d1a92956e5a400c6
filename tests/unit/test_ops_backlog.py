from __future__ import annotations

from ops.backlog import Outlook, Pace, outlook, share_done, words

PACE = Pace(rate_per_second=2, typical_seconds=4)


def see(
    before: Outlook | None, ahead: int | None, *, now: float, generating: bool = False
) -> Outlook | None:
    return outlook(before, ahead=ahead, generating=generating, pace=PACE, now=now)


def test_the_end_is_the_line_and_then_an_image() -> None:
    assert see(None, 10, now=100) == Outlook(ahead=10, since=100, end=109)


def test_a_place_only_gets_better_whoever_joins_behind() -> None:
    first = see(None, 10, now=100)
    later = see(first, 30, now=102)

    assert later == first
    assert see(later, 2, now=102) == Outlook(ahead=2, since=100, end=107)


def test_nobody_is_ahead_of_a_job_in_the_making_and_its_end_stays() -> None:
    first = see(None, 10, now=100)

    assert see(first, None, now=101, generating=True) == Outlook(ahead=0, since=100, end=109)
    assert see(None, None, now=101, generating=True) == Outlook(ahead=0, since=101, end=105)


def test_a_look_that_failed_changes_nothing() -> None:
    assert see(None, None, now=100) is None
    first = see(None, 3, now=100)
    assert see(first, None, now=101) == first


def test_the_share_grows_all_the_time_and_never_says_done() -> None:
    expected = Outlook(ahead=4, since=100, end=106)
    shares = [share_done(expected, 100 + seconds) for seconds in (0, 1, 5, 6, 7, 60, 1e6)]

    assert shares == sorted(set(shares))
    assert shares[0] == 0
    assert round(100 * shares[-1]) < 100
    assert share_done(None, 100) == 0
    assert share_done(Outlook(ahead=0, since=100, end=100), 100) == 0


def test_a_guess_is_told_as_one_and_counted_down() -> None:
    expected = Outlook(ahead=2, since=100, end=109)

    assert words(expected, generating=False, now=100) == "~2 ahead, about 9 s"
    assert words(expected, generating=False, now=103.5) == "~2 ahead, about 6 s"
    assert words(expected, generating=True, now=108.9) == "about 1 s"
    assert words(expected, generating=True, now=113) == "any moment"
    assert words(expected, generating=True, now=114) == "longer than usual"
    assert words(Outlook(0, 100, 109), generating=False, now=100) == "none ahead, about 9 s"
    assert words(None, generating=False, now=100) == ""
