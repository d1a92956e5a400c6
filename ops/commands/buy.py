"""`imagify buy`: credits for the local run's person."""

# ruff: noqa: PLC0415 - --help is quick: what a command needs is imported when it runs

from __future__ import annotations

from typing import Annotated

from typer import Argument, Option

from ops.options import Json


def buy(
    package: Annotated[str, Argument(metavar="PACKAGE", help="A package of GET /packages.")],
    *,
    locale: Annotated[str, Option(metavar="L", help="The pay page's language: vn or en.")] = "en",
    bank_code: Annotated[
        str | None, Option("--bank", metavar="B", help="Where to pay, such as VNPAYQR.")
    ] = None,
    idempotency_key: Annotated[
        str | None, Option(metavar="K", help="The same key is the same payment.")
    ] = None,
    wait: Annotated[bool, Option(help="Stay until it is paid, or cannot be any more.")] = True,
    as_json: Json = False,
) -> int:
    """Begin to buy credits for you@example.com, and wait until they are there.

    Prints where to pay. The exit code is 0 when it is paid, or with --no-wait begun.
    """
    import os

    from ops.customer.shop import Order
    from ops.customer.shop import buy as order
    from sandbox.places import Places
    from sandbox.run import find

    wanted = Order(
        package=package,
        locale=locale,
        bank_code=bank_code,
        idempotency_key=idempotency_key,
        wait=wait,
        as_json=as_json,
    )
    return order(find(Places.from_env(os.environ)), wanted)
