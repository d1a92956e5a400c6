"""What people entrust to the service is in no log line and no metric of any function."""

from __future__ import annotations

from collections.abc import Callable
from urllib.parse import urlencode

import pytest

from common.aws.records import job_item, user_item
from common.errors import ContentRefused, ModelFailed, ModelThrottled, ServiceFailed
from common.jobs import JobStatus
from common.metrics import FUNCTIONS
from functions.accounts.handler import handler as accounts
from functions.feed.handler import handler as feed
from functions.push.handler import handler as push
from functions.sweep.handler import handler as sweep
from tests.fakes_model import FakeModel
from tests.fakes_money import MERCHANT
from tests.handlers.calls import Api, Context, event
from tests.handlers.test_feed import connect
from tests.handlers.test_worker import delivered
from tests.vnpay_by_hand import fields_of, ipn
from tests.vnpay_signed import signed_query
from tests.world import World

MARK = "quokka7"
"""In all that a log must not have."""
PROMPT = f"a {MARK} on the beach"
EMAIL = f"{MARK}@example.com"
BEARER = f"Bearer {MARK}.{MARK}.{MARK}"
SECRET = MERCHANT.hash_secret.get_secret_value()
SAID = {
    "submit": "submitted",
    "worker": "succeeded",
    "status": "canceled",
    "accounts": "signed in",
    "payments": "payment begun",
    "sweep": "swept",
    "feed": "socket opened",
    "push": "not pushed",
}
"""A line of each function, so that none is left out."""


def submitted(api: Api, key: str, **more: object) -> str:
    answer = api.call(
        "post_jobs",
        body={"prompt": PROMPT, **more},
        headers={"idempotency-key": key, "authorization": BEARER},
    )
    assert answer.status == 202
    job_id: str = answer.json["job_id"]
    return job_id


def make_images(api: Api, world: World) -> None:
    """Jobs that end in every way, and requests that are wrong."""
    for number, answers in enumerate(
        (
            (),
            (ContentRefused("The model's content filter refused the prompt."),),
            (ModelThrottled("Too many.", retry_after_seconds=5),),
            (ModelFailed("The model's service answered InternalServerException."),) * 9,
        )
    ):
        world.model = FakeModel(*answers)
        job_id = submitted(api, f"{MARK}-{number}")
        delivered(world.next_message())
        api.call("get_job", job_id=job_id, headers={"authorization": BEARER})
    canceled = submitted(api, f"{MARK}-canceled")
    assert api.call("delete_job", job_id=canceled).status == 200
    api.call("get_jobs", headers={"authorization": BEARER})
    for body in ({"prompt": PROMPT * 1000}, {"prompt": PROMPT, MARK: 1}, {"prompt": [PROMPT]}):
        assert api.call("post_jobs", body=body).status == 400
    assert api.call("post_jobs", raw=f'{{"prompt": "{PROMPT}"').status == 400
    statuses = {job.status for job in world.tables.jobs.values()}
    assert {JobStatus.SUCCEEDED, JobStatus.FAILED, JobStatus.CANCELED} <= statuses


def sign_in(api: Api) -> None:
    """People with an address that is verified, and with one that is not."""
    for verified in ("true", "false"):
        sent = event("sign_in")
        sent["request"]["userAttributes"] |= {"email": EMAIL, "email_verified": verified}
        if verified == "true":
            accounts(sent, Context())
        else:
            with pytest.raises(Exception, match="verified"):
                accounts(sent, Context())
    api.call("get_me", headers={"authorization": BEARER})
    api.call("get_ledger", headers={"authorization": BEARER})


def pay(api: Api, world: World) -> None:
    """A payment that is told, forged, suspected, and asked after."""
    api.call("post_payments", headers={"authorization": BEARER, "idempotency-key": MARK})
    payment = world.buy()
    forged = signed_query(fields_of(payment), "F" * 32)
    for query in (forged, f"{forged}&{urlencode({'vnp_OrderInfo': MARK})}", ipn(payment)):
        api.call("get_ipn", query=query)
    api.call("get_return", query=ipn(payment))
    world.buy()
    world.clock.advance(24 * 3600)
    world.gateway.says["query"] = ServiceFailed("VNPAY did not answer.")
    sweep(event("sweep"), Context(seconds_left=55))


def listen(api: Api, world: World) -> None:
    """A socket that opens with its ticket, one that guesses, and pushes to both kinds."""
    world.secrets = lambda: f"{MARK}-ticket"  # type: ignore[assignment]
    ticket = api.call("post_tickets", headers={"authorization": BEARER}).json["ticket"]
    assert MARK in ticket
    assert connect(ticket) == 200
    assert connect(f"{MARK}-guess", "another") == 401
    feed(event("socket_message") | {"body": f'{{"action": "{MARK}"}}'}, Context())
    feed(event("socket_message") | {"body": '{"action": "refresh"}'}, Context())
    items = [job_item(job) for job in world.tables.jobs.values()]
    items += [user_item(user) for user in world.tables.users.values()]
    sent = {"Records": [{"dynamodb": {"NewImage": item}} for item in items]}
    push(sent, Context())
    world.wire.gone.update(world.wire.said)
    push(sent, Context())
    broken = {"Records": [{"dynamodb": {"NewImage": {**items[0], "status": {"S": "?"}}}}]}
    with pytest.raises(ValueError, match="JobStatus"):
        push(broken, Context())


def test_no_prompt_address_token_or_secret_is_told_to_anybody(
    api: Api, world: World, written: Callable[[], str]
) -> None:
    sign_in(api)
    make_images(api, world)
    pay(api, world)
    listen(api, world)
    told = written()
    for what in (MARK, SECRET, "Bearer", "SecureHash", "@example", "beach"):
        assert what not in told, what
    assert "job_" in told
    assert "usr_" in told, "ids are"
    assert set(SAID) == set(FUNCTIONS)
    assert [word for word in SAID.values() if f'"message":"{word}"' not in told] == []
