"""The keys that sign images' links, where there is a domain: who has them, and which are good."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.infra.conftest import ACCOUNT, CERTIFICATE, DOMAIN, synthesize
from tests.infra.template import FUNCTIONS, Template
from tests.infra.test_web import SHOWING


def test_the_key_that_signs_and_the_one_before_it_are_good(hosted: Template) -> None:
    keys = hosted.of_type("AWS::CloudFront::PublicKey")
    assert set(keys) == {"ImageKeys/ProdV3", "ImageKeys/ProdV2"}
    group = hosted.one("AWS::CloudFront::KeyGroup")["KeyGroupConfig"]
    assert [hosted.text(key) for key in group["Items"]] == ["ImageKeys/ProdV3", "ImageKeys/ProdV2"]
    read = {
        hosted.content["Parameters"][key["PublicKeyConfig"]["EncodedKey"]["Ref"]]["Default"]
        for key in keys.values()
    }
    assert read == {f"/imagify/prod/image-key/{version}/public" for version in (2, 3)}


@pytest.mark.parametrize("name", SHOWING)
def test_who_shows_jobs_signs_with_the_newest_key(hosted: Template, name: str) -> None:
    settings = SHOWING[name].from_env(hosted.environment(name))
    assert settings.image_url_seconds == 7 * 86_400
    assert settings.image_links is not None
    assert settings.image_links.origin == f"https://{DOMAIN}"
    assert settings.image_links.key_pair_id == "ImageKeys/ProdV3"
    assert settings.image_links.key_parameter == "/imagify/prod/image-key/3"


@pytest.mark.parametrize("name", FUNCTIONS)
def test_nobody_else_may_read_the_key(hosted: Template, name: str) -> None:
    """The one before too: until a deployment is through, the version before it reads that."""
    parameter = f"arn:aws:ssm:ap-southeast-1:{ACCOUNT}:parameter/imagify/prod/image-key"
    keys = {what: how for what, how in hosted.permissions(name).items() if "image-key" in what}
    both = {f"{parameter}/{version}": {"ssm:GetParameter"} for version in (2, 3)}
    assert keys == (both if name in SHOWING else {})


@pytest.mark.parametrize("name", SHOWING)
def test_who_signs_for_cloudfront_reads_no_image(
    hosted: Template, aws: Template, name: str
) -> None:
    for stack, may in ((hosted, False), (aws, True)):
        assert any(what.endswith("/images/*") for what in stack.permissions(name)) is may


def test_no_two_keys_of_an_account_are_asked_for_under_one_reference(tmp_path: Path) -> None:
    """dev's eleventh and dev1's first read alike, if only what tells them apart is left out."""
    references = []
    for stage, version in (("dev", 11), ("dev1", 1)):
        settings = {
            "domain": DOMAIN,
            "certificate_arn": CERTIFICATE,
            "image_key_version": version,
        }
        stack = synthesize(tmp_path / stage, stage=stage, imagify=json.dumps(settings))
        keys = stack.of_type("AWS::CloudFront::PublicKey").values()
        references += [key["PublicKeyConfig"]["CallerReference"] for key in keys]
    assert len(set(references)) == len(references) == 3
