"""What tests do behind the page's back: stop the workers, give credits, read the truth."""

from __future__ import annotations

import os
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import boto3
import httpx

from sandbox.clients import client_settings
from sandbox.places import REPOSITORY
from tests.product import Sandbox, SignedIn

if TYPE_CHECKING:
    from mypy_boto3_lambda import LambdaClient

WORKER = "functions.worker.handler.handler"
SETTLE_SECONDS = 1.0
"""How long the emulator may still hand out messages that it has polled."""


class Backstage:
    """The local run, from behind."""

    def __init__(self, sandbox: Sandbox) -> None:
        self._sandbox = sandbox
        settings = client_settings(sandbox.state.emulator_url)
        self._lambda: LambdaClient = boto3.client("lambda", **settings)

    @contextmanager
    def workers_stopped(self) -> Iterator[None]:
        """Jobs stay queued for as long."""
        functions = self._lambda.list_functions()["Functions"]
        (name,) = [each["FunctionName"] for each in functions if each["Handler"] == WORKER]
        (source,) = self._lambda.list_event_source_mappings(FunctionName=name)[
            "EventSourceMappings"
        ]
        self._lambda.update_event_source_mapping(UUID=source["UUID"], Enabled=False)
        time.sleep(SETTLE_SECONDS)
        try:
            yield
        finally:
            self._lambda.update_event_source_mapping(UUID=source["UUID"], Enabled=True)

    def grant(self, email: str, credits_: int) -> None:
        """Give credits as an operator does; the person has signed in before."""
        subprocess.run(
            [REPOSITORY / "bin/imagify", "grant", email, str(credits_), "--reason", "a test"],
            env=os.environ | {"IMAGIFY_STATE_DIR": str(self._sandbox.places.home)},
            check=True,
            capture_output=True,
            timeout=60,
        )

    def api(self, who: SignedIn) -> httpx.Client:
        """The API as a person; to be closed."""
        return httpx.Client(
            base_url=self._sandbox.api_url,
            headers={"Authorization": f"Bearer {who.token}"},
            timeout=30,
            trust_env=False,
        )

    def jobs(self, who: SignedIn) -> list[dict[str, Any]]:
        """All jobs of a person, newest first."""
        with self.api(who) as api:
            found: list[dict[str, Any]] = api.get("/jobs").raise_for_status().json()["jobs"]
        return found

    def ledger(self, who: SignedIn, kind: str) -> list[dict[str, Any]]:
        """A person's ledger entries of a kind."""
        with self.api(who) as api:
            entries = api.get("/me/ledger").raise_for_status().json()["entries"]
        return [entry for entry in entries if entry["kind"] == kind]

    def submit(self, who: SignedIn, *prompts: str) -> list[str]:
        """Submit jobs past the page; gives their ids."""
        with self.api(who) as api:
            answers = [api.post("/jobs", json={"prompt": prompt}) for prompt in prompts]
        return [str(answer.raise_for_status().json()["job_id"]) for answer in answers]

    def wait_done(self, who: SignedIn) -> None:
        """Return once all of a person's jobs are terminal."""
        deadline = time.monotonic() + 60
        while not all(job["terminal"] for job in self.jobs(who)):
            assert time.monotonic() < deadline, "jobs do not end"
            time.sleep(0.2)
