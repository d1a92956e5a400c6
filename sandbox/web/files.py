"""The page's files, read from the folder each time, so that an edit shows at the next reload."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response

INDEX = "index.html"
TYPES: Mapping[str, str] = {
    ".html": "text/html; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".json": "application/json",
    ".webmanifest": "application/manifest+json",
    ".svg": "image/svg+xml",
    ".png": "image/png",
    ".webp": "image/webp",
    ".ico": "image/x-icon",
    ".woff2": "font/woff2",
    ".txt": "text/plain; charset=utf-8",
}
"""What a page is made of; a file of another kind is none of it, and not served."""


@dataclass(frozen=True, slots=True)
class Files:
    """The folder `root`, with `made` (content by name) standing in for files that are not there."""

    root: Path
    made: Mapping[str, bytes]
    headers: Mapping[str, str]

    def answer(self, request: Request) -> Response:
        """The file that the path names; 304 for a client that has it as it is, 404 for none."""
        name: str = request.path_params["path"] or INDEX
        content = self._content(name)
        if content is None:
            return PlainTextResponse("There is no such page.", 404, headers=self.headers)
        tag = f'"{hashlib.sha256(content).hexdigest()[:32]}"'
        headers = {**self.headers, "ETag": tag, "Cache-Control": "no-cache"}
        if tag in request.headers.get("if-none-match", ""):
            return Response(status_code=304, headers=headers)
        return Response(content, headers=headers, media_type=TYPES[Path(name).suffix])

    def _content(self, name: str) -> bytes | None:
        if name in self.made:
            return self.made[name]
        try:
            path = (self.root / name).resolve()
            inside = path.is_relative_to(self.root.resolve())
            if not inside or path.suffix not in TYPES or not path.is_file():
                return None
            return path.read_bytes()
        except (OSError, ValueError):
            return None  # no name that a file could have
