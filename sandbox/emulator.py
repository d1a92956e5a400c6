"""The servers of the local run: AWS (MiniStack), Bedrock's image models, VNPAY and the page."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping

import httpx

from sandbox.environment import ACCOUNT, HOME_REGION, SECRET, clean
from sandbox.errors import CommandError
from sandbox.places import REPOSITORY, Places
from sandbox.ports import HOST
from sandbox.processes import Child, start, wait_healthy
from sandbox.web.backends import Backends

START_SECONDS = 60.0
"""Two on an idle machine; a busy one gets time."""
CONCURRENCY_MIN, CONCURRENCY_MAX = 48, 200
"""Lambda invocations at once, over all functions, as far as memory and cores go …"""
CONCURRENCY_EACH_CORE = 32
"""A function's process keeps a core busy for most of a second when it starts."""
CONCURRENCY_UNRESERVED = 20
"""… and how many there are at least beside the workers, whose number the routes decide."""
RATE_MIN = 0.1
"""The simulator's lowest quota; a slower route just does not use it up."""
FUNCTION_BYTES = 64 * 1024 * 1024
"""What one of the functions' processes takes; about 50 MiB as measured."""


def concurrency(memory_bytes: int, *, cores: int, workers: int) -> int:
    """How many invocations the cores and half of the memory bear, or what the workers need."""
    borne = min(memory_bytes // 2 // FUNCTION_BYTES, cores * CONCURRENCY_EACH_CORE)
    fitting = max(CONCURRENCY_MIN, min(CONCURRENCY_MAX, borne))
    return max(fitting, workers + CONCURRENCY_UNRESERVED)


def start_simulator(
    places: Places,
    env: Mapping[str, str],
    *,
    port: int,
    latency_seconds: float,
    rate: float,
    private_access: bool,
    any_region: bool,
) -> Child:
    """Start the image models, `rate` starts a second at most, each `latency_seconds` long.

    `private_access` serves retired models too, `any_region` all models everywhere.
    """
    allowed = {"--private-access": private_access, "--any-region": any_region}
    return start(
        "The model simulator",
        [
            sys.executable,
            *("-m", "sandbox.bedrock", "--port", str(port)),
            *("--latency", str(latency_seconds), "--rate", str(max(rate, RATE_MIN))),
            *(flag for flag, given in allowed.items() if given),
        ],
        env=clean(env),
        cwd=REPOSITORY,
        log=places.log("simulator"),
    )


def start_gateway(
    places: Places, env: Mapping[str, str], *, port: int, tmn_code: str, hash_secret: str
) -> Child:
    """Start VNPAY, with this one merchant."""
    return start(
        "The VNPAY simulator",
        [
            sys.executable,
            *("-m", "sandbox.vnpay", "--port", str(port), "--tmn-code", tmn_code),
        ],
        env=clean(env) | {"VNPAY_HASH_SECRET": hash_secret},
        cwd=REPOSITORY,
        log=places.log("vnpay"),
    )


def start_emulator(
    places: Places, env: Mapping[str, str], *, port: int, simulator_url: str, workers: int
) -> Child:
    """Start AWS on loopback, with IAM enforced, and nothing in it.

    Functions are started by the emulator and inherit its environment, which is how they find the
    simulated models and the feed's sockets without the template knowing about them. They must not
    find this repository: what is not in their package has to be missing here too.
    """
    places.scratch.mkdir(parents=True, exist_ok=True)
    memory_bytes = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    at_once = concurrency(memory_bytes, cores=os.cpu_count() or 1, workers=workers)
    settings = {
        "AUTH": "true",
        "AWS_ACCESS_KEY_ID": ACCOUNT,
        "AWS_SECRET_ACCESS_KEY": SECRET,
        "AWS_ENDPOINT_URL_APIGATEWAYMANAGEMENTAPI": f"http://{HOST}:{port}/_aws/execute-api",
        "AWS_ENDPOINT_URL_BEDROCK_RUNTIME": simulator_url,
        "BIND_HOST": HOST,
        "GATEWAY_PORT": str(port),
        "IOT_MTLS_ENABLED": "0",
        "LAMBDA_ACCOUNT_CONCURRENCY": str(at_once),
        "LOG_LEVEL": "INFO",
        "MINISTACK_COGNITO_PRETOKEN_STRICT": "1",
        "MINISTACK_REGION": HOME_REGION,
        "SFTP_ENABLED": "0",
        "TMPDIR": str(places.scratch),
    }
    return start(
        "The AWS emulator",
        [sys.executable, "-P", REPOSITORY / "sandbox" / "mended_emulator.py"],
        env=clean(env) | settings,
        cwd=places.scratch,
        log=places.log("emulator"),
    )


def start_page(places: Places, env: Mapping[str, str], *, port: int, backends: Backends) -> Child:
    """Start the page's server."""
    flags = {
        "--port": str(port),
        "--api": backends.api,
        "--feed": backends.feed,
        "--cognito": backends.cognito,
        "--client-id": backends.client_id,
        "--images": backends.images,
    }
    return start(
        "The page's server",
        [sys.executable, "-m", "sandbox.web", *(part for flag in flags.items() for part in flag)],
        env=clean(env),
        cwd=REPOSITORY,
        log=places.log("page"),
    )


def wait_page(page: Child, url: str) -> None:
    """Return once the page can be loaded."""
    wait_healthy(page, f"{url}config.json", seconds=START_SECONDS)


def wait_ready(simulator: Child, gateway: Child, emulator: Child, *, port: int) -> None:
    """Return once all answer."""
    wait_healthy(emulator, f"http://{HOST}:{port}/_ministack/health", seconds=START_SECONDS)
    for number, child in enumerate((simulator, gateway), start=1):
        url = f"http://{HOST}:{port + number}/_control/health"
        wait_healthy(child, url, seconds=START_SECONDS)


def set_rates(simulator_url: str, rates: Mapping[str, float]) -> None:
    """Give each route (`model@region`) its quota, where they differ; raises CommandError."""
    if len(set(rates.values())) == 1:
        return
    quotas = {name: max(rate, RATE_MIN) for name, rate in rates.items()}
    try:
        answer = httpx.post(
            f"{simulator_url}/_control/settings", json={"rates": quotas}, trust_env=False
        )
        answer.raise_for_status()
    except httpx.HTTPError as error:
        raise CommandError(f"The model simulator does not take the rates: {error}") from error
