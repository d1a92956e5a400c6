"""Prompts in, PNG files out: what `imagify generate` does."""

from __future__ import annotations

import json
import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ops.customer.board import Board
from ops.customer.client import ApiError, Client, Me
from ops.customer.follow import Task, follow
from ops.terminal import ERR, OUT, credits_text
from sandbox.errors import CommandError


@dataclass(frozen=True, slots=True, kw_only=True)
class Wish:
    """What a person wants; None leaves the choice to the service."""

    prompt: str
    out: Path | None = None
    """A file, or a folder that exists; None is the current folder."""
    count: int = 1
    model: str | None = None
    aspect_ratio: str | None = None
    seed: int | None = None
    negative_prompt: str | None = None
    idempotency_key: str | None = None
    as_json: bool = False

    def body(self, number: int) -> dict[str, Any]:
        """The request for one image of several: each has its own seed, or all would be the same."""
        fields = {
            "prompt": self.prompt,
            "model": self.model,
            "aspect_ratio": self.aspect_ratio,
            "seed": None if self.seed is None else self.seed + number,
            "negative_prompt": self.negative_prompt,
        }
        return {name: value for name, value in fields.items() if value is not None}

    def key(self, number: int) -> str:
        """The image's Idempotency-Key; without one given, a fresh one."""
        if self.idempotency_key is None:
            return str(uuid.uuid4())
        return self.idempotency_key if self.count == 1 else f"{self.idempotency_key}-{number + 1}"

    def path(self, number: int, job_id: str) -> Path:
        """Where the image goes: `--out`, numbered when there are several, or the job's id."""
        if self.out is None or self.out.is_dir():
            return (self.out or Path()) / f"{job_id}.png"
        if self.count == 1:
            return self.out
        return self.out.with_name(f"{self.out.stem}-{number + 1}{self.out.suffix}")


def generate(client: Client, wish: Wish) -> int:
    """Submit, follow and save; prints the files. Raises ApiError or CommandError."""
    _require_free(wish)
    with client:
        tasks = [Task(wish.body(n), wish.key(n), n) for n in range(wish.count)]
        files: dict[str, Path] = {}

        def save(task: Task) -> None:
            if task.job and task.job.image:
                content = client.download(task.job.image.url)
                files[task.job.job_id] = _save(content, wish.path(task.number, task.job.job_id))

        try:
            with Board(ERR) as board:
                follow(client, tasks, board=board, on_end=save)
        except KeyboardInterrupt:
            going = sum(1 for task in tasks if task.job and not task.over)
            ERR.print(f"\nInterrupted; of what was submitted, {going} will still be made.")
            raise
        me = client.me()
    _report(tasks, files, me, as_json=wish.as_json, keyed=wish.idempotency_key is not None)
    failures = _failures(tasks)
    if failures:
        raise CommandError(failures)
    return 0


def _require_free(wish: Wish) -> None:
    """Refuse before anything is paid for; only files whose names are known by now."""
    if wish.out is None or wish.out.is_dir():
        return
    for number in range(wish.count):
        path = wish.path(number, "")
        if path.exists():
            raise CommandError(f"{path} exists already; nothing was generated. Choose another.")
        if not path.parent.is_dir():
            raise CommandError(f"There is no folder {path.parent}; nothing was generated.")


def _save(content: bytes, path: Path) -> Path:
    """Write a new file; one of that name with other content stays, and this gets a number."""
    candidate, number = path, 1
    while True:
        try:
            with candidate.open("xb") as file:
                file.write(content)
        except FileExistsError:
            if candidate.is_file() and candidate.read_bytes() == content:
                return candidate
            number += 1
            candidate = path.with_name(f"{path.stem}-{number}{path.suffix}")
        else:
            return candidate


def _report(
    tasks: list[Task], files: Mapping[str, Path], me: Me, *, as_json: bool, keyed: bool
) -> None:
    charged = sum(task.job.charge.settled for task in tasks if task.job)
    if as_json:
        jobs = [_as_json(task, files) for task in tasks]
        facts = {"jobs": jobs, "credits_charged": charged, "balance": me.balance.model_dump()}
        OUT.out(json.dumps(facts, indent=2))
        return
    for task in tasks:
        if task.job and task.job.job_id in files:
            OUT.out(str(files[task.job.job_id]))
    if not any(task.job for task in tasks):
        return
    # The same key is the same job, whoever submitted it first: what it cost was paid then.
    again = " once for this key" if keyed else ""
    ERR.print(
        f"{credits_text(charged)} charged{again}, {credits_text(me.balance.available)} left"
        + (f", {me.balance.held} held." if me.balance.held else ".")
    )


def _as_json(task: Task, files: Mapping[str, Path]) -> dict[str, Any]:
    job = task.job
    error: ApiError | None = task.refused
    return {
        "job_id": job and job.job_id,
        "status": job.status if job else "refused",
        "file": str(files[job.job_id]) if job and job.job_id in files else None,
        "error": {"code": error.code, "message": str(error)}
        if error
        else (job and job.error and job.error.model_dump()),
    }


def _failures(tasks: list[Task]) -> str:
    """Why some images are missing, each reason once; empty when none is."""
    reasons: dict[str, int] = {}
    for task in tasks:
        if task.failure:
            reasons[task.failure] = reasons.get(task.failure, 0) + 1
    if len(tasks) == 1:
        return "".join(reasons)
    return " ".join(f"{number} of {len(tasks)}: {why}" for why, number in reasons.items())
