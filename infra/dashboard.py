"""The dashboard: are people served, how is the model, the money, and the machine, in that order.

`python -m infra.dashboard_picture` draws it with made-up data; docs/MONITORING.md shows that.
"""

from __future__ import annotations

from collections.abc import Sequence

from aws_cdk import Duration
from aws_cdk import aws_cloudwatch as cloudwatch
from constructs import Construct

from common.config import Config
from infra.graphs import Graphs
from infra.watches import Watched

COLUMNS = 24
HOURS = 6
"""What is shown when it is opened."""


class Dashboard(Construct):
    """One dashboard, named after the stack."""

    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        *,
        watched: Watched,
        alarms: Sequence[cloudwatch.IAlarm],
    ) -> None:
        super().__init__(scope, construct_id)
        graphs = Graphs(watched)
        cloudwatch.Dashboard(
            self,
            "Dashboard",
            dashboard_name=watched.config.stack_name,
            default_interval=Duration.hours(HOURS),
            # A rate is drawn by the minute, however long a time is looked at.
            period_override=cloudwatch.PeriodOverride.INHERIT,
            widgets=[
                [
                    _words(watched.config),
                    cloudwatch.AlarmStatusWidget(
                        title="Alarms", alarms=list(alarms), width=COLUMNS - 6, height=4
                    ),
                ],
                [_heading("Are people served?")],
                [graphs.ends(), graphs.wait(), graphs.oldest()],
                [graphs.messages(), graphs.set_aside(), graphs.pushes()],
                [_heading("The model")],
                [
                    graphs.latency(),
                    graphs.starts(),
                    graphs.model_errors(),
                    graphs.model_throttles(),
                ],
                [_heading("Money")],
                [graphs.payments(), graphs.discrepancies(), graphs.cost()],
                [_heading("The machine")],
                [graphs.errors(), graphs.durations(), graphs.concurrency(), graphs.cold_starts()],
                [graphs.answers(), graphs.throttles(), graphs.mended()],
            ],
        )


def _words(config: Config) -> cloudwatch.TextWidget:
    url = config.alarms.runbook_url
    link = f"[the runbook]({url})" if url.startswith("http") else f"`{url}`"
    return cloudwatch.TextWidget(
        markdown=f"# {config.stack_name}\n\nWhat to do about each alarm is in {link}. "
        "At a terminal `imagify status` says the same, and names jobs.",
        width=6,
        height=4,
    )


def _heading(text: str) -> cloudwatch.TextWidget:
    return cloudwatch.TextWidget(
        markdown=f"## {text}",
        width=COLUMNS,
        height=1,
        background=cloudwatch.TextWidgetBackground.TRANSPARENT,
    )
