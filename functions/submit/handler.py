"""POST /jobs."""

from __future__ import annotations

from http import HTTPStatus
from typing import Any

from common import http
from common.api import SubmitRequest
from common.long_polling import wait_for_end
from common.metrics import JOBS_SUBMITTED
from common.observability import about, count, logger, observed
from common.resolver import Response
from common.wiring.snap_start import starts_from_snapshot
from common.wiring.submit import services
from functions.submit.submit_job import submit_job

app = http.resolver()
starts_from_snapshot(services)


@app.post("/jobs")
def post_job() -> Response:
    """Submit a job: 202, with where to look for it and when."""
    given = services()
    event, asked_at = app.current_event, given.now()
    user_id = http.user_id(event)
    job = submit_job(
        http.read_body(SubmitRequest, event),
        user_id=user_id,
        key=http.idempotency_key(event) or given.new_id(),
        jobs=given.jobs,
        queue=given.queue,
        routes=given.settings.routes,
        active_jobs_max=given.settings.active_jobs_max,
        now=asked_at,
    )
    about(job_id=job.job_id, user_id=user_id)
    logger.info("submitted", status=job.status)
    count(JOBS_SUBMITTED)
    wait = http.wait_preferred(event)
    job = wait_for_end(
        job, asked_at=asked_at, seconds=wait, jobs=given.jobs, now=given.now, sleep=given.sleep
    )
    view = given.snapshots.of(job)
    return http.job_answer(HTTPStatus.ACCEPTED, view, now=given.now(), waited=wait)


@observed
def handler(event: dict[str, Any], _context: Any) -> dict[str, Any]:
    """Lambda's entry point."""
    return app.resolve(event)
