"""Draws in a process of its own, so that drawing never holds up the clock that judges the quota.

A thread would not do: Pillow keeps the interpreter's lock while it fills shapes, and a call that
is stamped ten milliseconds late can look like one that came too soon.
"""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import IO

from sandbox.bedrock.picture.orders import LENGTH_BYTES, Painting

PROJECT = Path(__file__).resolve().parents[2]


class Painter:
    """The drawing process, started at the first order and fed one order at a time."""

    def __init__(self) -> None:
        self._turn = ThreadPoolExecutor(max_workers=1, thread_name_prefix="painter")
        self._process: subprocess.Popen[bytes] | None = None
        self._plain: dict[Painting, bytes] = {}

    def start(self) -> None:
        """Start the process now, so that the first image does not wait for it."""
        self._turn.submit(self._running)

    async def paint(self, order: Painting) -> bytes:
        """The image in base64; a plain one is drawn once and kept."""
        if order.plain:
            order = order._replace(prompt="", seed=0)
            if order in self._plain:
                return self._plain[order]
        image = await asyncio.get_running_loop().run_in_executor(self._turn, self._ask, order)
        if order.plain:
            self._plain[order] = image
        return image

    def close(self) -> None:
        """End the process."""
        self._turn.shutdown(wait=True, cancel_futures=True)
        if self._process is not None:
            stdin, stdout = self._pipes(self._process)
            stdin.close()
            self._process.wait()
            stdout.close()

    def _running(self) -> subprocess.Popen[bytes]:
        if self._process is None or self._process.poll() is not None:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "sandbox.bedrock.picture"],
                cwd=PROJECT,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
            )
        return self._process

    def _ask(self, order: Painting) -> bytes:
        stdin, stdout = self._pipes(self._running())
        stdin.write(json.dumps(order).encode() + b"\n")
        stdin.flush()
        length = stdout.read(LENGTH_BYTES)
        if len(length) < LENGTH_BYTES:
            raise RuntimeError("the painter has died; its last words are on stderr")
        return stdout.read(int.from_bytes(length, "big"))

    @staticmethod
    def _pipes(process: subprocess.Popen[bytes]) -> tuple[IO[bytes], IO[bytes]]:
        assert process.stdin is not None
        assert process.stdout is not None
        return process.stdin, process.stdout
