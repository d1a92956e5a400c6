"""`imagify image-key`: the keys that sign images' links, where there is a domain."""

# ruff: noqa: PLC0415 - --help is quick: what a command needs is imported when it runs

from __future__ import annotations

from typing import Annotated

from typer import Option, Typer

from ops.options import DryRun, Json, Profile, Stage

IMAGE_KEY = Typer(
    name="image-key",
    help="The keys that sign images' links, where there is a domain.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


@IMAGE_KEY.command("new")
def new(
    *,
    stage: Stage,
    version: Annotated[
        int | None,
        Option(metavar="N", min=1, help=r"Which pair.  \[default: cdk.json's image_key_version]"),
    ] = None,
    dry_run: DryRun = False,
    as_json: Json = False,
    profile: Profile = None,
) -> int:
    """Make a pair of keys in Parameter Store, before the deployment that uses it.

    Exit code 1: it is there already, or Parameter Store does not answer.
    """
    import json

    from ops.caller import known_caller
    from ops.deployment.key_pair import refuse_if_there, store_new_pair
    from ops.stages import configured
    from ops.terminal import ERR, OUT

    config = configured(stage)
    chosen = version or config.image_key_version
    private, public = config.image_key_parameter(chosen), config.image_public_key_parameter(chosen)
    ssm = known_caller(profile, config.home_region).session.client("ssm")
    if dry_run:
        refuse_if_there(ssm, public)
    else:
        store_new_pair(ssm, private_parameter=private, public_parameter=public)
    if as_json:
        facts = {
            "stage": stage,
            "region": config.home_region,
            "version": chosen,
            "dry_run": dry_run,
            "parameters": [private, public],
        }
        OUT.out(json.dumps(facts, indent=2))
    else:
        made = "Would make" if dry_run else "Made"
        ERR.print(f"{made} {private} and {public} in {config.home_region}.")
    return 0
