"""`imagify merchant`: the account with VNPAY that people pay into."""

# ruff: noqa: PLC0415 - --help is quick: what a command needs is imported when it runs

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from typer import Option, Typer

from ops.options import DryRun, Profile, StageOnAws

MERCHANT = Typer(
    name="merchant",
    help="The account with VNPAY that people pay into.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


@MERCHANT.command("set")
def set_account(
    *,
    from_file: Annotated[
        Path | None,
        Option(
            "--from-file",
            metavar="FILE",
            help="A JSON object; - is standard input.  \\[default: asks for each]",
        ),
    ] = None,
    dry_run: DryRun = False,
    stage: StageOnAws = None,
    profile: Profile = None,
) -> int:
    """Store the account, encrypted, where the stack reads it; the secret is never shown.

    Replaces the one that is there; functions use the new one within 5 minutes. What the fields
    mean is in docs/PAYMENTS.md.
    """
    from ops.money.merchant_account import complete, given_or_asked, of_vnpays_sandbox, store
    from ops.stack import Stack
    from ops.terminal import ERR

    stack = Stack(stage, profile)
    parameter = stack.outputs.VnpayParameter
    for_real = stack.local is None and stack.config.removal == "keep"
    fields = given_or_asked(from_file, for_real=for_real)
    text = complete(fields, api_url=stack.api_url)
    if for_real and of_vnpays_sandbox(fields["pay_url"], fields["api_url"]):
        ERR.print("Beware: this is VNPAY's sandbox, whose test cards would buy real images.")
    if dry_run:
        ERR.print(f"The account is in order, and would be stored as {parameter}.")
        return 0
    store(text, ssm=stack.ssm, parameter=parameter)
    ERR.print(f"The account is stored as {parameter}.")
    ERR.print(f"VNPAY must know where to call: {stack.api_url}/payments/vnpay/ipn", markup=False)
    return 0
