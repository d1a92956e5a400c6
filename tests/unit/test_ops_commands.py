from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from common.errors import NotFound
from ops import cli
from ops.customer.client import ApiError
from ops.customer.follow import Task
from ops.customer.images import Wish, _failures, _save
from sandbox.errors import CommandError
from sandbox.places import REPOSITORY
from sandbox.run import Options


@pytest.fixture(autouse=True)
def nothing_runs(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("IMAGIFY_STATE_DIR", str(tmp_path / "state"))
    monkeypatch.setattr("ops.cli.signal.signal", lambda *_: None)


def fails(monkeypatch: pytest.MonkeyPatch, error: BaseException) -> int:
    """The exit code of a command that fails so."""

    def fail(*_: Any) -> None:
        raise error

    monkeypatch.setattr("ops.stack.find", fail)
    return cli.main(["status"])


def test_a_command_that_needs_the_run_says_how_to_start_it(
    capsys: pytest.CaptureFixture[str],
) -> None:
    money = (["buy", "small"], ["audit"], ["payments", "list"], ["payments", "show", "IMG1"])
    for command in (["status"], ["generate", "a fox"], *money):
        assert cli.main(command) == 3
        out, err = capsys.readouterr()
        assert out == ""
        assert err.startswith("imagify: The local run is not up. Start it: bin/imagify up")
        assert len(err.splitlines()) == 1


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        (["--stage", "nowhere"], "cdk.json: There is no stage nowhere; configured are: dev, prod."),
        (["--profile", "ops"], "--profile goes with --stage"),
        (
            ["--stage", "dev", "--profile", "nobody"],
            "AWS does not know who you are (The config profile (nobody) could not be found).",
        ),
    ],
)
def test_an_operator_says_which_stage_or_none(
    options: list[str], sentence: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.main(["audit", *options]) == 1
    assert capsys.readouterr().err.startswith(f"imagify: {sentence}")


def test_status_tells_programs_too(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["status", "--json"]) == 3
    assert json.loads(capsys.readouterr().out)["up"] is False


def test_down_is_fine_when_nothing_runs(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["down"]) == 0
    assert capsys.readouterr().err == "Nothing is running.\n"


@pytest.mark.parametrize(
    "arguments",
    [
        [],
        ["fly"],
        ["generate"],
        ["generate", "x", "--count", "0"],
        ["generate", "x", "--count", "101"],
        ["up", "--port", "65534"],
        ["up", "--port", "x"],
        ["up", "--model-latency", "-1"],
        ["up", "--model-rate", "0"],
        ["up", "--model-rate", "nan"],
        ["grant", "ann@example.com", "5"],
        ["grant", "ann@example.com", "0", "--reason", "x"],
        ["grant", "ann@example.com", "100001", "--reason", "x"],
        ["payments", "fly"],
        ["payments", "refund", "IMG1"],
        ["payments", "refund", "IMG1", "--reason", "x", "--credits", "0"],
        ["payments", "confirm", "IMG1", "--reason", "x"],
        ["payments", "close", "IMG1"],
        ["payments", "close", "IMG1", "--reason", " "],
        ["grant", "ann@example.com", "5", "--reason", ""],
        ["deploy"],
        ["destroy", "--stage"],
        ["merchant", "fly"],
        ["people", "add"],
    ],
)
def test_wrong_usage_is_told_and_ends_with_2(
    arguments: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.main(arguments) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith("imagify: ")
    assert err.endswith("--help\n")
    assert len(err.splitlines()) == 1


@pytest.mark.parametrize(
    "command",
    [
        *([], ["up"], ["down"], ["status"], ["generate"], ["buy"], ["grant"], ["audit"]),
        *(["payments"], ["payments", "refund"], ["image-key"], ["image-key", "new"]),
        *(["doctor"], ["cost"], ["capacity"]),
        *(["people", "add"], ["merchant", "set"], ["token"]),
        *(["bootstrap"], ["diff"], ["deploy"], ["destroy"]),
    ],
)
def test_help_is_quick_for_it_imports_nothing_but_itself(command: list[str]) -> None:
    heavy = {"boto3", "botocore", "common", "httpx", "tenacity"}
    program = (
        "import sys; from ops import cli; code = cli.main(sys.argv[1:]);"
        f"sys.exit(code or str({heavy} & set(sys.modules) or ''))"
    )

    done = subprocess.run(
        [sys.executable, "-c", program, *command, "--help"],
        cwd=REPOSITORY,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )

    assert done.stderr.strip() == ""
    assert "Usage: imagify" in done.stdout


def test_every_option_reaches_the_wish(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    wishes: list[Wish] = []
    monkeypatch.setattr("ops.stack.Stack", lambda stage, profile: (stage, profile))
    monkeypatch.setattr("ops.customer.sign_in.client_as", lambda stack, email: (stack, email))

    def generate(client: tuple[Any, str | None], wish: Wish) -> int:
        assert client == (("dev", "P"), "ann@example.com")
        wishes.append(wish)
        return 0

    monkeypatch.setattr("ops.customer.images.generate", generate)
    who = ["--as", "ann@example.com", "--stage", "dev", "--profile", "P"]
    options = "--out x.png --count=2 --model m --aspect-ratio 16:9 --seed 7 --negative-prompt fog"

    assert (
        cli.main(["generate", "a fox", *options.split(), *who, "--idempotency-key=k", "--json"])
        == 0
    )

    assert wishes == [
        Wish(
            prompt="a fox",
            out=Path("x.png"),
            count=2,
            model="m",
            aspect_ratio="16:9",
            seed=7,
            negative_prompt="fog",
            idempotency_key="k",
            as_json=True,
        )
    ]
    assert capsys.readouterr().err == ""


def test_every_option_of_up_reaches_the_run(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[Any] = []

    def up(_places: object, options: Options, **more: object) -> int:
        asked.append((options, more))
        return 0

    monkeypatch.setattr("ops.local_run.up", up)

    assert cli.main(["up"]) == 0
    told = "--detach --port 7 --model-latency 0.5 --model-rate 20 --prompt -fox"
    assert cli.main(["up", *told.split()]) == 0

    assert asked == [
        (Options(), {"detach": False, "prompt": None}),
        (
            Options(port=7, model_latency_seconds=0.5, model_rate=20),
            {"detach": True, "prompt": "-fox"},
        ),
    ]


@pytest.mark.parametrize(
    ("error", "sentence"),
    [
        (ApiError("No. (code)", status=400, code="code"), "imagify: No. (code)"),
        (OSError(28, "No space left on device"), "imagify: No space left on device"),
        (FileNotFoundError(2, "No such file", "a.json"), "imagify: No such file: a.json"),
        (TimeoutError("It took too long."), "imagify: It took too long."),
        (CommandError("Broken."), "imagify: Broken."),
        (NotFound("There is none."), "imagify: There is none."),
        (
            ValueError("odd"),
            "imagify: ValueError: odd (a bug of ours; IMAGIFY_DEBUG=1 shows where)",
        ),
    ],
)
def test_every_error_is_one_sentence(
    error: Exception,
    sentence: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert fails(monkeypatch, error) == 1
    assert capsys.readouterr().err == f"{sentence}\n"


def test_a_bug_shows_where_when_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("IMAGIFY_DEBUG", "1")
    with pytest.raises(ValueError, match="odd"):
        fails(monkeypatch, ValueError("odd"))


def test_an_interrupt_ends_with_130(monkeypatch: pytest.MonkeyPatch) -> None:
    assert fails(monkeypatch, KeyboardInterrupt()) == 130


def test_several_images_differ_in_seed_key_and_file() -> None:
    wish = Wish(prompt="fox", out=Path("x/fox.png"), count=2, seed=7, idempotency_key="k")

    assert [wish.body(number) for number in range(2)] == [
        {"prompt": "fox", "seed": 7},
        {"prompt": "fox", "seed": 8},
    ]
    assert [wish.key(number) for number in range(2)] == ["k-1", "k-2"]
    assert [wish.path(number, "job") for number in range(2)] == [
        Path("x/fox-1.png"),
        Path("x/fox-2.png"),
    ]


def test_one_image_is_named_as_told_or_after_its_job(tmp_path: Path) -> None:
    assert Wish(prompt="fox").path(0, "job_1") == Path("job_1.png")
    assert Wish(prompt="fox", out=tmp_path).path(0, "job_1") == tmp_path / "job_1.png"
    assert Wish(prompt="fox", out=Path("a.png")).path(0, "job_1") == Path("a.png")
    assert Wish(prompt="fox", idempotency_key="k").key(0) == "k"
    assert Wish(prompt="fox").key(0) != Wish(prompt="fox").key(0)


def test_saving_keeps_what_is_there(tmp_path: Path) -> None:
    path = tmp_path / "fox.png"

    assert _save(b"one", path) == path
    assert _save(b"one", path) == path
    assert _save(b"two", path) == tmp_path / "fox-2.png"
    assert path.read_bytes() == b"one"


def test_failures_of_many_are_counted_by_reason() -> None:
    tasks = [Task({}, "", number) for number in range(3)]
    for task in tasks[1:]:
        task.refused = ApiError("Too few credits.", status=402, code="insufficient_credits")

    assert _failures(tasks) == "2 of 3: Too few credits."
    assert _failures(tasks[1:2]) == "Too few credits."
    assert _failures(tasks[:1]) == ""


def test_the_script_runs_from_anywhere_and_takes_no_namesakes(tmp_path: Path) -> None:
    (tmp_path / "ops").mkdir()
    (tmp_path / "ops" / "__init__.py").write_text("raise SystemExit('a namesake')")
    link = tmp_path / "imagify"
    link.symlink_to(REPOSITORY / "bin" / "imagify")

    done = subprocess.run(
        [link, "down"],
        cwd=tmp_path,
        env=os.environ,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )

    assert (done.returncode, done.stderr) == (0, "Nothing is running.\n")


@pytest.mark.parametrize(
    ("command", "tried"),
    [
        (["dlq", "discard", "job_1"], "imagify dlq discard --help"),
        (["dlq", "nothing"], "imagify dlq --help"),
        (["payments", "show"], "imagify payments show --help"),
        (["nothing"], "imagify --help"),
    ],
)
def test_a_wrong_command_names_the_help_that_has_what_it_lacks(
    command: list[str], tried: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.main(command) == 2
    assert capsys.readouterr().err.endswith(f"Try: {tried}\n")


def test_a_status_that_no_payment_has_is_no_empty_list(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["payments", "list", "--status", "nonsense"]) == 2
    assert "a payment is pending, paid" in capsys.readouterr().err
