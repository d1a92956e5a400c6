"""The drawing process: a JSON order a line comes in, and for each a base64 image goes out.

It ends with its stdin, so it cannot outlive the server that feeds it.
"""

from __future__ import annotations

import base64
import json
import os
import signal
import sys

from sandbox.bedrock.picture.draw import draw
from sandbox.bedrock.picture.orders import LENGTH_BYTES, Painting

NICENESS = 5
"""Drawing gives way to everything that is being timed."""


def main() -> None:
    """Draw until stdin ends; Ctrl-C is for the server, which then closes it."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    os.nice(NICENESS)
    for line in sys.stdin.buffer:
        image = base64.b64encode(draw(Painting(*json.loads(line))))
        sys.stdout.buffer.write(len(image).to_bytes(LENGTH_BYTES, "big") + image)
        sys.stdout.buffer.flush()


if __name__ == "__main__":
    main()
