"""`imagify generate`: prompts in, PNG files out."""

# ruff: noqa: PLC0415 - --help is quick: what a command needs is imported when it runs

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from typer import Argument, Option

from ops.options import Json, Profile, StageOnAws

COUNT_MAX = 100


def generate(
    prompt: Annotated[str, Argument(metavar="PROMPT", help="What the image is to show.")],
    *,
    out: Annotated[
        Path | None, Option(metavar="FILE", help=r"Where to save it.  \[default: JOB_ID.png]")
    ] = None,
    count: Annotated[int, Option(min=1, max=COUNT_MAX, metavar="N", help="How many images.")] = 1,
    model: Annotated[
        str | None, Option(metavar="M", help=r"A model id of GET /models.  \[default: the first]")
    ] = None,
    aspect_ratio: Annotated[
        str | None, Option(metavar="R", help=r"Such as 16:9.  \[default: 1:1]")
    ] = None,
    seed: Annotated[
        int | None, Option(metavar="N", help="The same again; more images take N + 1, …")
    ] = None,
    negative_prompt: Annotated[
        str | None, Option(metavar="TEXT", help="What should not be in it.")
    ] = None,
    idempotency_key: Annotated[
        str | None, Option(metavar="K", help="The same key is the same job, charged once.")
    ] = None,
    email: Annotated[
        str | None,
        Option(
            "--as",
            metavar="EMAIL",
            help=r"Who submits; the password is asked for, or is in IMAGIFY_PASSWORD."
            r"  \[default: the local run's person]",
        ),
    ] = None,
    as_json: Json = False,
    stage: StageOnAws = None,
    profile: Profile = None,
) -> int:
    """Generate an image from a prompt and save it.

    Submits to the local run as you@example.com, or with --stage to one on AWS --as somebody there,
    follows the job, saves the PNG. The exit code is 0 when every image is saved.
    """
    from ops.customer.images import Wish
    from ops.customer.images import generate as make_images
    from ops.customer.sign_in import client_as
    from ops.stack import Stack

    wish = Wish(
        prompt=prompt,
        out=out,
        count=count,
        model=model,
        aspect_ratio=aspect_ratio,
        seed=seed,
        negative_prompt=negative_prompt,
        idempotency_key=idempotency_key,
        as_json=as_json,
    )
    stack = Stack(stage, profile)
    return make_images(client_as(stack, email), wish)
