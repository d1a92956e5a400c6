"""What a function does before Lambda takes a snapshot of its memory, and after it was restored.

A snapshot is taken once, when a version is published, and restored any number of times, hours or
weeks later, in many places at once. Before it, everything that a first request would have to load
is loaded. After it, what must not be old or shared is made anew: connections, whose other ends have
long been closed, and the state of `random`, from which all would draw the same jitters. What else
is in a snapshot, and why it may be, is in docs/COLDSTART.md.

Lambda runs these hooks only where SnapStart is on; its runtime brings the library along:
https://docs.aws.amazon.com/lambda/latest/dg/snapstart-runtime-hooks-python.html
"""

from __future__ import annotations

import gc
import random
from collections.abc import Callable, Iterator
from importlib import import_module
from typing import Any

from snapshot_restore_py import (  # type: ignore[import-untyped]
    register_after_restore,
    register_before_snapshot,
)

from common.api import Body
from common.aws import clients

LOADED_LATE = ("encodings.idna", "tenacity")
"""What is imported only when it is used: to look up a host's name, and to try a write again."""


def starts_from_snapshot(services: Callable[[], Any]) -> None:
    """Have Lambda run the hooks for a function with these services."""
    register_before_snapshot(load, services)
    register_after_restore(renew)


def load(services: Callable[[], Any]) -> None:
    """Make the services and all that they make later. All that is asked for is AWS credentials.

    Raises what makes them fail, such as a setting that is missing; then nothing is published.
    """
    snapshots = getattr(services(), "snapshots", None)
    if snapshots is not None:
        snapshots.images.prepare()
    clients.rehearse()
    for module in LOADED_LATE:
        import_module(module)
    for body in _bodies(Body):
        body.model_rebuild()
    gc.collect()
    gc.freeze()


def renew() -> None:
    """Drop connections, and draw other random numbers than whoever starts from the same."""
    clients.hang_up()
    random.seed()


def _bodies(above: type[Body]) -> Iterator[type[Body]]:
    """Every body that the function has imported."""
    for body in above.__subclasses__():
        yield body
        yield from _bodies(body)
