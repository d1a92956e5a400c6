"""How a job stalls on the deployed stack: it breaks the model, which works for everybody else."""

from __future__ import annotations

import time
import uuid

import httpx
import pytest

BREAKING = "a wreck that breaks the model"
"""A prompt that does."""
STALL_SECONDS_MAX = 150


def stall(api: httpx.Client, control: httpx.Client, *, others: httpx.Client) -> str:
    """Make a job of `api`'s person stall, and give back its id; the model works again then.

    While the others' images are not made a failure is nobody's, and the job would wait.
    """
    control.post("/settings", json={"broken_prompts": [BREAKING]}).raise_for_status()
    job_id = _submit(api, BREAKING)
    deadline = time.monotonic() + STALL_SECONDS_MAX
    while (job := api.get(f"/jobs/{job_id}").raise_for_status().json())["status"] != "stalled":
        if time.monotonic() > deadline:
            pytest.fail(f"{job_id} is {job['status']}, not stalled")
        if job["status"] == "queued" and job["error"]:
            _draw(others)
        time.sleep(0.5)
    control.post("/settings", json={"broken_prompts": []}).raise_for_status()
    return job_id


def _draw(api: httpx.Client) -> None:
    """An image, or as much of one as there is time for."""
    job_id = _submit(api, "a calm sea")
    deadline = time.monotonic() + 30
    while not api.get(f"/jobs/{job_id}").raise_for_status().json()["terminal"]:
        if time.monotonic() > deadline:
            return
        time.sleep(0.3)


def _submit(api: httpx.Client, prompt: str) -> str:
    headers = {"Idempotency-Key": uuid.uuid4().hex}
    answer = api.post("/jobs", json={"prompt": prompt}, headers=headers)
    assert answer.status_code == 202, answer.text
    job_id: str = answer.json()["job_id"]
    return job_id
