"""`imagify down`: stop the local run, wherever it was started."""

# ruff: noqa: PLC0415 - --help is quick: what a command needs is imported when it runs

from __future__ import annotations


def down() -> int:
    """Stop what `imagify up` has started; that nothing runs is fine too."""
    import os

    from ops.terminal import ERR
    from sandbox.places import Places
    from sandbox.run import stop_all

    stopped = stop_all(Places.from_env(os.environ))
    ERR.print("Everything is stopped." if stopped else "Nothing is running.")
    return 0
