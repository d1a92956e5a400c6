"""Run the page's server: `python -m sandbox.web --port N --api URL --feed URL --cognito URL …`."""

from __future__ import annotations

import argparse
import sys

from sandbox.loopback import HOST, PORT_MAX, listen, serve
from sandbox.places import REPOSITORY
from sandbox.web.backends import Backends
from sandbox.web.server import make_server

PORT = 4569


def main() -> int:
    """Serve until SIGTERM or Ctrl-C; 2 when it cannot start."""
    flags = _flags()
    if not 0 <= flags.port <= PORT_MAX:
        return _give_up(f"{flags.port} is not a port.")
    try:
        listener = listen(flags.port)
    except OSError as error:
        return _give_up(f"Port {flags.port} cannot be listened on: {error.strerror}.")
    print(f"Page on http://{HOST}:{listener.getsockname()[1]}/", flush=True)  # noqa: T201
    backends = Backends(
        api=flags.api,
        feed=flags.feed,
        cognito=flags.cognito,
        client_id=flags.client_id,
        images=flags.images,
    )
    serve(make_server(backends, root=REPOSITORY / "web"), listener)
    return 0


def _flags() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="sandbox.web", description="The web page, on loopback.")
    parser.add_argument("--port", type=int, default=PORT, help="on loopback; 0 takes a free one")
    parser.add_argument("--api", required=True, help="the HTTP API's URL")
    parser.add_argument("--feed", required=True, help="the WebSocket API's URL, ws://…")
    parser.add_argument("--cognito", required=True, help="the user pool's endpoint")
    parser.add_argument("--client-id", required=True, help="the user pool's client")
    parser.add_argument("--images", required=True, help="the origin of the images' signed URLs")
    return parser.parse_args()


def _give_up(sentence: str) -> int:
    print(f"Page: {sentence}", file=sys.stderr)  # noqa: T201
    return 2


if __name__ == "__main__":
    sys.exit(main())
