"""The VNPAY simulator's pages as a merchant and its customer's browser see them.

`Shop` is that merchant, for the other tests of the simulator too. It signs by itself.
"""

from __future__ import annotations

import contextlib
import hashlib
import hmac
import json
import re
import threading
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, ClassVar
from urllib.parse import parse_qsl, quote_plus

import httpx
import pytest

from sandbox.vnpay.behaviour import Behaviour
from sandbox.vnpay.pay_request import Merchant
from sandbox.vnpay.server import simulator_in_thread

TMN_CODE = "IMAGIFY1"
SECRET = "RAOEXHYVSDDIIENYWSLDIIZTANXUXZFJ"
START = datetime(2026, 11, 24, 3, 0, 0, tzinfo=UTC)
"""10:00 in Vietnam."""
CREATED = "20261124100000"
RETURN_URL = "http://127.0.0.1:9/payments/vnpay/return"
TRIES = 500


def hash_of(text: str, secret: str = SECRET) -> str:
    return hmac.new(secret.encode(), text.encode(), hashlib.sha512).hexdigest()


def read(query: str) -> dict[str, str]:
    """The parameters of a query that must carry their own hash."""
    signed, _, given = query.rpartition("&vnp_SecureHash=")
    assert given == hash_of(signed)
    pairs = parse_qsl(signed, strict_parsing=True)
    assert [name for name, _ in pairs] == sorted({name for name, _ in pairs})
    return dict(pairs)


class Shop:
    """A merchant at the simulator: its clock, its server that takes IPNs, its browser."""

    def __init__(self, url: str, clock: list[datetime], merchant: MerchantServer) -> None:
        self.clock = clock
        self.merchant = merchant
        self.http = httpx.Client(base_url=url, trust_env=False)

    def reset(self) -> None:
        self.clock[0] = START
        self.http.post("/_control/reset").raise_for_status()
        self.merchant.told.clear()
        self.merchant.answers.clear()
        self.merchant.at_once_max = 0

    def wait(self, seconds: float) -> None:
        """Let the gateway's clock go on."""
        self.clock[0] += timedelta(seconds=seconds)

    def pay_url(self, txn_ref: str = "t1", **changes: str | None) -> str:
        """The request to pay; None leaves a parameter out."""
        values = {
            "vnp_Version": "2.1.0",
            "vnp_Command": "pay",
            "vnp_TmnCode": TMN_CODE,
            "vnp_Amount": "19900000",
            "vnp_CurrCode": "VND",
            "vnp_TxnRef": txn_ref,
            "vnp_OrderInfo": "Imagify 500 credits",
            "vnp_OrderType": "other",
            "vnp_Locale": "en",
            "vnp_ReturnUrl": RETURN_URL,
            "vnp_IpAddr": "113.160.1.2",
            "vnp_CreateDate": CREATED,
            "vnp_ExpireDate": "20261124101500",
            **changes,
        }
        query = "&".join(
            f"{name}={quote_plus(value)}"
            for name, value in sorted(values.items())
            if value is not None
        )
        return f"/paymentv2/vpcpay.html?{query}&vnp_SecureHash={hash_of(query)}"

    def open(self, txn_ref: str = "t1", **changes: str | None) -> str:
        """Open the pay page; gives its form's token."""
        page = self.http.get(self.pay_url(txn_ref, **changes))
        assert page.status_code == 200, page.text
        found = re.search(r'name="token" value="(\w+)"', page.text)
        assert found is not None
        return found[1]

    def click(self, token: str, outcome: str = "pay") -> str:
        """Click a button; gives where the customer is sent."""
        answer = self.http.post("/paymentv2/pay", data={"token": token, "outcome": outcome})
        assert answer.status_code == 303, answer.text
        return answer.headers["location"]

    def end(self, txn_ref: str = "t1", outcome: str = "pay", **changes: str | None) -> str:
        """Open and click; gives the query of the return."""
        location = self.click(self.open(txn_ref, **changes), outcome)
        assert location.startswith(RETURN_URL + "?")
        return location.removeprefix(RETURN_URL + "?")

    def settings(self, **settings: object) -> None:
        self.http.post("/_control/settings", json=settings).raise_for_status()

    def misbehave(self, kind: str, **told: object) -> None:
        self.http.post("/_control/behaviour", json={"kind": kind, **told}).raise_for_status()

    def state(self) -> dict[str, Any]:
        seen: dict[str, Any] = self.http.get("/_control/state").raise_for_status().json()
        return seen

    def until(self, came: Callable[[dict[str, Any]], bool]) -> dict[str, Any]:
        """The state once it is as expected."""
        for _ in range(TRIES):
            seen = self.state()
            if came(seen):
                return seen
            time.sleep(0.01)
        pytest.fail(f"it never came to this: {seen}")


class MerchantServer(ThreadingHTTPServer):
    """Takes IPNs and answers as told, else with 00."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _MerchantHandler)
        self.told: list[str] = []
        """The path and query of each call."""
        self.answers: list[tuple[float, int, bytes]] = []
        """The next answers: seconds to wait, status, body."""
        self.lock = threading.Lock()
        self.at_once = self.at_once_max = 0

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}/ipn"

    def answer(self, rsp_code: str, *, after_seconds: float = 0) -> None:
        body = json.dumps({"RspCode": rsp_code, "Message": "as told"}).encode()
        self.answers.append((after_seconds, 200, body))


class _MerchantHandler(BaseHTTPRequestHandler):
    server: MerchantServer
    usual: ClassVar = (0, 200, b'{"RspCode": "00", "Message": "Confirm Success"}')

    def do_GET(self) -> None:
        server = self.server
        with server.lock:
            server.at_once += 1
            server.at_once_max = max(server.at_once, server.at_once_max)
            server.told.append(self.path)
            seconds, status, body = server.answers.pop(0) if server.answers else self.usual
        time.sleep(seconds)
        with server.lock:
            server.at_once -= 1
        with contextlib.suppress(ConnectionError):
            self.send_response(status)
            self.send_header("location", "/elsewhere")
            self.end_headers()
            self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002  # as inherited
        pass


@contextlib.contextmanager
def open_shop() -> Iterator[Shop]:
    """A simulator with a merchant whose IPNs come at once."""
    clock = [START]
    with MerchantServer() as merchant:
        thread = threading.Thread(target=merchant.serve_forever, args=(0.01,), daemon=True)
        thread.start()
        behaviour = Behaviour(ipn_url=merchant.url, ipn_delay_seconds=0, retry_seconds=0.02)
        account = Merchant(TMN_CODE, SECRET)
        with simulator_in_thread(account, behaviour, now=lambda: clock[0]) as url:
            shop = Shop(url, clock, merchant)
            yield shop
            shop.http.close()
        merchant.shutdown()
        thread.join()


@pytest.fixture(scope="module")
def opened() -> Iterator[Shop]:
    with open_shop() as shop:
        yield shop


@pytest.fixture
def shop(opened: Shop) -> Shop:
    opened.reset()
    return opened


def test_the_page_says_what_is_paid_and_for_how_long(shop: Shop) -> None:
    shop.wait(28)
    page = shop.http.get(shop.pay_url(vnp_BankCode="VNPAYQR"))
    for text in ("IMAGIFY1", "199,000 VND", "Imagify 500 credits", "VNPAYQR", '<html lang="en">'):
        assert text in page.text
    assert "14 min 32 s, until 10:15:00" in page.text
    assert "no money moves" in page.text
    assert "<script" not in page.text
    assert page.headers["content-security-policy"].startswith("default-src 'none'")
    page = shop.http.get(shop.pay_url("t2", vnp_Locale="vn"))
    assert "199.000 ₫" in page.text
    assert "14 phút 32 giây" in page.text
    assert '<html lang="vi">' in page.text
    for outcome in ("pay", "cancel", "wrong_otp", "too_little_money"):
        assert f'name="outcome" value="{outcome}"' in page.text


def test_paying_returns_the_customer_with_signed_news(shop: Shop) -> None:
    shop.wait(60)
    query = shop.end()
    number = read(query)["vnp_TransactionNo"]
    assert re.fullmatch(r"[0-9]{8}", number)
    signed = (
        f"vnp_Amount=19900000&vnp_BankCode=NCB&vnp_BankTranNo=VNP{number}&vnp_CardType=ATM"
        "&vnp_OrderInfo=Imagify+500+credits&vnp_PayDate=20261124100100&vnp_ResponseCode=00"
        f"&vnp_TmnCode=IMAGIFY1&vnp_TransactionNo={number}&vnp_TransactionStatus=00&vnp_TxnRef=t1"
    )
    assert query == f"{signed}&vnp_SecureHash={hash_of(signed)}"


@pytest.mark.parametrize(
    ("outcome", "code", "bank"),
    [("cancel", "24", "VNPAY"), ("wrong_otp", "13", "NCB"), ("too_little_money", "51", "NCB")],
)
def test_failing_returns_the_customer_with_the_reason(
    shop: Shop, outcome: str, code: str, bank: str
) -> None:
    said = read(shop.end(outcome=outcome))
    assert said["vnp_ResponseCode"] == code
    assert said["vnp_TransactionStatus"] == "02"
    assert said["vnp_TransactionNo"] == "0"
    assert said["vnp_Amount"] == "19900000"
    assert said["vnp_BankCode"] == bank
    assert "vnp_BankTranNo" not in said


@pytest.mark.parametrize(
    ("asked", "bank", "card"),
    [("VNPAYQR", "NCB", "QRCODE"), ("INTCARD", "VISA", "VISA"), ("VIETCOMBANK",) * 2 + ("ATM",)],
)
def test_the_bank_that_was_asked_for_pays(shop: Shop, asked: str, bank: str, card: str) -> None:
    said = read(shop.end(vnp_BankCode=asked))
    assert (said["vnp_BankCode"], said["vnp_CardType"]) == (bank, card)


def test_the_return_address_keeps_its_own_query_and_fragment(shop: Shop) -> None:
    address = "https://imagify.example/back?lang=vi&then=%2Fimages#top"
    location = shop.click(shop.open(vnp_ReturnUrl=address))
    start, fragment = "https://imagify.example/back?lang=vi&then=%2Fimages&", "#top"
    assert location.startswith(start)
    assert location.endswith(fragment)
    # The hash is of VNPAY's parameters alone.
    assert read(location.removeprefix(start).removesuffix(fragment))["vnp_TxnRef"] == "t1"


def test_an_unfinished_payment_can_be_opened_again_until_it_expires(shop: Shop) -> None:
    token = shop.open()
    shop.wait(15 * 60 - 1)
    assert shop.open() == token
    shop.wait(1)
    page = shop.http.get(shop.pay_url())
    assert (page.status_code, "<dd>15</dd>" in page.text) == (410, True)
    assert shop.http.get(shop.pay_url("t2")).status_code == 410
    assert set(shop.state()["transactions"]) == {"t1"}


def test_a_txn_ref_is_of_one_payment_and_that_is_finished_once(shop: Shop) -> None:
    token = shop.open()
    page = shop.http.get(shop.pay_url(vnp_Amount="20000000"))
    assert (page.status_code, "<dd>01</dd>" in page.text) == (409, True)
    assert "with other parameters" in page.text
    shop.click(token)
    # Once it is finished that is what it is, expired or not.
    for _ in range(2):
        page = shop.http.get(shop.pay_url())
        assert (page.status_code, "<dd>01</dd>" in page.text) == (409, True)
        assert "t1 is finished" in page.text
        shop.wait(3600)


def test_a_click_too_late_has_expired_whatever_it_was(shop: Shop) -> None:
    token = shop.open()
    shop.wait(15 * 60)
    location = shop.click(token)
    said = read(location.removeprefix(RETURN_URL + "?"))
    assert (said["vnp_ResponseCode"], said["vnp_TransactionStatus"]) == ("11", "02")
    assert said["vnp_TransactionNo"] == "0"
    assert shop.state()["transactions"]["t1"]["received_vnd"] == 0


def test_a_second_click_changes_nothing(shop: Shop) -> None:
    token = shop.open()
    first = shop.click(token, "cancel")
    shop.until(lambda seen: seen["transactions"]["t1"]["ipn_confirmed"])
    before = shop.state()["transactions"]
    assert shop.click(token, "pay") == first
    shop.wait(3600)
    assert shop.click(token, "cancel") == first
    assert shop.state()["transactions"] == before
    assert len(shop.state()["ipn_calls"]) == 1


@pytest.mark.parametrize(
    ("form", "status"),
    [
        ({"token": "TOKEN"}, 400),
        ({"token": "TOKEN", "outcome": "win"}, 400),
        ({"token": "elsewhere", "outcome": "pay"}, 404),
        ({"outcome": "pay"}, 404),
        ({"token": "TOKEN", "outcome": "pay", "more": "m" * 16_384}, 413),
    ],
    ids=str,
)
def test_a_form_that_is_not_the_pages_ends_nothing(
    shop: Shop, form: dict[str, str], status: int
) -> None:
    token = shop.open()
    sent = {name: token if value == "TOKEN" else value for name, value in form.items()}
    assert shop.http.post("/paymentv2/pay", data=sent).status_code == status
    assert shop.state()["transactions"]["t1"]["status"] == "01"


def test_each_payment_has_a_number_and_a_token_of_its_own(shop: Shop) -> None:
    tokens = [shop.open(f"t{number}") for number in range(5)]
    assert len(set(tokens)) == 5
    for token in tokens:
        shop.click(token)
    numbers = {one["transaction_no"] for one in shop.state()["transactions"].values()}
    assert len(numbers) == 5
