"""Speaks to the API: submit a job, follow it, look at the balance, fetch an image."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from types import TracebackType
from typing import Any, Self, TypeVar

import httpx
from pydantic import BaseModel, ConfigDict
from tenacity import (
    RetryCallState,
    Retrying,
    retry_if_exception_type,
    retry_if_result,
    stop_after_attempt,
    wait_random_exponential,
)

from common.jobs import JobStatus

POLL_SECONDS = 1.0
"""Between looks when the API does not say."""
RETRY_AFTER_SECONDS_MAX = 60.0
ATTEMPTS_MAX = 4
_PASSING = frozenset({502, 503, 504})
"""Statuses of something that may work the next time."""
_TIMEOUT = httpx.Timeout(30.0, connect=5.0)


class ApiError(Exception):
    """The API has answered no; `code` is its stable name for why."""

    def __init__(
        self, message: str, *, status: int, code: str, retry_after_seconds: float | None = None
    ) -> None:
        super().__init__(message)
        self.status = status
        self.code = code
        self.retry_after_seconds = retry_after_seconds


class _Answer(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore")


Read = TypeVar("Read", bound=_Answer)


class Charge(_Answer):
    """Credits."""

    held: int = 0
    settled: int = 0
    released: int = 0


class Picture(_Answer):
    """A finished image, behind a URL that works for a while."""

    url: str
    width: int
    height: int


class Problem(_Answer):
    """Why a job failed or stalled."""

    code: str
    message: str


class InLine(_Answer):
    """A queued job's place, 1 for the next, and when its image is due."""

    position: int
    eta_seconds: int


class Underway(_Answer):
    """When the image of a job is due that is generating."""

    eta_seconds: int


class Job(_Answer):
    """A job as the API shows it; a status that this program does not know is just shown."""

    job_id: str
    status: str
    terminal: bool
    finished_at: datetime | None = None
    queue: InLine | None = None
    progress: Underway | None = None
    charge: Charge = Charge()
    image: Picture | None = None
    error: Problem | None = None

    @property
    def settled_down(self) -> bool:
        """Whether waiting is over: terminal, or set aside until an operator decides."""
        return self.terminal or self.status == JobStatus.STALLED


class Balance(_Answer):
    """Credits that can be spent, and those set aside for jobs."""

    available: int
    held: int


class Me(_Answer):
    """The person who asks."""

    user_id: str
    balance: Balance


class PaymentUrls(_Answer):
    """Where to pay, while that is possible."""

    pay: str | None = None


class Payment(_Answer):
    """A payment as the API shows it."""

    txn_ref: str
    status: str
    terminal: bool
    credits: int
    amount_vnd: int
    error: Problem | None = None
    urls: PaymentUrls = PaymentUrls()


@dataclass(frozen=True, slots=True)
class Look:
    """A job, and when it is worth looking again."""

    job: Job
    retry_after_seconds: float


class Client:
    """One signed-in person's view of the API. Every request may be sent twice: none adds up."""

    def __init__(
        self, api_url: str, token: str, *, transport: httpx.BaseTransport | None = None
    ) -> None:
        self._http = httpx.Client(
            base_url=api_url,
            headers={"Authorization": f"Bearer {token}"},
            timeout=_TIMEOUT,
            transport=transport,
            trust_env=False,
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        _kind: type[BaseException] | None,
        _error: BaseException | None,
        _where: TracebackType | None,
    ) -> None:
        self._http.close()

    def submit(self, body: Mapping[str, Any], *, idempotency_key: str) -> Look:
        """Submit a job, once for a key; raises ApiError."""
        return _look(
            self._send("POST", "/jobs", json=body, headers={"Idempotency-Key": idempotency_key})
        )

    def job(self, job_id: str) -> Look:
        """Look at a job; raises ApiError."""
        return _look(self._send("GET", f"/jobs/{job_id}"))

    def jobs(self) -> Sequence[Job]:
        """The person's latest jobs, newest first; raises ApiError."""
        answer = self._send("GET", "/jobs")
        try:
            return [Job.model_validate(job) for job in answer.json()["jobs"]]
        except (ValueError, KeyError) as error:
            raise _unreadable(answer) from error

    def me(self) -> Me:
        """Who asks, and the balance; raises ApiError."""
        return _read(Me, self._send("GET", "/me"))

    def buy(self, body: Mapping[str, Any], *, idempotency_key: str) -> Payment:
        """Begin a payment, once for a key; raises ApiError."""
        headers = {"Idempotency-Key": idempotency_key}
        return _read(Payment, self._send("POST", "/payments", json=body, headers=headers))

    def payment(self, txn_ref: str) -> Payment:
        """Look at a payment; raises ApiError."""
        return _read(Payment, self._send("GET", f"/payments/{txn_ref}"))

    def download(self, url: str) -> bytes:
        """The image behind a signed URL, which must not get our token; raises ApiError."""
        answer = _retrying(
            lambda: httpx.get(url, timeout=_TIMEOUT, trust_env=False, follow_redirects=True)
        )
        if answer.status_code != httpx.codes.OK:
            raise _refusal(answer)
        return answer.content

    def _send(self, method: str, path: str, **what: Any) -> httpx.Response:
        answer = _retrying(lambda: self._http.request(method, path, **what))
        if answer.status_code >= httpx.codes.BAD_REQUEST:
            raise _refusal(answer)
        return answer


def _retrying(send: Callable[[], httpx.Response]) -> httpx.Response:
    """Send again when the connection breaks or the service asks for it: 4 times, within 6 s."""
    attempts = Retrying(
        retry=retry_if_exception_type(httpx.TransportError) | retry_if_result(_worth_another_try),
        stop=stop_after_attempt(ATTEMPTS_MAX),
        wait=wait_random_exponential(multiplier=0.2, max=2),
        retry_error_callback=_last_outcome,
    )
    answer: httpx.Response = attempts(send)
    return answer


def _worth_another_try(answer: httpx.Response) -> bool:
    return answer.status_code in _PASSING


def _last_outcome(state: RetryCallState) -> httpx.Response:
    """The last answer, or the last error, raised."""
    assert state.outcome is not None
    answer: httpx.Response = state.outcome.result()
    return answer


def _look(answer: httpx.Response) -> Look:
    return Look(_read(Job, answer), retry_after(answer.headers) or POLL_SECONDS)


def _read(kind: type[Read], answer: httpx.Response) -> Read:
    """The answer's body; raises ApiError for one that is none of ours."""
    try:
        return kind.model_validate(answer.json())
    except ValueError as error:
        raise _unreadable(answer) from error


def retry_after(headers: Mapping[str, str]) -> float | None:
    """Seconds to wait, if the API says so in a form that we read."""
    try:
        seconds = float(headers.get("retry-after", ""))
    except ValueError:
        return None
    return min(max(seconds, 0.0), RETRY_AFTER_SECONDS_MAX) if math.isfinite(seconds) else None


def _refusal(answer: httpx.Response) -> ApiError:
    """What a problem+json answer says, or what else there is."""
    code, message = "unknown", f"The API answered {answer.status_code}."
    try:
        body = answer.json()
    except ValueError:
        body = None
    if isinstance(body, dict):
        code = str(body.get("code", code))
        said = body.get("detail") or body.get("title") or body.get("message")
        message = f"{said} ({code})" if said and "code" in body else str(said or message)
        message += "".join(f" {each['field']}: {each['message']}." for each in _fields(body))
    return ApiError(
        message,
        status=answer.status_code,
        code=code,
        retry_after_seconds=retry_after(answer.headers),
    )


def _fields(body: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The single things that are wrong, where the answer names them."""
    errors = body.get("errors")
    given = errors if isinstance(errors, list) else []
    return [each for each in given if isinstance(each, dict) and {"field", "message"} <= set(each)]


def _unreadable(answer: httpx.Response) -> ApiError:
    return ApiError(
        f"The API answered {answer.status_code} with something that is no answer of its own.",
        status=answer.status_code,
        code="unreadable",
    )
