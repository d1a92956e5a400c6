"""Run the simulator: `python -m sandbox.vnpay --port N --tmn-code CODE [--ipn-url URL]`.

The merchant's secret is in the environment variable VNPAY_HASH_SECRET, so that no list of
processes shows it.
"""

from __future__ import annotations

import argparse
import os
import random
import re
import sys

from pydantic import ValidationError

from sandbox.loopback import give_up, run
from sandbox.vnpay.behaviour import Behaviour
from sandbox.vnpay.pay_request import Merchant
from sandbox.vnpay.server import make_server

NAME = "VNPAY simulator"
PORT = 4571
SECRET_VARIABLE = "VNPAY_HASH_SECRET"  # noqa: S105  # its name


def main() -> int:
    """Serve until SIGTERM or Ctrl-C; 2 when it cannot start."""
    flags = _flags()
    secret = os.environ.get(SECRET_VARIABLE, "")
    if not secret:
        return give_up(NAME, f"{SECRET_VARIABLE} must be set to the merchant's hash secret.")
    if not re.fullmatch(r"[A-Za-z0-9]{8}", flags.tmn_code):
        return give_up(NAME, f"{flags.tmn_code} is not a TmnCode of 8 letters or digits.")
    try:
        behaviour = Behaviour(ipn_url=flags.ipn_url)
    except ValidationError as error:
        return give_up(NAME, f"ipn_url: {error.errors(include_url=False)[0]['msg']}.")
    merchant = Merchant(flags.tmn_code, secret)
    server = make_server(merchant, behaviour, rng=random.SystemRandom())
    return run(NAME, server, port=flags.port)


def _flags() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="sandbox.vnpay", description="A VNPAY simulator.")
    parser.add_argument("--port", type=int, default=PORT, help="on loopback; 0 takes a free one")
    parser.add_argument("--tmn-code", required=True, help="the merchant's code, 8 characters")
    parser.add_argument("--ipn-url", help="where the merchant takes IPNs; none are sent without")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
