"""Where there is a domain: jobs are shown with links that CloudFront checks."""

from __future__ import annotations

import json

import pytest

from common.aws import clients
from functions.status import handler as status
from functions.worker import handler as worker
from ops.deployment.key_pair import new_private_key
from tests.contract.backends import REGION
from tests.handlers.calls import Context, event
from tests.handlers.wired import call, forget

PARAMETER = "/imagify/dev/image-key/1"
LINKS = {
    "origin": "https://imagify.example.com",
    "key_pair_id": "K2EXAMPLE",
    "key_parameter": PARAMETER,
}


@pytest.fixture
def job_id(calls: list[str], user_id: str, monkeypatch: pytest.MonkeyPatch) -> str:
    """A job whose image is there, shown by functions that were started under a domain."""
    made: str = json.loads(call("post_jobs", user_id)["body"])["job_id"]
    sent = event("sqs")
    sent["Records"][0]["body"] = json.dumps({"job_id": made})
    worker.handler(sent, Context())
    monkeypatch.setenv("IMAGE_LINKS", json.dumps(LINKS))
    forget()
    reads = clients.ssm(REGION).meta.events
    reads.register("before-call.ssm.GetParameter", lambda **_: calls.append("GetParameter"))
    calls.clear()
    return made


def store_key() -> None:
    client = clients.ssm(REGION)
    client.put_parameter(Name=PARAMETER, Value=new_private_key(), Type="SecureString")


def look(job_id: str, user_id: str) -> tuple[int, dict[str, str], str]:
    """A look's status, headers, and the image's URL or the problem's code."""
    sent = event("get_job")
    sent["requestContext"]["authorizer"]["jwt"]["claims"]["user_id"] = user_id
    sent["rawPath"] = sent["requestContext"]["http"]["path"] = f"/jobs/{job_id}"
    answer = status.handler(sent, Context())
    body = json.loads(answer["body"])
    return answer["statusCode"], answer["headers"], body.get("code") or body["image"]["url"]


def test_an_image_is_shown_by_a_link_of_the_domain(
    job_id: str, user_id: str, calls: list[str]
) -> None:
    store_key()
    code, _headers, url = look(job_id, user_id)
    assert code == 200
    assert url.startswith(f"https://imagify.example.com/images/{user_id}/{job_id}.png?Expires=")
    assert url.endswith("&Key-Pair-Id=K2EXAMPLE&Hash-Algorithm=SHA256")
    assert look(job_id, user_id)[2] == url
    assert calls == ["GetParameter"], "the key is read once by each process"


def test_without_the_key_a_look_is_worth_another_try(job_id: str, user_id: str) -> None:
    code, headers, problem = look(job_id, user_id)
    assert (code, problem) == (503, "try_again")
    assert int(headers["Retry-After"]) >= 1
    store_key()
    assert look(job_id, user_id)[0] == 200
