"""Run the simulator: `python -m sandbox.bedrock --port N --latency S --rate R`."""

from __future__ import annotations

import argparse
import random
import sys

from pydantic import ValidationError

from sandbox.bedrock.behaviour import Behaviour
from sandbox.bedrock.server import make_server
from sandbox.loopback import give_up, run

NAME = "Bedrock simulator"
PORT = 4570


def main() -> int:
    """Serve until SIGTERM or Ctrl-C; 2 when it cannot start."""
    flags = _flags()
    try:
        behaviour = Behaviour(
            latency_seconds=flags.latency,
            latency_spread=flags.spread,
            rate_per_second=flags.rate,
            private_access=flags.private_access,
            any_region=flags.any_region,
            picture=flags.picture,
        )
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        return give_up(NAME, f"{first['loc'][0]}: {first['msg']}.")
    server = make_server(behaviour, rng=random.Random(flags.seed))  # noqa: S311  # not for secrets
    return run(NAME, server, port=flags.port)


def _flags() -> argparse.Namespace:
    usual = Behaviour()
    parser = argparse.ArgumentParser(prog="sandbox.bedrock", description="A Bedrock simulator.")
    parser.add_argument("--port", type=int, default=PORT, help="on loopback; 0 takes a free one")
    parser.add_argument(
        "--latency", type=float, default=usual.latency_seconds, help="seconds an image takes"
    )
    parser.add_argument(
        "--spread", type=float, default=usual.latency_spread, help="how far off, as a share"
    )
    parser.add_argument(
        "--rate", type=float, default=usual.rate_per_second, help="starts a second, by route"
    )
    parser.add_argument("--seed", type=int, help="of random seeds and faults; fresh by default")
    parser.add_argument("--private-access", action="store_true", help="serve retired models")
    parser.add_argument("--any-region", action="store_true", help="serve models everywhere")
    parser.add_argument("--picture", choices=("full", "plain"), default=usual.picture)
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
