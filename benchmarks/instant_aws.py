"""AWS for `benchmarks.coldstart`: answers at once, the same every time, and keeps nothing."""

from __future__ import annotations

import hashlib
import json
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from common.aws.records import job_item, time_text
from common.config import DEFAULT_ROUTES
from common.jobs import ImageRequest, Job
from sandbox.ports import HOST

JOB_ID = "job_5e247afc3034f9f6653987e996f3283d"
USER_ID = "usr_ann"
NOW = datetime(2026, 11, 1, 12, tzinfo=UTC)
MERCHANT = {
    "tmn_code": "BENCH001",
    "hash_secret": "0" * 32,
    **{f"{page}_url": f"https://vnpay.example/{page}" for page in ("pay", "api", "return")},
}

Json = dict[str, Any]


def _item_of(asked: Mapping[str, Any]) -> Json:
    """A queued job or a user, whichever table is asked."""
    if "job_id" in asked["Key"]:
        request = ImageRequest(
            prompt="a lighthouse at dawn", model=DEFAULT_ROUTES[0].model, aspect_ratio="1:1", seed=7
        )
        job = Job(
            job_id=JOB_ID,
            user_id=USER_ID,
            request=request,
            fingerprint="0" * 64,
            cost=2,
            created_at=NOW,
            look_at=NOW,
        )
        return {"Item": job_item(job)}
    texts = {"user_id": USER_ID, "email": "ann@example.com", "created_at": time_text(NOW)}
    numbers = {"available": "8", "held": "2", "active_jobs": "1"}
    return {
        "Item": {name: {"S": text} for name, text in texts.items()}
        | {name: {"N": number} for name, number in numbers.items()}
    }


ANSWERS: dict[str, Callable[[Mapping[str, Any]], Json]] = {
    "GetItem": _item_of,
    "PutItem": lambda _asked: {},
    "TransactWriteItems": lambda _asked: {},
    "Query": lambda _asked: {"Items": [], "Count": 0, "ScannedCount": 0},
    "BatchGetItem": lambda asked: {
        "Responses": {table: [] for table in asked["RequestItems"]},
        "UnprocessedKeys": {},
    },
    "SendMessage": lambda asked: {
        "MessageId": "00000000-0000-0000-0000-000000000000",
        "MD5OfMessageBody": hashlib.md5(  # noqa: S324 - SQS's own checksum
            asked["MessageBody"].encode()
        ).hexdigest(),
    },
    "GetParameter": lambda asked: {
        "Parameter": {"Name": asked["Name"], "Type": "SecureString", "Value": json.dumps(MERCHANT)}
    },
}


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def do_POST(self) -> None:
        asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        operation = self.headers["X-Amz-Target"].partition(".")[2]
        known = ANSWERS.get(operation)
        content = json.dumps(known(asked) if known else {}).encode()
        self.send_response(HTTPStatus.OK if known else HTTPStatus.BAD_REQUEST)
        self.send_header("Content-Type", "application/x-amz-json-1.0")
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - http.server's name
        """Say nothing."""


@contextmanager
def instant_aws() -> Iterator[str]:
    """The server's URL while it runs, on a thread of this process."""
    with ThreadingHTTPServer((HOST, 0), _Handler) as server:
        server.daemon_threads = True
        threading.Thread(target=server.serve_forever, daemon=True).start()
        try:
            yield f"http://{HOST}:{server.server_port}"
        finally:
            server.shutdown()
