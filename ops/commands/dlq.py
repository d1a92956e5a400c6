"""`imagify dlq`: what operators do with stalled jobs and with the dead-letter queue."""

# ruff: noqa: PLC0415 - --help is quick: what a command needs is imported when it runs

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

from typer import Argument, BadParameter, Option, Typer

from ops.options import DryRun, Json, Profile, Reason, StageOnAws, said

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ops.stack import Stack
    from ops.stalled.decisions import Order, Outcome
    from ops.stalled.stalled_jobs import StrayLetter

RATE_MAX = 100
"""Jobs redriven in a second at most."""


ErrorCode = Annotated[
    str | None,
    Option("--error", metavar="CODE", help="Only jobs that stalled by it, such as model_failed."),
]
DLQ = Typer(
    name="dlq",
    help="Look at stalled jobs and the dead-letter queue; redrive, discard, remove.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


@DLQ.command("list")
def list_stalled(
    *,
    error: ErrorCode = None,
    as_json: Json = False,
    stage: StageOnAws = None,
    profile: Profile = None,
) -> int:
    """List stalled jobs, then the messages in the dead-letter queue that are no stalled job's."""
    from ops.stack import Stack
    from ops.stalled.stalled_jobs import look
    from ops.stalled.words import say_found

    desk = Stack(stage, profile).desk
    with desk.letters.reading() as reading:
        letters, complete = reading.letters, reading.complete
    found = look(desk, letters, complete=complete, error=error)
    say_found(found, letters, now=desk.now(), as_json=as_json)
    return 0


@DLQ.command("show")
def show(
    job: Annotated[str, Argument(metavar="JOB", help="The job's id.")],
    *,
    as_json: Json = False,
    stage: StageOnAws = None,
    profile: Profile = None,
) -> int:
    """Show all that is known of a job but its prompt, and who has decided what about it."""
    from ops.stack import Stack
    from ops.stalled.stalled_jobs import dossier
    from ops.stalled.words import say_dossier

    desk = Stack(stage, profile).desk
    with desk.letters.reading() as reading:
        letters = reading.letters
    say_dossier(dossier(job, letters, desk=desk), as_json=as_json)
    return 0


@DLQ.command("redrive")
def redrive(
    jobs: Annotated[list[str] | None, Argument(metavar="JOB", help="Stalled jobs.")] = None,
    *,
    everything: Annotated[
        bool, Option("--all", help="All stalled jobs; messages of jobs that are over go too.")
    ] = False,
    error: ErrorCode = None,
    rate: Annotated[int, Option(metavar="N", min=1, max=RATE_MAX, help="Jobs a second.")] = 10,
    reason: Annotated[
        str | None,
        Option(metavar="WHY", callback=said, help=r"Kept.  \[default: how they were chosen]"),
    ] = None,
    dry_run: DryRun = False,
    as_json: Json = False,
    stage: StageOnAws = None,
    profile: Profile = None,
) -> int:
    """Give stalled jobs all their attempts again: JOB…, --all or --error.

    One that is not stalled any more is left as it is. Exit code 1: some could not be redriven.
    """
    from itertools import chain

    from ops.stack import Stack
    from ops.stalled.decisions import redrive_each, remove_left_over
    from ops.stalled.stalled_jobs import look
    from ops.terminal import ERR

    if [bool(jobs), everything, error is not None].count(True) != 1:
        raise BadParameter("name jobs, or give --all, or --error")
    stack = Stack(stage, profile)
    desk = stack.desk
    chosen = "by its id" if jobs else "with all others" if everything else f"with all of {error}"
    order = _order(stack, reason or f"redriven {chosen}", dry_run=dry_run)
    with desk.letters.reading() as reading:
        job_ids = list(dict.fromkeys(jobs or ()))
        left_over: tuple[StrayLetter, ...] = ()
        if not jobs:
            found = look(desk, reading.letters, complete=reading.complete, error=error)
            job_ids = [job.job_id for job in found.jobs]
            left_over = found.left_over  # there are none with --error
            if not found.complete:
                ERR.print("There is more than is read at once: give the command again after this.")
        outcomes = chain(
            redrive_each(job_ids, desk=desk, reading=reading, order=order, per_second=rate),
            remove_left_over(left_over, desk=desk, reading=reading, order=order),
        )
        number = len(job_ids) + len(left_over)
        return _carry_out(outcomes, number, dry_run=dry_run, as_json=as_json)


@DLQ.command("discard")
def discard(
    jobs: Annotated[list[str], Argument(metavar="JOB", help="Stalled jobs.")],
    *,
    reason: Reason,
    dry_run: DryRun = False,
    as_json: Json = False,
    stage: StageOnAws = None,
    profile: Profile = None,
) -> int:
    """End stalled jobs without an image and give their credits back.

    Refused for a job whose image turns out to be stored: redrive it. Exit code 1: some were not
    discarded.
    """
    from ops.stack import Stack
    from ops.stalled.decisions import discard_each

    stack = Stack(stage, profile)
    desk = stack.desk
    order = _order(stack, reason, dry_run=dry_run)
    job_ids = list(dict.fromkeys(jobs))
    with desk.letters.reading() as reading:
        outcomes = discard_each(job_ids, desk=desk, reading=reading, order=order)
        return _carry_out(outcomes, len(job_ids), dry_run=dry_run, as_json=as_json)


@DLQ.command("remove")
def remove(
    messages: Annotated[
        list[str], Argument(metavar="MESSAGE_ID", help="Messages in the dead-letter queue.")
    ],
    *,
    reason: Annotated[str, Option(metavar="WHY", callback=said, help="Why; kept.")],
    dry_run: DryRun = False,
    as_json: Json = False,
    stage: StageOnAws = None,
    profile: Profile = None,
) -> int:
    """Take messages out that are no stalled job's; what they said is kept with who did it and why.

    Exit code 1: some were not removed.
    """
    from ops.stack import Stack
    from ops.stalled.decisions import remove_each

    stack = Stack(stage, profile)
    desk = stack.desk
    order = _order(stack, reason, dry_run=dry_run)
    message_ids = list(dict.fromkeys(messages))
    with desk.letters.reading() as reading:
        outcomes = remove_each(message_ids, desk=desk, reading=reading, order=order)
        return _carry_out(outcomes, len(message_ids), dry_run=dry_run, as_json=as_json)


@DLQ.command("tidy")
def tidy(
    *,
    dry_run: DryRun = False,
    as_json: Json = False,
    stage: StageOnAws = None,
    profile: Profile = None,
) -> int:
    """Take the messages of jobs that are over out of the queue, and nothing else."""
    from ops.stack import Stack
    from ops.stalled.decisions import remove_left_over
    from ops.stalled.stalled_jobs import look

    stack = Stack(stage, profile)
    desk = stack.desk
    order = _order(stack, "left over", dry_run=dry_run)
    with desk.letters.reading() as reading:
        found = look(desk, reading.letters, complete=reading.complete, error=None)
        outcomes = remove_left_over(found.left_over, desk=desk, reading=reading, order=order)
        return _carry_out(outcomes, len(found.left_over), dry_run=dry_run, as_json=as_json)


def _order(stack: Stack, why: str, *, dry_run: bool) -> Order:
    from ops.stalled.decisions import Order

    return Order(by=stack.operator, why=why, dry_run=dry_run)


def _carry_out(outcomes: Iterator[Outcome], number: int, *, dry_run: bool, as_json: bool) -> int:
    """Take one decision after another, with a bar; then say what became of them."""
    from rich.progress import Progress

    from ops.interrupts import each_to_its_end
    from ops.stalled.words import exit_code, say_outcomes
    from ops.terminal import ERR

    done: list[Outcome] = []
    with Progress(console=ERR, transient=True, disable=not ERR.is_terminal) as bar:
        row = bar.add_task("Looking" if dry_run else "Deciding", total=number)

        def note(outcome: Outcome) -> None:
            done.append(outcome)
            bar.advance(row)

        interrupted = each_to_its_end(outcomes, note)
    say_outcomes(done, dry_run=dry_run, interrupted=interrupted, as_json=as_json)
    return exit_code(done, interrupted=interrupted)
