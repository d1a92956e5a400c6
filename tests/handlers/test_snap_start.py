"""Before a snapshot all is loaded and nothing is sent; after it nothing is old or shared."""

from __future__ import annotations

import json
import os
import random
import subprocess
import sys
from collections.abc import Iterator, Mapping
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any

import pytest
from botocore.exceptions import ClientError

from benchmarks.coldstart import environment
from benchmarks.instant_aws import instant_aws
from common.aws import clients
from common.retries import WriteConflict, conflict_retrying
from common.wiring import snap_start
from sandbox.environment import HOME_REGION, clean
from sandbox.places import REPOSITORY

WAITED_FOR = ("submit", "status", "accounts", "payments", "feed")
NOT_WAITED_FOR = ("worker", "push", "sweep")
NOWHERE = "http://127.0.0.1:9"
"""Nothing listens on the port that is reserved for throwing things away."""

HOOKS = """
import importlib, sys
importlib.import_module(f"functions.{sys.argv[1]}.handler")
from snapshot_restore_py import get_after_restore, get_before_snapshot
for hook, arguments, _ in (*get_before_snapshot(), *get_after_restore()):
    print(hook.__name__, *(each.__module__ for each in arguments))
"""

SNAPSHOT = """
import importlib, sys
handler = importlib.import_module(f"functions.{sys.argv[1]}.handler")
from snapshot_restore_py import get_before_snapshot
for hook, arguments, _ in get_before_snapshot():
    hook(*arguments)
from common.api import Body
from common.aws import clients
print("made", handler.services.cache_info().currsize)
print("clients", *sorted(each.meta.service_model.service_name for each in clients._made))
print("unbuilt", *(b.__name__ for b in Body.__subclasses__() if not b.__pydantic_complete__))
print("called", *(c for c in clients._made if c._endpoint.http_session._manager.pools))
"""

FIRST_REQUEST = """
import importlib, json, sys
handler = importlib.import_module(f"functions.{sys.argv[1]}.handler")
from benchmarks.coldstart import EVENTS, REQUESTS
from benchmarks.first_request import Context
from snapshot_restore_py import get_before_snapshot
for hook, arguments, _ in get_before_snapshot():
    hook(*arguments)
loaded = set(sys.modules)
event = json.loads((EVENTS / f"{REQUESTS[sys.argv[1]]}.json").read_text())
answer = handler.handler(event, Context())
print(answer["statusCode"] // 100)
late = {name.partition(".")[0] for name in set(sys.modules) - loaded}
print("late", *sorted(late - sys.stdlib_module_names))
"""

CLIENTS = {
    "submit": "dynamodb s3 sqs",
    "status": "dynamodb s3",
    "accounts": "dynamodb",
    "payments": "dynamodb ssm",
    "feed": "apigatewaymanagementapi dynamodb s3",
}


def say(program: str, name: str, env: Mapping[str, str]) -> list[str]:
    """What a Python process of its own prints."""
    done = subprocess.run(
        [sys.executable, "-c", program, name],
        cwd=REPOSITORY,
        env=dict(env),
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()


@pytest.mark.parametrize("name", WAITED_FOR)
def test_a_function_that_people_wait_for_has_its_hooks_once(name: str) -> None:
    hooks = say(HOOKS, name, clean(os.environ))
    assert hooks == [f"load common.wiring.{name}", "renew"]


@pytest.mark.parametrize("name", NOT_WAITED_FOR)
def test_no_other_function_has_any(name: str) -> None:
    assert say(HOOKS, name, clean(os.environ)) == []


@pytest.mark.parametrize("name", WAITED_FOR)
def test_a_snapshot_holds_services_clients_and_bodies_and_nobody_was_called(name: str) -> None:
    assert say(SNAPSHOT, name, environment(NOWHERE)) == [
        "made 1",
        f"clients {CLIENTS[name]}",
        "unbuilt",
        "called",
    ]


def test_a_snapshot_holds_what_signs_links_and_not_its_key() -> None:
    links = {"origin": "https://x.test", "key_pair_id": "K1", "key_parameter": "/k"}
    env = environment(NOWHERE) | {"IMAGE_LINKS": json.dumps(links)}
    loaded = 'import sys; print("cryptography" in sys.modules)'
    assert say(f"{SNAPSHOT}\n{loaded}", "status", env) == [
        "made 1",
        "clients dynamodb ssm",
        "unbuilt",
        "called",
        "True",
    ]


def test_a_function_that_is_told_too_little_is_not_published() -> None:
    env = environment(NOWHERE)
    del env["JOBS_TABLE"]
    with pytest.raises(AssertionError, match="jobs_table"):
        say(SNAPSHOT, "submit", env)


@pytest.mark.parametrize("name", WAITED_FOR)
def test_a_first_request_after_the_snapshot_loads_no_library(name: str) -> None:
    with instant_aws() as url:
        *_logged, status, late = say(FIRST_REQUEST, name, environment(url))
    assert (status, late) == ("2", "late")


class Credentials(BaseHTTPRequestHandler):
    """Gives out credentials, as Lambda does to what starts from snapshots."""

    def do_GET(self) -> None:
        said = {"AccessKeyId": "test", "SecretAccessKey": "test", "Token": "test"}
        body = json.dumps({**said, "Expiration": "2099-01-01T00:00:00Z"}).encode()
        self.send_response(HTTPStatus.OK)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_said: object) -> None:
        """Say nothing."""


def test_a_restored_function_asks_for_credentials_on_a_connection_of_its_own(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    server = ThreadingHTTPServer(("127.0.0.1", 0), Credentials)
    Thread(target=server.serve_forever, daemon=True).start()
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN"):
        monkeypatch.delenv(name, raising=False)
    address = f"http://127.0.0.1:{server.server_port}/"
    monkeypatch.setenv("AWS_CONTAINER_CREDENTIALS_FULL_URI", address)
    monkeypatch.setenv("AWS_CONFIG_FILE", os.devnull)
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", os.devnull)
    session = clients._session.__wrapped__()
    credentials = session.get_credentials()
    assert credentials is not None
    assert credentials.method == "container-role"
    pools: Any = clients._credentials_from()
    assert len(pools._manager.pools) == 1

    clients.hang_up()

    assert len(pools._manager.pools) == 0
    server.shutdown()
    server.server_close()


@pytest.fixture
def answering(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A server that answers, and clients that know no other."""
    monkeypatch.setattr(clients, "_made", [])  # other tests' answer as those have them
    with instant_aws() as url:
        for name, value in environment(url).items():
            monkeypatch.setenv(name, value)
        clients.dynamodb.cache_clear()
        yield
        clients.hang_up()
        clients.dynamodb.cache_clear()


@pytest.mark.usefixtures("answering")
def test_a_restored_function_opens_connections_of_its_own() -> None:
    client: Any = clients.dynamodb(HOME_REGION)
    client.query(TableName="jobs", KeyConditionExpression="waiting = :model")
    pools = client._endpoint.http_session._manager.pools
    assert len(pools) == 1, "the connection is kept for the next call"

    snap_start.renew()

    assert len(pools) == 0
    answer = client.query(TableName="jobs", KeyConditionExpression="waiting = :model")
    assert answer["Count"] == 0, "and the client works on"


@pytest.mark.usefixtures("answering")
def test_after_the_rehearsal_calls_are_sent_again() -> None:
    client = clients.dynamodb(HOME_REGION)
    clients.rehearse()
    with pytest.raises(ClientError):
        client.list_tables()  # which that server does not know, and which would be answered here
    assert client.query(TableName="jobs", KeyConditionExpression="a = :b")["Count"] == 0


def jitters() -> list[float]:
    """How long a write rests that meets others again and again."""
    waits: list[float] = []

    def meet() -> None:
        raise WriteConflict

    with pytest.raises(WriteConflict):
        conflict_retrying(waits.append)(meet)
    return waits


def test_two_that_start_from_one_snapshot_draw_different_jitters() -> None:
    snapshot = random.getstate()
    drawn = []
    for _restored in "12":
        random.setstate(snapshot)
        snap_start.renew()
        drawn.append(jitters())
    assert drawn[0] != drawn[1]


def test_without_the_hook_they_would_not() -> None:
    """So that the test above tells something: the jitters do come from the state of `random`."""
    snapshot = random.getstate()
    drawn = []
    for _restored in "12":
        random.setstate(snapshot)
        drawn.append(jitters())
    assert drawn[0] == drawn[1]
