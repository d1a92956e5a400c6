from __future__ import annotations

from tests.e2e.runbook import sections
from tests.infra.template import Template


def test_the_runbook_has_a_section_for_each_alarm(aws: Template) -> None:
    alarms = {path.removeprefix("Alarms/") for path in aws.of_type("AWS::CloudWatch::Alarm")}
    titles = [section.title for section in sections()]
    assert alarms <= set(titles)
    assert len(titles) == len(set(titles))
