"""The VNPAY simulator's control API, and the program."""

from __future__ import annotations

import os
import random
import subprocess
import sys
from collections.abc import Iterator

import httpx
import pytest

from sandbox.loopback import listen
from sandbox.vnpay import behaviour, state, transactions
from sandbox.vnpay.pay_request import Merchant
from tests.unit.test_sandbox_vnpay import RETURN_URL, SECRET, START, Shop, open_shop, read


@pytest.fixture(scope="module")
def opened() -> Iterator[Shop]:
    with open_shop() as shop:
        yield shop


@pytest.fixture
def shop(opened: Shop) -> Shop:
    opened.reset()
    return opened


def test_the_state_tells_what_became_of_a_payment(shop: Shop) -> None:
    shop.wait(10)
    shop.open()
    seen = shop.state()
    assert seen["now"] == "2026-11-24T10:00:10.000+07:00"
    assert seen["tmn_code"] == "IMAGIFY1"
    payment: dict[str, object] = {
        "status": "01",
        "response_code": None,
        "amount_vnd": 199_000,
        "received_vnd": 0,
        "order_info": "Imagify 500 credits",
        "created": "20261124100000",
        "opened_at": "2026-11-24T10:00:10.000+07:00",
        "expires_at": "2026-11-24T10:15:00.000+07:00",
        "ended_at": None,
        "transaction_no": None,
        "ipn_confirmed": False,
        "refunds": [],
    }
    assert seen["transactions"] == {"t1": payment}
    shop.wait(10)
    number = read(shop.end())["vnp_TransactionNo"]
    seen = shop.until(lambda seen: bool(seen["transactions"]["t1"]["ipn_confirmed"]))
    assert seen["transactions"]["t1"] == payment | {
        "status": "00",
        "response_code": "00",
        "received_vnd": 199_000,
        "ended_at": "2026-11-24T10:00:20.000+07:00",
        "transaction_no": number,
        "ipn_confirmed": True,
    }


def test_the_state_keeps_the_secret(shop: Shop) -> None:
    shop.end()
    assert SECRET not in shop.http.get("/_control/state").text


def test_settings_change_one_by_one(shop: Shop) -> None:
    before = shop.state()["settings"]
    shop.settings(refund_seconds=1, ipn_url=None)
    assert shop.state()["settings"] == before | {"refund_seconds": 1, "ipn_url": None}


def test_a_reset_forgets_and_behaves_as_at_the_start(shop: Shop) -> None:
    before = shop.state()
    shop.settings(tries_max=1)
    shop.misbehave("missing", count=9)
    shop.end()
    shop.http.post("/merchant_webapi/api/transaction", content=b"")
    shop.http.post("/_control/reset").raise_for_status()
    assert shop.state() == before
    shop.end()
    shop.until(lambda seen: bool(seen["transactions"]["t1"]["ipn_confirmed"]))


def test_misbehaviours_can_be_taken_back(shop: Shop) -> None:
    shop.misbehave("missing", count=2, txn_ref="t2")
    assert shop.state()["behaviour"] == [{"kind": "missing", "count": 2, "txn_ref": "t2"}]
    shop.http.delete("/_control/behaviour").raise_for_status()
    assert shop.state()["behaviour"] == []


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("settings", b"{"),
        ("settings", b"[]"),
        ("settings", b'{"retry_seconds": -1}'),
        ("settings", b'{"retry": 1}'),
        ("settings", b'{"tries_max": 0}'),
        ("settings", b'{"ipn_url": "ftp://127.0.0.1/ipn"}'),
        ("settings", b'{"ipn_url": "/ipn"}'),
        ("settings", b'{"ipn_url": "http://127.0.0.1/ipn#there"}'),
        ("settings", b'{"ipn_url": "http://127.0.0.1:port/"}'),
        ("settings", b'{"expired_status": "00"}'),
        ("behaviour", b"nonsense"),
        ("behaviour", b"{}"),
        ("behaviour", b'{"kind": "explode"}'),
        ("behaviour", b'{"kind": "missing", "count": 0}'),
        ("behaviour", b'{"kind": "missing", "copies": 2}'),
        ("behaviour", b'{"kind": "late"}'),
        ("behaviour", b'{"kind": "late", "seconds": 0}'),
        ("behaviour", b'{"kind": "duplicate", "copies": 1}'),
        ("behaviour", b'{"kind": "reordered", "stale": "middle"}'),
        ("behaviour", b'{"kind": "wrong_amount"}'),
        ("behaviour", b'{"kind": "refuse", "code": "9"}'),
        ("behaviour", b'{"kind": "silent", "command": "pay"}'),
    ],
)
def test_a_bad_control_body_gets_a_sentence_and_changes_nothing(
    shop: Shop, path: str, body: bytes
) -> None:
    before = shop.state()["settings"]
    answer = shop.http.post(f"/_control/{path}", content=body)
    assert answer.status_code == 422
    assert answer.json()["message"].endswith(".")
    assert shop.state()["settings"] == before
    assert shop.state()["behaviour"] == []


def test_a_control_body_too_large_is_not_read(shop: Shop) -> None:
    answer = shop.http.post("/_control/settings", content=b" " * 16_385)
    assert (answer.status_code, answer.json()["message"]) == (413, "The body is over 16384 bytes.")


def test_misbehaviours_due_are_bounded(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(behaviour, "DUE_MAX", 2)
    shop.misbehave("missing", count=10_000)
    shop.misbehave("missing")
    answer = shop.http.post("/_control/behaviour", json={"kind": "missing"})
    assert answer.status_code == 422
    assert answer.json()["message"] == "More than 2 misbehaviours cannot be due."


def test_payments_kept_are_bounded(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(transactions, "TRANSACTIONS_MAX", 2)
    for number in range(3):
        shop.open(f"t{number}")
    assert list(shop.state()["transactions"]) == ["t1", "t2"]


def test_request_ids_kept_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(state, "REQUEST_IDS_MAX", 2)
    merchant = Merchant("IMAGIFY1", SECRET)
    known = state.State(merchant, behaviour.Behaviour(), rng=random.Random(0), now=lambda: START)
    assert [known.is_new(name) for name in ("a", "b", "a", "c", "a")] == [
        *(True, True, False, True, True),
    ]


def test_a_finished_payment_has_a_notification_to_replay(shop: Shop) -> None:
    shop.settings(ipn_url=None)
    path = "/_control/transactions/t1/notification"
    assert shop.http.get(path).status_code == 404
    shop.open()
    answer = shop.http.get(path)
    assert (answer.status_code, answer.json()["message"]) == (
        404,
        "There is no finished payment t1.",
    )
    returned = shop.end()
    replay = shop.http.get(path).raise_for_status().json()
    assert replay == {"query": returned, "return_url": f"{RETURN_URL}?{returned}"}


def test_a_notification_is_sent_by_hand_only_when_it_can_be(shop: Shop) -> None:
    path = "/_control/transactions/t1/notify"
    assert shop.http.post(path).status_code == 404
    shop.settings(ipn_url=None)
    shop.end()
    answer = shop.http.post(path)
    assert (answer.status_code, answer.json()["message"]) == (422, "There is no ipn_url to notify.")
    shop.settings(ipn_url=shop.merchant.url)
    shop.merchant.answer("97")
    call = shop.http.post(path).raise_for_status().json()
    assert (call["what"], call["attempt"], call["rsp_code"]) == ("again", 0, "97")
    assert not shop.state()["transactions"]["t1"]["ipn_confirmed"]


def test_elsewhere_there_is_nothing(shop: Shop) -> None:
    answer = shop.http.get("/merchant_webapi/api/transaction")
    assert answer.status_code == 404
    assert answer.json()["message"].startswith("There is no GET /merchant_webapi")


def run(*flags: str, secret: str | None = SECRET) -> subprocess.CompletedProcess[str]:
    environment = {name: value for name, value in os.environ.items() if "VNPAY" not in name}
    if secret is not None:
        environment["VNPAY_HASH_SECRET"] = secret
    return subprocess.run(
        [sys.executable, "-m", "sandbox.vnpay", *flags],
        capture_output=True,
        text=True,
        check=False,
        env=environment,
    )


def test_the_program_serves_and_ends_cleanly_on_a_signal() -> None:
    with listen(0) as free:
        port = free.getsockname()[1]
    command = [sys.executable, "-m", "sandbox.vnpay", "--port", str(port), "--tmn-code", "SHOP0001"]
    with subprocess.Popen(
        [*command, "--ipn-url", "http://127.0.0.1:9/ipn"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=os.environ | {"VNPAY_HASH_SECRET": SECRET},
    ) as program:
        try:
            assert program.stdout is not None
            assert program.stdout.readline() == f"VNPAY simulator on http://127.0.0.1:{port}\n"
            url = f"http://127.0.0.1:{port}/_control"
            assert httpx.get(f"{url}/health", trust_env=False).json() == {"status": "ok"}
            seen = httpx.get(f"{url}/state", trust_env=False).json()
            assert seen["tmn_code"] == "SHOP0001"
            assert seen["settings"]["ipn_url"] == "http://127.0.0.1:9/ipn"
            assert seen["settings"]["retry_seconds"] == 300
            program.terminate()
            out, err = program.communicate(timeout=10)
            assert (program.returncode, out, err) == (0, "", "")
        finally:
            program.kill()


def test_a_port_in_use_gets_a_sentence() -> None:
    with listen(0) as taken:
        port = str(taken.getsockname()[1])
        ended = run("--port", port, "--tmn-code", "SHOP0001")
    assert (ended.returncode, ended.stdout) == (2, "")
    assert ended.stderr.startswith(f"VNPAY simulator: Port {port} ")
    assert ended.stderr.count("\n") == 1


@pytest.mark.parametrize("secret", [None, ""])
def test_a_missing_secret_gets_a_sentence(secret: str | None) -> None:
    ended = run("--port", "0", "--tmn-code", "SHOP0001", secret=secret)
    assert (ended.returncode, ended.stdout) == (2, "")
    assert ended.stderr == (
        "VNPAY simulator: VNPAY_HASH_SECRET must be set to the merchant's hash secret.\n"
    )


@pytest.mark.parametrize(
    ("flags", "begins"),
    [
        (("--port", "0", "--tmn-code", "SHOP"), "SHOP is not a TmnCode"),
        (("--port", "70000", "--tmn-code", "SHOP0001"), "70000 is not a port."),
        (("--port", "0", "--tmn-code", "SHOP0001", "--ipn-url", "/ipn"), "ipn_url: "),
    ],
)
def test_a_flag_out_of_range_gets_a_sentence(flags: tuple[str, ...], begins: str) -> None:
    ended = run(*flags)
    assert (ended.returncode, ended.stdout) == (2, "")
    assert ended.stderr.startswith(f"VNPAY simulator: {begins}")
    assert ended.stderr.count("\n") == 1
