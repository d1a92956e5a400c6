"""Every error of ours, sorted by what to do next.

    ImagifyError
    ├── Rejected       the caller's fault: a 4xx answer, never retried, nothing changed
    │   ├── InvalidRequest        400
    │   ├── BadSignature          400
    │   ├── Unauthenticated       401
    │   ├── InsufficientCredits   402
    │   ├── NotFound              404
    │   ├── Conflict              409
    │   ├── PayloadTooLarge       413
    │   ├── KeyReused             422
    │   ├── TooManyActiveJobs     429
    │   └── TooManyOpenPayments   429
    ├── Permanent      the job fails, its hold is released, the message is acknowledged
    │   ├── ContentRefused
    │   └── ModelRejected
    ├── Transient      tried again here, then by SQS; each round spends an attempt
    │   ├── ModelFailed
    │   ├── ModelTimedOut
    │   ├── StaleWrite
    │   ├── ServiceFailed
    │   │   └── SocketGone
    │   └── GatewaySilent
    └── Unavailable    nobody's fault: the job waits, no attempt is spent
        ├── ModelThrottled
        ├── NoFreeSlot
        └── NoRouteInOrder

Anything else that is raised is a bug, and its message ends in the dead-letter queue.
"""

from __future__ import annotations


class ImagifyError(Exception):
    """An error with a stable snake_case `code` and a sentence for people."""

    code: str = "imagify_error"

    def __init__(self, message: str, *, code: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        if code is not None:
            self.code = code


class Rejected(ImagifyError):
    """The caller's fault; `status` is the HTTP answer, `retry_after_seconds` its Retry-After."""

    code = "rejected"
    status: int = 400
    retry_after_seconds: int | None = None


class InvalidRequest(Rejected):
    """What came in cannot be read or breaks a limit."""

    code = "invalid_request"


class BadSignature(Rejected):
    """What claims to come from the payment gateway does not prove it."""

    code = "bad_signature"


class Unauthenticated(Rejected):
    """There is no user behind the request."""

    code = "unauthenticated"
    status = 401


class InsufficientCredits(Rejected):
    """`available` does not cover the cost."""

    code = "insufficient_credits"
    status = 402


class NotFound(Rejected):
    """There is no such thing, or it is somebody else's."""

    code = "not_found"
    status = 404


class Conflict(Rejected):
    """The state of the thing forbids what was asked."""

    code = "conflict"
    status = 409


class PayloadTooLarge(Rejected):
    """The body is larger than any valid request."""

    code = "payload_too_large"
    status = 413


class KeyReused(Rejected):
    """The Idempotency-Key was used before with another body."""

    code = "idempotency_key_reused"
    status = 422


class TooManyActiveJobs(Rejected):
    """The user has as many jobs in flight as one user may have."""

    code = "too_many_active_jobs"
    status = 429

    def __init__(self, message: str, *, retry_after_seconds: int) -> None:
        super().__init__(message)
        self.retry_after_seconds = retry_after_seconds


class TooManyOpenPayments(Rejected):
    """The user has begun as many payments as one user may have open."""

    code = "too_many_open_payments"
    status = 429

    def __init__(self, message: str, *, retry_after_seconds: int) -> None:
        super().__init__(message)
        self.retry_after_seconds = retry_after_seconds


class Permanent(ImagifyError):
    """No retry mends it."""

    code = "permanent"


class ContentRefused(Permanent):
    """The model's content filter refused the prompt or the image."""

    code = "content_refused"


class ModelRejected(Permanent):
    """The model's service will never take this request: validation, access, or end of life."""

    code = "model_rejected"


class Transient(ImagifyError):
    """Trying again may help."""

    code = "transient"


class ModelFailed(Transient):
    """The model or its service broke on this request."""

    code = "model_failed"


class ModelTimedOut(Transient):
    """No whole answer in time; the image may have been made, and charged, all the same."""

    code = "model_timed_out"


class StaleWrite(Transient):
    """The stored thing has changed since it was read; read it again."""

    code = "stale_write"


class ServiceFailed(Transient):
    """An AWS service other than the model did not do what it was asked."""

    code = "service_failed"


class SocketGone(ServiceFailed):
    """The socket is closed: nobody listens there any more."""

    code = "socket_gone"


class GatewaySilent(Transient):
    """The payment gateway gave no answer, or none that proves to be its own."""

    code = "gateway_silent"


class Unavailable(ImagifyError):
    """Not now; `retry_after_seconds` says when it is worth trying again."""

    code = "unavailable"

    def __init__(self, message: str, *, retry_after_seconds: float) -> None:
        super().__init__(message)
        self.retry_after_seconds = retry_after_seconds


class ModelThrottled(Unavailable):
    """The model's service says that its quota is used up."""

    code = "model_throttled"


class NoFreeSlot(Unavailable):
    """Every route's next start slot is too far away to wait for."""

    code = "no_free_slot"


class NoRouteInOrder(Unavailable):
    """Every route of the model has failed too often: they are left alone for a while."""

    code = "no_route_in_order"
