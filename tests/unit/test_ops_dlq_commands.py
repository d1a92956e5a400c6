"""`imagify dlq` as an operator types it, over a world on fakes."""

from __future__ import annotations

import json
import re
import signal
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from common.errors import ServiceFailed
from common.jobs import JobStatus
from ops import cli
from ops.interrupts import each_to_its_end, finishing
from sandbox.places import REPOSITORY
from tests.fakes_dead_letters import ORDER, StallingWorld
from tests.world import PROMPT

Printed = pytest.CaptureFixture[str]


class FakeStack:
    """A stack whose operator works in a world on fakes."""

    operator = ORDER.by

    def __init__(self, world: StallingWorld) -> None:
        self.desk = world.desk


@pytest.fixture
def world(monkeypatch: pytest.MonkeyPatch) -> StallingWorld:
    world = StallingWorld()
    monkeypatch.setattr("ops.stack.Stack", lambda _stage, _profile: FakeStack(world))
    monkeypatch.setattr("ops.cli._end_tidily", lambda: None)
    return world


def dlq(*arguments: str) -> int:
    return cli.main(["dlq", *arguments])


def facts(capsys: Printed, *arguments: str, code: int = 0) -> Any:
    assert dlq(*arguments, "--json") == code
    return json.loads(capsys.readouterr().out)


def test_nothing_stalled_is_said_and_fine(world: StallingWorld, capsys: Printed) -> None:
    assert dlq("list") == 0
    assert capsys.readouterr() == ("", "Nothing is stalled.\n")
    assert facts(capsys, "list") == {"jobs": [], "messages": [], "complete": True}
    for dry in ((), ("--dry-run",)):
        for command in (("redrive", "--all"), ("tidy",)):
            assert dlq(*command, *dry) == 0
            assert capsys.readouterr().err == "Nothing to do.\n"
    assert world.tables.acts == {}


def test_the_list_shows_jobs_by_age_and_then_strange_messages(
    world: StallingWorld, capsys: Printed
) -> None:
    old = world.stalled("old")
    world.clock.advance(7200)
    young = world.stalled("young")
    world.box.purge()
    foreign = world.box.put("<b>hello\x1b[2J\nthere" + "." * 100)
    world.box.put(json.dumps({"job_id": young.job_id}))

    assert dlq("list") == 0

    lines = [re.split(r" {2,}", line) for line in capsys.readouterr().out.splitlines()]
    user, code = "usr_ann", "model_timed_out"
    assert lines == [
        ["JOB", "USER", "STALLED", "ATTEMPTS", "ERROR", "CREDITS", "MESSAGE"],
        [old.job_id, user, "2 h", "1", code, "2", "none"],
        [young.job_id, user, "1 s", "1", code, "2", "in the queue"],
        ["MESSAGE", "SENT", "WHAT", "BODY"],
        [foreign, "0 s", "no message of ours", "<b>hello·[2J·there" + "." * 42],
    ]


def test_the_list_tells_programs_the_same(world: StallingWorld, capsys: Printed) -> None:
    job = world.stalled()
    foreign = world.box.put("hello")
    found = facts(capsys, "list")
    assert found["jobs"] == [
        {
            "job_id": job.job_id,
            "user_id": "usr_ann",
            "stalled_at": "2026-11-01T12:00:01+00:00",
            "attempts": 1,
            "error": {
                "code": "model_timed_out",
                "message": "The model's answer did not arrive in time.",
            },
            "credits_held": 2,
            "message_in_queue": True,
        }
    ]
    assert found["messages"] == [
        {
            "message_id": foreign,
            "sent_at": "2026-11-01T12:00:02+00:00",
            "what": "unreadable",
            "job_id": None,
            "job_status": None,
            "body_begins": "hello",
        }
    ]
    assert facts(capsys, "list", "--error", "model_failed")["jobs"] == []


def test_more_than_is_read_at_once_is_said(
    world: StallingWorld, capsys: Printed, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = world.stalled("a")
    world.stalled("b")
    monkeypatch.setattr("ops.stalled.stalled_jobs.JOBS_MAX", 1)
    world.box.purge()
    assert dlq("list") == 0
    out, err = capsys.readouterr()
    assert (len(out.splitlines()), "There is more" in err) == (2, True)
    assert dlq("redrive", "--all") == 0
    assert "There is more" in capsys.readouterr().err
    assert world.job(first.job_id).status is JobStatus.QUEUED

    monkeypatch.setattr("ops.stalled.stalled_jobs.JOBS_MAX", 10)
    monkeypatch.setattr("ops.stalled.dead_letters.LETTERS_MAX", 1)
    for body in ("one", "two"):
        world.box.put(body)
    assert facts(capsys, "list")["complete"] is False


def test_a_job_is_shown_with_its_history_and_without_its_prompt(
    world: StallingWorld, capsys: Printed
) -> None:
    job_id = world.stalled().job_id
    dlq("redrive", job_id, "--reason", "once more")
    world.work_until_terminal(job_id)
    capsys.readouterr()

    assert dlq("show", job_id) == 0
    shown = capsys.readouterr().out
    found = facts(capsys, "show", job_id)

    assert PROMPT not in shown + json.dumps(found)
    assert (found["status"], found["credits_held"]) == ("succeeded", 0)
    assert found["prompt_characters"] == len(PROMPT)
    assert found["image_stored"] is True
    (act,) = found["acts"]
    assert (act["what"], act["by"], act["why"]) == ("redriven", ORDER.by, "once more")
    assert re.search(rf"^act +2026.* redriven by {ORDER.by}: once more$", shown, re.MULTILINE)


def test_a_stalled_job_is_shown_with_its_message_and_its_hold(
    world: StallingWorld, capsys: Printed
) -> None:
    job = world.stalled()
    found = facts(capsys, "show", job.job_id)
    assert (found["status"], found["credits_held"], found["acts"]) == ("stalled", 2, [])
    assert [each["message_id"] for each in found["messages"]] == [job.stalled_message_id]
    assert found["error_code"] == "model_timed_out"
    assert dlq("show", "job_x") == 1
    assert capsys.readouterr().err == "imagify: There is no job job_x.\n"


def test_a_redrive_says_what_became_of_each_job(world: StallingWorld, capsys: Printed) -> None:
    first, second = (world.stalled(key).job_id for key in "ab")
    assert dlq("redrive", first, first) == 0
    out, err = capsys.readouterr()
    assert out == f"{first}  redriven\n"
    assert err == "1 redriven, 1 message deleted.\n"

    world.instead("jobs.save", second, ServiceFailed("Writing a job did not work."))
    found = facts(capsys, "redrive", first, second, code=1)
    assert found == {
        "dry_run": False,
        "interrupted": False,
        "jobs": [
            {
                "job_id": first,
                "result": "nothing_to_do",
                "said": f"{first} is queued, not stalled.",
                "messages_deleted": 0,
            },
            {
                "job_id": second,
                "result": "failed",
                "said": "Writing a job did not work.",
                "messages_deleted": 0,
            },
        ],
        "messages": [],
    }


@pytest.mark.parametrize(
    ("chosen", "why"),
    [
        (["--all"], "redriven with all others"),
        (["--error", "model_timed_out"], "redriven with all of model_timed_out"),
        (["--all", "--reason", "it is back"], "it is back"),
    ],
)
def test_why_a_job_was_redriven_is_kept_even_when_nobody_says_it(
    world: StallingWorld, chosen: list[str], why: str
) -> None:
    job_id = world.stalled().job_id
    assert dlq("redrive", *chosen) == 0
    assert [(act.by, act.why) for act in world.acts.of(job_id)] == [(ORDER.by, why)]


def test_left_over_messages_go_with_all_alone(world: StallingWorld, capsys: Printed) -> None:
    job_id = world.stalled().job_id
    body = world.box.bodies[0]
    dlq("discard", job_id, "--reason", "x")
    left_over = world.box.put(body)
    capsys.readouterr()
    for chosen in (["--error", "model_timed_out"], [job_id]):
        assert dlq("redrive", *chosen) == 0
        assert world.box.ids == [left_over]
    capsys.readouterr()
    found = facts(capsys, "redrive", "--all")
    assert found["messages"] == [{"message_id": left_over, "result": "removed", "said": None}]
    assert world.box.ids == []


def test_a_discard_tells_the_owner_why(world: StallingWorld, capsys: Printed) -> None:
    job_id = world.stalled().job_id
    assert dlq("discard", job_id, "--reason", "We are sorry.") == 0
    assert capsys.readouterr().err == "1 discarded, 1 message deleted.\n"
    error = world.job(job_id).error
    assert error is not None
    assert (error.code, error.message) == ("discarded", "We are sorry.")


def test_a_removal_that_is_refused_says_what_to_do(world: StallingWorld, capsys: Printed) -> None:
    job = world.stalled()
    (message_id,) = world.box.ids
    assert dlq("remove", message_id, "--reason", "x") == 1
    out, err = capsys.readouterr()
    said = f"It is the message of {job.job_id}: redrive or discard that job."
    assert (out, err) == (f"{message_id}  refused  {said}\n", "1 refused.\n")


@pytest.mark.parametrize("command", ["redrive", "discard"])
def test_a_dry_run_says_what_would_be(world: StallingWorld, capsys: Printed, command: str) -> None:
    job = world.stalled()
    assert dlq(command, job.job_id, "--reason", "x", "--dry-run") == 0
    out, err = capsys.readouterr()
    done = {"redrive": "redriven", "discard": "discarded"}[command]
    assert out == f"{job.job_id}  would be {done}\n"
    assert err == f"Would be 1 {done}, 1 message deleted. Nothing was done.\n"
    assert world.job(job.job_id) == job


@pytest.mark.parametrize(
    "arguments",
    [
        ["fly"],
        ["show"],
        ["redrive"],
        ["redrive", "job_1", "--all"],
        ["redrive", "--all", "--error", "model_failed"],
        ["redrive", "--all", "--rate", "0"],
        ["redrive", "--all", "--rate", "101"],
        ["redrive", "--all", "--reason", " "],
        ["discard", "job_1"],
        ["discard", "job_1", "--reason", " "],
        ["discard", "--reason", "x"],
        ["remove", "m1"],
        ["remove", "m1", "--reason", ""],
    ],
)
def test_wrong_usage_is_told_and_changes_nothing(
    world: StallingWorld, arguments: list[str], capsys: Printed
) -> None:
    job = world.stalled()
    assert dlq(*arguments) == 2
    out, err = capsys.readouterr()
    command = "" if arguments == ["fly"] else f"{arguments[0]} "
    assert (out, err.endswith(f"Try: imagify dlq {command}--help\n")) == ("", True)
    assert world.job(job.job_id) == job


def test_ctrl_c_ends_after_the_job_in_hand_and_says_how_far_it_came(
    world: StallingWorld, capsys: Printed, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, second, third = (world.stalled(key).job_id for key in "abc")

    def ctrl_c() -> None:
        signal.raise_signal(signal.SIGINT)

    monkeypatch.setattr("ops.cli._end_tidily", lambda: None)
    world.fate.afterwards["jobs.save", second] = ctrl_c

    assert dlq("redrive", first, second, third) == 130

    out, err = capsys.readouterr()
    assert out == f"{first}  redriven\n{second}  redriven\n"
    assert err.startswith("2 redriven, 2 messages deleted. Interrupted")
    assert world.queue.sent[-2:] == [first, second], "the one in hand is sent too"
    assert world.job(third).status is JobStatus.STALLED
    with world.box.reading() as reading:
        assert [letter.job_id for letter in reading.letters] == [third], "it is given back"


def test_ctrl_c_while_the_queue_is_read_changes_nothing(
    world: StallingWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    job = world.stalled()

    def due(*_: Any, **__: Any) -> Any:
        raise KeyboardInterrupt

    monkeypatch.setattr(world.jobs, "due", due)
    assert dlq("redrive", "--all") == 130
    assert world.job(job.job_id) == job
    with world.box.reading() as reading:
        assert len(reading.letters) == 1


def test_a_second_ctrl_c_does_not_wait() -> None:
    came: list[str] = []

    def impatient() -> None:
        with finishing():
            signal.raise_signal(signal.SIGINT)
            came.append("first")
            signal.raise_signal(signal.SIGINT)
            came.append("second")

    before = signal.getsignal(signal.SIGINT)
    with pytest.raises(KeyboardInterrupt):
        impatient()
    assert came == ["first"]
    assert signal.getsignal(signal.SIGINT) is before


def test_what_is_never_interrupted_is_taken_to_its_end() -> None:
    taken: list[int] = []
    assert each_to_its_end(iter([1, 2, 3]), taken.append) is False
    assert taken == [1, 2, 3]


def test_a_job_of_an_earlier_error_shows_no_terminal_what_to_do(
    world: StallingWorld, capsys: Printed
) -> None:
    job = world.stalled()
    assert job.error is not None
    evil = replace(job.error, message="\x1b[31mred\x07")
    world.tables.jobs[job.job_id] = replace(job, error=evil)
    assert dlq("show", job.job_id) == 0
    assert "·[31mred·" in capsys.readouterr().out


@pytest.mark.parametrize("command", [[], ["list"], ["redrive"], ["remove"]])
def test_help_is_quick_for_it_imports_nothing_but_itself(command: list[str]) -> None:
    heavy = {"boto3", "botocore", "common", "tenacity"}
    program = (
        "import sys; from ops import cli; code = cli.main(sys.argv[1:]);"
        f"sys.exit(code or str({heavy} & set(sys.modules) or ''))"
    )
    done = subprocess.run(
        [sys.executable, "-c", program, "dlq", *command, "--help"],
        cwd=REPOSITORY,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.stderr.strip() == ""
    assert "Usage: imagify dlq" in done.stdout


def test_without_a_run_an_operator_is_told_how_to_start_one(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: Printed
) -> None:
    monkeypatch.setenv("IMAGIFY_STATE_DIR", str(tmp_path / "state"))
    monkeypatch.setattr("ops.cli._end_tidily", lambda: None)
    for command in (["list"], ["show", "job_1"], ["redrive", "--all"]):
        assert dlq(*command) == 3
        out, err = capsys.readouterr()
        assert (out, len(err.splitlines())) == ("", 1)
        assert err.startswith("imagify: The local run is not up.")
