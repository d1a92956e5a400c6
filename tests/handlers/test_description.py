"""GET /models, /health, /openapi.json and /docs."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import pytest

from common import api as bodies
from common import api_money
from common.errors import (
    BadSignature,
    Conflict,
    InsufficientCredits,
    NotFound,
    Rejected,
    TooManyActiveJobs,
    TooManyOpenPayments,
)
from common.models.catalogue import find
from common.openapi import OPERATIONS
from functions.accounts import handler as accounts
from functions.feed import handler as feed
from functions.payments import handler as payments
from functions.status import handler as status
from functions.submit import handler as submit
from tests.handlers.calls import Api, event
from tests.world import CORE, TITAN

PUBLIC = {
    "/models",
    "/packages",
    "/health",
    "/openapi.json",
    "/docs",
    "/payments/vnpay/ipn",
    "/payments/vnpay/return",
}


def test_the_service_answers(api: Api) -> None:
    answer = api.call("get_health")
    assert (answer.status, answer.json) == (200, {"status": "ok"})
    assert api.world.fate.calls == [], "nothing is asked for it"


def test_models_are_those_of_the_routes_the_default_first(api: Api) -> None:
    answer = api.call("get_models")
    assert answer.status == 200
    models = answer.json["models"]
    assert [(model["model"], model["default"]) for model in models] == [
        (CORE.model, True),
        (TITAN.model, False),
    ]
    for model in models:
        spec = find(model["model"])
        assert spec is not None
        assert model["title"] == spec.title
        assert model["cost_credits"] == spec.cost_credits
        assert model["prompt_chars_max"] == spec.prompt_chars_max
        assert model["seed_max"] == spec.seed_max
        assert model["negative_prompt"] == spec.negative_prompt
        sizes = {size["aspect_ratio"]: (size["width"], size["height"]) for size in model["sizes"]}
        assert sizes == {ratio: (size.width, size.height) for ratio, size in spec.sizes.items()}


def test_each_listed_model_and_size_can_be_submitted(api: Api) -> None:
    api.world.person("usr_rich", available=1000)
    api.world.submit_settings = api.world.submit_settings.model_copy(
        update={"active_jobs_max": 100}
    )
    for model in api.call("get_models").json["models"]:
        for size in model["sizes"]:
            ratio = size["aspect_ratio"]
            body = {"prompt": "a cat", "model": model["model"], "aspect_ratio": ratio}
            key = f"{model['model']}-{ratio}"
            answer = api.call(
                "post_jobs", user_id="usr_rich", body=body, headers={"idempotency-key": key}
            )
            assert answer.status == 202
            assert answer.json["charge"]["held"] == model["cost_credits"]


@pytest.mark.parametrize("path", ["/nothing", "/jobs/a/b", "/"])
def test_no_such_path_is_404(api: Api, path: str) -> None:
    sent = event("get_health")
    sent["rawPath"] = sent["requestContext"]["http"]["path"] = path
    assert api.send("get_health", sent).problem == (404, "not_found")


@pytest.fixture
def described(api: Api) -> dict[str, Any]:
    answer = api.call("get_openapi")
    assert answer.status == 200
    return answer.json


def nodes(part: object) -> Iterator[dict[str, Any]]:
    """Every object in a JSON document."""
    if isinstance(part, dict):
        yield part
        for value in part.values():
            yield from nodes(value)
    elif isinstance(part, list):
        for value in part:
            yield from nodes(value)


def test_every_reference_leads_somewhere(described: dict[str, Any]) -> None:
    references = {node["$ref"] for node in nodes(described) if "$ref" in node}
    assert references
    for reference in references:
        assert reference.startswith("#/")
        found: Any = described
        for step in reference.removeprefix("#/").split("/"):
            found = found[step]
        assert "type" in found or "enum" in found


def test_every_schema_is_used(described: dict[str, Any]) -> None:
    references = {node["$ref"].rpartition("/")[2] for node in nodes(described) if "$ref" in node}
    assert references == set(described["components"]["schemas"])


def handled() -> set[tuple[str, str]]:
    """Each method and path of the resolvers."""
    return {
        (method.lower(), re.sub(r"<(\w+)>", r"{\1}", path))
        for app in (submit.app, status.app, accounts.app, payments.app, feed.app)
        for method, path in app.served()
    }


def test_what_is_described_is_what_is_handled(described: dict[str, Any]) -> None:
    written = {(method, path) for path, methods in described["paths"].items() for method in methods}
    assert written == handled()


def test_a_description_is_whole(described: dict[str, Any]) -> None:
    assert described["openapi"] == "3.1.0"
    assert described["info"]["title"] == "Imagify"
    assert described["security"] == [{"id_token": []}]
    assert described["components"]["securitySchemes"]["id_token"]["scheme"] == "bearer"
    for path, methods in described["paths"].items():
        for operation in methods.values():
            assert operation["summary"]
            named = set(re.findall(r"{(\w+)}", path))
            parameters = operation.get("parameters", [])
            assert {one["name"] for one in parameters if one["in"] == "path"} == named
            assert all(one["required"] is (one["in"] == "path") for one in parameters)
            assert all(one["schema"] and one["description"] for one in parameters)
            assert ("401" in operation["responses"]) is (path not in PUBLIC)
            assert (operation.get("security") == []) is (path in PUBLIC)
            assert any(code.startswith("2") for code in operation["responses"])
            for code, response in operation["responses"].items():
                assert response["description"]
                assert set(response.get("content", {})) <= {
                    "application/problem+json" if code >= "400" else "application/json"
                }


@pytest.mark.parametrize(
    ("path", "never"),
    [
        ("/jobs", {BadSignature, Conflict, NotFound, TooManyOpenPayments}),
        ("/payments", {BadSignature, InsufficientCredits, NotFound, TooManyActiveJobs}),
    ],
)
def test_every_refusal_that_a_person_can_meet_is_described(
    described: dict[str, Any], path: str, never: set[type[Rejected]]
) -> None:
    answers = described["paths"][path]["post"]["responses"]
    for refusal in set(Rejected.__subclasses__()) - never:
        assert refusal.code in answers[str(refusal.status)]["description"]


def test_the_bodies_fields_are_described_with_their_limits(described: dict[str, Any]) -> None:
    submit_request = described["components"]["schemas"]["SubmitRequest"]
    assert submit_request["additionalProperties"] is False
    assert submit_request["required"] == ["prompt"]
    prompt = submit_request["properties"]["prompt"]
    assert (prompt["type"], prompt["minLength"], prompt["maxLength"]) == ("string", 1, 10_000)
    payment_request = described["components"]["schemas"]["PaymentRequest"]
    assert payment_request["additionalProperties"] is False
    assert payment_request["required"] == ["package"]
    assert payment_request["properties"]["locale"]["enum"] == ["vn", "en"]
    for view in (bodies.JobView, api_money.PaymentView, api_money.EntryView):
        schema = described["components"]["schemas"][view.__name__]
        assert set(schema["properties"]) == set(view.model_fields)


def test_a_jobs_fields_are_the_designs(described: dict[str, Any]) -> None:
    fixed = (
        "job_id, status, terminal, retryable, version, prompt, negative_prompt, aspect_ratio, "
        "seed, model, created_at, started_at, finished_at, charge, image, error, urls"
    )
    job = described["components"]["schemas"]["JobView"]
    assert set(fixed.split(", ")) <= set(job["properties"])


def test_the_operations_are_listed_once() -> None:
    named = [(operation.method, operation.path) for operation in OPERATIONS]
    assert len(named) == len(set(named))


def test_the_page_loads_nothing_from_elsewhere(api: Api) -> None:
    answer = api.call("get_docs")
    assert answer.status == 200
    assert answer.headers["Content-Type"].startswith("text/html")
    outside = re.findall(
        r"""<(?:script|link|img|iframe)[^>]+(?:src|href)\s*=\s*["']?\s*(?:https?:)?//[^"'>\s]+""",
        answer.text,
    )
    assert outside == []
    assert not re.search(r"""(?:@import|url\()\s*["']?(?:https?:)?//""", answer.text)
    assert "Submit a job; its price is held at once" in answer.text
