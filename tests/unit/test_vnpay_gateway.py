"""The gateway against servers of its own on loopback, which answer well, badly or not at all."""

from __future__ import annotations

import json
import logging
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, closing, suppress
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from common import vnpay_gateway
from common.errors import Conflict, GatewaySilent, Transient
from common.payments import Payment, Refund
from common.vnpay import Merchant
from common.vnpay_gateway import ANSWER_BYTES_MAX, HttpGateway
from tests.vnpay_server import HANGS_AT_MOST, Heard, Vnpay, http, serving
from tests.vnpay_signed import (
    MERCHANT,
    QUERY_ANSWER,
    REFUND_ANSWER,
    SECRET,
    signature,
    signed_answer,
)

START = datetime(2026, 11, 1, 17, 59, 58, tzinfo=UTC)
NOW = START + timedelta(minutes=21)
PAYMENT = Payment(
    txn_ref="IMG01",
    user_id="usr_ann",
    package="large",
    credits=100,
    amount_vnd=50_000,
    locale="vn",
    ip_address="203.0.113.7",
    fingerprint="f",
    created_at=START,
    expires_at=START + timedelta(minutes=15),
    transaction_no="15000001",
)
HALF = Refund(
    number=1,
    request_id="refund1",
    credits=50,
    amount_vnd=25_000,
    by="ann@example.com",
    reason="asked",
    requested_at=NOW,
)
REFUNDING = replace(PAYMENT, refund=HALF)


@pytest.fixture
def vnpay() -> Iterator[Vnpay]:
    with serving() as there:
        yield there


@pytest.fixture
def gateway(vnpay: Vnpay) -> HttpGateway:
    return HttpGateway(lambda: at(vnpay.url))


@pytest.fixture
def _hasty(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(vnpay_gateway, "CONNECT_SECONDS", 0.1)
    monkeypatch.setattr(vnpay_gateway, "READ_SECONDS", 0.1)


def at(url: str) -> Merchant:
    return MERCHANT.model_copy(update={"api_url": url})


def ask(gateway: HttpGateway) -> Any:
    return gateway.query(PAYMENT, request_id="ask1", now=NOW)


# Right answers


def test_a_question_is_posted_as_json_and_its_answer_read(
    vnpay: Vnpay, gateway: HttpGateway
) -> None:
    vnpay.answers(signed_answer(QUERY_ANSWER))
    answer = ask(gateway)
    assert (answer.response_code, answer.transaction_status) == ("00", "00")
    assert (answer.amount_vnd, answer.transaction_no) == (50_000, "15000001")
    (heard,) = vnpay.heard
    assert (heard.method, heard.path) == ("POST", "/merchant_webapi/api/transaction")
    assert heard.content_type.startswith("application/json")
    text = "ask1|2.1.0|querydr|LITERAL1|IMG01|20261102005958|20261102012058|127.0.0.1|Imagify IMG01"
    assert heard.fields["vnp_SecureHash"] == signature(text)
    assert SECRET.encode() not in heard.content


def test_each_question_has_an_id_of_its_own(vnpay: Vnpay, gateway: HttpGateway) -> None:
    vnpay.answers(signed_answer(QUERY_ANSWER))
    for request_id in ("ask1", "ask2"):
        gateway.query(PAYMENT, request_id=request_id, now=NOW)
    assert [heard.fields["vnp_RequestId"] for heard in vnpay.heard] == ["ask1", "ask2"]


def test_a_refund_of_a_part_is_asked_for_under_its_own_id(
    vnpay: Vnpay, gateway: HttpGateway
) -> None:
    vnpay.answers(signed_answer(REFUND_ANSWER))
    answer = gateway.refund(REFUNDING, now=NOW)
    assert (answer.response_code, answer.transaction_type) == ("00", "03")
    assert answer.amount_vnd == 25_000
    (heard,) = vnpay.heard
    text = (
        "refund1|2.1.0|refund|LITERAL1|03|IMG01|2500000|15000001|20261102005958|imagify"
        "|20261102012058|127.0.0.1|Imagify IMG01"
    )
    assert heard.fields["vnp_SecureHash"] == signature(text)


def test_all_of_it_is_refunded_even_without_vnpays_own_number(
    vnpay: Vnpay, gateway: HttpGateway
) -> None:
    vnpay.answers(signed_answer(REFUND_ANSWER))
    whole = replace(HALF, credits=100, amount_vnd=50_000)
    gateway.refund(replace(PAYMENT, refund=whole, transaction_no=None), now=NOW)
    (heard,) = vnpay.heard
    said = [heard.fields[f"vnp_{name}"] for name in ("TransactionType", "Amount", "TransactionNo")]
    assert said == ["02", "5000000", ""]


def test_a_payment_without_a_refund_is_not_refunded(vnpay: Vnpay, gateway: HttpGateway) -> None:
    with pytest.raises(ValueError, match="IMG01 has no refund"):
        gateway.refund(PAYMENT, now=NOW)
    assert vnpay.heard == []


def test_nothing_is_asked_while_there_is_no_account() -> None:
    def nobody() -> Merchant:
        raise Conflict("Not yet.", code="payments_not_set_up")

    with pytest.raises(Conflict):
        ask(HttpGateway(nobody))


def test_an_answer_may_come_in_pieces(vnpay: Vnpay, gateway: HttpGateway) -> None:
    body = json.dumps(signed_answer(QUERY_ANSWER)).encode()
    pieces = b"".join(b"%x\r\n%c\r\n" % (1, byte) for byte in body)
    vnpay.answer = lambda _heard: (
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + pieces + b"0\r\n\r\n"
    )
    assert ask(gateway).amount_vnd == 50_000


# Answers that prove nothing


RIGHT = json.dumps(signed_answer(QUERY_ANSWER)).encode()


@pytest.mark.parametrize("content", [RIGHT, b"{}", b"x" * (4 * ANSWER_BYTES_MAX)])
def test_a_connection_ends_with_its_answer(
    content: bytes, vnpay: Vnpay, gateway: HttpGateway
) -> None:
    vnpay.answers(content)
    try:
        kept: object = ask(gateway)
    except GatewaySilent as silent:
        kept = silent  # and all that it refers to
    assert vnpay.hung_up.wait(HANGS_AT_MOST / 2), kept


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"", "no JSON"),
        (b"<html>Bad gateway</html>", "no JSON"),
        (RIGHT[:-1], "no JSON"),
        (b"\xff\xfe\x00", "no JSON"),
        (b'{"vnp_Amount": ' + b"1" * 5000 + b"}", "no JSON"),
        (b"null", "no JSON object"),
        (b"[" + RIGHT + b"]", "no JSON object"),
        (b'"' + b"0" * 128 + b'"', "no JSON object"),
        (b"{}", "not signed"),
        (b'{"vnp_SecureHash": {}}', "not signed"),
        (json.dumps(signed_answer(QUERY_ANSWER, SECRET.lower())).encode(), "not signed"),
        (json.dumps({f"vnp_{k}": v for k, v in QUERY_ANSWER.items()}).encode(), "not signed"),
        (RIGHT.replace(b'"vnp_Amount": "5000000"', b'"vnp_Amount": "5000001"'), "not signed"),
        (
            RIGHT.replace(b'"vnp_TransactionStatus": "00"', b'"vnp_TransactionStatus": "02"'),
            "not signed",
        ),
        (RIGHT[:-1] + b', "vnp_TransactionStatus": "01"}', "not signed"),
        (json.dumps(signed_answer(QUERY_ANSWER | {"TxnRef": "IMG02"})).encode(), "TxnRef"),
        (json.dumps(signed_answer(QUERY_ANSWER | {"TmnCode": "LITERAL2"})).encode(), "TmnCode"),
        (json.dumps(signed_answer(REFUND_ANSWER)).encode(), "not signed"),
        (b'{"vnp_ResponseCode": "97", "vnp_Message": "Invalid checksum"}', "not signed"),
    ],
)
def test_an_answer_that_proves_nothing_is_silence(
    content: bytes, says: str, vnpay: Vnpay, gateway: HttpGateway
) -> None:
    vnpay.answers(content)
    with pytest.raises(GatewaySilent, match=says) as silent:
        ask(gateway)
    assert isinstance(silent.value, Transient)
    assert len(vnpay.heard) == 1, "a question is asked once"


@pytest.mark.parametrize(
    "content",
    [
        b"[" * (ANSWER_BYTES_MAX - 1),
        RIGHT.replace(b'"vnp_BankCode": "NCB"', b'"vnp_BankCode": "\\ud800"'),
    ],
    ids=["deep", "half a surrogate pair"],
)
def test_an_answer_that_nobody_can_read_is_silence(
    content: bytes, vnpay: Vnpay, gateway: HttpGateway
) -> None:
    vnpay.answers(content)
    with pytest.raises(GatewaySilent):
        ask(gateway)


def test_our_own_request_sent_back_is_silence(vnpay: Vnpay, gateway: HttpGateway) -> None:
    vnpay.answer = lambda heard: http(heard.content)
    with pytest.raises(GatewaySilent, match="not signed"):
        ask(gateway)
    with pytest.raises(GatewaySilent):
        gateway.refund(REFUNDING, now=NOW)


@pytest.mark.parametrize(
    "status", ["201 Created", "202 Accepted", "400 Bad Request", "404 Not Found", "502 Bad Gateway"]
)
def test_an_answer_that_is_not_200_is_silence_though_it_is_signed(
    status: str, vnpay: Vnpay, gateway: HttpGateway
) -> None:
    vnpay.answers(signed_answer(QUERY_ANSWER), status)
    with pytest.raises(GatewaySilent, match=f"answered {status[:3]}"):
        ask(gateway)
    assert len(vnpay.heard) == 1


@pytest.mark.parametrize("status", ["301 Moved", "302 Found", "303 See Other", "307 Temporary"])
def test_a_redirect_is_not_followed(status: str, vnpay: Vnpay, gateway: HttpGateway) -> None:
    def answer(heard: Heard) -> bytes:
        if heard.path == "/elsewhere":
            return http(RIGHT)
        return http(b"", status, "Location: /elsewhere")

    vnpay.answer = answer
    with pytest.raises(GatewaySilent, match=f"answered {status[:3]}"):
        ask(gateway)
    assert [heard.path for heard in vnpay.heard] == ["/merchant_webapi/api/transaction"]


def test_an_answer_that_is_too_long_is_silence(vnpay: Vnpay, gateway: HttpGateway) -> None:
    note = b'{"note": "' + b"x" * ANSWER_BYTES_MAX + b'", '
    vnpay.answers(note + RIGHT[1:])
    with pytest.raises(GatewaySilent, match="does not end"):
        ask(gateway)


def test_the_answer_after_one_that_was_too_long_is_read(vnpay: Vnpay, gateway: HttpGateway) -> None:
    def answer(_heard: Heard) -> bytes:
        long = b"x" * (ANSWER_BYTES_MAX + 500)
        return http(long) if len(vnpay.heard) == 1 else http(RIGHT)

    vnpay.answer = answer
    with pytest.raises(GatewaySilent):
        ask(gateway)
    assert ask(gateway).amount_vnd == 50_000


def test_the_answer_after_one_that_stalled_is_read(vnpay: Vnpay, gateway: HttpGateway) -> None:
    def answer(heard: Heard) -> bytes:
        if len(vnpay.heard) > 1:
            return http(RIGHT)
        whole = http(b"x" * (ANSWER_BYTES_MAX + 500))
        heard.send(whole[:-500])
        time.sleep(0.2)
        return whole[-500:]

    vnpay.answer = answer
    with pytest.raises(GatewaySilent):
        ask(gateway)
    assert ask(gateway).amount_vnd == 50_000


# Silence


@pytest.mark.parametrize(
    "answer",
    [
        b"",
        b"SSH-2.0-OpenSSH_9.6\r\n",
        b"HTTP/1.1 two hundred\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\n\r\nno gzip at all",
        http(RIGHT)[:-1].replace(b"Content-Length", b"Connection: close\r\ncontent-length"),
    ],
    ids=["hang-up", "other protocol", "no status", "bad chunk", "bad gzip", "cut short"],
)
def test_what_is_no_whole_http_is_silence(
    answer: bytes, vnpay: Vnpay, gateway: HttpGateway
) -> None:
    vnpay.answer = lambda _heard: answer
    with pytest.raises(GatewaySilent, match="did not answer"):
        ask(gateway)
    assert len(vnpay.heard) == 1, "a refund may have been taken: it is not sent twice"


@pytest.mark.usefixtures("_hasty")
def test_nothing_is_waited_for_longer_than_a_while(vnpay: Vnpay, gateway: HttpGateway) -> None:
    answered: list[bool] = []

    def answer(_heard: Heard) -> bytes:
        answered.append(not vnpay.over.wait(HANGS_AT_MOST))
        return http(RIGHT)

    vnpay.answer = answer
    with pytest.raises(GatewaySilent, match="ReadTimeout"):
        ask(gateway)
    assert answered == [], "the gateway gave up first"


@pytest.mark.usefixtures("_hasty")
def test_a_body_that_never_ends_is_not_waited_for(vnpay: Vnpay, gateway: HttpGateway) -> None:
    def answer(_heard: Heard) -> bytes:
        return http(RIGHT).replace(b"Content-Length: ", b"Content-Length: 9")

    vnpay.answer = answer
    with pytest.raises(GatewaySilent, match="Timeout"):
        ask(gateway)


@pytest.mark.usefixtures("_hasty")
def test_an_answer_that_drips_is_not_waited_for(vnpay: Vnpay, gateway: HttpGateway) -> None:
    over = threading.Event()

    def answer(heard: Heard) -> bytes:
        heard.send(b"HTTP/1.1 200 OK\r\n\r\n")
        with suppress(ConnectionError):
            while not over.wait(0.02):
                heard.send(b" ")
        return b""

    vnpay.answer = answer
    try:
        with pytest.raises(GatewaySilent, match="does not end"):
            ask(gateway)
    finally:
        over.set()


@pytest.mark.usefixtures("_hasty")
def test_a_server_that_takes_no_more_connections_is_silence(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(vnpay_gateway, "READ_SECONDS", HANGS_AT_MOST)
    with ExitStack() as sockets:
        full = sockets.enter_context(socket.socket())
        full.bind(("127.0.0.1", 0))
        full.listen(0)
        for _waiting in range(8):
            waiting = sockets.enter_context(socket.socket())
            waiting.settimeout(0)
            waiting.connect_ex(full.getsockname())
        gateway = HttpGateway(lambda: at(f"http://127.0.0.1:{full.getsockname()[1]}/"))
        started = time.monotonic()
        with pytest.raises(GatewaySilent, match="ConnectTimeout"):
            ask(gateway)
    assert time.monotonic() - started < HANGS_AT_MOST / 2


@pytest.mark.usefixtures("_hasty")
def test_a_server_that_is_not_there_is_silence() -> None:
    with closing(socket.socket()) as closed:
        closed.bind(("127.0.0.1", 0))  # taken, but nobody listens
        gateway = HttpGateway(lambda: at(f"http://127.0.0.1:{closed.getsockname()[1]}/"))
        with pytest.raises(GatewaySilent, match="NewConnectionError"):
            ask(gateway)


def test_silence_tells_nothing_that_is_secret(
    vnpay: Vnpay, gateway: HttpGateway, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    vnpay.answers(signed_answer(QUERY_ANSWER | {"TxnRef": "IMG02"}))
    with pytest.raises(GatewaySilent) as silent:
        ask(gateway)
    assert SECRET not in f"{silent.value!r} {silent.getrepr(showlocals=True)} {caplog.text}"
