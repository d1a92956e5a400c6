"""The commands of the README, as a person types them."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from PIL import Image

from sandbox.places import REPOSITORY, Places
from sandbox.ports import PORTS, free_ports
from sandbox.processes import alive
from sandbox.run import stop_parts
from sandbox.state import State, read
from tests.product import FIRST_PORT, Sandbox

READY_SECONDS_MAX = 60


@pytest.fixture
def home(tmp_path: Path) -> Iterator[Path]:
    """The state folder of a run of this test's own; whatever is left of it is stopped."""
    yield tmp_path / "state"
    stop_parts(Places(tmp_path / "state"))


def imagify(
    home: Path, *arguments: str, cwd: Path | None = None
) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [REPOSITORY / "bin" / "imagify", *arguments],
        env=os.environ | {"IMAGIFY_STATE_DIR": str(home)},
        cwd=cwd,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


@contextmanager
def staying_up(home: Path, port: str) -> Iterator[subprocess.Popen[bytes]]:
    """`imagify up` in the foreground; killed in the end, should nothing else have ended it."""
    with subprocess.Popen(
        [REPOSITORY / "bin" / "imagify", "up", "--port", port],
        env=os.environ | {"IMAGIFY_STATE_DIR": str(home)},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    ) as command:
        try:
            yield command
        finally:
            command.kill()


def started(home: Path) -> State:
    deadline = time.monotonic() + READY_SECONDS_MAX
    while time.monotonic() < deadline:
        state = read(Places(home).state)
        if state is not None and state.phase == "ready":
            return state
        time.sleep(0.1)
    pytest.fail("the local run was not ready in time")


def test_generate_saves_an_image_that_opens(sandbox: Sandbox, tmp_path: Path) -> None:
    done = imagify(sandbox.places.home, "generate", "a fox", "--out", "fox.png", cwd=tmp_path)

    assert done.returncode == 0, done.stderr
    assert done.stdout == "fox.png\n"
    assert "2 credits charged" in done.stderr
    with Image.open(tmp_path / "fox.png") as image:
        image.load()
        assert (image.format, image.size) == ("PNG", (1024, 1024))


def test_generate_several_says_everything_to_programs(sandbox: Sandbox, tmp_path: Path) -> None:
    done = imagify(sandbox.places.home, "generate", "owls", "--count=3", "--json", cwd=tmp_path)

    assert done.returncode == 0, done.stderr
    said = json.loads(done.stdout)
    assert [job["status"] for job in said["jobs"]] == ["succeeded"] * 3
    assert len({job["file"] for job in said["jobs"]}) == 3
    assert all((tmp_path / job["file"]).exists() for job in said["jobs"])
    assert said["credits_charged"] == 6
    assert said["balance"]["held"] == 0


def test_generate_never_replaces_a_file(sandbox: Sandbox, tmp_path: Path) -> None:
    (tmp_path / "mine.png").write_text("mine")

    done = imagify(sandbox.places.home, "generate", "a fox", "--out", "mine.png", cwd=tmp_path)

    assert done.returncode == 1
    assert "exists already" in done.stderr
    assert (tmp_path / "mine.png").read_text() == "mine"


def test_generate_says_in_one_sentence_what_was_refused(sandbox: Sandbox, tmp_path: Path) -> None:
    refused = imagify(sandbox.places.home, "generate", "gore", cwd=tmp_path)
    wrong = imagify(sandbox.places.home, "generate", "a fox", "--model", "x", cwd=tmp_path)

    for done, code in ((refused, "content_refused"), (wrong, "unknown_model")):
        assert done.returncode == 1
        assert done.stderr.splitlines()[-1].startswith("imagify: ")
        assert done.stderr.endswith(f"({code})\n")
        assert "Traceback" not in done.stderr
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("ending", [signal.SIGINT, signal.SIGTERM])
def test_up_stops_everything_on_a_signal(home: Path, ending: signal.Signals) -> None:
    with staying_up(home, str(free_ports(FIRST_PORT + PORTS))) as command:
        state = started(home)
        assert all(map(alive, state.children))

        command.send_signal(ending)

        assert command.wait(timeout=20) == 128 + ending
    assert not any(map(alive, state.children))
    assert read(Places(home).state) is None


def test_up_after_a_kill_clears_what_was_left(home: Path) -> None:
    port = str(free_ports(FIRST_PORT + PORTS))
    with staying_up(home, port) as command:
        before = started(home)
        command.kill()
    assert imagify(home, "status").returncode == 3

    again = imagify(home, "up", "--detach", "--port", port)

    assert again.returncode == 0, again.stderr
    assert not any(map(alive, before.children))
    assert json.loads(imagify(home, "status", "--json").stdout)["up"] is True
    assert imagify(home, "up", "--detach", "--port", port).returncode == 2
    assert imagify(home, "down").returncode == 0
    assert imagify(home, "status").returncode == 3
