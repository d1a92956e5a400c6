"""One process of `benchmarks.coldstart`: a handler that is asked the same again and again.

    python -m benchmarks.warm_requests FUNCTION EVENT_FILE

Its last line is JSON: `warm_cpu_ms`, the median of the requests after the first; `peak_mib`, the
most memory that the process had; and the last answer's `status`.
"""

from __future__ import annotations

import json
import resource
import statistics
import sys
import time
from importlib import import_module
from pathlib import Path
from typing import Any

from benchmarks.first_request import Context

REQUESTS = 50
KIB_OF_A_MIB = 1024


def main(name: str, event_file: str) -> None:
    """Answer the event of the file."""
    event: dict[str, Any] = json.loads(Path(event_file).read_text(encoding="utf-8"))
    handler = import_module(f"functions.{name}.handler").handler
    answer = handler(event, Context())
    took = []
    for _request in range(REQUESTS):
        before = time.process_time()
        answer = handler(event, Context())
        took.append(time.process_time() - before)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / KIB_OF_A_MIB
    said = {
        "warm_cpu_ms": round(statistics.median(took) * 1000, 1),
        "peak_mib": round(peak),
        "status": answer["statusCode"],
    }
    print(json.dumps(said), flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
