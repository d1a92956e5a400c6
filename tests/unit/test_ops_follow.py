from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from rich.console import Console

from ops.customer.board import Board, share_done
from ops.customer.client import ApiError, InLine, Job, Look, Problem, Underway
from ops.customer.follow import BUSY, Task, follow
from ops.customer.prospects import Prospects


class Clock:
    """Time that passes only while somebody sleeps."""

    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.now += seconds


class ScriptedApi:
    """Answers as written, and notes when it was asked."""

    def __init__(self, clock: Clock, submits: Sequence[Look | ApiError], *looks: Look) -> None:
        self._clock = clock
        self._submits: Iterator[Look | ApiError] = iter(submits)
        self._looks = iter(looks)
        self.asked: list[tuple[str, float]] = []

    def submit(self, body: Mapping[str, Any], *, idempotency_key: str) -> Look:
        self.asked.append((f"submit {body['prompt']} {idempotency_key}", self._clock()))
        answer = next(self._submits)
        if isinstance(answer, ApiError):
            raise answer
        return answer

    def job(self, job_id: str) -> Look:
        self.asked.append((f"job {job_id}", self._clock()))
        return next(self._looks)


class NoBoard:
    def show(self, tasks: Sequence[Task]) -> None:
        pass


def look(status: str, *, job_id: str = "job_1", after: float = 2, **more: Any) -> Look:
    terminal = status in {"succeeded", "failed", "canceled"}
    return Look(Job(job_id=job_id, status=status, terminal=terminal, **more), after)


def tasks_for(count: int) -> list[Task]:
    return [Task({"prompt": "fox"}, f"key-{number}", number) for number in range(count)]


def run(api: ScriptedApi, tasks: Sequence[Task], clock: Clock) -> list[int]:
    ended: list[int] = []
    follow(
        api,
        tasks,
        board=NoBoard(),
        on_end=lambda task: ended.append(task.number),
        now=clock,
        sleep=clock.sleep,
    )
    return ended


def test_follow_asks_as_often_as_it_is_told() -> None:
    clock = Clock()
    api = ScriptedApi(
        clock, [look("queued", after=3)], look("generating", after=1), look("succeeded")
    )
    (task,) = tasks = tasks_for(1)

    assert run(api, tasks, clock) == [0]

    assert [what for what, _ in api.asked] == ["submit fox key-0", "job job_1", "job job_1"]
    assert [round(when - 100, 3) for _, when in api.asked] == [0, 3, 4]
    assert task.failure is None


def test_follow_submits_later_what_is_too_much_now() -> None:
    clock = Clock()
    busy = ApiError("Too many.", status=429, code=BUSY, retry_after_seconds=5)
    api = ScriptedApi(
        clock,
        [look("queued", job_id="a"), busy, look("succeeded", job_id="b")],
        look("succeeded", job_id="a"),
    )
    tasks = tasks_for(2)

    assert run(api, tasks, clock) == [0, 1]

    assert [what for what, _ in api.asked] == [
        "submit fox key-0",
        "submit fox key-1",
        "job a",
        "submit fox key-1",
    ]
    assert api.asked[-1][1] == 102, "when there is room again, not after five seconds"
    assert [task.failure for task in tasks] == [None, None]


def test_follow_does_not_submit_what_would_be_refused_too() -> None:
    clock = Clock()
    poor = ApiError("Too few credits.", status=402, code="insufficient_credits")
    api = ScriptedApi(clock, [look("succeeded"), poor])
    tasks = tasks_for(4)

    assert run(api, tasks, clock) == [0]

    assert len(api.asked) == 2
    assert [task.failure for task in tasks] == [None, *["Too few credits."] * 3]


def test_follow_ends_with_a_stalled_job_and_says_what_it_means() -> None:
    clock = Clock()
    error = Problem(code="model_timed_out", message="No answer.")
    (task,) = tasks = tasks_for(1)

    run(ScriptedApi(clock, [look("stalled", error=error)]), tasks, clock)

    assert task.failure == (
        "The job job_1 is stalled, and its credits are still held: No answer. (model_timed_out)"
    )


def test_follow_ends_with_a_terminal_status_that_it_does_not_know() -> None:
    clock = Clock()
    (task,) = tasks = tasks_for(1)
    unknown = Look(Job(job_id="job_1", status="archived", terminal=True), 1)

    run(ScriptedApi(clock, [unknown]), tasks, clock)

    assert task.failure == "The job job_1 ended as archived."


def test_follow_goes_by_what_each_look_tells() -> None:
    clock = Clock()
    api = ScriptedApi(
        clock,
        [look("queued", queue=InLine(position=7, eta_seconds=9))],
        look("queued", queue=InLine(position=4, eta_seconds=8)),
        look("generating", progress=Underway(eta_seconds=3)),
        look("failed"),
    )
    (task,) = tasks = tasks_for(1)

    run(api, tasks, clock)

    assert task.prospects == Prospects(ahead=None, since=100, end=107)


def test_follow_does_without_what_nobody_knows() -> None:
    clock = Clock()
    api = ScriptedApi(clock, [look("queued")], look("queued"), look("succeeded"))
    (task,) = tasks = tasks_for(1)

    assert run(api, tasks, clock) == [0]
    assert task.prospects is None


def share(status: str, *, elapsed: float = 0) -> float:
    expected = Prospects(ahead=2, since=100, end=104)
    return share_done(Task({}, "", 0, job=look(status).job, prospects=expected), 100 + elapsed)


def test_the_bar_grows_and_is_full_only_at_the_end() -> None:
    assert share("queued", elapsed=2) == share("generating", elapsed=2) == 0.45
    assert share("generating", elapsed=100_000) < 0.995
    assert share("succeeded") == 1
    assert share("failed", elapsed=3) == 0
    assert share_done(Task({}, "", 0), 100) == 0


def test_the_board_says_each_change_once_where_there_is_no_terminal() -> None:
    console = Console(record=True, force_terminal=False, width=80)
    task = Task({}, "", 0)
    clock = Clock()
    with Board(console, now=clock) as board:
        board.show([task])
        task.prospects = Prospects(ahead=3, since=100, end=104.4)
        for status in ("queued", "queued", "generating", "succeeded"):
            task.job = look(status).job
            if status == "generating":
                task.prospects = Prospects(ahead=None, since=100, end=104.4)
            board.show([task])
            clock.sleep(1)

    assert console.export_text().splitlines() == [
        "job_1  queued, 3 ahead, about 5 s",
        "job_1  generating, about 3 s",
        "job_1  succeeded",
    ]


def test_the_board_shows_state_place_and_time_on_a_terminal() -> None:
    console = Console(record=True, force_terminal=True, width=120)
    clock = Clock()
    expected = Prospects(ahead=3, since=98, end=104.4)
    task = Task({}, "", 0, job=look("queued").job, prospects=expected)
    with Board(console, now=clock) as board:
        board.show([task])

    shown = console.export_text().rstrip()
    assert "job_1  queued" in shown
    assert " 28%" in shown
    assert shown.endswith("3 ahead, about 5 s")


def many(ahead: int, *states: str) -> str:
    """What a terminal shows of twelve jobs, one in each of the states and the rest to submit."""
    console = Console(record=True, force_terminal=True, width=160)
    tasks = tasks_for(12)
    for number, (task, status) in enumerate(zip(tasks, states, strict=False)):
        task.job = look(status).job
        place = ahead if status == "queued" else None
        task.prospects = Prospects(place, 100, 104 + number)
    with Board(console, now=Clock()) as board:
        board.show(tasks)
    return console.export_text().rstrip()


def test_the_board_counts_many_jobs_in_one_bar() -> None:
    shown = many(0, "succeeded", "generating", "new")

    assert shown.startswith("12 images")
    first, second = (line.rstrip() for line in shown.splitlines()[-2:])
    assert first.endswith("next one: about 5 s")
    assert second == "1 succeeded, 1 generating, 9 to submit, 1 new"


def test_the_board_tells_when_the_last_of_many_is_done() -> None:
    shown = many(11, *["succeeded"] * 11, "queued")

    first, second = (line.rstrip() for line in shown.splitlines()[-2:])
    assert first.endswith("the last: 11 ahead, about 15 s")
    assert second == "11 succeeded, 1 queued"
    assert "100%" not in shown
    assert "100%" in many(0, *["succeeded"] * 12)
