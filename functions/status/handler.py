"""GET /jobs, GET and DELETE /jobs/{job_id}, GET /models, /health, /openapi.json and /docs."""

from __future__ import annotations

from http import HTTPStatus
from typing import Any

from common import http
from common.api import Health, JobList, ModelList, model_view
from common.errors import InvalidRequest, NotFound
from common.jobs import JobStatus
from common.long_polling import wait_for_end
from common.metrics import JOBS_CANCELED
from common.observability import count, logger, observed
from common.resolver import Response
from common.wiring.snap_start import starts_from_snapshot
from common.wiring.status import services
from functions.status.cancel_job import cancel_job

PAGE_DEFAULT = 20
PAGE_MAX = 50
"""With the longest prompts about 4 MB; Lambda answers with 6 at most."""

app = http.resolver()
starts_from_snapshot(services)


@app.get("/jobs/<job_id>")
def get_job(job_id: str) -> Response:
    """One job of the user's, or 304 while it is as it was; `Prefer: wait=N` waits for its end."""
    event, given = app.current_event, services()
    asked_at = given.now()
    user_id = http.user_id(event)
    job = given.jobs.get(http.job_id(job_id))
    if job is None or job.user_id != user_id:
        raise NotFound("You have no job of that id.")
    wait = http.wait_preferred(event)
    job = wait_for_end(
        job, asked_at=asked_at, seconds=wait, jobs=given.jobs, now=given.now, sleep=given.sleep
    )
    return http.job_answer(
        HTTPStatus.OK,
        given.snapshots.of(job),
        now=given.now(),
        seen=http.if_none_match(event),
        waited=wait,
    )


@app.get("/jobs")
def get_jobs() -> Response:
    """The user's jobs, newest first."""
    event = app.current_event
    user_id = http.user_id(event)
    page = services().jobs.page(
        user_id,
        limit=http.query_limit(event, default=PAGE_DEFAULT, most=PAGE_MAX),
        status=_status(http.query_text(event, "status")),
        after=http.read_cursor(http.query_text(event, "cursor")),
    )
    views = [services().snapshots.of(job) for job in page.items]
    return http.answer(
        HTTPStatus.OK, JobList(jobs=views, next_cursor=http.write_cursor(page.next_key))
    )


@app.delete("/jobs/<job_id>")
def delete_job(job_id: str) -> Response:
    """Cancel a job that no worker has had yet."""
    user_id = http.user_id(app.current_event)
    given = services()
    job = cancel_job(http.job_id(job_id), user_id=user_id, jobs=given.jobs, now=given.now())
    logger.info("canceled", job_id=job_id, user_id=user_id)
    count(JOBS_CANCELED)
    return http.job_answer(HTTPStatus.OK, given.snapshots.of(job), now=given.now())


@app.get("/models")
def get_models() -> Response:
    """What can be generated here."""
    from common.models.catalogue import find  # noqa: PLC0415  # a look at a job needs no price list

    served = dict.fromkeys(route.model for route in services().settings.routes)
    specs = [spec for spec in map(find, served) if spec is not None]
    views = [model_view(spec, default=place == 0) for place, spec in enumerate(specs)]
    return http.answer(HTTPStatus.OK, ModelList(models=views))


@app.get("/health")
def get_health() -> Response:
    """Whether the service answers at all."""
    return http.answer(HTTPStatus.OK, Health())


@app.get("/openapi.json")
def get_openapi() -> Response:
    """The API's description."""
    from common.openapi import document  # noqa: PLC0415  # seldom asked for, slow to import

    return http.manual(http.JSON, document())


@app.get("/docs")
def get_docs() -> Response:
    """The API's description as a page."""
    from common.openapi import page  # noqa: PLC0415  # seldom asked for, slow to import

    return http.manual("text/html; charset=utf-8", page())


@observed
def handler(event: dict[str, Any], _context: Any) -> dict[str, Any]:
    """Lambda's entry point."""
    return app.resolve(event)


def _status(text: str | None) -> JobStatus | None:
    try:
        return None if text is None else JobStatus(text)
    except ValueError:
        raise InvalidRequest(
            f"status is one of {', '.join(JobStatus)}.", code="invalid_status"
        ) from None
