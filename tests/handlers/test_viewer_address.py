"""Whose address a payment tells VNPAY, straight or through CloudFront."""

from __future__ import annotations

from urllib.parse import parse_qs, urlsplit

import pytest

from common.http import VIEWER_ADDRESS
from tests.handlers.calls import Api, event
from tests.vnpay_by_hand import ipn

SEEN = event("post_payments")["requestContext"]["http"]["sourceIp"]


def told(api: Api, header: str | None) -> str:
    """What VNPAY is told where the header says this."""
    answer = api.call("post_payments", headers={VIEWER_ADDRESS: header})
    assert answer.status == 201
    pay: str = answer.json["urls"]["pay"]
    (address,) = parse_qs(urlsplit(pay).query)["vnp_IpAddr"]
    return address


def test_who_comes_straight_is_seen_by_api_gateway(api: Api) -> None:
    assert told(api, None) == SEEN


@pytest.mark.parametrize(
    ("said", "address"),
    [
        ("203.0.113.9", "203.0.113.9"),
        ("2001:db8::5", "2001:db8::5"),
        ("2001:DB8:0:0:0:0:0:5", "2001:db8::5"),
        ("fe80::1%eth0", "fe80::1"),
    ],
)
def test_who_comes_through_cloudfront_is_named_by_it(api: Api, said: str, address: str) -> None:
    assert told(api, said) == address


@pytest.mark.parametrize(
    "said", ["", "nobody", "203.0.113.9, 203.0.113.10", "203.0.113.9:443", "[::1]", "1.2.3.4\n"]
)
def test_what_is_no_address_is_not_believed(api: Api, said: str) -> None:
    assert told(api, said) == SEEN


def test_nobody_is_let_in_by_an_address_that_he_claims(api: Api) -> None:
    payment = api.world.buy()
    api.world.merchant = api.world.merchant.model_copy(update={"ipn_addresses": ("203.0.113.5",)})
    answer = api.call("get_ipn", query=ipn(payment), headers={VIEWER_ADDRESS: "203.0.113.5"})
    assert answer.json["RspCode"] != "00"
    assert api.world.payment(payment.txn_ref).status == payment.status
