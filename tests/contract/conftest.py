"""One suite per port, over each backend: what the fakes promise, the adapters keep."""

from __future__ import annotations

import importlib.util
import os
import socket
import subprocess
import sys
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from urllib.error import URLError
from urllib.request import ProxyHandler, build_opener

import pytest
from moto import mock_aws

from common.aws.dynamo_acts import DynamoActs
from common.aws.dynamo_jobs import DynamoJobStore
from common.aws.dynamo_ledger import DynamoLedger
from common.aws.dynamo_lines import DynamoLines
from common.aws.dynamo_payments import DynamoPaymentStore
from common.aws.dynamo_users import DynamoUserStore
from tests.contract.backends import (
    ACTS_TABLE,
    EMULATOR,
    JOBS_TABLE,
    LEDGER_TABLE,
    MEMORY,
    MOTO,
    PAYMENTS_TABLE,
    ROUTES_TABLE,
    USERS_TABLE,
    Aws,
    Endpoint,
    Stores,
)
from tests.fakes import MemoryActs, MemoryJobStore, MemoryLines, MemoryTables, MemoryUserStore
from tests.fakes_money import MemoryLedger, MemoryPaymentStore

HOST = "127.0.0.1"
START_SECONDS = 30


def _free_port() -> int:
    with closing(socket.socket()) as probe:
        probe.bind((HOST, 0))
        port: int = probe.getsockname()[1]
        return port


def _wait_healthy(process: subprocess.Popen[bytes], url: str, log: Path) -> None:
    opener = build_opener(ProxyHandler({}))
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline and process.poll() is None:
        try:
            with opener.open(f"{url}/_ministack/health", timeout=2):
                return
        except (URLError, OSError):
            time.sleep(0.05)
    pytest.fail(f"The AWS emulator did not start:\n{log.read_text()[-2000:]}")


@pytest.fixture(scope="session")
def emulator(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Endpoint]:
    """An AWS emulator of this session's own, on loopback, with IAM off and nothing in it."""
    if importlib.util.find_spec("ministack") is None:
        if os.environ.get("CI") == "true":
            pytest.fail("ministack is not installed")
        pytest.skip("ministack is not installed")
    home = tmp_path_factory.mktemp("emulator")
    port = _free_port()
    url = f"http://{HOST}:{port}"
    endpoint = Endpoint(url=url)
    env = {name: value for name, value in os.environ.items() if not name.startswith("AWS_")}
    env |= {
        "BIND_HOST": HOST,
        "GATEWAY_PORT": str(port),
        "IOT_MTLS_ENABLED": "0",
        "MINISTACK_REGION": endpoint.region,
        "SFTP_ENABLED": "0",
        "TMPDIR": str(home),
    }
    log = home / "log"
    with log.open("wb") as output:
        process = subprocess.Popen(
            [sys.executable, "-P", "-m", "ministack"],
            cwd=home,
            env=env,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,  # Ctrl-C reaches pytest alone, which then stops this
        )
    try:
        _wait_healthy(process, url, log)
        yield endpoint
    finally:
        process.terminate()
        try:
            process.wait(timeout=10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


@pytest.fixture(scope="session")
def emulator_aws(emulator: Endpoint) -> Iterator[Aws]:
    aws = Aws.at(emulator)
    aws.create()
    yield aws
    aws.close()


@pytest.fixture
def moto_aws(monkeypatch: pytest.MonkeyPatch) -> Iterator[Aws]:
    for name in [name for name in os.environ if name.startswith("AWS_")]:
        monkeypatch.delenv(name)
    with mock_aws():
        aws = Aws.at(Endpoint(url=None))
        aws.create()
        yield aws
        aws.close()


@pytest.fixture(
    params=[MEMORY, MOTO, pytest.param(EMULATOR, marks=pytest.mark.emulator)],
)
def backend(request: pytest.FixtureRequest) -> Aws | None:
    """Where the stores are; None for memory."""
    if request.param == MEMORY:
        return None
    aws: Aws = request.getfixturevalue("moto_aws" if request.param == MOTO else "emulator_aws")
    return aws


@pytest.fixture
def stores(backend: Aws | None) -> Stores:
    if backend is None:
        tables = MemoryTables()
        return Stores(
            jobs=MemoryJobStore(tables),
            users=MemoryUserStore(tables),
            payments=MemoryPaymentStore(tables),
            books=MemoryLedger(tables),
            acts=MemoryActs(tables),
            ledger=lambda user_id: [
                entry for entry in tables.ledger.values() if entry.user_id == user_id
            ],
        )
    return Stores(
        jobs=DynamoJobStore(
            backend.dynamodb,
            jobs_table=JOBS_TABLE,
            users_table=USERS_TABLE,
            ledger_table=LEDGER_TABLE,
            acts_table=ACTS_TABLE,
        ),
        users=DynamoUserStore(backend.dynamodb, users_table=USERS_TABLE, ledger_table=LEDGER_TABLE),
        payments=DynamoPaymentStore(
            backend.dynamodb,
            payments_table=PAYMENTS_TABLE,
            users_table=USERS_TABLE,
            ledger_table=LEDGER_TABLE,
        ),
        acts=DynamoActs(backend.dynamodb, acts_table=ACTS_TABLE),
        books=DynamoLedger(backend.dynamodb, users_table=USERS_TABLE, ledger_table=LEDGER_TABLE),
        ledger=backend.ledger,
    )


@pytest.fixture
def lines(backend: Aws | None) -> MemoryLines | DynamoLines:
    if backend is None:
        return MemoryLines()
    return DynamoLines(backend.dynamodb, routes_table=ROUTES_TABLE)


@pytest.fixture
def fresh() -> Callable[[str], str]:
    """Names that no other test has used: the emulator's tables outlive a test."""
    suffix = uuid.uuid4().hex[:12]
    return lambda name: f"{name}-{suffix}"
