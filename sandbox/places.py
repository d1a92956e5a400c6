"""Where the local run keeps its files: everything in one folder, `.sandbox` unless told."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parent.parent
VENV_BIN = REPOSITORY / ".venv" / "bin"


@dataclass(frozen=True, slots=True)
class Places:
    """The files of one local run; `home` is its folder."""

    home: Path

    @classmethod
    def from_env(cls, env: Mapping[str, str]) -> Places:
        """`IMAGIFY_STATE_DIR`, or `.sandbox` in the repository."""
        chosen = env.get("IMAGIFY_STATE_DIR")
        return cls(Path(chosen).resolve() if chosen else REPOSITORY / ".sandbox")

    @property
    def state(self) -> Path:
        """What runs, and where: see `sandbox.state`."""
        return self.home / "state.json"

    @property
    def lock(self) -> Path:
        """Locked by whoever starts or stops the run."""
        return self.home / "lock"

    @property
    def scratch(self) -> Path:
        """The emulator's temporary files; gone when it stops."""
        return self.home / "tmp"

    @property
    def images(self) -> Path:
        """Where the first image of a run is saved."""
        return self.home / "images"

    def log(self, name: str) -> Path:
        """The output of one part."""
        return self.home / "logs" / f"{name}.log"


SYNTHESIZED = REPOSITORY / ".sandbox" / "synth"
"""Synthesized stacks by what they were made of; shared by all runs, as they are only read."""
