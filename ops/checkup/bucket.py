"""Whether the images are as private as we say."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError

from common.aws.errors import error_code
from ops.checkup.finding import REVERT, Finding, fail, ok, warn
from ops.checkup.permissions import as_list

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

PUBLIC, TLS = "bucket: public access", "bucket: TLS"
ENCRYPTION, OWNERSHIP = "bucket: encryption", "bucket: ownership"
BLOCKS = ("BlockPublicAcls", "IgnorePublicAcls", "BlockPublicPolicy", "RestrictPublicBuckets")


def look_at_public_access(s3: S3Client, bucket: str) -> Iterator[Finding]:
    """Ask what keeps the public out."""
    blocks: Any = _or_none(
        lambda: s3.get_public_access_block(Bucket=bucket)["PublicAccessBlockConfiguration"],
        "NoSuchPublicAccessBlockConfiguration",
    )
    status: Any = _or_none(
        lambda: s3.get_bucket_policy_status(Bucket=bucket)["PolicyStatus"], "NoSuchBucketPolicy"
    )
    yield public_access(bucket, blocks or {}, status)


def public_access(
    bucket: str, blocks: Mapping[str, Any], status: Mapping[str, Any] | None
) -> Finding:
    """All four blocks, and no policy that S3 calls public; `status` is None without a policy."""
    off = [name for name in BLOCKS if not blocks.get(name)]
    if status and status.get("IsPublic"):
        return fail(
            PUBLIC,
            "Its policy lets everybody in.",
            f"aws s3api get-bucket-policy --bucket {bucket}; take the statement out",
        )
    if off:
        return fail(
            PUBLIC,
            f"Off: {', '.join(off)}.",
            f"aws s3api put-public-access-block --bucket {bucket} --public-access-block-"
            f"configuration {','.join(f'{name}=true' for name in BLOCKS)}",
        )
    if status is None:
        return ok(PUBLIC, "All four blocks are on, and there is no policy.")
    # The emulator says nothing here; with all blocks on no policy lets anybody in.
    said = "S3 calls its policy not public" if "IsPublic" in status else "S3 does not judge it"
    return ok(PUBLIC, f"All four blocks are on; {said}.")


def look_at_tls(s3: S3Client, bucket: str, *, emulated: bool) -> Iterator[Finding]:
    """Ask for the bucket's policy."""
    if emulated:
        yield ok(TLS, "Not demanded of an emulator, on purpose: the emulator speaks plain HTTP.")
        return
    text = _or_none(lambda: s3.get_bucket_policy(Bucket=bucket)["Policy"], "NoSuchBucketPolicy")
    yield tls(bucket, json.loads(text) if text else {"Statement": []})


def tls(bucket: str, policy: Mapping[str, Any]) -> Finding:
    """A statement that denies everybody everything that does not come over TLS."""
    wanted = {f"arn:aws:s3:::{bucket}", f"arn:aws:s3:::{bucket}/*"}
    for each in as_list(policy["Statement"]):
        insecure = each.get("Condition", {}).get("Bool", {}).get("aws:SecureTransport")
        if (
            each["Effect"] == "Deny"
            and each.get("Principal") in ("*", {"AWS": "*"})
            and {"s3:*", "*"} & set(as_list(each.get("Action", [])))
            and str(insecure).lower() == "false"
            and wanted <= set(as_list(each.get("Resource", [])))
        ):
            return ok(TLS, "Whatever does not come over TLS is denied.")
    return fail(TLS, "Its policy does not deny plain HTTP.", REVERT)


def look_at_encryption(s3: S3Client, bucket: str) -> Iterator[Finding]:
    """Ask how objects are encrypted."""
    told: Any = _or_none(
        lambda: s3.get_bucket_encryption(Bucket=bucket)["ServerSideEncryptionConfiguration"],
        "ServerSideEncryptionConfigurationNotFoundError",
    )
    rules = (told or {}).get("Rules", [])
    kinds = [
        each.get("ApplyServerSideEncryptionByDefault", {}).get("SSEAlgorithm") for each in rules
    ]
    if any(kinds):
        yield ok(ENCRYPTION, f"{', '.join(filter(None, kinds))} by default.")
    else:
        yield fail(ENCRYPTION, "No default encryption is set.", REVERT)


def look_at_ownership(s3: S3Client, bucket: str) -> Iterator[Finding]:
    """Ask whose objects are."""
    told: Any = _or_none(
        lambda: s3.get_bucket_ownership_controls(Bucket=bucket)["OwnershipControls"],
        "OwnershipControlsNotFoundError",
    )
    owners = [each["ObjectOwnership"] for each in (told or {}).get("Rules", [])]
    if owners == ["BucketOwnerEnforced"]:
        yield ok(OWNERSHIP, "The bucket's owner owns all; access lists are off.")
    else:
        yield warn(OWNERSHIP, f"Access lists count: {owners or 'not set'}.", REVERT)


def _or_none(ask: Callable[[], Any], missing: str) -> Any:
    """What S3 says, or None where nothing is set, which S3 tells as an error of that name."""
    try:
        return ask()
    except ClientError as error:
        if error_code(error) != missing:
            raise
        return None
