"""`imagify payments`: what operators do with payments."""

# ruff: noqa: PLC0415 - --help is quick: what a command needs is imported when it runs

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Annotated, Any

from typer import Argument, BadParameter, Option, Typer

from ops.options import DryRun, Json, Profile, Reason, StageOnAws

if TYPE_CHECKING:
    from common.payments import Payment

UNDECIDED = 4
"""The exit code of a refund that VNPAY has not answered yet."""

TxnRef = Annotated[str, Argument(metavar="TXN_REF", help="The payment's reference.")]
PAYMENTS = Typer(
    name="payments",
    help="Look at payments, confirm, close or refund one.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _known(status: str | None) -> str | None:
    from common.payments import PaymentStatus

    if status is not None and status not in set(PaymentStatus):
        raise BadParameter(f"a payment is {', '.join(PaymentStatus)}")
    return status


@PAYMENTS.command("list")
def list_payments(
    *,
    status: Annotated[
        str | None,
        Option(metavar="S", callback=_known, help="Only these, such as review or refunding."),
    ] = None,
    as_json: Json = False,
    stage: StageOnAws = None,
    profile: Profile = None,
) -> int:
    """List all payments, newest first."""
    from ops.stack import Stack
    from ops.terminal import ERR, OUT

    stack = Stack(stage, profile)
    found = [each for each in stack.books.payments() if status in (None, each.status)]
    found.sort(key=lambda each: each.created_at, reverse=True)
    if not found and not as_json:
        ERR.print(f"There are no payments{f' that are {status}' if status else ''}.")
    if as_json:
        OUT.out(json.dumps([_facts(each) for each in found], indent=2))
        return 0
    for each in found:
        OUT.print(
            f"{each.txn_ref}  {each.status:<9}  {each.amount_vnd:>11,} VND  "
            f"{each.credits:>6} credits  {each.created_at:%Y-%m-%d %H:%M}  {each.user_id}",
            markup=False,
        )
    return 0


@PAYMENTS.command("show")
def show(
    txn_ref: TxnRef,
    *,
    as_json: Json = False,
    stage: StageOnAws = None,
    profile: Profile = None,
) -> int:
    """Show all that is known of a payment."""
    from ops.money.acts import find_payment
    from ops.stack import Stack

    stack = Stack(stage, profile)
    _say(find_payment(txn_ref, stack.payments), as_json=as_json)
    return 0


@PAYMENTS.command("confirm")
def confirm(
    txn_ref: TxnRef,
    *,
    amount_vnd: Annotated[
        int, Option(metavar="VND", min=1, help="What VNPAY's portal says was paid.")
    ],
    transaction_no: Annotated[str, Option(metavar="N", help="VNPAY's number of it.")],
    reason: Reason,
    dry_run: DryRun = False,
    as_json: Json = False,
    stage: StageOnAws = None,
    profile: Profile = None,
) -> int:
    """Book a payment that you have seen paid in VNPAY's merchant portal."""
    from common.wall_clock import utc_now
    from ops.money.acts import confirm_payment, find_payment, require_confirmable
    from ops.stack import Stack

    stack = Stack(stage, profile)
    payment = find_payment(txn_ref, stack.payments)
    require_confirmable(payment, amount_vnd=amount_vnd, transaction_no=transaction_no)
    if dry_run:
        return _would(f"credit {payment.credits} credits to {payment.user_id}")
    payment = confirm_payment(
        payment,
        amount_vnd=amount_vnd,
        transaction_no=transaction_no,
        by=stack.operator,
        reason=reason,
        payments=stack.payments,
        now=utc_now,
    )
    _say(payment, as_json=as_json)
    return 0


@PAYMENTS.command("close")
def close(
    txn_ref: TxnRef,
    *,
    reason: Reason,
    dry_run: DryRun = False,
    as_json: Json = False,
    stage: StageOnAws = None,
    profile: Profile = None,
) -> int:
    """End a review without credits, or a refund that you have seen paid back.

    A closed review stays closed, whatever VNPAY repeats; should it say later that the payment is
    paid as agreed, that is another review.
    """
    from common.payments import close as closed
    from ops.money.acts import close_payment, find_payment
    from ops.stack import Stack

    stack = Stack(stage, profile)
    payment = find_payment(txn_ref, stack.payments)
    by = stack.operator
    if dry_run:
        becomes = closed(payment, by=by, reason=reason)
        return _would(f"make it {becomes.status}, without moving credits")
    _say(close_payment(payment, by=by, reason=reason, payments=stack.payments), as_json=as_json)
    return 0


@PAYMENTS.command("refund")
def refund(
    txn_ref: TxnRef,
    *,
    reason: Reason,
    number: Annotated[
        int | None,
        Option("--credits", metavar="N", min=1, help=r"How many.  \[default: all of them]"),
    ] = None,
    dry_run: DryRun = False,
    as_json: Json = False,
    stage: StageOnAws = None,
    profile: Profile = None,
) -> int:
    """Take unused credits back and have VNPAY pay their price back.

    Exit code 0: VNPAY has taken it on. 1: refused, and the credits are as they were.
    Exit code 4: VNPAY has not answered; the sweep goes on asking.
    """
    import uuid

    from common.payments import PaymentStatus
    from common.refunds import begin_refund
    from common.wall_clock import utc_now
    from ops.money.acts import find_payment, refund_payment, require_unspent
    from ops.stack import Stack
    from ops.terminal import ERR

    stack = Stack(stage, profile)
    payment = find_payment(txn_ref, stack.payments)
    act = {"by": stack.operator, "reason": reason, "request_id": uuid.uuid4().hex}
    if dry_run:
        wanted = payment.credits if number is None else number
        begun, _entry = begin_refund(payment, number_of_credits=wanted, now=utc_now(), **act)
        assert begun.refund is not None
        user = stack.users.get(payment.user_id)
        assert user is not None
        require_unspent(payment, wanted, user)
        return _would(
            f"take {wanted} credits from {payment.user_id} and pay back "
            f"{begun.refund.amount_vnd:,} VND"
        )
    done = refund_payment(
        payment,
        number,
        payments=stack.payments,
        gateway=stack.gateway,
        now=utc_now,
        **act,
    )
    _say(done.payment, as_json=as_json)
    ERR.print(done.said, markup=False)
    if done.payment.status is PaymentStatus.PAID:
        ERR.print("VNPAY refused. The credits are given back; the payment is as it was.")
        return 1
    if not done.answered:
        ERR.print("That leaves it open: the credits are taken, and the sweep asks until it is not.")
        return UNDECIDED
    ERR.print("VNPAY is on it. The sweep follows it until the bank has it, or refuses it.")
    return 0


def _would(what: str) -> int:
    from ops.terminal import ERR

    ERR.print(f"Would {what}. Nothing was done.", markup=False)
    return 0


def _say(payment: Payment, *, as_json: bool) -> None:
    from ops.terminal import OUT

    facts = _facts(payment)
    if as_json:
        OUT.out(json.dumps(facts, indent=2))
        return
    for name, value in facts.items():
        if value is not None:
            OUT.print(f"{name:<16}{value}", markup=False)


def _facts(payment: Payment) -> dict[str, Any]:
    """Everything of a payment but what only machines need."""
    refund, error = payment.refund, payment.error
    return {
        "txn_ref": payment.txn_ref,
        "status": payment.status,
        "user_id": payment.user_id,
        "package": payment.package,
        "credits": payment.credits,
        "amount_vnd": payment.amount_vnd,
        "created_at": payment.created_at.isoformat(timespec="seconds"),
        "paid_at": payment.paid_at and payment.paid_at.isoformat(timespec="seconds"),
        "received_vnd": payment.received_vnd,
        "transaction_no": payment.transaction_no,
        "asked": payment.asks,
        "ask_at": payment.due_at and payment.due_at.isoformat(timespec="seconds"),
        "error": error and f"{error.message} ({error.code})",
        "closed_by": error and error.by,
        "refund": refund
        and f"{refund.credits} credits, {refund.amount_vnd} VND, by {refund.by}: {refund.reason}",
    }
