"""Mutants: one line of the product changed so that a promise is broken, to be found by the runs.

A mutant is put in while its module is imported, so it needs a process of its own.
"""

from __future__ import annotations

import sys
import tomllib
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec, SourceFileLoader
from importlib.util import spec_from_loader
from pathlib import Path
from types import CodeType, ModuleType
from typing import Any

ROOT = Path(__file__).parent.parent.parent
MUTANTS = Path(__file__).parent / "mutants"


@dataclass(frozen=True)
class Mutant:
    """One change of one line."""

    name: str
    file: str
    line: str
    """The whole line as it is, without its indentation; there is only one such line."""
    becomes: str
    why: str
    """Which promise it breaks."""
    caught_by: int
    """A seed whose run finds it."""

    @property
    def module(self) -> str:
        """The module that is changed."""
        return self.file.removesuffix(".py").replace("/", ".")

    def applied(self) -> str:
        """The module's source with the change in it."""
        lines = (ROOT / self.file).read_text(encoding="utf-8").splitlines()
        places = [place for place, line in enumerate(lines) if line.strip() == self.line]
        if len(places) != 1:
            raise ValueError(f"{self.name}: {len(places)} lines of {self.file} are {self.line!r}")
        (place,) = places
        indent = lines[place][: len(lines[place]) - len(lines[place].lstrip())]
        lines[place : place + 1] = [indent + text for text in self.becomes.splitlines()]
        return "\n".join(lines) + "\n"


def mutants() -> dict[str, Mutant]:
    """All mutants by name."""
    found = {}
    for path in sorted(MUTANTS.glob("*.toml")):
        values = tomllib.loads(path.read_text(encoding="utf-8"))
        found[path.stem] = Mutant(name=path.stem, **values)
    return found


def write_caught_by(mutant: Mutant, seed: int) -> None:
    """Note the seed whose run finds the mutant."""
    path = MUTANTS / f"{mutant.name}.toml"
    lines = path.read_text(encoding="utf-8").splitlines()
    kept = [line for line in lines if not line.startswith("caught_by")]
    path.write_text("\n".join([*kept, f"caught_by = {seed}"]) + "\n", encoding="utf-8")


def put_in(mutant: Mutant) -> None:
    """From now on the mutant's module is imported with the change in it."""
    if mutant.module in sys.modules:
        raise RuntimeError(f"{mutant.module} is imported already")
    sys.meta_path.insert(0, _Finder(mutant))


class _Finder(MetaPathFinder):
    """Finds the mutant's module, and no other."""

    def __init__(self, mutant: Mutant) -> None:
        self._mutant = mutant

    def find_spec(
        self,
        fullname: str,
        path: Sequence[str] | None,  # noqa: ARG002 - the import system's
        target: ModuleType | None = None,  # noqa: ARG002 - the import system's
    ) -> ModuleSpec | None:
        if fullname != self._mutant.module:
            return None
        return spec_from_loader(fullname, _Loader(fullname, self._mutant))


class _Loader(SourceFileLoader):
    """Compiles the changed source, and writes no bytecode of it."""

    def __init__(self, fullname: str, mutant: Mutant) -> None:
        super().__init__(fullname, str(ROOT / mutant.file))
        self._mutant = mutant

    def get_code(self, fullname: str) -> CodeType | None:  # noqa: ARG002 - the import system's
        code: Any = compile(self._mutant.applied(), self.path, "exec", dont_inherit=True)
        return code  # type: ignore[no-any-return]
