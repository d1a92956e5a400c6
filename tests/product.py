"""The whole product, started once a session: people, their clients, the simulators' controls."""

from __future__ import annotations

import importlib.util
import os
import shutil
import signal
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import httpx
import pytest

from sandbox import run
from sandbox.people import Person, local_people, stranger
from sandbox.places import REPOSITORY, Places
from sandbox.ports import free_ports
from sandbox.processes import alive
from sandbox.state import Outputs, State, read
from tests.e2e.vnpay import Vnpay

MODEL_LATENCY_SECONDS = 1.0
FIRST_PORT = 14566
"""Where the session's run is when it can be, so that its stack need not be synthesized each time;
ports that the system does not give away by itself."""
HOME = REPOSITORY / ".sandbox" / "tests"


@dataclass(frozen=True, slots=True)
class SignedIn:
    """A person with a user, welcome credits and an ID token."""

    person: Person
    token: str


@dataclass(frozen=True, slots=True)
class Sandbox:
    """The running product."""

    state: State
    places: Places

    @property
    def api_url(self) -> str:
        assert self.state.api_url is not None
        return self.state.api_url

    @property
    def outputs(self) -> Outputs:
        assert self.state.outputs is not None
        return self.state.outputs

    @property
    def control_url(self) -> str:
        """The model simulator's controls: /state, /settings, /behaviour, /reset."""
        return f"{self.state.simulator_url}/_control"


@pytest.fixture(scope="session")
def sandbox(request: pytest.FixtureRequest) -> Iterator[Sandbox]:
    """The stack as `imagify up` starts it, on ports of this session's own.

    Its logs stay under .sandbox/tests when a test has failed.
    """
    _require_installed()
    _stop_abandoned()
    # Whoever ends the tests in the midst of things gets the same tidy end as with Ctrl-C.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    places = Places(HOME / str(os.getpid()))
    options = run.Options(port=free_ports(FIRST_PORT), model_latency_seconds=MODEL_LATENCY_SECONDS)
    state = run.start(places, os.environ, options, tell=lambda _step: None, foreground=True)
    try:
        yield Sandbox(state, places)
    finally:
        run.stop_parts(places)
        if not request.session.testsfailed:
            shutil.rmtree(places.home, ignore_errors=True)


@pytest.fixture
def new_person(sandbox: Sandbox) -> Callable[[], SignedIn]:
    """Makes people that nobody has met before, and signs them in."""
    people = local_people(sandbox.state.emulator_url, sandbox.outputs)

    def make() -> SignedIn:
        person = stranger()
        people.create(person)
        return SignedIn(person, people.sign_in(person))

    return make


@pytest.fixture
def open_api(sandbox: Sandbox) -> Iterator[Callable[[SignedIn | None], httpx.Client]]:
    """Makes HTTP clients of the API, each as one person, or as nobody."""
    clients: list[httpx.Client] = []

    def make(who: SignedIn | None) -> httpx.Client:
        headers = {} if who is None else {"Authorization": f"Bearer {who.token}"}
        client = httpx.Client(
            base_url=sandbox.api_url, headers=headers, timeout=30, trust_env=False
        )
        clients.append(client)
        return client

    yield make
    for client in clients:
        client.close()


@pytest.fixture
def api(
    open_api: Callable[[SignedIn | None], httpx.Client], new_person: Callable[[], SignedIn]
) -> httpx.Client:
    """The API as a person with nothing but the welcome credits."""
    return open_api(new_person())


@pytest.fixture
def control(sandbox: Sandbox) -> Iterator[httpx.Client]:
    """The model simulator's controls; whatever a test sets is forgotten after it."""
    with httpx.Client(base_url=sandbox.control_url, timeout=10, trust_env=False) as client:
        client.post("/reset").raise_for_status()
        yield client
        client.post("/reset").raise_for_status()


@pytest.fixture
def vnpay(sandbox: Sandbox) -> Iterator[Vnpay]:
    """The gateway, quick and patient; it behaves again after each test."""
    vnpay = Vnpay(sandbox.state.gateway_url)
    vnpay.behave()
    vnpay.settings(retry_seconds=1, query_gap_seconds=0, ipn_delay_seconds=0.1, refund_seconds=0)
    yield vnpay
    vnpay.behave()
    vnpay.close()


def _require_installed() -> None:
    """Without the emulator or the CDK there is nothing to test: fine here, not in CI."""
    if importlib.util.find_spec("ministack") and (REPOSITORY / "node_modules/.bin/cdk").exists():
        return
    if os.environ.get("CI") == "true":
        pytest.fail("The local run is not installed: make setup")
    pytest.skip("the local run is not installed: make setup")


def _stop_abandoned() -> None:
    """Stop what test sessions have left that were killed."""
    for home in HOME.glob("*"):
        places = Places(home)
        state = read(places.state)
        if state is not None and not alive(state.owner):
            run.stop_parts(places)
            shutil.rmtree(home, ignore_errors=True)
