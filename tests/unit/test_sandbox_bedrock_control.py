"""The simulator's quota and control API, over HTTP and below it."""

from __future__ import annotations

import random
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpx
import pytest

from sandbox.bedrock.behaviour import Behaviour, Fault, Faults, Misbehaviour
from sandbox.bedrock.quota import SECOND_NS, Quota, starts_in_window_max
from sandbox.bedrock.server import simulator_in_thread
from sandbox.loopback import listen

CORE = "stability.stable-image-core-v1:1"
ROUTE = f"{CORE}@us-west-2"


def signed(region: str = "us-west-2") -> dict[str, str]:
    scope = f"AKIA/20261123/{region}/bedrock/aws4_request"
    return {"authorization": f"AWS4-HMAC-SHA256 Credential={scope}, SignedHeaders=x, Signature=y"}


@pytest.fixture(scope="module")
def served() -> Iterator[httpx.Client]:
    behaviour = Behaviour(latency_seconds=0, any_region=True, picture="plain")
    with simulator_in_thread(behaviour) as url, httpx.Client(base_url=url) as client:
        yield client


@pytest.fixture
def server(served: httpx.Client) -> httpx.Client:
    served.post("/_control/reset").raise_for_status()
    return served


def call(server: httpx.Client, region: str = "us-west-2") -> httpx.Response:
    # The colon may come percent-encoded, as botocore sends it.
    path = f"/model/{CORE.replace(':', '%3A')}/invoke"
    return server.post(path, json={"prompt": "a fox"}, headers=signed(region))


def state(server: httpx.Client) -> dict[str, Any]:
    read: dict[str, Any] = server.get("/_control/state").raise_for_status().json()
    return read


def arrivals(quota: Quota, rate: float, *seconds: float, enforce: bool = True) -> list[bool]:
    return [
        quota.arrive(round(at * SECOND_NS), rate_per_second=rate, enforce=enforce).violation
        for at in seconds
    ]


def test_quota_counts_a_rolling_second_not_a_bucket() -> None:
    assert arrivals(Quota(), 2, 0, 0.5, 1.0, 1.5, 2.0) == [False] * 5
    # Two a second by the clock's seconds, but three within one second.
    assert arrivals(Quota(), 2, 0.8, 0.9, 1.1) == [False, False, True]
    assert arrivals(Quota(), 2, 0, 0.5, 0.999999) == [False, False, True]


def test_quota_of_a_fraction_counts_ten_seconds() -> None:
    assert arrivals(Quota(), 0.5, 0, 0, 0, 0, 0, 9.99, 10) == [False] * 5 + [True, False]


def test_quota_gives_a_place_to_a_violation_only_when_it_is_let_in() -> None:
    assert arrivals(Quota(), 1, 0, 0.9, 1.0) == [False, True, False]
    assert arrivals(Quota(), 1, 0, 0.9, 1.0, enforce=False) == [False, True, True]


def test_quota_says_how_much_too_early_a_call_was() -> None:
    quota = Quota()
    arrivals(quota, 1, 0, 0.75)
    assert [arrival.early_ns for arrival in quota.arrivals] == [0, SECOND_NS // 4]
    assert starts_in_window_max(list(quota.arrivals), 1) == 2


def test_a_call_over_the_quota_is_throttled_and_counted(server: httpx.Client) -> None:
    answers = [call(server) for _ in range(3)]
    assert [answer.status_code for answer in answers] == [200, 200, 429]
    assert answers[2].headers["x-amzn-errortype"].startswith("ThrottlingException:")
    seen = state(server)
    assert (seen["calls"], seen["starts"], seen["violations"], seen["throttles"]) == (3, 2, 1, 1)
    route = seen["routes"][ROUTE]
    assert route["starts_in_window_max"] == 3
    assert 0 < route["early_seconds_max"] <= 1
    assert 0 < route["gap_seconds"]["min"] <= route["gap_seconds"]["max"] < 1
    assert [one["violation"] for one in seen["arrivals"]] == [False, False, True]


def test_each_region_has_its_own_quota(server: httpx.Client) -> None:
    codes = [call(server, region).status_code for region in ("us-west-2", "us-east-1") * 2]
    assert codes == [200] * 4
    assert set(state(server)["routes"]) == {ROUTE, f"{CORE}@us-east-1"}


def test_enforcement_off_counts_and_lets_in(server: httpx.Client) -> None:
    server.post("/_control/settings", json={"enforce": False}).raise_for_status()
    assert [call(server).status_code for _ in range(4)] == [200] * 4
    seen = state(server)
    assert (seen["starts"], seen["violations"], seen["throttles"]) == (4, 2, 0)


def test_a_route_may_have_a_rate_of_its_own(server: httpx.Client) -> None:
    server.post("/_control/settings", json={"rates": {ROUTE: 1}}).raise_for_status()
    assert [call(server).status_code for _ in range(2)] == [200, 429]
    assert call(server, "us-east-1").status_code == call(server, "us-east-1").status_code == 200


def test_arrivals_are_spaced_as_they_were_sent(server: httpx.Client) -> None:
    sent = []
    for pause in (0.0, 0.05, 0.12):
        time.sleep(pause)
        sent.append(time.monotonic())
        call(server)
    seen = [one["at_seconds"] for one in state(server)["arrivals"]]
    # One machine, one monotonic clock: the stamp is the sending, give or take the loopback.
    assert all(0 <= at - was < 0.1 for at, was in zip(seen, sent, strict=True))


def test_latency_and_calls_in_flight(server: httpx.Client) -> None:
    settings = {"latency_seconds": 0.3, "rate_per_second": 100}
    server.post("/_control/settings", json=settings).raise_for_status()
    begun = time.monotonic()
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda _: call(server), range(8)))
    assert 0.3 <= time.monotonic() - begun < 1.2
    seen = state(server)
    assert (seen["in_flight"], seen["in_flight_max"], seen["successes"]) == (0, 8, 8)


def test_latency_spreads_by_prompt_and_seed_and_a_refusal_is_quicker(
    server: httpx.Client,
) -> None:
    settings = {"latency_seconds": 0.2, "latency_spread": 1, "rate_per_second": 100}
    server.post("/_control/settings", json=settings).raise_for_status()

    def seconds(**body: object) -> float:
        begun = time.monotonic()
        path = f"/model/{CORE}/invoke"
        server.post(path, json={"prompt": "a fox", **body}, headers=signed()).raise_for_status()
        return time.monotonic() - begun

    once = [seconds(seed=seed) for seed in range(1, 6)]
    again = [seconds(seed=seed) for seed in range(1, 6)]
    assert again == pytest.approx(once, abs=0.06)
    assert max(once) - min(once) > 0.08
    assert max(once) < 0.5
    server.post("/_control/settings", json={"latency_spread": 0, "latency_seconds": 1})
    assert 0.1 <= seconds(prompt="gore") < 0.5


def test_an_answer_does_not_wait_for_the_network_to_gather_bytes(server: httpx.Client) -> None:
    server.post("/_control/settings", json={"rate_per_second": 1}).raise_for_status()
    took = sorted(call(server).elapsed.total_seconds() for _ in range(11))
    # Nagle's delay is 40 ms an answer.
    assert took[5] < 0.03


def test_reset_forgets_and_behaves_as_at_the_start(server: httpx.Client) -> None:
    server.post("/_control/settings", json={"rate_per_second": 0.1}).raise_for_status()
    server.post("/_control/behaviour", json={"kind": "throttle", "calls": 9}).raise_for_status()
    call(server)
    server.post("/_control/reset").raise_for_status()
    seen = state(server)
    assert (seen["calls"], seen["behaviour"], seen["routes"]) == (0, [], {})
    assert seen["settings"]["rate_per_second"] == 2
    assert call(server).status_code == 200


def test_misbehaviour_counts_down_and_can_be_taken_back(server: httpx.Client) -> None:
    server.post("/_control/settings", json={"rate_per_second": 100}).raise_for_status()
    told = {"kind": "unavailable", "calls": 2, "route": ROUTE}
    server.post("/_control/behaviour", json=told).raise_for_status()
    assert call(server, "us-east-1").status_code == 200
    assert call(server).status_code == 503
    assert state(server)["behaviour"] == [{"kind": "unavailable", "calls": 1, "route": ROUTE}]
    server.delete("/_control/behaviour").raise_for_status()
    assert call(server).status_code == 200


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("settings", b"{"),
        ("settings", b"[]"),
        ("settings", b'{"latency_seconds": -1}'),
        ("settings", b'{"latency": 1}'),
        ("behaviour", b"nonsense"),
        ("behaviour", b'{"kind": "explode", "calls": 1}'),
        ("behaviour", b'{"kind": "hang"}'),
        ("behaviour", b'{"kind": "hang", "calls": 0}'),
        ("behaviour", b'{"kind": "hang", "calls": 1, "seconds": 1}'),
    ],
)
def test_a_bad_control_body_gets_a_sentence_and_changes_nothing(
    server: httpx.Client, path: str, body: bytes
) -> None:
    before = state(server)["settings"]
    answer = server.post(f"/_control/{path}", content=body)
    assert answer.status_code == 422
    assert answer.json()["message"].endswith(".")
    assert state(server)["settings"] == before
    assert state(server)["behaviour"] == []


def test_faults_last_for_a_while_or_strike_by_chance() -> None:
    faults = Faults(random.Random(1))
    faults.add(Misbehaviour(kind=Fault.HANG, seconds=2), now_ns=0)
    assert faults.next(ROUTE, now_ns=SECOND_NS) is Fault.HANG
    assert faults.next(ROUTE, now_ns=3 * SECOND_NS) is None
    faults.add(Misbehaviour(kind=Fault.CLOSE, probability=0.25), now_ns=0)
    struck = sum(faults.next(ROUTE, now_ns=0) is Fault.CLOSE for _ in range(1000))
    assert 200 < struck < 300


def test_elsewhere_there_is_nothing(server: httpx.Client) -> None:
    answer = server.post(f"/model/{CORE}/converse", json={})
    assert answer.status_code == 404
    assert answer.headers["x-amzn-errortype"] == "UnknownOperationException"


def test_the_program_serves_and_ends_cleanly_on_a_signal() -> None:
    with listen(0) as free:
        port = free.getsockname()[1]
    command = [sys.executable, "-m", "sandbox.bedrock", "--latency", "30", "--rate", "2"]
    with subprocess.Popen(
        [*command, "--port", str(port), "--picture", "plain"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as program:
        try:
            assert program.stdout is not None
            assert f"127.0.0.1:{port}" in program.stdout.readline()
            health = httpx.get(f"http://127.0.0.1:{port}/_control/health")
            assert (health.status_code, health.json()) == (200, {"status": "ok"})
            program.terminate()
            out, err = program.communicate(timeout=10)
            assert (program.returncode, out, err) == (0, "", "")
        finally:
            program.kill()


def test_a_port_in_use_gets_a_sentence() -> None:
    with listen(0) as taken:
        port = str(taken.getsockname()[1])
        ended = subprocess.run(
            [sys.executable, "-m", "sandbox.bedrock", "--port", port],
            capture_output=True,
            text=True,
            check=False,
        )
    assert (ended.returncode, ended.stdout) == (2, "")
    assert ended.stderr.startswith(f"Bedrock simulator: Port {port} ")
    assert ended.stderr.count("\n") == 1


def test_a_flag_out_of_range_gets_a_sentence() -> None:
    command = [sys.executable, "-m", "sandbox.bedrock", "--port", "0", "--rate", "0"]
    ended = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (ended.returncode, ended.stdout) == (2, "")
    assert ended.stderr.startswith("Bedrock simulator: rate_per_second: ")
    assert ended.stderr.count("\n") == 1
