"""Whether people can pay: the merchant's account is where the functions look for it, and whole."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from botocore.exceptions import ClientError

from common.aws.errors import error_code
from common.aws.ssm_merchant import SsmMerchant
from common.config import Config
from common.errors import ImagifyError
from common.vnpay import Merchant
from ops.checkup.asking import denied
from ops.checkup.finding import Finding, fail, ok, unknown, warn
from ops.money.merchant_account import of_vnpays_sandbox

if TYPE_CHECKING:
    from mypy_boto3_ssm import SSMClient

MERCHANT = "merchant's account"
SET = "bin/imagify merchant set (docs/PAYMENTS.md says what it asks for)"


def look_at_merchant(ssm: SSMClient, config: Config) -> Iterator[Finding]:
    """Read the parameter as the functions do. What it holds is never shown."""
    name = config.vnpay_parameter
    try:
        kind = ssm.get_parameter(Name=name)["Parameter"]["Type"]
    except ClientError as error:
        if error_code(error) != "ParameterNotFound":
            raise
        yield fail(MERCHANT, f"There is no {name}: nothing can be paid for.", SET)
        return
    if kind != "SecureString":
        yield fail(MERCHANT, f"{name} is a {kind}: whoever lists parameters reads it.", SET)
        return
    try:
        account = SsmMerchant(ssm, parameter=name)()
    except ImagifyError as error:
        cause = error.__cause__
        if isinstance(cause, ClientError) and denied(cause):
            may = "allow ssm:GetParameter, and kms:Decrypt if it has a key of its own"
            yield unknown(MERCHANT, f"{name} is there; you may not decrypt it.", may)
        else:
            yield fail(MERCHANT, f"{name} cannot be read: {error}", SET)
    except ValueError as error:
        yield fail(MERCHANT, str(error), SET)
    else:
        yield _whole(account, config)


def _whole(account: Merchant, config: Config) -> Finding:
    """Whether an account that has all it needs is for the money that the stage is for."""
    name = config.vnpay_parameter
    if not of_vnpays_sandbox(account.pay_url, account.api_url):
        return ok(MERCHANT, f"{name} is a SecureString with all that it needs.")
    reason = f"{name} is for VNPAY's sandbox: test cards, which anybody may have, buy credits."
    mend = f"{SET}, with the addresses for real money"
    return (fail if config.removal == "keep" else warn)(MERCHANT, reason, mend)
