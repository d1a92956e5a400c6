"""Notifications that VNPAY never signed, made from one that it did.

no_hash          vnp_SecureHash left out
wrong_hash       a hash out of thin air
other_amount     ten times the amount, under the hash of the true one
other_status     a failure become a payment, or a payment a failure, under the true hash
other_merchant   another vnp_TmnCode, correctly signed with another secret
repeated_name    vnp_Amount a second time, so that who checks one may read the other
"""

from __future__ import annotations

import random
from collections.abc import Mapping

from sandbox.vnpay.signing import HASH, query_hash, signed_query

OTHER_TMN_CODE = "OTHERSHP"
OTHER_SECRET = "the secret of another merchant"  # noqa: S105  # it is no secret


def forgeries(said: Mapping[str, str], secret: str, *, rng: random.Random) -> list[tuple[str, str]]:
    """Each forgery's name and query."""
    true_hash = query_hash(said, secret)
    random_hash = f"{rng.getrandbits(512):0128x}"
    changed_amount = {**said, "vnp_Amount": str(int(said["vnp_Amount"]) * 10)}
    paid = said["vnp_ResponseCode"] == "00"
    changed_status = {
        **said,
        "vnp_ResponseCode": "24" if paid else "00",
        "vnp_TransactionStatus": "02" if paid else "00",
    }
    other = {**said, "vnp_TmnCode": OTHER_TMN_CODE}
    true_query = signed_query(said, secret)
    return [
        ("no_hash", true_query.removesuffix(f"&{HASH}={true_hash}")),
        ("wrong_hash", true_query.replace(true_hash, random_hash)),
        ("other_amount", _under(true_hash, changed_amount)),
        ("other_status", _under(true_hash, changed_status)),
        ("other_merchant", signed_query(other, OTHER_SECRET)),
        ("repeated_name", f"{true_query}&vnp_Amount={changed_amount['vnp_Amount']}"),
    ]


def _under(other_hash: str, said: Mapping[str, str]) -> str:
    """The parameters under the hash of others."""
    query = signed_query(said, "")
    return query.replace(query_hash(said, ""), other_hash)
