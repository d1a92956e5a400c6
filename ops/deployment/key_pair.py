"""The pairs of keys that sign images' links, and their place in Parameter Store."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_pem_private_key,
)

from sandbox.errors import CommandError

if TYPE_CHECKING:
    from mypy_boto3_ssm import SSMClient

KEY_BITS = 2048
"""The one length of RSA that CloudFront takes."""
PUBLIC_EXPONENT = 65537


class KeyIsThere(CommandError):
    """The pair was made before, and links may be about that it has signed."""


def new_private_key() -> str:
    """A new RSA key as PEM, in PKCS #8."""
    key = rsa.generate_private_key(PUBLIC_EXPONENT, KEY_BITS)
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()


def public_key_of(private_key: str) -> str:
    """The public key that belongs to a private one, both as PEM."""
    key = load_pem_private_key(private_key.encode(), password=None).public_key()
    return key.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()


def refuse_if_there(ssm: SSMClient, public_parameter: str) -> None:
    """Raises KeyIsThere when the pair is complete."""
    try:
        ssm.get_parameter(Name=public_parameter)
    except ssm.exceptions.ParameterNotFound:
        return
    raise KeyIsThere(
        f"{public_parameter} is there already, and nothing overwrites a key:"
        " raise image_key_version for a new one."
    )


def store_new_pair(ssm: SSMClient, *, private_parameter: str, public_parameter: str) -> None:
    """Make a pair and store it, the private key first; raises KeyIsThere.

    A private key without its public one is what an earlier try has left: it is gone on with.
    """
    refuse_if_there(ssm, public_parameter)
    private_key = new_private_key()
    try:
        ssm.put_parameter(
            Name=private_parameter,
            Value=private_key,
            Type="SecureString",
            Description="Signs the links of images; made by imagify image-key new",
            Overwrite=False,
        )
    except ssm.exceptions.ParameterAlreadyExists:
        found = ssm.get_parameter(Name=private_parameter, WithDecryption=True)
        private_key = found["Parameter"]["Value"]
    try:
        ssm.put_parameter(
            Name=public_parameter,
            Value=public_key_of(private_key),
            Type="String",
            Description="What CloudFront checks the links of images with",
            Overwrite=False,
        )
    except ssm.exceptions.ParameterAlreadyExists:
        raise KeyIsThere(f"{public_parameter} was made by somebody else just now.") from None
