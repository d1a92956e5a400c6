"""The auditor's own account of what people were answered and shown."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Mapping
from typing import Any

from tests.simulation.calls import Seen

Violate = Callable[[str, str], None]


class Answers:
    """Nobody sees anything of another's, and the same key is the same job for ever."""

    def __init__(
        self, violate: Violate, *, jobs: Mapping[str, Any], payments: Mapping[str, Any]
    ) -> None:
        self._violate = violate
        self._jobs = jobs
        self._payments = payments
        self._tried: defaultdict[tuple[str, str], list[str]] = defaultdict(list)
        """The bodies that were ever sent with a user's key."""
        self._accepted: dict[tuple[str, str], tuple[str, str]] = {}
        """The body that was accepted with a user's key, and the job that it became."""

    def shown(self, user_id: str, text: str) -> None:
        """Something that only this user may see."""
        for job_id, job in self._jobs.items():
            if job.user_id != user_id and job_id in text:
                self._violate("privacy", f"{user_id} is shown {job_id[:8]} of {job.user_id}")
        for txn_ref, payment in self._payments.items():
            if payment.user_id != user_id and txn_ref in text:
                self._violate("privacy", f"{user_id} is shown {txn_ref} of {payment.user_id}")
        for other in self.users:
            if other != user_id and other in text:
                self._violate("privacy", f"{user_id} is shown something of {other}")

    users: tuple[str, ...] = ()
    """Everybody."""

    def answered(self, user_id: str, what: str, seen: Seen) -> None:
        """An answer over HTTP to this user."""
        if seen.status == 500:
            self._violate("bug", f"{what} was answered {seen.text}")
        if seen.text:
            self.shown(user_id, seen.everything)

    def submitting(self, user_id: str, key: str, body: str) -> None:
        """A submit is on its way."""
        self._tried[user_id, key].append(body)

    def submitted(self, user_id: str, key: str, body: str, seen: Seen) -> None:
        """The answer to it: the key is the same job for ever, whatever happens."""
        accepted = self._accepted.get((user_id, key))
        if seen.status == 202:
            job_id = seen.json["job_id"]
            job = self._jobs.get(job_id)
            if job is None or job.user_id != user_id:
                self._violate("lost", f"{job_id} was accepted and does not exist")
            if accepted is not None and accepted != (body, job_id):
                self._violate("key", f"{user_id}'s {key} is another job than before")
            self._accepted[user_id, key] = (body, job_id)
        elif seen.status == 422:
            others = [tried for tried in self._tried[user_id, key] if tried != body]
            if not others or (accepted is not None and accepted[0] == body):
                self._violate("key", f"{user_id}'s {key} was refused with the same body")
        elif seen.status < 500 and accepted is not None:
            self._violate("key", f"{user_id}'s {key} is answered {seen.text} after 202")

    def balance_shown(self, user_id: str, balance: Mapping[str, int]) -> None:
        """A balance over HTTP or in the feed."""
        if min(balance.values()) < 0:
            self._violate("balance", f"{user_id} is shown {balance}")
