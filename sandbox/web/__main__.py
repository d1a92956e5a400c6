"""Run the page's server: `python -m sandbox.web --port N --api URL --feed URL --cognito URL …`."""

from __future__ import annotations

import argparse
import sys

from sandbox.loopback import run
from sandbox.places import REPOSITORY
from sandbox.web.backends import Backends
from sandbox.web.server import make_server

PORT = 4569


def main() -> int:
    """Serve until SIGTERM or Ctrl-C; 2 when it cannot start."""
    flags = _flags()
    backends = Backends(
        api=flags.api,
        feed=flags.feed,
        cognito=flags.cognito,
        client_id=flags.client_id,
        images=flags.images,
    )
    return run("Page", make_server(backends, root=REPOSITORY / "web"), port=flags.port)


def _flags() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="sandbox.web", description="The web page, on loopback.")
    parser.add_argument("--port", type=int, default=PORT, help="on loopback; 0 takes a free one")
    parser.add_argument("--api", required=True, help="the HTTP API's URL")
    parser.add_argument("--feed", required=True, help="the WebSocket API's URL, ws://…")
    parser.add_argument("--cognito", required=True, help="the user pool's endpoint")
    parser.add_argument("--client-id", required=True, help="the user pool's client")
    parser.add_argument("--images", required=True, help="the origin of the images' signed URLs")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
