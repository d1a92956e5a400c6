from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from aws_cdk import App

from infra.app import build
from infra.packaging import REPOSITORY
from tests.infra.template import Template

CDK_JSON = json.loads((REPOSITORY / "cdk.json").read_text())
SANDBOX_ASSETS = "imagify-test-assets"
FROM_THE_COMMAND_LINE = {
    "aws:cdk:enable-path-metadata": True,
    "aws:cdk:enable-asset-metadata": True,
}
"""What `cdk synth` adds to the context, so that these templates are the ones it makes."""


def make_app(folder: Path, **context: Any) -> App:
    """The app as the CDK starts it, with cdk.json's context and some more."""
    return App(
        analytics_reporting=False,
        context={**CDK_JSON["context"], **FROM_THE_COMMAND_LINE, **context},
        outdir=str(folder),
    )


def synthesize(folder: Path, **context: Any) -> Template:
    """The template; cdk-nag's findings make this raise, as they make `cdk synth` fail."""
    app = make_app(folder, **context)
    stack = build(app)
    app.synth()
    return Template(json.loads((folder / stack.template_file).read_text()), folder)


@pytest.fixture(scope="session")
def aws(tmp_path_factory: pytest.TempPathFactory) -> Template:
    """What AWS gets as prod, with the settings in cdk.json."""
    return synthesize(tmp_path_factory.mktemp("aws"), stage="prod")


def page_of(home: Template) -> Template:
    """The page's stack, which was synthesized beside the home stack."""
    content = json.loads((home.assembly / "ImagifyWeb.template.json").read_text())
    return Template(content, home.assembly, root="ImagifyWeb")


@pytest.fixture(scope="session")
def web(aws: Template) -> Template:
    """The page's stack without a domain."""
    return page_of(aws)


ACCOUNT = "111122223333"
DOMAIN = "imagify.example.com"
CERTIFICATE = f"arn:aws:acm:us-east-1:{ACCOUNT}:certificate/12345678-1234-1234-1234-123456789012"


@pytest.fixture(scope="session")
def hosted(tmp_path_factory: pytest.TempPathFactory) -> Template:
    """What a known account gets as prod under a domain, after the keys were changed twice."""
    settings = {
        "domain": DOMAIN,
        "certificate_arn": CERTIFICATE,
        "image_key_version": 3,
        "image_url_seconds": 7 * 86_400,
        "stages": {"prod": {}},
    }
    folder = tmp_path_factory.mktemp("hosted")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("CDK_DEFAULT_ACCOUNT", ACCOUNT)
        return synthesize(folder, stage="prod", imagify=json.dumps(settings))


@pytest.fixture(scope="session")
def hosted_web(hosted: Template) -> Template:
    """The page's stack under a domain."""
    return page_of(hosted)


@pytest.fixture(scope="session")
def sandbox(tmp_path_factory: pytest.TempPathFactory) -> Template:
    """What the emulator gets with the same settings."""
    return synthesize(tmp_path_factory.mktemp("sandbox"), stage="prod", sandbox=SANDBOX_ASSETS)


TWO_ROUTES = (
    {"model": "stability.stable-image-core-v1:1", "region": "us-west-2"},
    {
        "model": "amazon.titan-image-generator-v2:0",
        "region": "eu-west-1",
        "rate_per_second": 1.5,
        "p95_seconds": 9.0,
    },
)

ONE_PACKAGE = ({"package": "only", "credits": 7, "price_vnd": 9_100},)


@pytest.fixture(scope="session")
def two_routes(tmp_path_factory: pytest.TempPathFactory) -> Template:
    """What AWS gets with every setting turned round, as the command line would give them."""
    settings = {
        "routes": TWO_ROUTES,
        "force_retired_models": True,
        "alarm_email": "ops@example.com",
        "removal": "destroy",
        "allowed_origins": ["https://imagify.example.com"],
        "attempts_max": 5,
        "log_retention_days": 90,
        "packages": ONE_PACKAGE,
        "vnpay_parameter": "/shop/vnpay-live",
        "page_url": "https://imagify.example.com/paid",
    }
    return synthesize(tmp_path_factory.mktemp("two-routes"), imagify=json.dumps(settings))
