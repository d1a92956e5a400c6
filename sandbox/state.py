"""What is known of the local run: written when something starts, read by whoever asks."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Literal
from urllib.parse import urlsplit

from pydantic import BaseModel, ConfigDict, ValidationError

from common.routes import Route
from sandbox.processes import Child, alive


class Outputs(BaseModel):
    """The stack's outputs; the names are the template's."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    ApiUrl: str
    FeedUrl: str
    UserPoolId: str
    UserPoolClientId: str
    HomeRegion: str
    ImagesBucket: str
    JobsQueueUrl: str
    DeadLetterQueueUrl: str
    UsersTable: str
    JobsTable: str
    LedgerTable: str
    RoutesTable: str
    ActsTable: str
    PaymentsTable: str
    VnpayParameter: str
    Routes: str
    """JSON: which models are called where, and how often."""


class State(BaseModel):
    """A local run. `outputs` and `api_url` are there once it is ready."""

    model_config = ConfigDict(frozen=True)

    phase: Literal["starting", "ready"]
    foreground: bool
    owner: Child
    """The command that started it; ends at once when detached."""
    port: int
    """The emulator's; the model simulator, the VNPAY simulator and the page have the next ones."""
    routes: tuple[Route, ...]
    """Which models are called where, and how often; the first is the default model."""
    children: tuple[Child, ...] = ()
    outputs: Outputs | None = None
    api_url: str | None = None
    """Without a slash at the end."""
    person_password: str = ""
    """Of the person that the command line signs in; random for every run."""

    @property
    def emulator_url(self) -> str:
        """The endpoint of every AWS service but the image models."""
        return f"http://127.0.0.1:{self.port}"

    @property
    def simulator_url(self) -> str:
        """The endpoint of the image models; its controls are under /_control."""
        return f"http://127.0.0.1:{self.port + 1}"

    @property
    def gateway_url(self) -> str:
        """Where VNPAY is simulated; its controls are under /_control."""
        return f"http://127.0.0.1:{self.port + 2}"

    @property
    def page_url(self) -> str:
        """The web page, which has the API under /api too."""
        return page_url(self.port)

    @property
    def up(self) -> bool:
        """Whether it is ready and all its parts run, with the terminal that keeps it, if any."""
        needed = (*self.children, self.owner) if self.foreground else self.children
        return self.phase == "ready" and all(map(alive, needed))


def page_url(port: int) -> str:
    """Where the page of a run is whose emulator has `port`."""
    return f"http://127.0.0.1:{port + 3}/"


def emulated_api_url(emulator_url: str, outputs: Outputs) -> str:
    """The API on the emulator: the name that AWS would give it leads nowhere there."""
    api_id = (urlsplit(outputs.ApiUrl).hostname or "").partition(".")[0]
    return f"{emulator_url}/_aws/execute-api/{api_id}"


def read(path: Path) -> State | None:
    """The run that was written last; None when there is none, or nobody can read it."""
    try:
        return State.model_validate_json(path.read_text())
    except (FileNotFoundError, ValidationError):
        return None


def write(path: Path, state: State) -> None:
    """Replace the file in one step; only its owner may read it, for the password's sake."""
    path.parent.mkdir(parents=True, exist_ok=True)
    fresh = path.with_suffix(".new")
    descriptor = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w") as file:
        file.write(state.model_dump_json(indent=2))
    fresh.replace(path)
