"""The real services, as wired in Lambda, on a fake AWS that notes what it is called for."""

from __future__ import annotations

import io
import json
import os
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from typing import Any

import pytest
from botocore.awsrequest import AWSResponse
from botocore.compat import HTTPHeaders
from moto import mock_aws

from common.aws import clients
from common.models.spec import Size
from common.pacing import Pacer
from common.packages import PACKAGES
from common.routes import ROUTES
from common.services.worker import WorkerServices
from common.sizing import TIMEOUTS
from common.wiring import accounts as accounts_wiring
from common.wiring import feed as feed_wiring
from common.wiring import payments as payments_wiring
from common.wiring import push as push_wiring
from common.wiring import status as status_wiring
from common.wiring import submit as submit_wiring
from common.wiring import sweep as sweep_wiring
from common.wiring import worker as worker_wiring
from functions.accounts import handler as accounts
from functions.feed import handler as feed
from functions.payments import handler as payments
from functions.status import handler as status
from functions.submit import handler as submit
from functions.worker import handler as worker
from tests.contract.backends import (
    ACTS_TABLE,
    BUCKET,
    CONNECTIONS_TABLE,
    JOBS_TABLE,
    LEDGER_TABLE,
    PAYMENTS_TABLE,
    REGION,
    ROUTES_TABLE,
    USERS_TABLE,
    Aws,
    Endpoint,
)
from tests.fakes import ManualClock
from tests.fakes_model import answer, png
from tests.fakes_money import MERCHANT
from tests.handlers.calls import Context, event
from tests.world import CORE, SMALL

WIRED = (
    submit_wiring.services,
    status_wiring.services,
    accounts_wiring.services,
    payments_wiring.services,
    sweep_wiring.services,
    worker_wiring.services,
    feed_wiring.services,
    push_wiring.services,
)
CLIENTS = (
    clients.dynamodb,
    clients.sqs,
    clients.s3,
    clients.ssm,
    clients.bedrock_runtime,
    clients.sockets,
)
PARAMETER = "/imagify/vnpay"
FEED_API, FEED_STAGE = "feed000000", "live"


def forget() -> None:
    """Nothing is wired and no client is made."""
    for made in (*WIRED, *CLIENTS):
        made.cache_clear()


@pytest.fixture
def calls(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[str]]:
    """The operations that are called, in order, by functions whose environment is set."""
    for name in [name for name in os.environ if name.startswith("AWS_")]:
        monkeypatch.delenv(name)
    called: list[str] = []
    with mock_aws():
        aws = Aws.at(Endpoint(url=None))
        aws.create()
        for name, value in {
            "HOME_REGION": REGION,
            "JOBS_TABLE": JOBS_TABLE,
            "USERS_TABLE": USERS_TABLE,
            "LEDGER_TABLE": LEDGER_TABLE,
            "PAYMENTS_TABLE": PAYMENTS_TABLE,
            "VNPAY_PARAMETER": PARAMETER,
            "PACKAGES": PACKAGES.dump_json((SMALL,)).decode(),
            "PAGE_URL": "",
            "ROUTES_TABLE": ROUTES_TABLE,
            "WORKERS": "28",
            "ACTS_TABLE": ACTS_TABLE,
            "CONNECTIONS_TABLE": CONNECTIONS_TABLE,
            "FEED_API_ID": FEED_API,
            "FEED_STAGE": FEED_STAGE,
            "IMAGES_BUCKET": BUCKET,
            "QUEUE_URL": aws.new_queue("jobs"),
            "ROUTES": ROUTES.dump_json((CORE,)).decode(),
            "SLOT_WAIT_SECONDS_MAX": str(TIMEOUTS.slot_wait_seconds_max),
            "MODEL_READ_SECONDS": str(TIMEOUTS.model_read_seconds),
            "LEASE_SECONDS": str(TIMEOUTS.lease_seconds),
        }.items():
            monkeypatch.setenv(name, value)
        forget()
        made: tuple[Any, ...] = (
            clients.dynamodb(REGION),
            clients.sqs(REGION),
            clients.s3(REGION),
            clients.ssm(REGION),
            clients.bedrock_runtime(CORE.region, TIMEOUTS.model_read_seconds),
            clients.sockets(REGION, api_id=FEED_API, stage=FEED_STAGE),
        )
        _keep_account(made[3])
        made[4].meta.events.register("before-send.bedrock-runtime.InvokeModel", _answering)
        for client in made:
            client.meta.events.register("before-call", _noting(called))
        wired = worker_wiring.services()
        monkeypatch.setattr(worker, "services", lambda: replace(wired, pacer=_punctual(wired)))
        yield called
        aws.close()
        for client in made:
            client.close()
        forget()


def _keep_account(ssm: Any) -> None:
    """Store the merchant's account, encrypted, as an operator does."""
    account = {
        **MERCHANT.model_dump(mode="json"),
        "hash_secret": MERCHANT.hash_secret.get_secret_value(),
    }
    ssm.put_parameter(Name=PARAMETER, Value=json.dumps(account), Type="SecureString")


def _punctual(wired: WorkerServices) -> Pacer:
    """The pacer, on a machine that is never late: a late start would push the line."""
    clock = ManualClock()
    return Pacer(
        wired.pacer._lines,
        now_us=clock.now_us,
        sleep=clock.sleep,
        aside=lambda do: do(),
        wait_seconds_max=30,
    )


def _answering(**_request: object) -> AWSResponse:
    """The model, which moto does not have."""
    content = json.dumps(answer(png(Size(16, 16)))).encode()
    headers = HTTPHeaders.from_dict({"content-length": str(len(content))})
    return AWSResponse("https://bedrock.test", 200, headers, io.BytesIO(content))


def _noting(called: list[str]) -> Callable[..., None]:
    def note(model: Any, **_rest: object) -> None:
        called.append(model.name)

    return note


@pytest.fixture
def user_id(calls: list[str]) -> str:
    """A user who has signed in."""
    signed_in = accounts.handler(event("sign_in"), Context())
    calls.clear()
    claims: Mapping[str, str] = signed_in["response"]["claimsOverrideDetails"][
        "claimsToAddOrOverride"
    ]
    return claims["user_id"]


HANDLERS = {
    "post_jobs": submit.handler,
    **dict.fromkeys(("get_me", "get_ledger"), accounts.handler),
    **dict.fromkeys(("post_payments", "get_payments"), payments.handler),
    "post_tickets": feed.handler,
}


def call(name: str, user_id: str) -> dict[str, Any]:
    """The answer to a signed-in user's request."""
    sent = event(name)
    sent["requestContext"]["authorizer"]["jwt"]["claims"]["user_id"] = user_id
    return HANDLERS.get(name, status.handler)(sent, Context())
