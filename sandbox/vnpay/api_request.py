"""A merchant's call to the API, as its server brings it: read, and checked up to its hash."""

from __future__ import annotations

import json
from collections.abc import Mapping

from sandbox.vnpay.errors import ApiError
from sandbox.vnpay.pay_request import Merchant
from sandbox.vnpay.rules import QUERYDR, REFUND, problem
from sandbox.vnpay.signing import HASH, QUERYDR_REQUEST, REFUND_REQUEST, fields_hash, same

_REQUESTS = {"querydr": (QUERYDR, QUERYDR_REQUEST), "refund": (REFUND, REFUND_REQUEST)}


def read_fields(body: bytes) -> dict[str, str]:
    """The members of a JSON object, or none when it is not one of strings, each once.

    vnp_Amount may also be a number, as one of VNPAY's own samples sends it.
    """
    try:
        read = json.loads(body, object_pairs_hook=_each_once)
    except (ValueError, RecursionError):
        return {}
    if not isinstance(read, dict):
        return {}
    if type(read.get("vnp_Amount")) is int:
        read["vnp_Amount"] = str(read["vnp_Amount"])
    return read if all(isinstance(value, str) for value in read.values()) else {}


def check_call(values: Mapping[str, str], merchant: Merchant) -> None:
    """Raise ApiError, to be answered unsigned, unless the merchant itself asks, and properly."""
    if not values:
        raise ApiError("03", "The body is not a JSON object of strings", signed=False)
    if values.get("vnp_Command") not in _REQUESTS:
        raise ApiError("03", "vnp_Command must be querydr or refund", signed=False)
    rules, fields = _REQUESTS[values["vnp_Command"]]
    wrong = problem(values, rules)
    if wrong is not None:
        raise ApiError("03", wrong, signed=False)
    if values["vnp_TmnCode"] != merchant.tmn_code:
        raise ApiError("02", "Invalid TmnCode", signed=False)
    if not same(fields_hash(values, fields, merchant.secret), values[HASH]):
        raise ApiError("97", "Invalid checksum", signed=False)


def _each_once(pairs: list[tuple[str, object]]) -> dict[str, object]:
    read = dict(pairs)
    if len(read) < len(pairs):
        raise ValueError("a name is there twice")
    return read
