"""The local run as a whole: start it, watch it, stop it, and find it again."""

from __future__ import annotations

import fcntl
import json
import shutil
import signal
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import NoReturn
from urllib.parse import urlsplit

from sandbox import configuration, deploy, emulator, merchant
from sandbox.configuration import Configuration
from sandbox.errors import AlreadyRunning, CommandError, NotRunning
from sandbox.people import LOCAL_PERSON, Person, local_people, new_password
from sandbox.places import Places
from sandbox.ports import HOST, PORTS, require_free
from sandbox.processes import Child, alive, ask_to_stop, myself, signals_held, stop
from sandbox.state import Outputs, State, emulated_api_url, page_url, read, write
from sandbox.web.backends import Backends

OWNER_STOP_SECONDS = 20.0
"""How long a run in another terminal may take to stop all its parts."""
_WATCH_SECONDS = 0.5

Tell = Callable[[str], None]
"""Says a step, when it begins."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """What a person may choose; `port` is the emulator's, the other servers have the next ones."""

    port: int = 4566
    model_latency_seconds: float = 3.0
    model_rate: float | None = None
    """Starts a second that every route allows; None is what cdk.json says of each."""


def start(
    places: Places,
    env: Mapping[str, str],
    options: Options,
    *,
    tell: Tell,
    foreground: bool,
) -> State:
    """Start everything; what was started is stopped again if anything fails.

    Raises AlreadyRunning, PortTaken, or CommandError for a part that does not come up.
    """
    with _only_one(places):
        _clear_leftovers(places, tell)
        for number in range(PORTS):
            require_free(options.port + number)
        configured = configuration.for_local_run(
            configuration.read(),
            rate=options.model_rate,
            latency_seconds=options.model_latency_seconds,
            page_url=page_url(options.port),
        )
        state = State(
            phase="starting",
            foreground=foreground,
            owner=myself("imagify up"),
            port=options.port,
            routes=configured.routes,
            person_password=new_password(),
        )
        write(places.state, state)
        try:
            return _start(places, env, options, configured, state, tell=tell)
        except BaseException:
            stop_parts(places)
            raise


def _start(
    places: Places,
    env: Mapping[str, str],
    options: Options,
    configured: Configuration,
    state: State,
    *,
    tell: Tell,
) -> State:
    hash_secret = merchant.new_secret()
    tell("Starting the simulated models and VNPAY, and the AWS emulator")
    state = _start_servers(
        places, env, options, state, workers=configured.workers, hash_secret=hash_secret
    )
    emulator.set_rates(state.simulator_url, configured.rates)
    context = _context(configured)
    assembly = deploy.synthesized(deploy.synth_key(context))
    if assembly is None:
        tell("Synthesizing the stack (only when its sources have changed)")
        assembly = deploy.synthesize(places, env, endpoint=state.emulator_url, context=context)
    tell("Deploying the stack with the AWS CDK")
    outputs = deploy.deploy(places, env, endpoint=state.emulator_url, assembly=assembly)
    api_url = emulated_api_url(state.emulator_url, outputs)
    state = state.model_copy(update={"outputs": outputs, "api_url": api_url})
    tell("Starting the page, connecting the merchant, signing in the first person")
    with signals_held():
        page = emulator.start_page(
            places, env, port=options.port + 3, backends=_backends(state, outputs, api_url)
        )
        state = _with_child(places, state, page)
    merchant.store_account(
        state.emulator_url,
        state.gateway_url,
        api_url,
        parameter=outputs.VnpayParameter,
        hash_secret=hash_secret,
    )
    merchant.register_ipn(state.gateway_url, api_url)
    people = local_people(state.emulator_url, outputs)
    person = Person(LOCAL_PERSON, state.person_password)
    people.create(person)
    people.sign_in(person)
    emulator.wait_page(page, state.page_url)
    state = state.model_copy(update={"phase": "ready"})
    write(places.state, state)
    return state


def _start_servers(
    places: Places,
    env: Mapping[str, str],
    options: Options,
    state: State,
    *,
    workers: int,
    hash_secret: str,
) -> State:
    """Start the emulator and the two simulators, each written down as soon as it runs."""
    routes, today = state.routes, datetime.now(UTC).date()
    with signals_held():
        simulator = emulator.start_simulator(
            places,
            env,
            port=options.port + 1,
            latency_seconds=options.model_latency_seconds,
            rate=routes[0].rate_per_second,
            private_access=configuration.needs_private_access(routes, today),
            any_region=configuration.needs_any_region(routes, today),
        )
        state = _with_child(places, state, simulator)
    with signals_held():
        gateway = emulator.start_gateway(
            places,
            env,
            port=options.port + 2,
            tmn_code=merchant.TMN_CODE,
            hash_secret=hash_secret,
        )
        state = _with_child(places, state, gateway)
    with signals_held():
        aws = emulator.start_emulator(
            places,
            env,
            port=options.port,
            simulator_url=state.simulator_url,
            workers=workers,
        )
        state = _with_child(places, state, aws)
    emulator.wait_ready(simulator, gateway, aws, port=options.port)
    return state


def watch(state: State, noted: Sequence[int]) -> NoReturn:
    """Return never; raises CommandError when a part stops by itself.

    A signal that was `noted` and has ended nothing is raised again.
    """
    while True:
        if noted:
            signal.raise_signal(noted[0])
        for child in state.children:
            if not alive(child):
                raise CommandError(
                    f"{child.name} has stopped by itself; see {child.log}. The run is over."
                )
        time.sleep(_WATCH_SECONDS)


def find(places: Places) -> State:
    """The run that is ready; raises NotRunning with what to do instead."""
    state = read(places.state)
    if state is None:
        raise NotRunning("The local run is not up. Start it: bin/imagify up --detach, or make run.")
    if state.up:
        return state
    if state.phase == "starting" and alive(state.owner):
        raise NotRunning("The local run is still starting; try again in a moment.")
    raise NotRunning(
        "The local run has been killed or has lost a part. Start it again: bin/imagify up --detach."
    )


def stop_all(places: Places) -> int:
    """Stop the run, wherever it was started; answer how many of its programs there were."""
    state = read(places.state)
    if state is None:
        return 0
    running = sum(map(alive, state.children))
    if _owned_elsewhere(state) and not ask_to_stop(state.owner, seconds=OWNER_STOP_SECONDS):
        raise CommandError(f"imagify up (process {state.owner.pid}) does not stop; kill it.")
    return max(running, stop_parts(places))


def stop_parts(places: Places) -> int:
    """Stop what the state file names, and forget it."""
    with signals_held():
        state = read(places.state)
        stopped = 0 if state is None else stop(state.children)
        places.state.unlink(missing_ok=True)
        shutil.rmtree(places.scratch, ignore_errors=True)
    return stopped


def _clear_leftovers(places: Places, tell: Tell) -> None:
    """Stop what a killed run has left; raises AlreadyRunning when one is well."""
    state = read(places.state)
    if state is None:
        return
    if state.up or _owned_elsewhere(state):
        where = state.api_url or f"port {state.port}"
        raise AlreadyRunning(f"The local run is up already ({where}). Stop it: bin/imagify down")
    tell("Clearing what an earlier run has left behind")
    stop_parts(places)


def _owned_elsewhere(state: State) -> bool:
    """Whether another terminal's `imagify up` looks after the run."""
    here = myself("").pid
    kept = state.foreground or state.phase == "starting"
    return kept and state.owner.pid != here and alive(state.owner)


@contextmanager
def _only_one(places: Places) -> Iterator[None]:
    """One start at a time; the system lets go of the lock when its holder dies."""
    places.home.mkdir(parents=True, exist_ok=True)
    with places.lock.open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise AlreadyRunning(
                "Another imagify up is starting right now; wait for it, or: bin/imagify down"
            ) from error
        yield


def _with_child(places: Places, state: State, child: Child) -> State:
    """Write a started program down before anything can go wrong with the next."""
    state = state.model_copy(update={"children": (*state.children, child)})
    write(places.state, state)
    return state


def _context(configured: Configuration) -> dict[str, str]:
    """The CDK context that makes the stack a local one; it stands before what cdk.json says."""
    return {"sandbox": deploy.ASSETS_BUCKET, "imagify": json.dumps(configured.settings)}


def _backends(state: State, outputs: Outputs, api_url: str) -> Backends:
    """What the page works with; the emulator is Cognito, and where images are, too."""
    return Backends(
        api=api_url,
        feed=_feed_url(state.port, outputs),
        cognito=f"{state.emulator_url}/",
        client_id=outputs.UserPoolClientId,
        images=state.emulator_url,
    )


def _feed_url(port: int, outputs: Outputs) -> str:
    """The WebSocket API on the emulator: the name that AWS would give it leads nowhere here."""
    parts = urlsplit(outputs.FeedUrl)
    api_id = (parts.hostname or "").partition(".")[0]
    return f"ws://{HOST}:{port}/_aws/execute-api/{api_id}{parts.path.rstrip('/')}"
