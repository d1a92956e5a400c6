from __future__ import annotations

import signal
import stat
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from common.config import DEFAULT_ROUTES
from sandbox import deploy, run
from sandbox.emulator import concurrency
from sandbox.environment import clean, for_aws
from sandbox.errors import AlreadyRunning, CommandError, NotRunning, PortTaken
from sandbox.places import Places
from sandbox.ports import free_ports
from sandbox.processes import Child, alive, myself, start, stop
from sandbox.state import Outputs, State, emulated_api_url, read, write

OUTPUTS = Outputs(
    ApiUrl="https://abc123.execute-api.ap-southeast-1.amazonaws.com/",
    FeedUrl="wss://def456.execute-api.ap-southeast-1.amazonaws.com/live",
    UserPoolId="pool",
    UserPoolClientId="client",
    HomeRegion="ap-southeast-1",
    ImagesBucket="images",
    JobsQueueUrl="http://localhost/jobs",
    DeadLetterQueueUrl="http://localhost/dead",
    UsersTable="users",
    JobsTable="jobs",
    LedgerTable="ledger",
    RoutesTable="routes",
    ActsTable="",
    Routes="[]",
    PaymentsTable="payments",
    VnpayParameter="/imagify/vnpay",
)


@pytest.fixture
def places(tmp_path: Path) -> Places:
    return Places(tmp_path / "state")


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Child]:
    child = start(
        "A server",
        [sys.executable, "-c", "import time; time.sleep(60)"],
        env={},
        cwd=tmp_path,
        log=tmp_path / "server.log",
    )
    yield child
    stop([child])


def a_state(*children: Child, **changes: object) -> State:
    state = State(
        phase="ready",
        foreground=False,
        owner=dead(),
        port=1,
        routes=DEFAULT_ROUTES,
        children=children,
        outputs=OUTPUTS,
        api_url="http://127.0.0.1:1/api",
        person_password="secret",
    )
    return state.model_copy(update=changes)


def dead() -> Child:
    """A program that has ended."""
    return myself("gone").model_copy(update={"born": "long ago"})


def told() -> list[str]:
    return []


def test_state_is_read_as_written_and_only_by_its_owner(places: Places, server: Child) -> None:
    state = a_state(server)
    write(places.state, state)

    assert read(places.state) == state
    assert stat.S_IMODE(places.state.stat().st_mode) == 0o600


@pytest.mark.parametrize("content", ["", "{", '{"phase": "ready"}'])
def test_a_state_that_nobody_can_read_is_none(places: Places, content: str) -> None:
    places.home.mkdir()
    places.state.write_text(content)

    assert read(places.state) is None


def test_find_gives_a_run_that_is_up(places: Places, server: Child) -> None:
    write(places.state, a_state(server))

    assert run.find(places).api_url == "http://127.0.0.1:1/api"


def test_find_tells_what_is_the_matter(places: Places, server: Child) -> None:
    with pytest.raises(NotRunning, match="not up"):
        run.find(places)
    write(places.state, a_state(server, phase="starting", owner=myself("up")))
    with pytest.raises(NotRunning, match="still starting"):
        run.find(places)
    write(places.state, a_state(server, dead()))
    with pytest.raises(NotRunning, match="lost a part"):
        run.find(places)
    write(places.state, a_state(server, foreground=True))
    with pytest.raises(NotRunning, match="has been killed"):
        run.find(places)


def test_start_leaves_a_run_that_is_up_alone(places: Places, server: Child) -> None:
    write(places.state, a_state(server))

    with pytest.raises(AlreadyRunning, match="imagify down"):
        run.start(places, {}, run.Options(), tell=told().append, foreground=False)

    assert alive(server)
    assert read(places.state) is not None


def test_start_stops_what_a_killed_run_left_behind(
    places: Places, server: Child, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(places.state, a_state(server, phase="starting"))
    steps = told()
    monkeypatch.setattr(run, "require_free", _taken)

    with pytest.raises(PortTaken):
        run.start(places, {}, run.Options(), tell=steps.append, foreground=False)

    assert not alive(server)
    assert steps == ["Clearing what an earlier run has left behind"]


def test_start_stops_again_what_it_started_when_a_part_fails(
    places: Places, monkeypatch: pytest.MonkeyPatch
) -> None:
    started: list[Child] = []

    def fail(simulator: Child, gateway: Child, aws: Child, *, port: int) -> None:
        started.extend((simulator, gateway, aws))
        assert port
        raise CommandError("one part is broken")

    monkeypatch.setattr("sandbox.emulator.wait_ready", fail)
    with pytest.raises(CommandError, match="one part is broken"):
        run.start(places, {}, run.Options(port=free_ports()), tell=told().append, foreground=False)

    assert len(started) == 3
    assert not any(map(alive, started))
    assert read(places.state) is None


def test_two_starts_at_once_are_one(places: Places) -> None:
    places.home.mkdir()
    holder = (
        f"import fcntl; f = open({str(places.lock)!r}, 'w'); fcntl.flock(f, fcntl.LOCK_EX);"
        "print('held', flush=True); input()"
    )
    with subprocess.Popen(
        [sys.executable, "-c", holder], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as other:
        assert other.stdout is not None
        other.stdout.readline()
        with pytest.raises(AlreadyRunning, match="starting right now"):
            run.start(places, {}, run.Options(), tell=told().append, foreground=False)
        other.communicate(b"\n")


def test_a_signal_that_was_dropped_ends_the_run_all_the_same(server: Child) -> None:
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        with pytest.raises(KeyboardInterrupt):
            run.watch(a_state(server), [signal.SIGINT])
    finally:
        signal.signal(signal.SIGINT, before)


def test_stop_all_forgets_the_run(places: Places, server: Child) -> None:
    places.scratch.mkdir(parents=True)
    write(places.state, a_state(server))

    assert run.stop_all(places) == 1

    assert not alive(server)
    assert not places.scratch.exists()
    assert run.stop_all(places) == 0


def test_watch_ends_when_a_part_does(server: Child) -> None:
    with pytest.raises(CommandError, match="gone has stopped by itself"):
        run.watch(a_state(server, dead()), ())


def test_the_apis_are_found_on_the_emulator() -> None:
    api_url = emulated_api_url("http://127.0.0.1:7", OUTPUTS)
    assert api_url == "http://127.0.0.1:7/_aws/execute-api/abc123"
    assert run._feed_url(7, OUTPUTS) == "ws://127.0.0.1:7/_aws/execute-api/def456/live"


def test_programs_get_nothing_of_the_persons_aws_settings() -> None:
    person = {
        "PATH": "/bin",
        "HOME": "/home/me",
        "AWS_PROFILE": "production",
        "AWS_ENDPOINT_URL_S3": "https://example.com",
        "HTTPS_PROXY": "http://proxy.example.com",
        "CDK_DEFAULT_ACCOUNT": "123456789012",
        "PYTHONPATH": "/home/me",
        "ROUTES": "[]",
    }

    assert set(clean(person)) == {"PATH", "HOME", "PYTHONUNBUFFERED"}
    settings = for_aws(person, endpoint="http://127.0.0.1:1")
    assert settings["AWS_ENDPOINT_URL"] == "http://127.0.0.1:1"
    assert "production" not in settings.values()


def test_invocations_fit_into_memory_and_cores_and_leave_room_for_the_workers() -> None:
    gib = 2**30
    fitting = [concurrency(size * gib, cores=64, workers=28) for size in (1, 8, 16, 256)]
    assert fitting == [48, 64, 128, 200]
    assert [concurrency(64 * gib, cores=cores, workers=28) for cores in (1, 2, 4)] == [48, 64, 128]
    assert concurrency(gib, cores=1, workers=300) == 320


def test_a_synthesis_is_used_again_only_for_the_same_sources(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(deploy, "REPOSITORY", tmp_path)
    source = tmp_path / "infra" / "app.py"
    source.parent.mkdir()
    for name in ("cdk.json", "package-lock.json"):
        (tmp_path / name).touch()
    source.write_text("one")
    first = deploy.synth_key({})

    assert deploy.synth_key({"sandbox": "x"}) != first
    (source.parent / "app.pyc").write_text("compiled")
    assert deploy.synth_key({}) == first
    source.write_text("two")
    assert deploy.synth_key({}) != first


def _taken(port: int) -> None:
    raise PortTaken(f"{port} is taken")
