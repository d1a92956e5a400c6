"""The CDK app, which `cdk synth` and `cdk deploy` run; `infra.context` reads what they are told."""

from __future__ import annotations

import os
import sys

from aws_cdk import App, Validations
from cdk_nag import AwsSolutionsChecks

from common.config import ConfigError
from infra import packaging
from infra.context import load, sandbox_assets
from infra.stack import ImagifyStack
from infra.web import ImagifyWebStack


def build(app: App) -> ImagifyStack:
    """Put the stacks into the app, and answer the first; the page's is on AWS alone.

    cdk-nag checks what AWS gets. Raises ConfigError.
    """
    config = load(app)
    assets = sandbox_assets(app)
    stack = ImagifyStack(
        app,
        config=config,
        package=packaging.build(libraries=assets is None),
        account=os.environ.get("CDK_DEFAULT_ACCOUNT"),
        sandbox_assets=assets,
    )
    if assets is None:
        ImagifyWebStack(app, config=config, home=stack)
        Validations.of(app).add_plugins(AwsSolutionsChecks(app))
    return stack


def main() -> None:
    """Synthesize, or say in one sentence why not."""
    app = App(analytics_reporting=False)
    try:
        build(app)
    except (ConfigError, packaging.PackagingError) as error:
        sys.exit(f"imagify: {error}")
    app.synth()


if __name__ == "__main__":
    main()
