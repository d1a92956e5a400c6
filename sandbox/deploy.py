"""Bringing the stack to the emulator as it is brought to AWS: synthesized and deployed by the CDK.

Only two things differ. The synthesizer uses a bucket made here, as the bootstrap's own bucket
speaks TLS only; and what was synthesized from the same sources before is used again.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import boto3
from botocore.exceptions import ClientError
from pydantic import ValidationError

from sandbox.clients import client_settings
from sandbox.environment import HOME_REGION, for_aws
from sandbox.errors import CommandError
from sandbox.places import REPOSITORY, SYNTHESIZED, Places
from sandbox.processes import signals_held, start, stop, wait_ended
from sandbox.state import Outputs

SYNTH_SECONDS = 180.0
DEPLOY_SECONDS = 300.0
KEPT = 6
"""Synthesized stacks that stay: another run may be deploying one of them, and each port has one."""
ASSETS_BUCKET = "imagify-sandbox-assets"
"""Where the functions' code goes; naming it in the context is what makes a sandbox stack."""
_SOURCES = ("infra", "common", "functions", "requirements", "cdk.json", "package-lock.json")
_QUIET_OPTIONS = ("--no-notices", "--no-color")
_QUIET = {"CDK_DISABLE_CLI_TELEMETRY": "true", "CDK_DISABLE_VERSION_CHECK": "1", "CI": "1"}


def synthesized(key: str) -> Path | None:
    """The cloud assembly made under the key, if there is one."""
    assembly = SYNTHESIZED / key
    return assembly if (assembly / "manifest.json").exists() else None


def synth_key(context: Mapping[str, str]) -> str:
    """Names what a synthesis depends on: the sources, by content, and the context."""
    digest = hashlib.sha256(json.dumps(context, sort_keys=True).encode())
    for path in _source_files(_SOURCES):
        content = path.read_bytes()
        digest.update(f"{path.relative_to(REPOSITORY)}\0{len(content)}\0".encode() + content)
    return digest.hexdigest()[:24]


def synthesize(
    places: Places, env: Mapping[str, str], *, endpoint: str, context: Mapping[str, str]
) -> Path:
    """Run the app; answer where its cloud assembly is. Raises CommandError."""
    SYNTHESIZED.mkdir(parents=True, exist_ok=True)
    assembly = SYNTHESIZED / synth_key(context)
    fresh = Path(tempfile.mkdtemp(prefix="new-", dir=SYNTHESIZED))
    try:
        pairs = [part for pair in context.items() for part in ("--context", "=".join(pair))]
        arguments = ["synth", "--quiet", "--output", str(fresh), *pairs]
        _run_cdk(
            "The synthesis",
            arguments,
            places=places,
            env=env,
            endpoint=endpoint,
            seconds=SYNTH_SECONDS,
        )
        if not assembly.exists():
            fresh.rename(assembly)
    finally:
        shutil.rmtree(fresh, ignore_errors=True)
    _forget_old()
    return assembly


def deploy(places: Places, env: Mapping[str, str], *, endpoint: str, assembly: Path) -> Outputs:
    """Deploy the assembly's stack to the emulator; raises CommandError."""
    make_assets_bucket(endpoint)
    answers = places.home / "outputs.json"
    answers.unlink(missing_ok=True)
    arguments = [
        *("deploy", "--all", "--app", str(assembly), "--outputs-file", str(answers)),
        *("--require-approval", "never", "--method", "direct", "--progress", "events"),
    ]
    _run_cdk(
        "The deploy",
        arguments,
        places=places,
        env=env,
        endpoint=endpoint,
        seconds=DEPLOY_SECONDS,
    )
    stacks = json.loads(answers.read_text())
    try:
        return Outputs.model_validate(
            {name: value for outputs in stacks.values() for name, value in outputs.items()}
        )
    except ValidationError as error:
        missing = ", ".join(str(item["loc"][0]) for item in error.errors())
        raise CommandError(f"The deployed stack has no output named {missing}.") from error


def _run_cdk(
    name: str,
    arguments: Sequence[str],
    *,
    places: Places,
    env: Mapping[str, str],
    endpoint: str,
    seconds: float,
) -> None:
    """Run the CDK command line to its end; it reaches for nothing but the emulator."""
    child = None
    try:
        with signals_held():
            child = start(
                name,
                [REPOSITORY / "node_modules" / ".bin" / "cdk", *_QUIET_OPTIONS, *arguments],
                env=for_aws(env, endpoint=endpoint)
                | _QUIET
                | {"CDK_HOME": str(places.home / "cdk")},
                cwd=REPOSITORY,
                log=places.log(arguments[0]),
            )
        wait_ended(child, seconds=seconds)
    finally:
        if child is not None:
            stop([child])


def make_assets_bucket(endpoint: str) -> None:
    """The bucket for the functions' code, where the stack expects it; fine when it is there."""
    s3 = boto3.client("s3", **client_settings(endpoint))
    try:
        s3.create_bucket(
            Bucket=ASSETS_BUCKET, CreateBucketConfiguration={"LocationConstraint": HOME_REGION}
        )
    except ClientError as error:
        if error.response["Error"]["Code"] != "BucketAlreadyOwnedByYou":
            raise


def _source_files(names: Sequence[str]) -> Iterator[Path]:
    """Every file under the names, in a fixed order; what Python leaves behind is none."""
    for name in names:
        root = REPOSITORY / name
        files = sorted(root.rglob("*")) if root.is_dir() else [root]
        yield from (path for path in files if path.is_file() and path.suffix != ".pyc")


def _forget_old() -> None:
    kept = sorted(SYNTHESIZED.glob("[0-9a-f]*"), key=os.path.getmtime, reverse=True)
    for assembly in kept[KEPT:]:
        shutil.rmtree(assembly, ignore_errors=True)
