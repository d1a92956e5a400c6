"""One process of `benchmarks.coldstart`: import a handler, answer one request, say what it took.

    python -m benchmarks.first_request product|bare FUNCTION EVENT_FILE

Its last line is JSON: `import_ms`, `request_ms`, and the answer's `status`.
"""

from __future__ import annotations

import json
import os
import sys
import time
from importlib import import_module

BEGAN = time.perf_counter()


class Context:
    """What Lambda tells of an invocation."""

    function_name = "coldstart"
    memory_limit_in_mb = 512
    invoked_function_arn = "arn:aws:lambda:ap-southeast-1:111122223333:function:coldstart"
    aws_request_id = "request-1"


def main(kind: str, name: str, event_file: str) -> None:
    """Answer the event of the file."""
    with open(event_file, encoding="utf-8") as file:  # noqa: PTH123 - pathlib is an import
        event = json.load(file)
    if kind == "bare":
        from benchmarks import bare_handler  # noqa: PLC0415 - this is what is measured

        imported = time.perf_counter()
        answer = bare_handler.HANDLERS[name](event)
    else:
        product = import_module(f"functions.{name}.handler")
        imported = time.perf_counter()
        answer = product.handler(event, Context())
    ended = time.perf_counter()
    took = {
        "import_ms": round((imported - BEGAN) * 1000, 1),
        "request_ms": round((ended - imported) * 1000, 1),
        "status": answer["statusCode"],
    }
    print(json.dumps(took), flush=True)
    os._exit(0)  # Lambda keeps the process: to tear it down is no part of a start


if __name__ == "__main__":
    main(*sys.argv[1:])
