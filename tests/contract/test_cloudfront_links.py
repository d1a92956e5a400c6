"""Links as CloudFront checks them: read apart here with the public key alone."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, urlsplit

import boto3
import pytest
from botocore.stub import Stubber
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, generate_private_key
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_public_key,
)

from common.aws.cloudfront_links import CloudFrontLinks
from common.errors import ServiceFailed
from common.settings.outlook import ImageLinks
from ops.deployment.key_pair import new_private_key, public_key_of
from tests.contract.backends import REGION, at_once
from tests.fakes import ManualClock

if TYPE_CHECKING:
    from mypy_boto3_ssm import SSMClient

PRIVATE_KEY = new_private_key()
LINKS = ImageLinks(
    origin="https://imagify.example.com", key_pair_id="K2EXAMPLE", key_parameter="/imagify/dev/1"
)
KEY = "images/usr_ann/job_1.png"


@pytest.fixture
def ssm() -> Iterator[SSMClient]:
    session = boto3.session.Session(
        aws_access_key_id="test", aws_secret_access_key="test", region_name=REGION
    )
    client = session.client("ssm")
    yield client
    client.close()


@pytest.fixture
def stubber(ssm: SSMClient) -> Iterator[Stubber]:
    """Parameter Store, which answers what a test has put in, and nothing else."""
    with Stubber(ssm) as stubber:
        yield stubber


def holds(stubber: Stubber, text: str) -> None:
    """The parameter is read once, decrypted, and holds this."""
    asked = {"Name": LINKS.key_parameter, "WithDecryption": True}
    stubber.add_response("get_parameter", {"Parameter": {"Value": text}}, asked)


def links(ssm: SSMClient, clock: ManualClock | None = None) -> CloudFrontLinks:
    return CloudFrontLinks(ssm, LINKS, now=clock or ManualClock())


def check(url: str) -> tuple[str, datetime]:
    """What CloudFront does: what the link shows, and until when; raises InvalidSignature."""
    parts = urlsplit(url)
    query = {name: value for name, (value,) in parse_qs(parts.query, strict_parsing=True).items()}
    assert set(query) == {"Expires", "Signature", "Key-Pair-Id", "Hash-Algorithm"}
    assert (query["Key-Pair-Id"], query["Hash-Algorithm"]) == (LINKS.key_pair_id, "SHA256")
    resource = parts._replace(query="").geturl()
    condition = {"DateLessThan": {"AWS:EpochTime": int(query["Expires"])}}
    policy: dict[str, Any] = {"Statement": [{"Resource": resource, "Condition": condition}]}
    sent = query["Signature"].translate(str.maketrans("-_~", "+=/"))
    public_key = load_pem_public_key(public_key_of(PRIVATE_KEY).encode())
    assert isinstance(public_key, RSAPublicKey)
    public_key.verify(
        base64.b64decode(sent, validate=True),
        json.dumps(policy, separators=(",", ":")).encode(),
        PKCS1v15(),
        SHA256(),
    )
    return resource, datetime.fromtimestamp(int(query["Expires"]), UTC)


def test_a_link_shows_one_image_until_it_expires(ssm: SSMClient, stubber: Stubber) -> None:
    holds(stubber, PRIVATE_KEY)
    clock = ManualClock()
    shown, until = check(links(ssm, clock).url(KEY, expires_seconds=7 * 86_400))
    assert shown == f"https://imagify.example.com/{KEY}"
    assert 0 <= (until - clock()).total_seconds() - 7 * 86_400 < 10


@pytest.mark.parametrize(
    ("said", "forged"),
    [("job_1", "job_2"), ("usr_ann", "usr_bob"), ("example.com", "example.net"), ("=", "=9")],
)
def test_a_link_that_was_changed_is_none(
    ssm: SSMClient, stubber: Stubber, said: str, forged: str
) -> None:
    holds(stubber, PRIVATE_KEY)
    url = links(ssm).url(KEY, expires_seconds=900)
    with pytest.raises(InvalidSignature):
        check(url.replace(said, forged, 1))


def test_a_link_of_another_key_is_none(ssm: SSMClient, stubber: Stubber) -> None:
    holds(stubber, new_private_key())
    with pytest.raises(InvalidSignature):
        check(links(ssm).url(KEY, expires_seconds=900))


def test_what_a_key_has_that_no_url_may_have_is_escaped(ssm: SSMClient, stubber: Stubber) -> None:
    holds(stubber, PRIVATE_KEY)
    shown, _until = check(links(ssm).url("images/a b/é?.png", expires_seconds=900))
    assert shown == "https://imagify.example.com/images/a%20b/%C3%A9%3F.png"


def test_what_is_due_at_one_moment_has_one_link(ssm: SSMClient, stubber: Stubber) -> None:
    """A browser finds the image in its cache by the whole of the link."""
    holds(stubber, PRIVATE_KEY)
    clock = ManualClock()
    signer = links(ssm, clock)
    first = signer.url(KEY, expires_seconds=900)
    clock.advance(60.4)
    assert signer.url(KEY, expires_seconds=839) == first  # whole seconds, as a view counts them
    assert signer.url(KEY, expires_seconds=900) != first


def test_the_key_is_read_when_first_needed_and_once(ssm: SSMClient, stubber: Stubber) -> None:
    signer = links(ssm)
    holds(stubber, PRIVATE_KEY)  # a second read would find nothing, and fail
    made = at_once([lambda: signer.url(KEY, expires_seconds=900)] * 8)
    assert len(set(made)) == 1
    stubber.assert_no_pending_responses()


def test_a_key_that_cannot_be_read_is_asked_for_again(ssm: SSMClient, stubber: Stubber) -> None:
    stubber.add_client_error("get_parameter", "ParameterNotFound")
    signer = links(ssm)
    with pytest.raises(ServiceFailed, match="images' links"):
        signer.url(KEY, expires_seconds=900)
    holds(stubber, PRIVATE_KEY)
    assert check(signer.url(KEY, expires_seconds=900))


def test_a_key_of_another_kind_is_refused_without_telling_it(
    ssm: SSMClient, stubber: Stubber
) -> None:
    other = generate_private_key(SECP256R1())
    pem = other.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()
    holds(stubber, pem)
    with pytest.raises(TypeError, match=f"^{LINKS.key_parameter} holds no RSA key$"):
        links(ssm).url(KEY, expires_seconds=900)
    holds(stubber, "LEAKED")
    with pytest.raises(ValueError, match="PEM") as refused:
        links(ssm).url(KEY, expires_seconds=900)
    assert "LEAKED" not in str(refused.value)
