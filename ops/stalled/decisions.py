"""What an operator decides about stalled jobs and stray messages, many at a time.

Each decision stands alone: one that cannot be carried out does not keep the others from it, and one
that somebody else was quicker with does nothing. What is decided is written down before a message
is deleted, so a death in between leaves a message too many, and nothing else.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from enum import StrEnum
from typing import Literal

from common.acts import removal
from common.errors import Conflict, ImagifyError, NotFound, ServiceFailed, StaleWrite
from common.jobs import JobError, image_key
from common.stalled import discard_job, redrive_job, require_stalled
from ops.stalled.dead_letters import Letter, Reading
from ops.stalled.stalled_jobs import Desk, StrayLetter, stray

STALE_MAX = 3
"""How often a job that changes under our hands is read again before it is given up."""
BODY_BYTES_MAX = 300_000
"""What an act keeps of a message; DynamoDB takes items of 400 KB."""
DISCARDED = "discarded"
"""The code of the error that the owner of a discarded job is told."""


class Result(StrEnum):
    """What became of a decision; the values are the command line's."""

    REDRIVEN = "redriven"
    DISCARDED = "discarded"
    REMOVED = "removed"
    NOTHING = "nothing_to_do"
    """It is as it should be already."""
    NOT_FOUND = "not_found"
    REFUSED = "refused"
    FAILED = "failed"


FAILURES = (Result.NOT_FOUND, Result.REFUSED, Result.FAILED)


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """Who decides, and why; a dry one is only looked through."""

    by: str
    why: str
    dry_run: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What became of one decision."""

    kind: Literal["job", "message"]
    subject: str
    """The job's or the message's id."""
    result: Result
    said: str = ""
    """One sentence, where there is more to say."""
    deleted: int = 0
    """Messages of the job that were deleted."""

    @property
    def failed(self) -> bool:
        """Whether it is not as the operator wanted it."""
        return self.result in FAILURES


def redrive_each(
    job_ids: Iterable[str], *, desk: Desk, reading: Reading, order: Order, per_second: int
) -> Iterator[Outcome]:
    """Redrive jobs, so many a second, and delete the messages of those that were stalled."""

    def decide(job_id: str) -> None:
        if order.dry_run:
            require_stalled(job_id, desk.jobs)
            return
        redrive_job(
            job_id, by=order.by, why=order.why, jobs=desk.jobs, queue=desk.queue, now=desk.now
        )

    letters = _by_job(reading.letters)
    for job_id in _paced(job_ids, per_second, desk):
        own = letters.get(job_id, ())
        yield _decided(job_id, Result.REDRIVEN, decide, own=own, reading=reading, order=order)


def discard_each(
    job_ids: Iterable[str], *, desk: Desk, reading: Reading, order: Order
) -> Iterator[Outcome]:
    """Discard jobs whose image is not stored, and delete their messages; their owners learn why."""

    def decide(job_id: str) -> None:
        if order.dry_run:
            _require_discardable(job_id, desk)
            return
        discard_job(
            job_id,
            error=JobError(code=DISCARDED, message=order.why),
            by=order.by,
            why=order.why,
            jobs=desk.jobs,
            images=desk.images,
            now=desk.now,
        )

    letters = _by_job(reading.letters)
    for job_id in job_ids:
        own = letters.get(job_id, ())
        yield _decided(job_id, Result.DISCARDED, decide, own=own, reading=reading, order=order)


def remove_each(
    message_ids: Iterable[str], *, desk: Desk, reading: Reading, order: Order
) -> Iterator[Outcome]:
    """Take messages out of the queue that are no stalled job's."""
    letters = {letter.message_id: letter for letter in reading.letters}
    for message_id in message_ids:
        letter = letters.get(message_id)
        try:
            if letter is None:
                yield _missing(message_id, desk)
            elif stray(letter, desk.jobs) is None:
                said = f"It is the message of {letter.job_id}: redrive or discard that job."
                yield _message(message_id, Result.REFUSED, said)
            else:
                yield _remove(letter, desk, reading, order)
        except ImagifyError as error:
            yield _message(message_id, Result.FAILED, error.message)


def remove_left_over(
    strays: Iterable[StrayLetter], *, desk: Desk, reading: Reading, order: Order
) -> Iterator[Outcome]:
    """Take the messages of jobs that are over out of the queue."""
    for each in strays:
        try:
            yield _remove(each.letter, desk, reading, replace(order, why=each.words))
        except ImagifyError as error:
            yield _message(each.letter.message_id, Result.FAILED, error.message)


def _decided(
    job_id: str,
    wanted: Result,
    decide: Callable[[str], None],
    *,
    own: Sequence[Letter],
    reading: Reading,
    order: Order,
) -> Outcome:
    """Carry a decision about a job out, then delete its messages: nobody needs them any more."""
    try:
        _read_again_when_stale(decide, job_id)
    except ImagifyError as error:
        return Outcome(kind="job", subject=job_id, result=_meaning(error), said=error.message)
    outcome = Outcome(kind="job", subject=job_id, result=wanted, deleted=len(own))
    if order.dry_run or not own:
        return outcome
    try:
        return replace(outcome, deleted=len(reading.delete(own)))
    except ServiceFailed as error:
        return replace(outcome, deleted=0, said=f"Its message is left over: {error.message}")


def _read_again_when_stale(decide: Callable[[str], None], job_id: str) -> None:
    """Somebody else was quicker: perhaps with the same decision, so look what is left to do."""
    for _try in range(STALE_MAX - 1):
        try:
            decide(job_id)
        except StaleWrite:
            continue
        return
    decide(job_id)


def _meaning(error: ImagifyError) -> Result:
    if isinstance(error, NotFound):
        return Result.NOT_FOUND
    if isinstance(error, Conflict):
        return Result.NOTHING if error.code == "not_stalled" else Result.REFUSED
    return Result.FAILED


def _require_discardable(job_id: str, desk: Desk) -> None:
    """Raise what `discard_job` would."""
    job = require_stalled(job_id, desk.jobs)
    if desk.images.find(image_key(job)) is not None:
        raise Conflict(f"The image of {job_id} is stored: redrive it.", code="image_stored")


def _remove(letter: Letter, desk: Desk, reading: Reading, order: Order) -> Outcome:
    """Write the act, unless an earlier try has, then delete."""
    if order.dry_run:
        return _message(letter.message_id, Result.REMOVED)
    act = removal(letter.message_id, _kept(letter), at=desk.now(), by=order.by, why=order.why)
    if not desk.acts.of(act.subject):
        desk.acts.write(act)
    if letter.message_id not in reading.delete([letter]):
        return _message(letter.message_id, Result.FAILED, "Another reader has it now: look again.")
    return _message(letter.message_id, Result.REMOVED)


def _missing(message_id: str, desk: Desk) -> Outcome:
    """A message that is not there: removed before, or never there, or in another reader's hands."""
    subject = removal(message_id, "", at=desk.now(), by="", why="").subject
    acts = desk.acts.of(subject)
    if acts:
        return _message(message_id, Result.NOTHING, f"It was removed by {acts[0].by}.")
    said = f"The dead-letter queue has no message {message_id}, or another reader has it just now."
    return _message(message_id, Result.NOT_FOUND, said)


def _message(message_id: str, result: Result, said: str = "") -> Outcome:
    return Outcome(kind="message", subject=message_id, result=result, said=said)


def _kept(letter: Letter) -> str:
    return letter.body.encode()[:BODY_BYTES_MAX].decode(errors="ignore")


def _by_job(letters: Iterable[Letter]) -> Mapping[str, Sequence[Letter]]:
    found: defaultdict[str, list[Letter]] = defaultdict(list)
    for letter in letters:
        if letter.job_id is not None:
            found[letter.job_id].append(letter)
    return found


def _paced(job_ids: Iterable[str], per_second: int, desk: Desk) -> Iterator[str]:
    """The ids, so many a second: those who wait already are not to be crowded out at once."""
    due = desk.now()
    for job_id in job_ids:
        wait_seconds = (due - desk.now()).total_seconds()
        if wait_seconds > 0:
            desk.sleep(wait_seconds)
        due = desk.now() + timedelta(seconds=1 / per_second)
        yield job_id
