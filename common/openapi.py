"""The API's description: OpenAPI from the very models that read and write its bodies."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from http import HTTPStatus
from importlib import resources
from typing import Any

from aws_lambda_powertools.event_handler.openapi import swagger_ui
from pydantic import BaseModel
from pydantic.json_schema import models_json_schema

from common import api, api_feed, api_money, errors
from common.http import JSON, PROBLEM_JSON
from common.jobs import JobStatus
from common.long_polling import WAIT_SECONDS_MAX

REFERENCE = "#/components/schemas/{model}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Parameter:
    """A header, a query parameter or a part of the path."""

    name: str
    where: str
    description: str
    schema: dict[str, Any] = field(default_factory=lambda: {"type": "string"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Operation:
    """A method and a path: what it takes, gives and refuses."""

    method: str
    path: str
    summary: str
    gives: type[BaseModel] | None = None
    takes: type[BaseModel] | None = None
    status: HTTPStatus = HTTPStatus.OK
    also: tuple[HTTPStatus, ...] = ()
    refuses: tuple[type[errors.Rejected], ...] = ()
    parameters: tuple[Parameter, ...] = ()
    headers: Mapping[str, str] = field(default_factory=dict)
    """What the answer says beside its body."""
    public: bool = False


JOB_ID = Parameter(name="job_id", where="path", description="The job's id.")
IDEMPOTENCY_KEY = Parameter(
    name="Idempotency-Key",
    where="header",
    description="1 to 255 visible ASCII characters. The same key with the same body is the same "
    "job, for ever; with another body it is refused. Without a key every submit is a new job.",
)
PAYMENT_KEY = Parameter(
    name="Idempotency-Key",
    where="header",
    description="As for `POST /jobs`: the same key is the same payment, for ever.",
)
TXN_REF = Parameter(name="txn_ref", where="path", description="The payment's reference.")
CURSOR = Parameter(name="cursor", where="query", description="`next_cursor` of the page before.")


def _limit(most: int, default: int) -> Parameter:
    return Parameter(
        name="limit",
        where="query",
        description="How many a page has.",
        schema={"type": "integer", "minimum": 1, "maximum": most, "default": default},
    )


LIST_PARAMETERS = (
    Parameter(
        name="status",
        where="query",
        description="Only jobs of this status.",
        schema={"type": "string", "enum": [str(status) for status in JobStatus]},
    ),
    _limit(50, 20),
    CURSOR,
)
IF_NONE_MATCH = Parameter(
    name="If-None-Match", where="header", description="The ETag of the job as it was seen last."
)
PREFER = Parameter(
    name="Prefer",
    where="header",
    description=f"`wait=N`: answer as soon as the job has ended, or after N seconds, at most "
    f"{WAIT_SECONDS_MAX} (RFC 7240).",
)
JOB_HEADERS = {
    "Location": "The job's path.",
    "ETag": "For If-None-Match: the same while nothing but the clock went on.",
    "Retry-After": "Seconds after which to look again, while the job is not terminal.",
    "Preference-Applied": "`wait=N`, when that was preferred.",
}

OPERATIONS = (
    Operation(
        method="post",
        path="/jobs",
        summary="Submit a job; its price is held at once",
        takes=api.SubmitRequest,
        gives=api.JobView,
        status=HTTPStatus.ACCEPTED,
        refuses=(
            errors.InvalidRequest,
            errors.InsufficientCredits,
            errors.PayloadTooLarge,
            errors.KeyReused,
            errors.TooManyActiveJobs,
        ),
        parameters=(IDEMPOTENCY_KEY, PREFER),
        headers=JOB_HEADERS,
    ),
    Operation(
        method="get",
        path="/jobs",
        summary="List your jobs, newest first",
        gives=api.JobList,
        refuses=(errors.InvalidRequest,),
        parameters=LIST_PARAMETERS,
    ),
    Operation(
        method="get",
        path="/jobs/{job_id}",
        summary="Look at a job",
        gives=api.JobView,
        also=(HTTPStatus.NOT_MODIFIED,),
        refuses=(errors.NotFound,),
        parameters=(JOB_ID, IF_NONE_MATCH, PREFER),
        headers=JOB_HEADERS,
    ),
    Operation(
        method="delete",
        path="/jobs/{job_id}",
        summary="Cancel a queued job; its hold is released",
        gives=api.JobView,
        refuses=(errors.NotFound, errors.Conflict),
        parameters=(JOB_ID,),
    ),
    Operation(
        method="post",
        path="/feed/tickets",
        summary="A ticket that opens one socket of the feed, once, within a minute",
        gives=api_feed.TicketView,
        status=HTTPStatus.CREATED,
    ),
    Operation(method="get", path="/me", summary="You, and your balance", gives=api.MeView),
    Operation(
        method="get",
        path="/me/ledger",
        summary="Every move of your credits, newest first",
        gives=api_money.EntryList,
        refuses=(errors.InvalidRequest,),
        parameters=(_limit(200, 50), CURSOR),
    ),
    Operation(
        method="get",
        path="/packages",
        summary="What can be bought",
        gives=api_money.PackageList,
        public=True,
    ),
    Operation(
        method="post",
        path="/payments",
        summary="Begin to buy a package; send the customer to `urls.pay`",
        takes=api_money.PaymentRequest,
        gives=api_money.PaymentView,
        status=HTTPStatus.CREATED,
        refuses=(
            errors.InvalidRequest,
            errors.Conflict,
            errors.PayloadTooLarge,
            errors.KeyReused,
            errors.TooManyOpenPayments,
        ),
        parameters=(PAYMENT_KEY,),
    ),
    Operation(
        method="get",
        path="/payments",
        summary="List your payments, newest first",
        gives=api_money.PaymentList,
        refuses=(errors.InvalidRequest,),
        parameters=(_limit(50, 20), CURSOR),
    ),
    Operation(
        method="get",
        path="/payments/{txn_ref}",
        summary="Look at a payment",
        gives=api_money.PaymentView,
        refuses=(errors.NotFound,),
        parameters=(TXN_REF,),
    ),
    Operation(
        method="get",
        path="/payments/vnpay/ipn",
        summary="For VNPAY alone: its word on a payment, answered with an RspCode",
        public=True,
    ),
    Operation(
        method="get",
        path="/payments/vnpay/return",
        summary="Where VNPAY sends a customer back to; books nothing",
        also=(HTTPStatus.SEE_OTHER, HTTPStatus.BAD_REQUEST, HTTPStatus.NOT_FOUND),
        public=True,
    ),
    Operation(
        method="get",
        path="/models",
        summary="What can be generated, at what price, within which limits",
        gives=api.ModelList,
        public=True,
    ),
    Operation(
        method="get",
        path="/health",
        summary="Whether the service answers",
        gives=api.Health,
        public=True,
    ),
    Operation(method="get", path="/openapi.json", summary="This description", public=True),
    Operation(method="get", path="/docs", summary="This description as a page", public=True),
)

FEED_MESSAGES: tuple[type[BaseModel], ...] = (
    api_feed.JobMessage,
    api_feed.BalanceMessage,
    api_feed.RefreshedMessage,
)
"""What comes on a socket. OpenAPI has no word for one: its webhooks are the nearest."""


@cache
def document() -> str:
    """The description as JSON."""
    used: set[type[BaseModel]] = {api.Problem, *FEED_MESSAGES}
    for operation in OPERATIONS:
        used |= {model for model in (operation.takes, operation.gives) if model is not None}
    models = sorted(used, key=lambda model: model.__name__)
    _references, schemas = models_json_schema(
        [(model, "validation") for model in models], ref_template=REFERENCE
    )
    paths: dict[str, dict[str, Any]] = {}
    for operation in OPERATIONS:
        paths.setdefault(operation.path, {})[operation.method] = _described(operation)
    return json.dumps(
        {
            "openapi": "3.1.0",
            "info": {
                "title": "Imagify",
                "version": "1",
                "description": "Submit a prompt, look at the job until it is `terminal`, fetch the "
                "image. Errors are problem+json (RFC 9457) with a stable `code`; only a missing or "
                "invalid token and an unknown path are answered before that, with a `message`. "
                'The feed is a WebSocket: connect with a ticket, send `{"action": "refresh"}`, and '
                "read what is described here as the webhook `feed`.",
            },
            "servers": [{"url": "."}],
            "paths": paths,
            "webhooks": {"feed": {"post": _pushed()}},
            "components": {
                "schemas": schemas["$defs"],
                "securitySchemes": {
                    "id_token": {"type": "http", "scheme": "bearer", "bearerFormat": "JWT"}
                },
            },
            "security": [{"id_token": []}],
        }
    )


@cache
def page() -> str:
    """The description as a page that loads nothing from elsewhere."""
    files = resources.files(swagger_ui)
    return swagger_ui.generate_swagger_html(
        document().replace("</", "<\\/"),
        files.joinpath("swagger-ui-bundle.min.js").read_text(encoding="utf-8"),
        files.joinpath("swagger-ui.min.css").read_text(encoding="utf-8"),
        "",
        None,
    )


def _described(operation: Operation) -> dict[str, Any]:
    answers: dict[str, Any] = {
        str(int(operation.status)): _answer(operation.gives, operation.headers)
    }
    for status in operation.also:
        answers[str(int(status))] = {"description": status.phrase}
    refusals: list[type[errors.Rejected]] = list(operation.refuses)
    if not operation.public:
        refusals.append(errors.Unauthenticated)
    for refusal in refusals:
        answers[str(refusal.status)] = {
            "description": f"`{refusal.code}`: {refusal.__doc__}",
            "content": {PROBLEM_JSON: {"schema": _reference(api.Problem)}},
        }
    described: dict[str, Any] = {"summary": operation.summary, "responses": answers}
    if operation.parameters:
        described["parameters"] = [
            {
                "name": parameter.name,
                "in": parameter.where,
                "required": parameter.where == "path",
                "description": parameter.description,
                "schema": parameter.schema,
            }
            for parameter in operation.parameters
        ]
    if operation.takes is not None:
        described["requestBody"] = {
            "required": True,
            "content": {JSON: {"schema": _reference(operation.takes)}},
        }
    if operation.public:
        described["security"] = []
    return described


def _pushed() -> dict[str, Any]:
    messages = {"oneOf": [_reference(model) for model in FEED_MESSAGES]}
    return {
        "summary": "A message on a socket of the feed",
        "requestBody": {"content": {JSON: {"schema": messages}}},
        "responses": {"default": {"description": "Nothing is expected."}},
    }


def _answer(model: type[BaseModel] | None, headers: Mapping[str, str]) -> dict[str, Any]:
    described: dict[str, Any] = {"description": "OK"}
    if model is not None:
        described["content"] = {JSON: {"schema": _reference(model)}}
    if headers:
        described["headers"] = {
            name: {"description": text, "schema": {"type": "string"}}
            for name, text in headers.items()
        }
    return described


def _reference(model: type[BaseModel]) -> dict[str, str]:
    return {"$ref": REFERENCE.format(model=model.__name__)}
