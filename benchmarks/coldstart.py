"""How long a function takes from nothing to its first answer: `make bench-coldstart`.

Each start is a process of its own that imports the handler and answers one request, against a
stand-in of AWS that answers at once. Beside the product runs a bare handler, which makes the same
clients and the same calls with boto3 and does nothing else. The two take turns, so that whatever
else this machine does meets both; what counts is the median of the pairs' ratios.
This is not AWS: no package is fetched there, no snapshot is restored, and the processor is another.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import statistics
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from benchmarks.instant_aws import instant_aws
from common.config import Config
from common.packages import PACKAGES
from common.routes import ROUTES
from sandbox.environment import HOME_REGION, for_aws
from sandbox.places import REPOSITORY

PAIRS = 15
RATIO_MAX = 1.35
JUDGED = ("submit", "status")
"""What people wait for most; the others are told."""
REQUESTS = {
    "submit": "post_jobs",
    "status": "get_job",
    "accounts": "get_me",
    "payments": "post_payments",
    "feed": "post_tickets",
}
"""Each function's first request, of those in tests/handlers/events."""
EVENTS = REPOSITORY / "tests" / "handlers" / "events"
START_SECONDS_MAX = 60


@dataclass(frozen=True, slots=True, kw_only=True)
class Start:
    """One process, from its start to its end."""

    wall_ms: float
    cpu_ms: float
    """User and system time, which other programs on the machine disturb less."""
    import_ms: float
    request_ms: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Figures:
    """The medians of one function's pairs."""

    function: str
    product_ms: float
    bare_ms: float
    ratio: float
    """The median of the pairs' ratios, by the clock."""
    product_cpu_ms: float
    bare_cpu_ms: float
    cpu_ratio: float
    product_import_ms: float
    product_request_ms: float
    warm_cpu_ms: float
    """The product's processor time for a request after the first."""
    peak_mib: int
    """The most memory that such a process had."""


def main(argv: Sequence[str]) -> int:
    """Measure, print, and answer 1 if a judged function is over the limit."""
    parser = argparse.ArgumentParser(prog="benchmarks.coldstart", description=__doc__)
    parser.add_argument("--json", action="store_true", help="one JSON object")
    parser.add_argument("--pairs", type=int, default=PAIRS, metavar="N")
    parser.add_argument("functions", nargs="*", metavar="FUNCTION", help="all unless named")
    options = parser.parse_args(argv)
    unknown = set(options.functions) - set(REQUESTS)
    if unknown or options.pairs < 1:
        parser.error(f"N is 1 or more, and a function is one of {', '.join(REQUESTS)}")
    names = options.functions or list(REQUESTS)
    with instant_aws() as endpoint:
        env = environment(endpoint)
        measured = [measure(name, env, pairs=options.pairs) for name in names]
    if options.json:
        print(json.dumps({figures.function: asdict(figures) for figures in measured}))
    else:
        print(_table(measured))
    over = [one for one in measured if one.function in JUDGED and one.ratio > RATIO_MAX]
    return 1 if over else 0


def measure(name: str, env: Mapping[str, str], *, pairs: int) -> Figures:
    """Start the product and the bare handler in turns; a first pair, uncounted, fills caches."""
    started = [
        (_start("product", name, env), _start("bare", name, env)) for _pair in range(pairs + 1)
    ][1:]
    products, bares = zip(*started, strict=True)

    def ratio(what: str) -> float:
        pairs = ((asdict(product)[what], asdict(bare)[what]) for product, bare in started)
        middle: float = statistics.median(product / bare for product, bare in pairs)
        return middle

    return Figures(
        function=name,
        product_ms=_median(products, "wall_ms"),
        bare_ms=_median(bares, "wall_ms"),
        ratio=round(ratio("wall_ms"), 3),
        product_cpu_ms=_median(products, "cpu_ms"),
        bare_cpu_ms=_median(bares, "cpu_ms"),
        cpu_ratio=round(ratio("cpu_ms"), 3),
        product_import_ms=_median(products, "import_ms"),
        product_request_ms=_median(products, "request_ms"),
        **_warm(name, env),
    )


def _median(starts: Sequence[Start], what: str) -> float:
    values: list[float] = [asdict(start)[what] for start in starts]
    return round(statistics.median(values), 1)


def _start(kind: str, name: str, env: Mapping[str, str]) -> Start:
    """Run one process; raises RuntimeError unless it answers with success."""
    before, began = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
    said = _run(["benchmarks.first_request", kind, name], name, env)
    wall_seconds = time.perf_counter() - began
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    cpu_seconds = after.ru_utime - before.ru_utime + after.ru_stime - before.ru_stime
    return Start(
        wall_ms=wall_seconds * 1000,
        cpu_ms=cpu_seconds * 1000,
        import_ms=said["import_ms"],
        request_ms=said["request_ms"],
    )


def _warm(name: str, env: Mapping[str, str]) -> dict[str, Any]:
    said = _run(["benchmarks.warm_requests", name], name, env)
    return {what: said[what] for what in ("warm_cpu_ms", "peak_mib")}


def _run(program: Sequence[str], name: str, env: Mapping[str, str]) -> dict[str, Any]:
    """What the program says of the function's request."""
    done = subprocess.run(  # noqa: S603 - our own program
        [sys.executable, "-m", *program, str(EVENTS / f"{REQUESTS[name]}.json")],
        cwd=REPOSITORY,
        env=dict(env),
        capture_output=True,
        text=True,
        check=False,
        timeout=START_SECONDS_MAX,
    )
    said: dict[str, Any] = json.loads(done.stdout.splitlines()[-1]) if not done.returncode else {}
    if said.get("status") not in (200, 201, 202):
        raise RuntimeError(f"{' '.join(program)} did not answer: {done.stdout}{done.stderr}")
    return said


def environment(endpoint: str) -> dict[str, str]:
    """What the functions are told, all at once: each reads what is its own."""
    config = Config()
    tables = ("JOBS", "USERS", "LEDGER", "PAYMENTS", "ROUTES", "CONNECTIONS")
    return {
        **for_aws(os.environ, endpoint=endpoint),
        **{f"{name}_TABLE": name.lower() for name in tables},
        "HOME_REGION": HOME_REGION,
        "IMAGES_BUCKET": "images",
        "QUEUE_URL": f"{endpoint}/000000000000/jobs",
        "ROUTES": ROUTES.dump_json(config.routes).decode(),
        "WORKERS": str(config.workers),
        "PACKAGES": PACKAGES.dump_json(config.packages).decode(),
        "PAGE_URL": config.page_url,
        "VNPAY_PARAMETER": config.vnpay_parameter,
        "FEED_API_ID": "feed000000",
        "FEED_STAGE": "live",
        "POWERTOOLS_SERVICE_NAME": "coldstart",
        "POWERTOOLS_METRICS_NAMESPACE": "coldstart",
        "PYDANTIC_DISABLE_PLUGINS": "__all__",
    }


def _table(measured: Sequence[Figures]) -> str:
    heads = "function   product     bare  ratio   product cpu  bare cpu  ratio   import  request"
    lines = [f"{heads}     warm cpu    peak"]
    lines += [
        f"{one.function:9} {one.product_ms:5.0f} ms {one.bare_ms:5.0f} ms {one.ratio:6.2f}"
        f" {one.product_cpu_ms:10.0f} ms {one.bare_cpu_ms:6.0f} ms {one.cpu_ratio:6.2f}"
        f" {one.product_import_ms:5.0f} ms {one.product_request_ms:5.0f} ms"
        f" {one.warm_cpu_ms:9.1f} ms {one.peak_mib:3} MiB"
        for one in measured
    ]
    return "\n".join(lines)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
