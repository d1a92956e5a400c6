from __future__ import annotations

from contextlib import suppress
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from common.api import SubmitRequest, job_view
from common.errors import InvalidRequest, NotFound, Rejected
from common.http import idempotency_key, job_id, read_body, read_cursor, write_cursor
from common.jobs import job_id_for
from common.resolver import Event
from tests.unit.test_jobs import JOBS

NOW = datetime(2026, 11, 1, 12, tzinfo=UTC)
moments = st.datetimes(min_value=datetime(2020, 1, 1), max_value=datetime(2100, 1, 1))  # noqa: DTZ001


def sent(body: str | None, **more: Any) -> Event:
    return Event({"body": body, "headers": {}, **more})


@given(moments, st.text(), st.text())
def test_a_cursor_of_ours_is_read_as_it_was_written(
    moment: datetime, user_id: str, key: str
) -> None:
    position = (moment.isoformat(timespec="microseconds") + "Z", job_id_for(user_id, key))
    cursor = write_cursor(position)
    assert cursor is not None
    assert cursor.isascii()
    assert read_cursor(cursor) == position


def test_no_cursor_is_none() -> None:
    assert write_cursor(None) is None
    assert read_cursor(None) is None


@given(st.text(max_size=300))
def test_whatever_is_sent_as_a_cursor_is_read_or_refused(text: str) -> None:
    with suppress(InvalidRequest):
        position = read_cursor(text)
        assert position is not None
        assert all(part and part.isascii() for part in position)


@given(st.text() | st.none())
def test_whatever_is_sent_as_a_body_is_read_or_refused(body: str | None) -> None:
    with pytest.raises(Rejected):
        read_body(SubmitRequest, sent(body))


@given(st.text(max_size=300))
def test_whatever_is_sent_as_a_key_is_taken_as_it_is_or_refused(key: str) -> None:
    with suppress(InvalidRequest):
        assert idempotency_key(sent("", headers={"idempotency-key": key})) == key


@given(st.text())
def test_only_what_can_be_a_job_id_is_looked_for(text: str) -> None:
    with pytest.raises(NotFound):
        job_id(text)
    ours = job_id_for("usr_ann", text)
    assert job_id(ours) == ours


@pytest.mark.parametrize("job", JOBS.values(), ids=list(JOBS))
def test_a_views_charge_sums_up_to_the_price(job: Any) -> None:
    view = job_view(job, sign=lambda key, **_: key, outlook=None, now=NOW, image_url_seconds=900)
    charge = view.charge
    assert charge.held + charge.settled + charge.released == job.cost
    assert sorted([charge.held, charge.settled, charge.released])[:2] == [0, 0]
    assert view.terminal is job.terminal
    assert (view.urls.cancel is None) is (job.status != "queued")


@given(moments, st.integers(2, 100_000))
def test_an_image_url_works_for_half_its_time_at_least(moment: datetime, life: int) -> None:
    now = moment.replace(tzinfo=UTC)
    signed: list[int] = []

    def sign(_key: str, *, expires_seconds: int) -> str:
        signed.append(expires_seconds)
        return "url"

    succeeded = next(job for job in JOBS.values() if job.image)
    view = job_view(succeeded, sign=sign, outlook=None, now=now, image_url_seconds=life)
    assert view.image is not None
    assert life // 2 - 1 <= signed[0] <= life
    left = view.image.expires_at - now
    assert timedelta() <= left - timedelta(seconds=signed[0]) < timedelta(seconds=1)
