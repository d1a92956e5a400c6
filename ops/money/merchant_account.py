"""A merchant's account with VNPAY on its way into Parameter Store."""

from __future__ import annotations

import getpass
import json
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from common.aws.ssm_merchant import read_account
from sandbox.errors import CommandError

if TYPE_CHECKING:
    from mypy_boto3_ssm import SSMClient

STANDARD_INPUT = Path("-")
VNPAYS_SANDBOX = {
    "pay_url": "https://sandbox.vnpayment.vn/paymentv2/vpcpay.html",
    "api_url": "https://sandbox.vnpayment.vn/merchant_webapi/api/transaction",
}
"""Where one begins; VNPAY tells the addresses for real money to its merchants."""


def of_vnpays_sandbox(*addresses: str) -> bool:
    """Whether one of the addresses is there, where test cards pay, which anybody may have."""
    test_hosts = {urlsplit(each).hostname for each in VNPAYS_SANDBOX.values()}
    return any(urlsplit(each).hostname in test_hosts for each in addresses)


def given_or_asked(file: Path | None, *, for_real: bool) -> Mapping[str, Any]:
    """The account's fields from a JSON file, or as somebody types them. Raises CommandError.

    `for_real`: paid into with real money, so that the addresses of VNPAY's sandbox, whose test
    cards would buy real images, are not proposed.
    """
    if file is None:
        return _asked({} if for_real else VNPAYS_SANDBOX)
    try:
        text = sys.stdin.read() if file == STANDARD_INPUT else file.read_text(encoding="utf-8")
        fields = json.loads(text)
    except ValueError:
        fields = None
    if not isinstance(fields, dict):
        # Nothing of the text, which may be the secret.
        raise CommandError(f"{file} is not a JSON object, such as docs/PAYMENTS.md shows.")
    return fields


def complete(fields: Mapping[str, Any], *, api_url: str) -> str:
    """The account as it is stored, checked; where people come back to is the stack's own address.

    Raises CommandError, which names the fields that are wrong, but no value.
    """
    text = json.dumps({"return_url": f"{api_url}/payments/vnpay/return", **fields})
    try:
        read_account(text, source="The account")
    except ValueError as error:
        raise CommandError(f"{error}; nothing has changed.") from None
    return text


def store(text: str, *, ssm: SSMClient, parameter: str) -> None:
    """Put the account into the parameter, encrypted with the account's own key.

    A parameter of another type, which somebody has made by hand, is deleted first: Parameter Store
    does not let a type be changed.
    """
    try:
        ssm.put_parameter(Name=parameter, Value=text, Type="SecureString", Overwrite=True)
    except ssm.exceptions.HierarchyTypeMismatchException:
        ssm.delete_parameter(Name=parameter)
        ssm.put_parameter(Name=parameter, Value=text, Type="SecureString")


def _asked(usual: Mapping[str, str]) -> Mapping[str, Any]:
    if not sys.stdin.isatty():
        raise CommandError("There is no terminal to ask at: give the account with --from-file.")
    tmn_code = input("Terminal code (vnp_TmnCode): ").strip()
    hash_secret = getpass.getpass("Hash secret (it is not shown): ").strip()
    addresses = {name: _address(name, usual.get(name)) for name in VNPAYS_SANDBOX}
    return {"tmn_code": tmn_code, "hash_secret": hash_secret, **addresses}


def _address(name: str, usual: str | None) -> str:
    proposed = f" [{usual}]" if usual else ""
    return input(f"{name}{proposed}: ").strip() or usual or ""
