"""How stalled jobs, messages and decisions about them are shown, to people and to programs.

A prompt is its owner's: no operator sees more of it than its length.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from common.acts import Act
from common.jobs import Job
from ops.stalled.dead_letters import Letter
from ops.stalled.decisions import Outcome, Result
from ops.stalled.stalled_jobs import Dossier, Found, StrayLetter
from ops.terminal import ERR, OUT

BODY_SHOWN = 60
"""Characters of a message that are shown."""


def say_found(found: Found, letters: Sequence[Letter], *, now: datetime, as_json: bool) -> None:
    """What waits for a decision; `letters` is all that was read of the queue."""
    with_letter = {letter.job_id for letter in letters}
    if as_json:
        facts = {
            "jobs": [_job_facts(job, in_queue=job.job_id in with_letter) for job in found.jobs],
            "messages": [_stray_facts(each) for each in found.strays],
            "complete": found.complete,
        }
        OUT.out(json.dumps(facts, indent=2))
        return
    if found.jobs:
        head = ("JOB", "USER", "STALLED", "ATTEMPTS", "ERROR", "CREDITS", "MESSAGE")
        _table(head, [_job_row(job, with_letter, now) for job in found.jobs])
    elif found.others:
        ERR.print(f"Nothing is stalled by that; {found.others} by other errors.")
    else:
        ERR.print("Nothing is stalled.")
    if found.strays:
        _table(
            ("MESSAGE", "SENT", "WHAT", "BODY"),
            [
                (each.letter.message_id, _age(now - each.letter.sent_at), each.words, _body(each))
                for each in found.strays
            ],
        )
    if not found.complete:
        ERR.print("There is more: look again when these are dealt with.")


def say_dossier(dossier: Dossier, *, as_json: bool) -> None:
    """All that is known of a job."""
    facts = _dossier_facts(dossier)
    if as_json:
        OUT.out(json.dumps(facts, indent=2))
        return
    shown = [(name, value) for name, value in facts.items() if not isinstance(value, list)]
    shown += [("message", f"{each.message_id}, {_time(each.sent_at)}") for each in dossier.letters]
    shown += [
        ("act", f"{_time(each.at)}  {each.what} by {each.by}: {each.why}") for each in dossier.acts
    ]
    for name, value in shown:
        if value is not None:
            OUT.print(f"{name:<20}{_plain(str(value))}", markup=False)


def say_outcomes(
    outcomes: Sequence[Outcome], *, dry_run: bool, interrupted: bool, as_json: bool
) -> None:
    """What became of decisions, one by one, and in all."""
    if as_json:
        facts = {
            "dry_run": dry_run,
            "interrupted": interrupted,
            "jobs": [_outcome_facts(each) for each in outcomes if each.kind == "job"],
            "messages": [_outcome_facts(each) for each in outcomes if each.kind == "message"],
        }
        OUT.out(json.dumps(facts, indent=2))
        return
    for each in outcomes:
        said = f"  {each.said}" if each.said else ""
        would = dry_run and _done(each)
        word = f"would be {each.result}" if would else _word(each.result)
        OUT.print(f"{each.subject}  {word}{said}", markup=False)
    counted = _counted(outcomes)
    if interrupted:
        counted += ". Interrupted: the rest is as it was"
    if dry_run and any(_done(each) for each in outcomes):
        counted = f"Would be {counted}. Nothing was done"
    ERR.print(f"{counted}.", markup=False)


def exit_code(outcomes: Iterable[Outcome], *, interrupted: bool) -> int:
    """0: all is as it was wanted; 1: something is not; 130: interrupted."""
    if interrupted:
        return 130
    return 1 if any(each.failed for each in outcomes) else 0


def _done(outcome: Outcome) -> bool:
    """Whether something is changed."""
    return not outcome.failed and outcome.result is not Result.NOTHING


def _counted(outcomes: Collection[Outcome]) -> str:
    """How many came out how, in the order of `Result`."""
    numbers = Counter(each.result for each in outcomes)
    parts = [f"{numbers[result]} {_word(result)}" for result in Result if numbers[result]]
    deleted = sum(each.deleted for each in outcomes)
    if deleted:
        parts.append("1 message deleted" if deleted == 1 else f"{deleted} messages deleted")
    return ", ".join(parts) or "Nothing to do"


def _word(result: Result) -> str:
    return result.replace("_", " ")


def _job_row(job: Job, with_letter: Collection[str | None], now: datetime) -> tuple[str, ...]:
    return (
        job.job_id,
        job.user_id,
        _age(now - (job.stalled_at or now)),
        str(job.attempts),
        job.error.code if job.error else "",
        str(job.cost),
        "in the queue" if job.job_id in with_letter else "none",
    )


def _job_facts(job: Job, *, in_queue: bool) -> dict[str, Any]:
    return {
        "job_id": job.job_id,
        "user_id": job.user_id,
        "stalled_at": _time(job.stalled_at),
        "attempts": job.attempts,
        "error": _error(job),
        "credits_held": job.cost,
        "message_in_queue": in_queue,
    }


def _stray_facts(stray: StrayLetter) -> dict[str, Any]:
    return {
        "message_id": stray.letter.message_id,
        "sent_at": _time(stray.letter.sent_at),
        "what": stray.what,
        "job_id": stray.letter.job_id,
        "job_status": stray.job.status if stray.job else None,
        "body_begins": _plain(stray.letter.body[:BODY_SHOWN]),
    }


def _dossier_facts(dossier: Dossier) -> dict[str, Any]:
    job = dossier.job
    request = job.request
    return {
        "job_id": job.job_id,
        "status": job.status,
        "user_id": job.user_id,
        "model": request.model,
        "aspect_ratio": request.aspect_ratio,
        "seed": request.seed,
        "prompt_characters": len(request.prompt),
        "negative_characters": len(request.negative_prompt or ""),
        "allow_cached": job.allow_cached,
        "credits": job.cost,
        "credits_held": 0 if job.terminal else job.cost,
        "attempts": job.attempts,
        "version": job.version,
        "created_at": _time(job.created_at),
        "started_at": _time(job.started_at),
        "starts_at": _time(job.starts_at),
        "lease_expires_at": _time(job.lease_expires_at),
        "stalled_at": _time(job.stalled_at),
        "stalled_message_id": job.stalled_message_id,
        "look_at": _time(job.look_at),
        "finished_at": _time(job.finished_at),
        "error_code": job.error.code if job.error else None,
        "error_message": job.error.message if job.error else None,
        "image_stored": dossier.image_stored,
        "image_key": job.image.key if job.image else None,
        "cached": job.cached,
        "messages": [
            {"message_id": each.message_id, "sent_at": _time(each.sent_at)}
            for each in dossier.letters
        ],
        "acts": [_act_facts(each) for each in dossier.acts],
    }


def _act_facts(act: Act) -> dict[str, Any]:
    return {"what": act.what, "at": _time(act.at), "by": act.by, "why": act.why}


def _outcome_facts(outcome: Outcome) -> dict[str, Any]:
    facts: dict[str, Any] = {
        f"{outcome.kind}_id": outcome.subject,
        "result": outcome.result,
        "said": outcome.said or None,
    }
    if outcome.kind == "job":
        facts["messages_deleted"] = outcome.deleted
    return facts


def _error(job: Job) -> Mapping[str, str] | None:
    return {"code": job.error.code, "message": job.error.message} if job.error else None


def _table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """Columns as wide as they must be."""
    lines = [head, *rows]
    widths = [max(len(line[column]) for line in lines) for column in range(len(head))]
    for line in lines:
        cells = [cell.ljust(width) for cell, width in zip(line, widths, strict=True)]
        OUT.print("  ".join(cells).rstrip(), markup=False)


def _body(stray: StrayLetter) -> str:
    return _plain(stray.letter.body[:BODY_SHOWN])


def _plain(text: str) -> str:
    """On one line, and without what a terminal would obey: a message may be anybody's."""
    return "".join(character if character.isprintable() else "·" for character in text)


def _age(lasted: timedelta) -> str:
    seconds = max(0, int(lasted.total_seconds()))
    for unit, length in (("d", 86_400), ("h", 3_600), ("min", 60)):
        if seconds >= 2 * length:
            return f"{seconds // length} {unit}"
    return f"{seconds} s"


def _time(at: datetime | None) -> str | None:
    return None if at is None else at.isoformat(timespec="seconds")
