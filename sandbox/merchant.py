"""The local run's merchant: its account with the simulated VNPAY, where the stack looks for it.

On AWS an operator stores the same parameter with `imagify merchant set`, from what VNPAY has sent.
"""

from __future__ import annotations

import json
import secrets
from typing import TYPE_CHECKING

import boto3
import httpx

from sandbox.clients import client_settings
from sandbox.errors import CommandError

if TYPE_CHECKING:
    from mypy_boto3_ssm import SSMClient

TMN_CODE = "IMAGIFY1"


def new_secret() -> str:
    """A hash secret, as long as VNPAY's."""
    return secrets.token_hex(16).upper()


def store_account(
    emulator_url: str, gateway_url: str, api_url: str, *, parameter: str, hash_secret: str
) -> None:
    """Put the account into Parameter Store, encrypted."""
    account = {
        "tmn_code": TMN_CODE,
        "hash_secret": hash_secret,
        "pay_url": f"{gateway_url}/paymentv2/vpcpay.html",
        "api_url": f"{gateway_url}/merchant_webapi/api/transaction",
        "return_url": f"{api_url}/payments/vnpay/return",
    }
    ssm: SSMClient = boto3.client("ssm", **client_settings(emulator_url))
    ssm.put_parameter(
        Name=parameter, Value=json.dumps(account), Type="SecureString", Overwrite=True
    )


def register_ipn(gateway_url: str, api_url: str) -> None:
    """Tell VNPAY where to call, which a merchant does by mail; raises CommandError."""
    try:
        answer = httpx.post(
            f"{gateway_url}/_control/settings",
            json={"ipn_url": f"{api_url}/payments/vnpay/ipn"},
            trust_env=False,
        )
        answer.raise_for_status()
    except httpx.HTTPError as error:
        raise CommandError(f"The VNPAY simulator does not take the IPN's URL: {error}") from error
