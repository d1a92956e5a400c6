"""How domain objects lie in DynamoDB: the storage shape, apart from the domain's.

Times are RFC 3339 in UTC with microseconds, so that they sort as text; absent means None.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from common.aws.attribute_values import plain, typed
from common.credits import Balance, EntryKind, LedgerEntry
from common.jobs import Image, ImageRequest, Job, JobError, JobStatus
from common.users import User

Item = dict[str, Any]
"""An item as DynamoDB's client takes and gives it: attribute name to typed value."""


def to_item(values: Mapping[str, Any]) -> Item:
    """Plain values to an item, without those that are None."""
    return {name: typed(value) for name, value in values.items() if value is not None}


def from_item(item: Mapping[str, Any]) -> dict[str, Any]:
    """An item to plain values; numbers are Decimal."""
    return {name: plain(value) for name, value in item.items()}


def time_text(moment: datetime) -> str:
    """RFC 3339, UTC, microseconds."""
    return moment.astimezone(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")


def position(key: Mapping[str, Any] | None, name: str) -> tuple[str, str] | None:
    """Where a page by time goes on: the time and the `name` in DynamoDB's last key, or None."""
    if not key:
        return None
    values = from_item(key)
    return values["created_at"], values[name]


def optional_time(text: str | None) -> datetime | None:
    """The moment in the text, or None."""
    return datetime.fromisoformat(text) if text else None


def job_item(job: Job) -> Item:
    """A job as an item of the Jobs table."""
    image = job.image
    return to_item(
        {
            "job_id": job.job_id,
            "user_id": job.user_id,
            "prompt": job.request.prompt,
            "negative_prompt": job.request.negative_prompt,
            "model": job.request.model,
            "aspect_ratio": job.request.aspect_ratio,
            "seed": job.request.seed,
            "fingerprint": job.fingerprint,
            "cost": job.cost,
            "status": str(job.status),
            "version": job.version,
            "attempts": job.attempts,
            "created_at": time_text(job.created_at),
            "started_at": job.started_at and time_text(job.started_at),
            "finished_at": job.finished_at and time_text(job.finished_at),
            "waiting": job.request.model if job.status is JobStatus.QUEUED else None,
            "starts_at": job.starts_at and time_text(job.starts_at),
            "not_before": job.not_before and time_text(job.not_before),
            "lease_id": job.lease_id,
            "lease_expires_at": job.lease_expires_at and time_text(job.lease_expires_at),
            "stalled_message_id": job.stalled_message_id,
            "stalled_at": job.stalled_at and time_text(job.stalled_at),
            "failed_starts": job.failed_starts or None,
            "sendings": job.sendings,
            "due": str(job.status) if job.look_at else None,
            "look_at": job.look_at and time_text(job.look_at),
            "allow_cached": job.allow_cached or None,
            "cached": job.cached or None,
            "image": image
            and {
                "key": image.key,
                "width": image.width,
                "height": image.height,
                "content_type": image.content_type,
                "size_bytes": image.size_bytes,
            },
            "error": job.error and {"code": job.error.code, "message": job.error.message},
        }
    )


def job_from(item: Mapping[str, Any]) -> Job:
    """The job in an item of the Jobs table."""
    values = from_item(item)
    image = values.get("image")
    error = values.get("error")
    seed = values.get("seed")
    return Job(
        job_id=values["job_id"],
        user_id=values["user_id"],
        request=ImageRequest(
            prompt=values["prompt"],
            negative_prompt=values.get("negative_prompt"),
            model=values["model"],
            aspect_ratio=values["aspect_ratio"],
            seed=None if seed is None else int(seed),
        ),
        fingerprint=values["fingerprint"],
        cost=int(values["cost"]),
        status=JobStatus(values["status"]),
        version=int(values["version"]),
        attempts=int(values["attempts"]),
        created_at=datetime.fromisoformat(values["created_at"]),
        started_at=optional_time(values.get("started_at")),
        finished_at=optional_time(values.get("finished_at")),
        starts_at=optional_time(values.get("starts_at")),
        not_before=optional_time(values.get("not_before")),
        lease_id=values.get("lease_id"),
        lease_expires_at=optional_time(values.get("lease_expires_at")),
        stalled_message_id=values.get("stalled_message_id"),
        stalled_at=optional_time(values.get("stalled_at")),
        failed_starts=int(values.get("failed_starts", 0)),
        sendings=int(values.get("sendings", 1)),
        look_at=optional_time(values.get("look_at")),
        allow_cached=values.get("allow_cached", False),
        cached=values.get("cached", False),
        image=image
        and Image(
            key=image["key"],
            width=int(image["width"]),
            height=int(image["height"]),
            content_type=image["content_type"],
            size_bytes=int(image["size_bytes"]),
        ),
        error=error and JobError(code=error["code"], message=error["message"]),
    )


def entry_item(entry: LedgerEntry) -> Item:
    """A ledger entry as an item of the Ledger table."""
    return to_item(
        {
            "user_id": entry.user_id,
            "entry_id": entry.entry_id,
            "kind": str(entry.kind),
            "created_at": time_text(entry.created_at),
            "available": entry.available,
            "held": entry.held,
            "active_jobs": entry.active_jobs,
            "job_id": entry.job_id,
            "txn_ref": entry.txn_ref,
            "reason": entry.reason,
            "by": entry.by,
        }
    )


def entry_from(item: Mapping[str, Any]) -> LedgerEntry:
    """The ledger entry in an item of the Ledger table."""
    values = from_item(item)
    return LedgerEntry(
        user_id=values["user_id"],
        entry_id=values["entry_id"],
        kind=EntryKind(values["kind"]),
        created_at=datetime.fromisoformat(values["created_at"]),
        available=int(values["available"]),
        held=int(values["held"]),
        active_jobs=int(values["active_jobs"]),
        job_id=values.get("job_id"),
        txn_ref=values.get("txn_ref"),
        reason=values.get("reason"),
        by=values.get("by"),
    )


def user_item(user: User) -> Item:
    """A user as an item of the Users table."""
    return to_item(
        {
            "user_id": user.user_id,
            "email": user.email,
            "created_at": time_text(user.created_at),
            "available": user.balance.available,
            "held": user.balance.held,
            "active_jobs": user.balance.active_jobs,
        }
    )


def user_from(item: Mapping[str, Any]) -> User:
    """The user in an item of the Users table."""
    values = from_item(item)
    return User(
        user_id=values["user_id"],
        email=values["email"],
        created_at=datetime.fromisoformat(values["created_at"]),
        balance=balance_from(item),
    )


def balance_from(item: Mapping[str, Any]) -> Balance:
    """What the user in an item of the Users table has."""
    values = from_item(item)
    return Balance(
        available=int(values["available"]),
        held=int(values["held"]),
        active_jobs=int(values["active_jobs"]),
    )
