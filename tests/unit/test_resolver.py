from __future__ import annotations

from typing import Any

import pytest

from common.resolver import Event, NoSuchPath, Resolver, Response


def sent(method: str, path: str, **more: Any) -> dict[str, Any]:
    return {"rawPath": path, "requestContext": {"http": {"method": method}}, **more}


def refusal(error: Exception) -> Response:
    status_code = 404 if isinstance(error, NoSuchPath) else 500
    return Response(status_code=status_code, body=str(error))


@pytest.fixture
def app() -> Resolver:
    app = Resolver(refusal)

    @app.get("/things")
    def get_things() -> Response:
        limit = app.current_event.query_string_parameters.get("limit")
        return Response(status_code=200, body=f"things {limit}", content_type="text/plain")

    @app.get("/things/<name>")
    def get_thing(name: str) -> Response:
        return Response(status_code=200, body=name, headers={"ETag": '"1"'})

    @app.delete("/things/<name>")
    def delete_thing(name: str) -> Response:
        raise ValueError(f"{name} stays")

    return app


def test_a_request_is_answered_by_its_method_and_path(app: Resolver) -> None:
    answer = app.resolve(sent("GET", "/things", queryStringParameters={"limit": "3"}))
    assert answer == {
        "statusCode": 200,
        "body": "things 3",
        "isBase64Encoded": False,
        "headers": {"Content-Type": "text/plain"},
    }


def test_a_name_in_a_path_is_one_segment_decoded(app: Resolver) -> None:
    answer = app.resolve(sent("GET", "/things/a%20fox"))
    assert (answer["body"], answer["headers"]) == ("a fox", {"ETag": '"1"'})


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("POST", "/things"),
        ("GET", "/things/"),
        ("GET", "/things/a/b"),
        ("GET", "/nothing"),
        ("GET", "/things\n"),
        ("GET", "//things"),
    ],
)
def test_nothing_else_is_answered(app: Resolver, method: str, path: str) -> None:
    assert app.resolve(sent(method, path))["statusCode"] == 404


def test_whatever_is_raised_has_an_answer(app: Resolver) -> None:
    answer = app.resolve(sent("DELETE", "/things/one"))
    assert (answer["statusCode"], answer["body"]) == (500, "one stays")


def test_what_is_served_can_be_listed(app: Resolver) -> None:
    expected = {("GET", "/things"), ("GET", "/things/<name>"), ("DELETE", "/things/<name>")}
    assert app.served() == expected


def test_a_request_without_a_token_claims_nothing() -> None:
    assert Event(sent("GET", "/things")).claims == {}
    iam: dict[str, Any] = {"requestContext": {"authorizer": {"iam": {}}}}
    assert Event(iam).claims == {}


def test_what_is_absent_or_null_is_empty() -> None:
    for event in (Event({}), Event(dict.fromkeys(("headers", "body", "queryStringParameters")))):
        assert (event.headers, event.body, event.query_string_parameters) == ({}, None, {})
        assert (event.raw_query_string, event.is_base64_encoded) == ("", False)
